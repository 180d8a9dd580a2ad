"""ZIP files in memory."""

import io
import zipfile


def zipped(files):
    """Return the bytes of a compressed ZIP; `files` is content by name (or by `ZipInfo`)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()
