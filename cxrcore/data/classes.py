"""From what a source calls a finding to the class a model learns."""

from collections.abc import Iterable, Mapping

from cxrcore.errors import UserError
from cxrcore.i18n import N_

CLASSES = ("COVID", "NORMAL", N_("OTHER INFECTION"))  # in the tutorials' order
LEAVE_OUT = ""

# By finding in capital letters. What is not named here is left out until the user maps it.
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


def to_class(finding: str, source: str, known: Mapping[str, str], chosen: Mapping[str, str]) -> str:
    """Return the class of `finding`, or `LEAVE_OUT`: the user's choice first, then the source's default.

    A choice is made for `source/finding`, or for `finding` wherever it occurs. Capitals do not count.
    """
    chosen = {name.upper(): label for name, label in chosen.items()}
    for name in (f"{source}/{finding}".upper(), finding.upper()):
        if name in chosen:
            return chosen[name]
    return known.get(finding.upper(), LEAVE_OUT)


def check(names: Iterable[str], what: str) -> None:
    """Raise `UserError` for a name that is no class."""
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
