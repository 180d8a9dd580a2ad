"""Class names: what they may be, their order and how they are displayed. Only the tutorials' are translated."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from cxrcore.errors import UserError
from cxrcore.i18n import N_, translate
from cxrcore.messages import Message, msg

COVID, NORMAL, OTHER = "COVID", "NORMAL", N_("OTHER INFECTION")
TUTORIAL = (COVID, NORMAL, OTHER)  # in the tutorials' order
LEAVE_OUT = ""
NO_FOLDER = N_("(no folder)")  # the finding of an uploaded file that lies in no folder
LEAST, MOST = 2, 50  # classes of a dataset
LONGEST = 60  # characters of a name

# Usual names of "no finding" and of COVID-19, as `key` gives them.
_NORMAL = {"normal", "healthy", "nofinding", "nofindings", "nofound", "negative", "control", "clear", "noabnormality"}
_COVID = {"covid", "covid19", "covid2019", "sarscov2", "covid19pneumonia"}
# Other infections in the tutorials' sources, as `key` gives them.
_OTHER = {"pneumonia", "viralpneumonia", "bacterialpneumonia", "otherinfection", "otherinfections"}


def display(name: str) -> Message | str:
    """Return a class name for a message: only those of `TUTORIAL` are translated, any other is data."""
    return Message(id=name) if name in TUTORIAL else isolated(name)


def isolated(text: str) -> str:
    """Return a text whose letters run from right to left between invisible marks, so that it does not turn what stands
    beside it; any other text as it is.
    """
    turns = any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)
    return f"\u2068{text}\u2069" if turns else text


def label(name: str) -> str:
    """Return a class name for a page, in the current language."""
    return translate(name) if name in TUTORIAL else name


def finding_label(finding: str) -> str:
    """Return a finding for a page: data, but for `NO_FOLDER`."""
    return translate(finding) if finding == NO_FOLDER else finding


def key(name: str) -> str:
    """Return what is equal for names that differ only by case and by spaces, underscores or hyphens between words."""
    words = unicodedata.normalize("NFKC", _printable(name)).casefold().strip().strip("_")
    return re.sub(r"(?<=\w)[\s_\-]+(?=\w)", "", words)


def prettified(finding: str) -> str:
    """Return a finding as a class name: `lung_opacity` is `Lung opacity`; at most `LONGEST` characters."""
    words = _one_line(finding.replace("_", " "))
    if words == words.lower():
        words = words.upper() if len(words) < 3 else words[:1].upper() + words[1:]
    return _shortened(words)


def readable(text: str) -> str:
    """Return a text from a file in one line of at most `LONGEST` characters, without control characters and without
    marks that turn the direction of the text around it.
    """
    return _shortened(_one_line(text))


def tutorial_class(finding: str) -> str:
    """Return the tutorials' class of a finding by its usual names, or `LEAVE_OUT`."""
    found = key(finding)
    return OTHER if found in _OTHER else merged_class(finding)


def merged_class(finding: str) -> str:
    """Return NORMAL or COVID for their usual names, which sources that are merged write differently, or `LEAVE_OUT`."""
    found = key(finding)
    return NORMAL if found in _NORMAL else COVID if found in _COVID else LEAVE_OUT


def ordered(labels: Iterable[str]) -> list[str]:
    """Return the distinct names: the tutorials' in their order, else by name."""
    present = set(labels) - {LEAVE_OUT}
    if present <= set(TUTORIAL):
        return [name for name in TUTORIAL if name in present]
    return sorted(present, key=lambda name: (name.casefold(), name))


def positive(names: Sequence[str], chosen: str = "") -> str:
    """Return the positive class of a two-class question: `chosen`, else the only one that is not negative by its name,
    else the first. "" for more or fewer classes.
    """
    if len(names) != 2:
        return ""
    if chosen in names:
        return chosen
    return next((name for name in names if not _is_negative(name)), names[0])


def _is_negative(name: str) -> bool:
    """Tell whether a name says that nothing is found: NORMAL, No TB, non-COVID, COVID-19 negative, benign, 0."""
    words = re.split(r"[\s_\-]+", name.casefold().strip())
    if words[0] == "not":  # not normal
        return not _is_negative(" ".join(words[1:]))
    is_negated = words[0] in ("no", "non", "without", "negative") or words[-1] in ("negative", "neg", "")
    return is_negated or key(name) in _NORMAL or key(name) in ("0", "false", "n", "benign", "none", "absent")


def matching(name: str, names: Sequence[str]) -> str:
    """Return which of `names` a name means: the same, one of equal `key`, or another usual name; "" for none."""
    if name in names:
        return name
    same = [other for other in names if key(other) == key(name)]
    usual = [other for other in names if merged_class(other) and merged_class(other) == merged_class(name)]
    return next(iter([*same, *usual]), "")


def checked(name: str) -> str:
    """Return a class name as it is kept: NFC, without spaces at its ends and doubled ones.

    Raises:
        UserError: it is empty, too long, or holds control or invisible characters.
    """
    kept = " ".join(unicodedata.normalize("NFC", name).split())
    if not 0 < len(kept) <= LONGEST or _printable(kept) != kept:
        raise UserError(
            "class name: expected 1 to {longest} characters, none of them a control or an invisible one. Received: "
            "{name!r}",
            longest=LONGEST,
            name=name,
        )
    return kept


def check_list(names: Sequence[str]) -> None:
    """Raise `UserError` unless `names` are 2 to 50 distinct class names."""
    for name in names:
        checked(name)
    if len(set(names)) != len(names):
        raise UserError("classes: expected distinct names. Received: {names}", names=list(names))
    if not LEAST <= len(names) <= MOST:
        raise UserError(
            "A dataset needs {least} to {most} classes. Received: {names}.",
            least=LEAST,
            most=MOST,
            names=list(names[:10]) or msg("none"),
        )


def _one_line(text: str) -> str:
    printable = _printable(unicodedata.normalize("NFC", text))
    return " ".join(unicodedata.normalize("NFC", printable).split())  # what was left out may have stood between


def _shortened(words: str) -> str:
    return words if len(words) <= LONGEST else words[: LONGEST - 1].rstrip() + "…"


def _printable(name: str) -> str:
    """Return `name` without control and format characters: those that are invisible would make names that look equal,
    and some turn the direction of the text around them. The joiners that some scripts and emoji need stay after such
    characters.
    """
    kept = ""
    for character in name:
        is_joiner = character in _JOINERS and kept and not (kept[-1].isascii() or kept[-1].isspace())
        is_visible = unicodedata.category(character) not in ("Cc", "Cf", "Cs") and character not in _BLANK
        if character == _EMOJI_FORM:
            is_visible = bool(kept) and unicodedata.category(kept[-1]) == "So"
        if is_visible or (is_joiner and kept[-1] not in _JOINERS):
            kept += character
    return kept.rstrip(_JOINERS)


_JOINERS = "\u200c\u200d"
_EMOJI_FORM = "\ufe0f"
# Letters and symbols without a form, and what chooses a form of the character before; U+FE0F does so in many emoji.
_BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0" + "".join(
    map(chr, [*range(0xFE00, 0xFE0F), *range(0xE0100, 0xE01F0)])
)
