"""What the readers of sets with several labels share: lists as text, image files by name, labels of 1, 0 and -1."""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from cxrcore.data import classes, dicom, exclusions
from cxrcore.data.archive import MAX_TABLE
from cxrcore.data.errors import ImageError
from cxrcore.data.file_tree import FileTree
from cxrcore.data.images import SUFFIXES
from cxrcore.data.readers.base import SEPARATOR, check_columns, located, rows, view_columns
from cxrcore.errors import UserError
from cxrcore.messages import Message, msg

_HEADER = 64 * 1024  # bytes that hold the first line of a list
_SUFFIXES = (SUFFIXES | dicom.SUFFIXES) - {""}
POSITIVE, NEGATIVE, UNCERTAIN = 1, 0, -1
_UNKNOWN = 9  # code of a value that is none of them
# The observations of CheXpert's labeler, by the key of their column.
CHEXPERT_FINDINGS = {
    classes.key(name): name
    for name in (
        "No Finding",
        "Enlarged Cardiomediastinum",
        "Cardiomegaly",
        "Lung Opacity",
        "Lung Lesion",
        "Edema",
        "Consolidation",
        "Pneumonia",
        "Atelectasis",
        "Pneumothorax",
        "Pleural Effusion",
        "Pleural Other",
        "Fracture",
        "Support Devices",
    )
}


@dataclass(frozen=True)
class Table:
    """A CSV as text.

    Attributes:
        name: of the file in the tree.
        data: its columns by `classes.key` of their header, in the file's order; "" for an absent value.
        titles: the header of each column.
        notes: what was wrong with it.
    """

    name: str
    data: pd.DataFrame
    titles: Mapping[str, str]
    notes: tuple[Message, ...] = ()

    def text(self, *keys: str) -> pd.Series:
        """Return the first of these columns that the table has, without spaces at the ends; "" if it has none."""
        for key in keys:
            if key in self.data.columns:
                return self.data[key].str.strip()
        return pd.Series("", index=self.data.index, dtype=object)


def places(tree: FileTree, is_list: Callable[[str], bool], has_columns: Callable[[Collection[str]], bool]) -> list[str]:
    """Return the folders of `tree` with a list of images, "" for the tree itself.

    It is the folder of the list, or the one above it if no image is below that.

    Args:
        tree: where to look.
        is_list: whether a file may be such a list, by its name in lower case without `.gz`.
        has_columns: whether the keys of its header are those of such a list.
    """
    found = []
    for name in tree.files:
        if _is_table(name) and is_list(_file_name(name)) and has_columns(header(tree, name)):
            folder = _folder(name)
            has_images = any(_has_image_suffix(file) for file in tree.below(folder))
            found.append(folder if has_images else _folder(folder))
    return list(dict.fromkeys(found))


def lists(tree: FileTree, folder: str, is_list: Callable[[str], bool]) -> list[str]:
    """Return the CSVs in `folder`, or in a folder in it, whose file name `is_list` accepts (see `places`).

    Of a file and the same one compressed, it is the former.
    """
    depth = folder.count("/") + 1 if folder else 0
    found: dict[str, str] = {}
    for name in tree.below(folder):
        if _is_table(name) and name.count("/") <= depth + 1 and is_list(_file_name(name)):
            found.setdefault(name.lower().removesuffix(".gz"), name)
    return list(found.values())


def header(tree: FileTree, name: str) -> set[str]:
    """Return the keys of the columns of a CSV; none if it cannot be read."""
    try:
        text = _content(tree, name, _HEADER).decode("utf-8-sig", errors="replace")
        return {classes.key(title) for title in next(csv.reader(io.StringIO(text)), [])}
    except (UserError, csv.Error):
        return set()


def read_table(tree: FileTree, name: str, wanted: Collection[str] = ()) -> Table:
    """Return a CSV, which may be compressed as `.gz`: the columns whose keys are `wanted`, or all of them.

    Of all, lines with more values than the header are left out and noted.

    Raises:
        UserError: it is not a table, or larger than `archive.MAX_TABLE`.
    """
    content = _content(tree, name)
    check_columns(io.TextIOWrapper(io.BytesIO(content), "utf-8", "replace", newline=""), tree.origin, name)
    titles: dict[str, str] = {}
    notes: tuple[Message, ...] = ()
    try:
        try:
            data = _parsed(content, wanted, "error")
        except pd.errors.ParserError as error:
            data = _parsed(content, wanted, "skip")
            notes = (
                msg(
                    "{name}: lines that do not fit its header are left out ({error})",
                    name=name,
                    error=str(error).strip(),
                ),
            )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise _unreadable(tree, name, error) from error
    for title in data.columns:
        titles.setdefault(classes.key(title), title)
    kept = data[list(titles.values())].fillna("")
    kept.columns = pd.Index(list(titles))
    return Table(name, kept, {key: title.strip() for key, title in titles.items()}, notes)


