"""Fonts for names that Pillow's own font, which has no letter beyond ASCII, cannot write."""

from functools import lru_cache
from pathlib import Path

import reportlab
from PIL import ImageFont

# The one that ReportLab brings has the letters of Western Europe; the others are those of Linux, Windows and macOS.
_FILES = (
    str(Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"),
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "segoeui.ttf",
    "arial.ttf",
    "Arial Unicode.ttf",
    "NotoSansCJK-Regular.ttc",
)
_SIZE = 20
_NO_CHARACTER = "\U0010ffff"  # every font draws it as a missing one


def font(text: str, size: float) -> ImageFont.FreeTypeFont:
    """Return a font for `text`, `size` pixels high: Pillow's own, or the first that has more of the characters.

    A character that no font has is drawn as an empty box.
    """
    path = file(text)
    if path:
        return ImageFont.truetype(path, size)
    own = ImageFont.load_default(size)
    assert isinstance(own, ImageFont.FreeTypeFont)
    return own


@lru_cache(maxsize=512)
def file(text: str) -> Path | None:
    """Return the font file that has the most characters of `text`, None if no file has more of them
    than Pillow's own font.
    """
    own = ImageFont.load_default(_SIZE)
    assert isinstance(own, ImageFont.FreeTypeFont)
    best, least = None, _missing(own, text)
    for name in _FILES if least else ():
        try:
            found = ImageFont.truetype(name, _SIZE)
        except OSError:
            continue
        if (missing := _missing(found, text)) < least:
            best, least = Path(str(found.path)), missing
    return best


def _missing(found: ImageFont.FreeTypeFont, text: str) -> int:
    nothing = bytes(found.getmask(_NO_CHARACTER))
    return sum(bytes(found.getmask(character)) == nothing for character in set(text) if not character.isspace())
