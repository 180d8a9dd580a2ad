"""Errors of single images, and the limits on their size."""

from cxrcore.messages import msg

# A chest radiograph has at most about 20 million pixels. A header that claims far more is an accident or an attack (a
# "decompression bomb").
MAX_PIXELS = 40_000_000
# What images that are being opened may take together, in bytes: unpacked pixels and 8-bit copies of them.
MAX_BYTES = 480_000_000
AT_MOST = msg("at most {most} million are opened", most=MAX_PIXELS // 10**6)


class ImageError(Exception):
    """An image that cannot be used; its `message` is the reason, for example `the file is truncated`.

    `text` is filled with `values`, as a `UserError`'s. `kind` is a code to count reasons by, see `exclusions.KINDS`.
    """

    def __init__(self, text: str, /, kind: str = "unreadable", **values: object):
        self.message = msg(text, **values)
        super().__init__(str(self.message))
        self.kind = kind


def check_size(width: int, height: int) -> None:
    """Raise `ImageError` for a size in pixels that is not positive, or too large."""
    if width < 1 or height < 1:
        raise ImageError("the image claims {width} x {height} pixels", width=width, height=height)
    if width * height > MAX_PIXELS:
        raise ImageError(
            "the image claims {width} x {height} pixels; {at_most}", width=width, height=height, at_most=AT_MOST
        )