def joined(tables: Sequence[Table]) -> Table:
    """Return the rows of all tables as one, with the columns of each."""
    data = pd.concat([table.data for table in tables], ignore_index=True).fillna("")
    titles = {key: title for table in reversed(tables) for key, title in table.titles.items()}
    return Table(tables[0].name, data, titles, tuple(note for table in tables for note in table.notes))


def label_codes(table: Table, keys: Sequence[str]) -> tuple[np.ndarray, tuple[Message, ...]]:
    """Return int8 (rows, keys) of `POSITIVE`, `NEGATIVE` (also for blank) and `UNCERTAIN`, and a note on other values.

    Columns that the table lacks are negative.
    """
    codes = np.zeros((len(table.data), len(keys)), np.int8)
    unknown: list[str] = []
    for column, key in enumerate(keys):
        if key in table.data.columns:
            texts = table.text(key)
            known = {text: _code(text) for text in texts.unique()}
            codes[:, column] = texts.map(known).to_numpy(np.int8)
            unknown += [text for text, code in known.items() if code == _UNKNOWN]
    count = int((codes == _UNKNOWN).sum())
    codes[codes == _UNKNOWN] = NEGATIVE
    if not count:
        return codes, ()
    note = msg(
        "{name}: {n} labels are none of 1, 0, -1 and blank, and count as blank, for example {value!r}",
        name=table.name,
        n=count,
        value=unknown[0],
    )
    return codes, (note,)


def names_marked(marked: np.ndarray, names: Sequence[str]) -> list[str]:
    """Return for each row of the boolean (rows, names) the names that are true, joined by `SEPARATOR`."""
    if not len(marked):
        return []
    kinds, which = np.unique(np.packbits(marked, axis=1), axis=0, return_inverse=True)
    flags = np.unpackbits(kinds, axis=1, count=len(names)).astype(bool)
    texts = [SEPARATOR.join(name for name, flag in zip(names, row, strict=True) if flag) for row in flags]
    return [texts[kind] for kind in which.reshape(-1)]


def boxes_by_image(
    table: Table, images: pd.Series, findings: pd.Series, corners: Sequence[pd.Series], sized: bool
) -> tuple[dict[str, list[list[str | float]]], tuple[Message, ...]]:
    """Return the boxes of each image, and a note on those that are not boxes.

    Args:
        table: where they are listed.
        images: the image of each box.
        findings: the finding of each box.
        corners: x and y, then width and height if `sized`, or else the x and y of the opposite corner; in pixels. A row
            without any is no box.
        sized: see `corners`.

    Returns:
        image to its boxes as [finding, x, y, width, height]; notes.
    """
    x, y, third, fourth = (pd.to_numeric(values, errors="coerce").to_numpy(float) for values in corners)
    width, height = (third, fourth) if sized else (third - x, fourth - y)
    with np.errstate(invalid="ignore"):
        is_box = np.isfinite([x, y, width, height]).all(axis=0) & (width > 0) & (height > 0)
    found: dict[str, list[list[str | float]]] = {}
    values = zip(
        images[is_box].tolist(),
        findings[is_box].tolist(),
        x[is_box],
        y[is_box],
        width[is_box],
        height[is_box],
        strict=True,
    )
    for image, finding, *box in values:
        found.setdefault(image, []).append([finding, *map(float, box)])
    blank = np.all([values == "" for values in corners], axis=0)
    wrong = int((~is_box & ~blank).sum())
    note = msg("{name}: {n} rows are not boxes and were ignored", name=table.name, n=wrong)
    return found, (note,) if wrong else ()


def boxes_text(boxes: Sequence[Sequence[str | float]]) -> str:
    """Return the column `boxes` of an image, "" without any."""
    return json.dumps(boxes, ensure_ascii=False) if boxes else ""


class ImageFiles:
    """The image files below a folder, by the end of their path: the last `parts` of it, without the suffix."""

    def __init__(self, tree: FileTree, folder: str, parts: int = 1):
        self._files = tree.files
        self._prefix = f"{folder}/" if folder else ""
        self._parts = parts
        self._by_end: dict[str, str] = {}
        for name in tree.below(folder):
            if _has_image_suffix(name):
                self._by_end.setdefault(self._end(name), name)

    def find(self, listed: str) -> str:
        """Return the name in the tree of a path in a list, "" if there is no such file."""
        full = self._prefix + listed
        return full if full in self._files else self._by_end.get(self._end(listed), "")

    def full(self, listed: str) -> str:
        """Return the name in the tree, or the one that is expected if there is no such file."""
        return self.find(listed) or self._prefix + listed

    def _end(self, name: str) -> str:
        stem = name.rpartition(".")[0] if _has_image_suffix(name) else name
        return stem.rpartition("/")[2] if self._parts == 1 else "/".join(stem.split("/")[-self._parts :])


