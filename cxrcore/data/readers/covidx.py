"""COVIDx: `train.txt` and `test.txt` beside `train/` and `test/` (Wang et al. 2020, doi:10.1038/s41598-020-76550-z).

A line has the patient, the file name, the class and, in most versions, the set that the image comes from.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cxrcore.data.dataset import TEST, TRAIN, VALIDATION
from cxrcore.data.file_tree import FileTree
from cxrcore.data.images import SUFFIXES
from cxrcore.data.readers import lists
from cxrcore.data.readers.base import SPLIT_NAMES, Reading, located, rows
from cxrcore.errors import UserError
from cxrcore.messages import Message, msg, plain

_LIST = re.compile(r"(train|val|valid|validation|test)(_.*)?\.txt", re.IGNORECASE)
_SUFFIXES = tuple(SUFFIXES)
_MOST_WORDS = 50  # of a line, whose patient and file name may have spaces
_PARTS = (TRAIN, VALIDATION, TEST)
# A negative image may show another pneumonia, so that it is no image without a finding.
_FINDINGS = {"positive": "COVID-19 positive", "negative": "COVID-19 negative"}
CITATION = (
    "Wang L, Lin ZQ, Wong A. COVID-Net, Sci Rep 10:19549, 2020, doi:10.1038/s41598-020-76550-z. "
    "Each image has the licence of the set that it comes from (fourth column of the lists)."
)


@dataclass(frozen=True)
class _Line:
    """A line of a list: the words of the patient and the file name, the class, and the set, "" if there is none."""

    words: list[str]
    finding: str
    source: str


def places(tree: FileTree) -> list[str]:
    """Return the folders in `tree` that have this layout: those of the lists, or above them, with images below."""
    folders = {lists.parent(name) for name in tree.files if _is_list(tree, name)}
    return sorted({folder if lists.images(tree, folder) else lists.parent(folder) for folder in folders})


def read(tree: FileTree, folder: str) -> Reading:
    """Return the images in the lists; of several versions, that without a name is read, or the last by name."""
    versions: dict[str, dict[str, str]] = defaultdict(dict)
    for name in tree.below(folder):
        if _is_list(tree, name):
            part, version = _part_and_version(name)
            versions[version].setdefault(part, name)
    chosen = "" if "" in versions else max(versions)
    images = lists.images(tree, folder)
    by_end = _by_end(images)
    records: list[dict[str, Any]] = []
    notes: list[Message] = []
    for part, name in sorted(versions[chosen].items(), key=lambda item: _PARTS.index(item[0])):
        faulty: list[int] = []
        for number, line in enumerate(lists.text(tree, name).splitlines(), 1):
            parsed = _parsed(line)
            if parsed:
                records.append(_record(tree, folder, name, parsed, by_end) | {"given_split": part})
            elif line.strip():
                faulty.append(number)
        notes += lists.faulty_note(name, faulty)
    others = [name for version, names in versions.items() if version != chosen for name in names.values()]
    if others:
        notes.append(
            msg(
                "The lists {names} are read, and other versions are not: {others}",
                names=list(versions[chosen].values()),
                others=sorted(others)[:10],
            )
        )
    listed = {record["name"] for record in records}
    notes += lists.unlisted_note(tree.origin, [name for name in images if name not in listed])
    return Reading("covidx", tree.origin, rows(lists.mark_repeats(records)), plain(CITATION), notes=tuple(notes))


def _is_list(tree: FileTree, name: str) -> bool:
    if not _LIST.fullmatch(name.rpartition("/")[2]):
        return False
    try:
        lines = [line for line in lists.text(tree, name).splitlines() if line.strip()]
    except UserError:
        return False
    return any(_parsed(line) for line in lines[:20])


def _part_and_version(name: str) -> tuple[str, str]:
    part, separator, version = name.rpartition("/")[2].lower().removesuffix(".txt").partition("_")
    return SPLIT_NAMES[part], separator + version


def _parsed(line: str) -> _Line | None:
    """Return what is in a line; None if it has no file name of an image, not one or two words after it, or many."""
    words = line.split(maxsplit=_MOST_WORDS)
    if len(words) > _MOST_WORDS:
        return None
    ends = [number for number, word in enumerate(words) if number and word.lower().endswith(_SUFFIXES)]
    after = words[ends[-1] + 1 :] if ends else []
    return _Line(words[: ends[-1] + 1], after[0], " ".join(after[1:])) if 1 <= len(after) <= 2 else None


def _record(
    tree: FileTree, folder: str, listed_in: str, line: _Line, by_end: Mapping[str, list[str]]
) -> dict[str, Any]:
    of_part = re.split(r"[_.]", listed_in.rpartition("/")[2])[0].lower()
    patient, name = _located(folder, of_part, line.words, by_end)
    source = line.source or lists.source(tree, folder)
    return located(tree, name) | {
        "name": name,
        "finding": _FINDINGS.get(line.finding.lower(), line.finding),
        "patient": f"{source}:{patient}",
        "source": source,
    }


def _located(folder: str, of_part: str, words: list[str], by_end: Mapping[str, list[str]]) -> tuple[str, str]:
    """Return the patient and the image of a line; both may hold spaces."""
    for end in range(1, len(words)):
        file = " ".join(words[end:]).lower()
        for name in (f"{of_part}/{file}", file):
            if len(found := by_end.get(name, [])) == 1:
                return " ".join(words[:end]), found[0]
    return words[0], lists.join(folder, f"{of_part}/{' '.join(words[1:])}")


def _by_end(names: list[str]) -> dict[str, list[str]]:
    """Return the last one to three parts of names, in lower case, to the names."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        parts = name.lower().split("/")[-3:]
        for start in range(len(parts)):
            found["/".join(parts[start:])].append(name)
    return found
