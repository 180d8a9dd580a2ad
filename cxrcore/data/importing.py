"""Import: folders, archives, tables and uploads are read, mapped to classes, opened once and written as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pandas as pd

from cxrcore import settings
from cxrcore.data import classes, dataset, exclusions, mapping
from cxrcore.data.file_tree import FileTree, open_file_tree
from cxrcore.data.image_statistics import parallel
from cxrcore.data.info import DatasetInfo, Source
from cxrcore.data.inspection import ImageInspector
from cxrcore.data.readers import detect, masks
from cxrcore.data.readers.base import OBJECTS, SPLIT_NAMES, Reading
from cxrcore.data.staging import Unfinished, check_name_is_free, publish, resumable
from cxrcore.errors import UserError
from cxrcore.messages import Message, msg
from cxrcore.progress import Progress, ignore
from cxrcore.schema import BATCH, table_writer

_NO_MASKS = {"lungs": "", "lesions": ""}


@dataclass(frozen=True)
class ImportOptions:
    """How what was read becomes a dataset.

    `choices`: the classes of findings, see `mapping`. `limits`: the most images of a class; the first ones in the
    sources' order are kept. `columns`: the column of a CSV by role. `one_class`: whether one class is enough, for a set
    to test on.
    """

    choices: mapping.Choices = field(default_factory=mapping.Choices)
    limits: Mapping[str, int] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    one_class: bool = False


def import_folders(
    paths: Sequence[Path],
    name: str,
    options: ImportOptions | None = None,
    progress: Progress = ignore,
    replace: bool = False,
) -> dataset.Dataset:
    """Merge what lies in `paths` (folders, ZIPs, CSVs) into the dataset `name`, as `import_trees` does."""
    check_name_is_free(name, replace)
    return import_trees([open_file_tree(Path(path)) for path in paths], name, options, progress, replace)


def import_trees(
    trees: Sequence[FileTree],
    name: str,
    options: ImportOptions | None = None,
    progress: Progress = ignore,
    replace: bool = False,
    roots: Sequence[Path] | None = None,
) -> dataset.Dataset:
    """Merge `trees` into the dataset `name`. Image files on disk stay where they are; others are copied.

    An interrupted import continues when it is called again with the same sources and options.

    Args:
        trees: where images and lists are.
        name: the new dataset's name.
        options: mapping, limits and columns.
        progress: called with (images done, images in all).
        replace: whether a dataset of this name may be replaced.
        roots: the folders that files on disk may lie in; None for anywhere.

    Raises:
        UserError: no known layout in a source, the name is taken, no image is usable, the disk is full, or the same
            import is running already.
    """
    settings.require_writable()
    options = options or ImportOptions()
    check_name_is_free(name, replace)
    readings = read_all(trees, options.columns)
    mapped = mapping.apply(readings, options.choices)
    mapped.check(1 if options.one_class else classes.LEAST)
    _check_limits(options.limits, mapped.classes)
    table = mapped.table
    plan = [
        table.drop(columns=OBJECTS).to_json(orient="values"),
        *(file.mark for kind in ("lungs", "lesions") for files in table[kind] for file in files),
        *map(str, ["anywhere"] if roots is None else roots),
    ]
    with resumable(name, plan) as unfinished:
        _inspect(table, unfinished, roots, progress)
        table, notes = _gathered(table, unfinished)
        table = exclusions.without_repeats(table)
        if not (table["left_out"] == "").any():
            unfinished.discard()
        exclusions.check_not_empty(table)
        table = exclusions.within_limits(table, options.limits)
        return publish(unfinished.folder, name, table, _info(readings, mapped, notes), replace)


def read_all(trees: Sequence[FileTree], columns: Mapping[str, str]) -> list[Reading]:
    """Return what is listed in `trees`, with the masks in them. Raises `UserError` where no layout is known."""
    return masks.attach(trees, _distinct([reading for tree in trees for reading in detect.read(tree, columns)]))


def _distinct(readings: Sequence[Reading]) -> list[Reading]:
    """Return `readings`; where class folders in two places have one name, the second source gets a number.

    The folders of the parts of one set (train, test) are one source.
    """
    places: dict[str, list[Path]] = {}
    found = []
    for reading in readings:
        if reading.layout == "class folders" and len(reading.rows):
            origin, source = Path(reading.origin), str(reading.rows["source"].iloc[0])
            place = origin.parent if origin.name.lower() in SPLIT_NAMES else origin
            known = places.setdefault(source, [])
            if place not in known:
                known.append(place)
            if number := known.index(place):
                other = f"{source} ({number + 1})"
                start = f"{source}:"
                patients = reading.rows["patient"].where(
                    ~reading.rows["patient"].str.startswith(start),
                    f"{other}:" + reading.rows["patient"].str.removeprefix(start),
                )
                reading = replace(reading, rows=reading.rows.assign(source=other, patient=patients))
        found.append(reading)
    return found


def _inspect(table: pd.DataFrame, unfinished: Unfinished, roots: Sequence[Path] | None, progress: Progress) -> None:
    """Open every image in which nothing was found yet, and keep on disk what is found."""
    done = unfinished.done()
    inspector = ImageInspector(unfinished.folder, roots, unfinished.salt)
    for start in range(done, len(table), BATCH):  # what is found waits in memory to be written
        with parallel(inspector.inspect, table.iloc[start : start + BATCH].to_dict("records")) as results:
            for image in results:
                unfinished.append(image)
                done += 1
                progress(done, len(table))


def _gathered(table: pd.DataFrame, unfinished: Unfinished) -> tuple[pd.DataFrame, list[Message]]:
    """Return the table with what was found in every image, and notes on masks; write the statistics by SHA-256."""
    parts: list[pd.DataFrame] = []
    measured, without = set[str](), list[Message]()
    found = unfinished.found()
    with table_writer(unfinished.folder / dataset.MEASURES) as write:
        for start in range(0, len(table), BATCH):
            listed = table.iloc[start : start + BATCH].to_dict("records")
            images = list(islice(found, len(listed)))
            without += [image.without_mask for image in images if image.without_mask is not None]
            measures = {each.sha256: each.measures for each in images if each.measures and each.sha256 not in measured}
            measured |= measures.keys()
            if measures:
                write(pd.DataFrame.from_dict(measures, orient="index"))
            rows = pd.DataFrame(
                [{"sha256": ""} | row | _NO_MASKS | image.columns() for row, image in zip(listed, images, strict=True)]
            )
            parts.append(rows.drop(columns=["content", "mark", "uncertain", "boxes"]))
    notes = [msg("masks left out: {n}, for example: {reason}", n=len(without), reason=without[0])] if without else []
    found_rows = pd.concat(parts, ignore_index=True)
    # An image whose patient is unknown counts as a patient of its own.
    alone = found_rows["source"] + ":" + found_rows["path"]
    return found_rows.assign(patient=alone.where(found_rows["patient"] == "", found_rows["patient"])), notes


def _info(readings: Sequence[Reading], mapped: mapping.Mapped, notes: Sequence[Message]) -> DatasetInfo:
    return DatasetInfo(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        sources=[Source(layout=reading.layout, path=reading.origin, citation=reading.citation) for reading in readings],
        mapping={f"{finding.source}/{finding.name}": finding.label for finding in mapped.findings},
        classes=mapped.classes,
        notes=[*(note for reading in readings for note in reading.notes), *notes],
    )


def _check_limits(limits: Mapping[str, int], names: Sequence[str]) -> None:
    for name in limits:
        if name not in names:
            raise UserError(
                "class to limit: expected one of {expected}. Received: {name!r}", expected=list(names), name=name
            )
