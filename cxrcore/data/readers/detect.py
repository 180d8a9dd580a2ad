"""Choose the readers by the files in a tree."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from cxrcore.data.file_tree import FileTree
from cxrcore.data.readers import (
    arrays,
    brax,
    chestxray14,
    chexpert,
    class_folders,
    covid_chestxray,
    covidx,
    lists,
    masks,
    mimic_cxr,
    padchest,
    radiography,
    rsna,
    table,
    tuberculosis,
    vindr_cxr,
)
from cxrcore.data.readers.base import Reading, rows
from cxrcore.errors import UserError
from cxrcore.messages import msg


@dataclass(frozen=True)
class Collection:
    """The reader of a published set, which is found by the layout of its files.

    `places` returns the folders in a tree that have the layout, "" for the tree itself; `read` what is listed in one of
    them. All files below it belong to it.
    """

    places: Callable[[FileTree], list[str]]
    read: Callable[[FileTree, str], Reading]


# A place belongs to the first of these that finds it.
_COLLECTIONS = (
    Collection(covid_chestxray.places, covid_chestxray.read),
    Collection(chestxray14.places, chestxray14.read),
    Collection(chexpert.places, chexpert.read),
    Collection(mimic_cxr.places, mimic_cxr.read),
    Collection(vindr_cxr.places, vindr_cxr.read),
    Collection(padchest.places, padchest.read),
    Collection(brax.places, brax.read),
    Collection(covidx.places, covidx.read),
    Collection(rsna.places, rsna.read),
    Collection(tuberculosis.places, tuberculosis.read),
    Collection(radiography.places, radiography.read),
)


def read(tree: FileTree, columns: Mapping[str, str] | None = None) -> list[Reading]:
    """Return the readings of `tree`: one for each known layout in it, and one for its other images.

    `columns` names the columns of a CSV by role (see `readers.table`).

    Raises:
        UserError: no layout in it that a reader knows.
    """
    readings = _given(tree, columns or {}) if tree.table else _found(tree, columns or {})
    if not readings and masks.names(tree):  # the images are in another tree, see `masks.attach`
        return [Reading("masks", tree.origin, rows([]))]
    if not readings:
        raise UserError(
            "No image was found in {origin}. Expected one of: folders named after classes, such as NORMAL/ and TB/, "
            "with DICOM, PNG, JPEG, TIFF or WebP files inside, a CSV of paths and labels, a public set as it is "
            "published (such as metadata.csv beside images/ of the COVID collection), or X_*.npy with Y_*.npy.",
            origin=tree.origin,
        )
    return readings


def _given(tree: FileTree, columns: Mapping[str, str]) -> list[Reading]:
    reading = table.read(tree, tree.table, columns)
    if _is_of_others(reading):
        raise UserError(
            "None of the {n} images that {name} lists is in {origin}. Expected, for example: {example}",
            n=len(reading.rows),
            name=tree.table,
            origin=tree.origin,
            example=reading.rows["path"].iloc[0] if len(reading.rows) else msg("none"),
        )
    return [reading]


def _found(tree: FileTree, columns: Mapping[str, str]) -> list[Reading]:
    readings: list[Reading] = []
    covered: list[str] = []
    for reader in _COLLECTIONS:
        for place in reader.places(tree):
            if not _below(place, covered):
                readings.append(_noted(tree, place, reader.read(tree, place)))
                covered.append(place)
    pairs = arrays.pairs(tree)
    named = [name for name in table.tables(tree) if not _below(lists.parent(name), covered)]
    readings += [arrays.read(tree, images, labels) for images, labels in pairs]
    tables = {name: table.read(tree, name, columns) for name in named}
    tables = {name: reading for name, reading in tables.items() if not _is_of_others(reading)}
    readings += tables.values()
    covered += [lists.parent(name) for name in (*(images for images, _ in pairs), *tables)]
    others = class_folders.read(tree, without=covered)
    return readings if others.rows.empty else [*readings, others]


def _is_of_others(reading: Reading) -> bool:
    """Tell whether no image of a list is there: the list is about something else."""
    return bool((reading.rows["left_out"] == "missing").all())


def _noted(tree: FileTree, place: str, reading: Reading) -> Reading:
    """Return the reading of a set with several labels with a note on images that its list does not name."""
    if not reading.several:
        return reading
    return replace(reading, notes=(*reading.notes, *lists.unlisted_notes(tree, place, reading.rows)))


def _below(folder: str, others: Sequence[str]) -> bool:
    """Tell whether `folder` is one of `others` or lies in one."""
    return any(not other or folder == other or folder.startswith(f"{other}/") for other in others)
