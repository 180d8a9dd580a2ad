"""Masks of the lungs and of findings: image files in folders such as `lung_masks/`, or `x_mask.png` beside `x.png`."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import pandas as pd

from cxrcore.data import dicom
from cxrcore.data.archive import File
from cxrcore.data.file_tree import FileTree
from cxrcore.data.images import SUFFIXES
from cxrcore.data.readers.base import SPLIT_NAMES, Reading
from cxrcore.messages import Message, msg

Kind = Literal["lungs", "lesions"]
KINDS: tuple[Kind, ...] = ("lungs", "lesions")
Named = Literal["lungs", "lesions", "other"]  # what a mask marks by its name; other: neither lungs nor findings
IMAGE_FOLDERS = {"images", "image", "img", "imgs", "cxr_png"}
# Names of folders in lower case: masks, lung_masks, leftmask, infection masks, masks_png, mask2; segmentation and the
# like only as the whole name, as sets of images have longer ones.
_MASK_FOLDER = re.compile(r"(?:masks?(?:[ _-]?(?:png|\d+))?|^segmentations?|^ground[ _-]?truths?)$")
# Folders of masks only below one of masks or beside one of images; else they may be named after a class.
_BARE_FOLDERS = {"lungs", "lesion", "lesions", "infections", "opacities", "findings"}
# Words in lower case of what is marked. Names of classes are not among those of file names, as `1_tb_mask.png` may be
# the mask of `1_tb.png`.
_IN_FILE_NAMES = r"lesions?|infections?|opacity|opacities|findings?|nodules?|pneumothorax|effusions?"
_ORGANS = r"heart|cardiac|clavicles?|ribs?|spine|trachea|bones?|mediastinum|diaphragm|body"
_FINDING = re.compile(
    r"lesion|infection|opacit|finding|nodul|pneumothora|effusion|tubercul|pneumonia|consolidat|infiltrat|atelecta|edema"
    r"|fibrosis|emphysema|fracture|abnormal|patholog|(?<![a-z])(?:tb|mass(?:es)?)(?![a-z])"
)
_LUNG = re.compile(r"lung")
_ORGAN = re.compile(rf"(?<![a-z])(?:{_ORGANS})(?![a-z])")
_PART_OF_BODY = re.compile(rf"(?:left|right|[ _-])*(?:lungs?|{_ORGANS})")  # whole names of folders below one of masks
_SIDE_OR_PART = re.compile(rf"left|right|{'|'.join(SPLIT_NAMES)}|[^a-z]")
# File names without suffix: x_mask, x.mask, x-lesion-mask, x_left_lung_mask.
_MASK_STEM = re.compile(
    rf"(?P<stem>.+?)(?P<what>(?:[ ._-](?:lungs?|left|right|{_IN_FILE_NAMES}|{_ORGANS}))*)[ ._-]masks?",
    re.IGNORECASE,
)
# Also of formats that are not opened: a reader would else take the masks for images, or they would be missed silently.
_IMAGE_SUFFIXES = tuple(SUFFIXES | {suffix for suffix in dicom.SUFFIXES if suffix} | {".gif", ".jfif"})
_WITHOUT_SUFFIX = re.compile(r"[^.]*\d[^.]*|.+\.\d+")  # names of DICOM files: IM000001, 1.2.840.113619.2.5

Folders = tuple[str, ...]  # the names of the folders above a file, the uppermost first


@dataclass(frozen=True)
class _Image:
    """An image: its path in the rows, and the number of its reading; -1 for a file on disk, which others may list."""

    path: str
    reading: int


@dataclass(frozen=True)
class _Mask:
    """A mask: its path, written as that of an image is, what is marked in it, and its file."""

    path: str
    kind: Named
    file: File


def names(tree: FileTree) -> Mapping[str, Named]:
    """Return the masks in `tree` by name; no reader may take them for images.

    A folder holds masks if its name ends with mask or masks, or is segmentation or ground_truth, unless folders of
    images or of masks are below it: then it is a set that is named after what is in it. Below a folder of masks there
    may be folders of classes, parts or organs. Masks are of lungs where the name says no more than that, or names lungs
    or a side.
    """
    return _names(tuple(tree.files), tree.name if tree.name_is_folder else "")


def attach(trees: Sequence[FileTree], readings: Sequence[Reading]) -> list[Reading]:
    """Return `readings` with the masks that are in `trees`, in the columns `lungs` and `lesions`.

    A mask belongs to the image of the same file name without suffix and `_mask`. Where images are in the folder of the
    mask (not counting folders such as images/ and masks/), it is one of these, else the nearest one of all. A mask that
    fits several images equally well is not used. Notes of the first reading count the masks that are not used.
    """
    images: dict[str, dict[_Image, None]] = defaultdict(dict)  # by stem; as a set, in the order of the rows
    places: set[Folders] = set()
    for image, usable in _images(readings):
        places.add(_place(image.path))
        if usable:
            images[_stem(image.path)][image] = None
    found: dict[tuple[_Image, Kind], list[File]] = defaultdict(list)
    used: set[object] = {
        file.path or id(file)
        for reading in readings
        for kind in KINDS
        for files in reading.rows[kind]
        for file in files
    }
    notes: list[Message] = []
    for tree in trees:
        alone: list[str] = []
        ambiguous: list[str] = []
        others: list[str] = []
        for mask in _masks(tree):
            mark = mask.file.path or id(mask.file)  # trees may overlap
            if mark in used:
                continue
            used.add(mark)
            if mask.kind == "other":
                others.append(mask.path)
                continue
            fitting = _fitting(mask.path, images, places)
            if len(fitting) == 1:
                found[fitting[0], mask.kind].append(mask.file)
            else:
                (ambiguous if fitting else alone).append(mask.path)
        notes += _notes(tree.origin, alone, ambiguous, others)
    filled = [_filled(reading, number, found) for number, reading in enumerate(readings)]
    return [replace(filled[0], notes=(*filled[0].notes, *notes)), *filled[1:]] if filled else []


@lru_cache(maxsize=2)
def _names(files: tuple[str, ...], root: str) -> Mapping[str, Named]:
    """Return what `names` does; several readers ask for the same tree."""
    kinds = _kinds({name.rpartition("/")[0] for name in files}, root)
    found: dict[str, Named] = {}
    for name in files:
        folder, _, file = name.rpartition("/")
        kind = kinds.get(folder)
        if not file.lower().endswith(_IMAGE_SUFFIXES) and not (kind and _WITHOUT_SUFFIX.fullmatch(file)):
            continue
        suffixed = _MASK_STEM.fullmatch(_stem(file))
        if suffixed and kind in (None, "lungs"):
            kind = _kind(suffixed["what"])
        if kind:
            found[name] = kind
    return found


def _kinds(folders: set[str], root: str) -> dict[str, Named]:
    """Return the folders whose image files are masks, with what is marked in them."""
    parts = {folder: (*((root,) if root else ()), *(folder.split("/") if folder else ())) for folder in folders}
    above = {names[:end] for names in parts.values() for end in range(1, len(names) + 1)}
    of_images = {names[:-1] for names in above if names[-1].lower() in IMAGE_FOLDERS}
    sets = {names[:end] for names in above if _holds(names[-1]) for end in range(1, len(names))}
    found: dict[str, Named] = {}
    for folder, names in parts.items():
        end = _nearest(names)
        if end and names[:end] not in sets:
            inner = [name for name in names[end:] if _is_bare(name) or _PART_OF_BODY.fullmatch(name.lower())]
            found[folder] = _kind(" ".join([_MASK_FOLDER.sub("", names[end - 1].lower()), *inner]))
        elif names and _is_bare(names[-1]) and names[:-1] in of_images:
            found[folder] = _kind(names[-1])
    return found


def _nearest(names: Folders) -> int:
    """Return how many folders there are up to the lowest one of masks; 0 if there is none, or images are below it."""
    for end in range(len(names), 0, -1):
        if names[end - 1].lower() in IMAGE_FOLDERS:
            return 0
        if _is_of_masks(names[end - 1]):
            return end
    return 0


def _holds(name: str) -> bool:
    """Tell whether a folder is one of images or masks by its name."""
    return name.lower() in IMAGE_FOLDERS or _is_of_masks(name)


def _is_of_masks(name: str) -> bool:
    return bool(_MASK_FOLDER.search(name.lower()))


def _is_bare(name: str) -> bool:
    return name.lower() in _BARE_FOLDERS


def _kind(words: str) -> Named:
    """Return what is marked: of lungs and findings in `words`, what stands last, as in `lung nodule` and `TB lung`."""
    words = words.lower()
    lung, finding, organ = (
        max((found.end() for found in pattern.finditer(words)), default=0) for pattern in (_LUNG, _FINDING, _ORGAN)
    )
    if finding > max(lung, organ):
        return "lesions"
    if organ:
        return "other"
    return "lungs" if lung or not _SIDE_OR_PART.sub("", words) else "other"


def _images(readings: Sequence[Reading]) -> Iterator[tuple[_Image, bool]]:
    """Yield the image of each row, and whether a mask can belong to it."""
    for number, reading in enumerate(readings):
        for image, left_out in zip(_listed(reading, number), reading.rows["left_out"], strict=True):
            yield image, left_out != "missing"


def _listed(reading: Reading, number: int) -> list[_Image]:
    """Return the image of each row."""
    columns = zip(reading.rows["path"], reading.rows["content"], strict=True)
    return [_Image(path, -1 if content is None else number) for path, content in columns]


def _masks(tree: FileTree) -> Iterator[_Mask]:
    for name, kind in names(tree).items():
        file = tree.files[name]
        yield _Mask(str(file.path) if file.path else f"{tree.name}/{name}", kind, file)


def _fitting(path: str, images: Mapping[str, Mapping[_Image, None]], places: set[Folders]) -> list[_Image]:
    """Return the images that a mask fits best."""
    place, folders = _place(path), _folders(path)
    suffixed = _MASK_STEM.fullmatch(_stem(path))
    stems = [_stem(path), *([suffixed["stem"] + suffixed["what"], suffixed["stem"]] if suffixed else [])]
    candidates = list(next((images[stem] for stem in stems if stem in images), {}))
    if place in places:
        candidates = [image for image in candidates if _place(image.path) == place]
    above = [_folders(image.path) for image in candidates]
    scores = [(_common(names, folders), _common(names[::-1], folders[::-1])) for names in above]
    best = max(scores, default=None)
    return [image for image, score in zip(candidates, scores, strict=True) if score == best]


def _folders(path: str) -> Folders:
    return tuple(path.replace("\\", "/").split("/")[:-1])


def _place(path: str) -> Folders:
    """Return the folders above a file without those of images and of masks."""
    return _without_own(_folders(path))


@lru_cache(maxsize=1024)
def _without_own(folders: Folders) -> Folders:
    return tuple(name for name in folders if not _holds(name) and not _is_bare(name))


def _common(some: Folders, others: Folders) -> int:
    """Return how many folders are the same, from the first on."""
    number = 0
    for one, other in zip(some, others, strict=False):
        if one != other:
            break
        number += 1
    return number


def _stem(path: str) -> str:
    """Return a file name in lower case without the suffix of an image."""
    name = path.replace("\\", "/").rpartition("/")[2].lower()
    return name.rpartition(".")[0] if name.endswith(_IMAGE_SUFFIXES) else name


def _filled(reading: Reading, number: int, found: Mapping[tuple[_Image, Kind], list[File]]) -> Reading:
    rows = reading.rows.copy()
    images = _listed(reading, number)
    for kind in KINDS:
        files = [(*own, *found.get((image, kind), ())) for image, own in zip(images, rows[kind], strict=True)]
        rows[kind] = pd.Series(files, index=rows.index, dtype=object)
    return replace(reading, rows=rows)


def _notes(origin: str, alone: Sequence[str], ambiguous: Sequence[str], others: Sequence[str]) -> Iterator[Message]:
    if alone:
        yield msg(
            "{origin}: masks without an image: {count}, for example {name}",
            origin=origin,
            count=len(alone),
            name=alone[0],
        )
    if ambiguous:
        yield msg(
            "{origin}: masks that fit several images and are not used: {count}, for example {name}",
            origin=origin,
            count=len(ambiguous),
            name=ambiguous[0],
        )
    if others:
        yield msg(
            "{origin}: masks of neither lungs nor findings by their name, not used: {count}, for example {name}. Those "
            "of lungs and findings may be in folders named lung_masks and lesion_masks.",
            origin=origin,
            count=len(others),
            name=others[0],
        )
