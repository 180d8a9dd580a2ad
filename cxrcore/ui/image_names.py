"""What an image is called on a page."""

from pathlib import Path

from cxrcore import settings
from cxrcore.reports.run_summary import image_id


def name(path: object, sha256: object) -> str:
    """Return the name of an image's file; for visitors who may change nothing its name in exports, as the file's may be
    a person's.
    """
    return image_id(str(sha256)) if settings.read_only() else Path(str(path)).name
