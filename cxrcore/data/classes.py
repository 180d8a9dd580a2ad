"""From what a source calls a finding to the class a model learns."""

from collections.abc import Iterable, Mapping

CLASSES = ("COVID", "NORMAL", "OTHER INFECTION")  # in the tutorials' order
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


def to_class(finding: str, known: Mapping[str, str], chosen: Mapping[str, str]) -> str:
    """Return the class of `finding`, or `LEAVE_OUT`: the user's choice first, then the source's default."""
    chosen = {name.upper(): label for name, label in chosen.items()}
    return chosen.get(finding.upper(), known.get(finding.upper(), LEAVE_OUT))


def ordered(labels: Iterable[str]) -> list[str]:
    """Return the distinct labels: the three classes in the tutorials' order, then any others by name."""
    present = set(labels) - {LEAVE_OUT}
    return [name for name in CLASSES if name in present] + sorted(present - set(CLASSES))
