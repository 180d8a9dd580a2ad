"""From the finding that a source gives to the class that a model learns."""

from collections.abc import Iterable, Mapping

from cxrcore.errors import UserError
from cxrcore.i18n import N_, translate
from cxrcore.messages import Message

CLASSES = ("COVID", "NORMAL", N_("OTHER INFECTION"))  # in the tutorials' order
LEAVE_OUT = ""
NO_FOLDER = N_("(no folder)")  # the finding of an uploaded file that lies in no folder

# By finding in capital letters. Any other finding is left out until the user assigns a class.
FOLDER_NAMES = {
    "COVID": "COVID",
    "COVID-19": "COVID",
    "COVID19": "COVID",
    "NORMAL": "NORMAL",
    "HEALTHY": "NORMAL",
    "PNEUMONIA": "OTHER INFECTION",
    "VIRAL PNEUMONIA": "OTHER INFECTION",
    "BACTERIAL PNEUMONIA": "OTHER INFECTION",
    "OTHER INFECTION": "OTHER INFECTION",
    "OTHER INFECTIONS": "OTHER INFECTION",
}


def display(name: str) -> Message | str:
    """Return a class name for a message: only those of `CLASSES` are translated, any other is data."""
    return Message(id=name) if name in CLASSES else name


def label(name: str) -> str:
    """Return a class name for a page, in the current language."""
    return translate(name) if name in CLASSES else name


def finding_label(finding: str) -> str:
    """Return a finding for a page: data, but for `NO_FOLDER`."""
    return translate(finding) if finding == NO_FOLDER else finding


def to_class(finding: str, source: str, known: Mapping[str, str], chosen: Mapping[str, str]) -> str:
    """Return the class of `finding`, or `LEAVE_OUT`: the user's choice first, then the source's default.

    A choice is made for `source/finding`, or for `finding` in any source. Upper and lower case are the same.
    """
    chosen = {name.upper(): label for name, label in chosen.items()}
    for name in (f"{source}/{finding}".upper(), finding.upper()):
        if name in chosen:
            return chosen[name]
    return known.get(finding.upper(), LEAVE_OUT)


def check(names: Iterable[str], what: Message) -> None:
    """Raise `UserError` for a name that is not a class; `what` says what the names are."""
    for name in names:
        if name not in (*CLASSES, LEAVE_OUT):
            raise UserError(
                "{what}: expected one of {expected}. Received: {name!r}",
                what=what,
                expected=", ".join(CLASSES),
                name=name,
            )


def ordered(labels: Iterable[str]) -> list[str]:
    """Return the distinct labels: the three classes in the tutorials' order, then any others by name."""
    present = set(labels) - {LEAVE_OUT}
    return [name for name in CLASSES if name in present] + sorted(present - set(CLASSES))