def image_rows(
    tree: FileTree, files: ImageFiles, images: pd.DataFrame, source: str, list_name: str, has_laterals: bool = False
) -> pd.DataFrame:
    """Return the rows of a reading (see `base.rows`).

    Args:
        tree: the tree of `files`.
        files: where the images are looked for.
        images: one row an image, in the columns `file` (a path or file name), `finding` and, where known, `uncertain`,
            `patient` (the set's own identifier), `view`, `sex`, `age` (years), `given_split` and `boxes`.
        source: the set's name.
        list_name: of the file that lists the images.
        has_laterals: whether the set has lateral views, so that an image of an unknown view is left out.

    Raises:
        UserError: none of the images is there.
    """
    names = [files.full(listed) for listed in images["file"].tolist()]
    if not any(name in tree.files for name in names):
        raise UserError(
            "None of the {n} images that {name} lists is in {origin}. Expected, for example: {example}",
            n=len(names),
            name=list_name,
            origin=tree.origin,
            example=names[0] if names else msg("none"),
        )
    images = images.assign(source=source)
    for column, known in (("patient", _patient(source)), ("sex", _sex), ("age", dicom.age_band)):
        if column in images:
            images[column] = images[column].map({text: known(text) for text in images[column].unique()})
    views = images["view"] if "view" in images else pd.Series("", index=images.index, dtype=object)
    reasons = {view: _view_columns(view, has_laterals) for view in views.unique()}
    again = exclusions.columns("repeated", msg("the file is listed before"))
    repeated = pd.Series(names).duplicated().tolist()
    columns = [name for name in images.columns if name != "file"]
    records = zip(*(images[name].tolist() for name in columns), strict=True)  # `to_dict` takes several times as long
    return rows(
        [
            located(tree, name)
            | dict(zip(columns, record, strict=True))
            | reasons[view]
            | (again if is_repeated else {})
            for name, record, view, is_repeated in zip(names, records, views.tolist(), repeated, strict=True)
        ]
    )


def split_of(images: pd.Series, parts: Mapping[str, Iterable[str]]) -> pd.Series:
    """Return the column `given_split` of images that are listed by part."""
    return looked_up(images, {image: part for part, listed in parts.items() for image in listed})


def looked_up(keys: pd.Series, known: Mapping[str, str]) -> pd.Series:
    """Return the text of each key, "" for an unknown one."""
    return pd.Series([known.get(key, "") for key in keys.tolist()], index=keys.index, dtype=object)


def read_lines(tree: FileTree, name: str) -> list[str]:
    """Return the lines of a text file, without empty ones. Raises `UserError`."""
    lines = _content(tree, name).decode("utf-8-sig", errors="replace").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _patient(source: str) -> Callable[[str], str]:
    return lambda text: f"{source}:{text}" if text else ""


def _sex(text: str) -> str:
    letter = text[:1].upper()
    return letter if letter in ("M", "F", "O") else ""


def _view_columns(view: str, has_laterals: bool) -> dict[str, str]:
    if not view and has_laterals:
        return exclusions.columns("view", msg("unknown (not known to be frontal)"))
    return view_columns(view)


def _code(text: str) -> int:
    if text == "" or text.lower() == "nan":
        return NEGATIVE
    try:
        value = float(text)
    except ValueError:
        return _UNKNOWN
    return int(value) if value in (POSITIVE, NEGATIVE, UNCERTAIN) else _UNKNOWN


def _parsed(content: bytes, wanted: Collection[str], bad_lines: str) -> pd.DataFrame:
    # `index_col=False`: a comma at the ends of the lines makes no further column.
    return pd.read_csv(
        io.BytesIO(content),
        dtype=str,
        usecols=(lambda title: classes.key(title) in wanted) if wanted else None,
        keep_default_na=False,
        index_col=False,
        encoding="utf-8-sig",
        encoding_errors="replace",
        on_bad_lines=bad_lines,
    )


def _content(tree: FileTree, name: str, most: int | None = None) -> bytes:
    """Return the bytes of a list, unpacked; the first `most` or all."""
    try:
        content = tree.read(name)
        if name.lower().endswith(".gz"):
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
                content = file.read(most or MAX_TABLE + 1)
    except (ImageError, OSError, EOFError, zlib.error) as error:
        raise _unreadable(tree, name, error) from error
    if most:
        return content[:most]
    if len(content) > MAX_TABLE:
        raise UserError(
            "{name} is refused: {filename!r} unpacks to over {most} MB.",
            name=tree.origin,
            filename=name,
            most=MAX_TABLE // 2**20,
        )
    return content


def _unreadable(tree: FileTree, name: str, error: Exception) -> UserError:
    return UserError("{origin}/{name} cannot be read as a table: {error}", origin=tree.origin, name=name, error=error)


def _is_table(name: str) -> bool:
    return name[-7:].lower().endswith((".csv", ".csv.gz"))


def _file_name(name: str) -> str:
    return PurePosixPath(name).name.lower().removesuffix(".gz")


def _has_image_suffix(name: str) -> bool:
    dot = name.rfind(".")
    return dot > 0 and name[dot:].lower() in _SUFFIXES


def _folder(name: str) -> str:
    return name.rpartition("/")[0]
