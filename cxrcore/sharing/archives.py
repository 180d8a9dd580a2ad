"""A run as a ZIP file without pictures and names of people, and the import of one from elsewhere.

Nothing of a file from elsewhere is trusted. Its JSON is read by the typed models and written again, with only what this
program shows; its tables have known columns, are checked against the metrics, and name no file of this machine; arrays
are read without pickle; the model has only layers that this program saves. All this happens in a process of its own
with limited memory, in a hidden folder, which is renamed when the run is complete.
"""

import json
import math
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import psutil
import pyarrow.parquet as pq

from cxrcore import runs, schema, settings
from cxrcore.config.run_config import RunConfig
from cxrcore.data import archive, classes, dataset
from cxrcore.errors import DamagedFileError, NewerFileError, UserError
from cxrcore.evaluation import metrics, verdict
from cxrcore.files import append_line, atomic_path
from cxrcore.inference import model_check, ood, saved_model
from cxrcore.jobs.worker_pool import WorkerPool
from cxrcore.metric import ClassificationMetrics
from cxrcore.runs import EVENTS, FINISHED, SELECTION, Run, RunCard
from cxrcore.runs.registry import PREPARED
from cxrcore.runs.run import RESAMPLING, RESAMPLING_TABLE
from cxrcore.sharing import runs as copies
from cxrcore.training import resampling

MEMORY = 6 * 2**30  # bytes that the check may take beyond what its process has at the start
_MOST_BYTES = {
    ".json": 2**22, ".jsonl": 2**24, ".parquet": 2**26, ".npz": 2**26, ".npy": 2**28, ".keras": 2**28,
}  # fmt: skip
_MOST_ROWS, _MOST_TABLE = 1_000_000, 2**30  # rows, and bytes unpacked
_MOST_COUNT = 10**9  # of images, epochs and seconds
_LONGEST = 200  # characters of a text in a table, a title or a tag
_MOST_TAGS = 50
_NEEDED = ("config.json", "about.json", "status.json", "metrics.json", "table.parquet", "predictions.parquet")
_COLUMNS = (*dataset.TEXT, *dataset.NUMBERS, "row", "split")
_SHA256 = r"[0-9a-f]{64}"


def export(run: Run, file: Path) -> None:
    """Write a run as a ZIP file: a folder of its name with the files that `import_run` reads.

    Raises:
        UserError: the run has not finished, uses weights from a file, or the file exists.
    """
    copies.require_finished(run)
    if file.exists():
        raise UserError("{file} exists. Choose a new name.", file=file)
    with tempfile.TemporaryDirectory() as folder:
        copy = Run(Path(folder) / run.name)
        copies.copy_without_pictures(run, copy)
        with atomic_path(file) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as packed:
            for path in sorted(copy.folder.iterdir()):
                packed.write(path, f"{run.name}/{path.name}")


def import_run(file: Path) -> Run:
    """Add the run in a ZIP file of `export` to the others and return it.

    Raises:
        UserError: the file is refused. Nothing of it is left then.
    """
    settings.require_writable()
    settings.runs_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=PREPARED, dir=settings.runs_folder()) as hidden:
        unpacked, checked = Path(hidden) / "unpacked", Path(hidden) / "checked"
        name = runs.free_name(_unpack(file, unpacked))
        pool = WorkerPool(1, MEMORY)
        try:
            pool.call(_check, file.name, unpacked, checked, name)
        finally:
            pool.close()
        return runs.add(checked, name)


def _unpack(file: Path, folder: Path) -> str:
    """Write the files of an archive into a new folder and return the run's name."""
    try:
        opened = file.open("rb", buffering=0)
        packed = archive.opened(opened)
    except Exception as error:  # zipfile raises errors of any type on damaged archives
        raise UserError(
            "{name} cannot be opened as a ZIP ({error}). Download or export it again.", name=file.name, error=error
        ) from error
    with opened, packed:  # zipfile does not close a file that it is given
        entries: dict[str, zipfile.ZipInfo] = {}
        for entry in packed.infolist():
            archive.check_entry(entry, file.name)
            name = PurePosixPath(entry.filename).name
            if entry.is_dir() or name not in copies.FILES or name in entries:
                raise UserError(
                    "{archive} is refused: the entry {file!r} is not a file of an exported run, or there twice.",
                    archive=file.name,
                    file=entry.filename,
                )
            most = _MOST_BYTES[PurePosixPath(name).suffix]
            if entry.file_size > most:
                raise UserError(
                    "{name} is refused: {filename!r} unpacks to over {most} MB.",
                    name=file.name,
                    filename=entry.filename,
                    most=most // 2**20,
                )
            entries[name] = entry
        folders = {PurePosixPath(entry.filename).parent.as_posix() for entry in entries.values()}
        if len(folders) != 1 or not runs.is_name(run := folders.pop()):
            raise UserError(
                "{archive} is refused: expected one folder with the name of a run. Received: {names}",
                archive=file.name,
                names=sorted({PurePosixPath(entry.filename).parent.as_posix() for entry in entries.values()})[:3],
            )
        if missing := [name for name in _NEEDED if name not in entries]:
            raise UserError("{archive} is refused: {files} are missing.", archive=file.name, files=missing)
        folder.mkdir()
        for name, entry in entries.items():
            with _refusal(file.name, name), packed.open(entry) as source, (folder / name).open("xb") as target:
                shutil.copyfileobj(source, target)
    return run


@contextmanager
def _refusal(archive_name: str, file: str) -> Iterator[None]:
    """Tell which file of the archive is refused, whatever its content does to what reads it."""
    try:
        yield
    except (DamagedFileError, NewerFileError) as error:
        reason = error.__cause__ if isinstance(error.__cause__, UserError) else None
        _refuse(archive_name, file, reason, error)
    except UserError as error:
        _refuse(archive_name, file, error, error)
    except Exception as error:
        _refuse(archive_name, file, None, error)


def _refuse(archive_name: str, file: str, reason: UserError | None, error: Exception) -> None:
    if reason is None:
        raise UserError(
            "{archive} is refused: {file} is damaged, or was written by another program or a newer version.",
            archive=archive_name,
            file=file,
        ) from error
    values = reason.message.values
    known = reason.message.model_copy(update={"values": values | {"path": file} if "path" in values else values})
    raise UserError("{archive} is refused: {file}: {reason}", archive=archive_name, file=file, reason=known) from error


# In the worker:


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows: the limits of sizes hold there too
        return
    most = psutil.Process().memory_info().vms + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _check(archive_name: str, unpacked: Path, checked: Path, name: str, progress: object) -> None:
    """Write what was checked of the run in `unpacked` into a new folder."""
    _limit_memory()
    source, target = Run(unpacked), Run(checked)
    for path in unpacked.glob("*.json"):
        with _refusal(archive_name, path.name):
            json.loads(path.read_text(encoding="utf-8"), parse_constant=_finite, parse_float=_finite)
    with _refusal(archive_name, "config.json"):
        _config(source).write(target.folder / "config.json")
    with _refusal(archive_name, "about.json"):
        found = source.info
        classes.check_list(found.classes)
        copies.nameless(found).write(target.folder / "about.json")
    with _refusal(archive_name, "status.json"):
        if source.status.state != FINISHED:
            raise UserError("Run {name} has not finished. Only finished runs can be shared.", name=name)
        copies.finished(source).write(target.folder / "status.json")
    with _refusal(archive_name, "card.json"):
        card = source.card
        if any(len(text) > _LONGEST for text in (card.title, *card.tags)) or len(card.tags) > _MOST_TAGS:
            raise UserError("a text is longer than {most} characters", most=_LONGEST)
        RunCard(title=card.title, tags=card.tags).write(target.folder / "card.json")
    with _refusal(archive_name, EVENTS):
        for epoch in source.epochs:
            append_line(target.folder / EVENTS, epoch.model_dump())
    _tables(archive_name, source, target, name)
    with _refusal(archive_name, "heatmaps.npy"):
        _heatmaps(source, target)
    with _refusal(archive_name, ood.FILE):
        if detector := ood.load(unpacked / ood.FILE):
            _check_detector(detector)
            detector.save(checked / ood.FILE)
    model = source.model_file if saved_model.has_model(source) else unpacked / runs.HEAD_FILE
    with _refusal(archive_name, model.name):
        head = saved_model.load_head(source)
        model_check.check_sizes(saved_model.load(source) if model.name == runs.WHOLE_MODEL_FILE else head)
        if head.output_shape != (None, len(source.classes)):
            raise UserError(
                "the model gives {shape}, expected a probability for each of {n} classes",
                shape=str(head.output_shape),
                n=len(source.classes),
            )
        shutil.copyfile(model, checked / model.name)
    with _refusal(archive_name, "metrics.json"):
        verdict.keep(target)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _config(source: Run) -> RunConfig:
    requested = source.requested
    if requested.weights == "file" or requested.weights_file:
        raise UserError("it uses weights from a file")
    dataset.check_name(requested.dataset)
    if chosen := source.selection:
        _ = chosen.chosen
    RunConfig.model_validate(source.config.plain())  # with the taps and the size that were chosen
    return requested


def _tables(archive_name: str, source: Run, target: Run, name: str) -> None:
    """Write the tables, metrics and folds, which have to agree with each other."""
    names = source.classes
    folder = f"{settings.runs_folder().relative_to(settings.home()).as_posix()}/{name}/images"
    with _refusal(archive_name, "table.parquet"):
        table = _table(source, "table.parquet", _COLUMNS)
        _require(table["label"].isin(names).all())
        patients = copies.numbers("patient", table["patient"])
        target.write_table("table.parquet", copies.neutral(table, {}, patients, folder))
    with _refusal(archive_name, "predictions.parquet"):
        predicted = _predictions(source, "predictions.parquet", names)
        _require(predicted["split"].isin(("test", "validation")).all())
        target.write_table("predictions.parquet", copies.neutral(predicted, {}, patients, folder))
    with _refusal(archive_name, "metrics.json"):
        found = source.results
        expected = metrics.evaluate(predicted[predicted["split"] == "test"], names)
        _check_metrics(found.test, expected)
        counts = [found.n_train, found.n_validation, found.n_test, found.kept_epoch, *found.seconds.values()]
        _require(min(counts) >= 0 and max(counts) <= _MOST_COUNT and "total" in found.seconds)
        _require(found.n_test == expected.n)
        # Intervals and metrics that are not compared are those of the predictions as well.
        found.model_copy(update={"test": expected}).write(target.folder / "metrics.json")
    with _refusal(archive_name, SELECTION):
        if selection := source.selection:
            selection.write(target.folder / SELECTION)
    with _refusal(archive_name, RESAMPLING):
        if result := source.resampling:
            folds = _predictions(source, RESAMPLING_TABLE, names, "number")
            tested = [metrics.evaluate(fold, names) for _, fold in folds.groupby("number")]
            summary = resampling.summary(source.requested, tested, 1.0)
            _require(result.kind == summary.kind and len(result.done) == len(summary.done) <= result.planned)
            _require(result.mean.keys() == summary.mean.keys() and result.planned <= _MOST_COUNT)
            pairs = [*zip(result.done, summary.done, strict=True)]
            pairs += [(result.mean[key], summary.mean[key]) for key in summary.mean]
            _require(all(_same(one.value, other.value) for one, other in pairs))
            summary.model_copy(update={"planned": result.planned}).write(target.folder / RESAMPLING)
            target.write_table(RESAMPLING_TABLE, copies.neutral(folds, {}, patients, folder))


def _require(holds: object) -> None:
    """Raise `ValueError`, which becomes a message that names the file."""
    if not holds:
        raise ValueError("the values do not agree")


def _same(one: float | None, other: float | None) -> bool:
    return one == other if one is None or other is None else math.isclose(one, other, abs_tol=1e-6)


def _check_metrics(found: ClassificationMetrics, expected: ClassificationMetrics) -> None:
    _require(found.classes == expected.classes and found.by_class.keys() == expected.by_class.keys())
    _require(found.n == expected.n and found.confusion == expected.confusion)
    if not _same(found.accuracy.value, expected.accuracy.value):
        raise UserError("the accuracy is not that of the predictions")


def _table(source: Run, file: str, columns: Sequence[str]) -> pd.DataFrame:
    """Return a table of images that has only such columns, and short texts and finite numbers in them."""
    described = pq.read_metadata(source.folder / file)
    size = sum(described.row_group(k).total_byte_size for k in range(described.num_row_groups))
    if described.num_rows > _MOST_ROWS or size > _MOST_TABLE:
        raise UserError("it holds over {rows:,} rows or {most} GB", rows=_MOST_ROWS, most=_MOST_TABLE // 2**30)
    table, _ = schema.read_table(source.folder / file)
    if unknown := sorted(set(table) - set(columns)):
        raise UserError("it holds unknown columns: {columns}", columns=[name[:_LONGEST] for name in unknown[:5]])
    for name in table:
        if pd.api.types.is_numeric_dtype(table[name]):
            _require(np.isfinite(table[name].to_numpy(float)).all() and (table[name] >= 0).all())
        else:
            _require(all(isinstance(value, str) and len(value) <= _LONGEST for value in table[name]))
    _require(table["sha256"].str.fullmatch(_SHA256).all() and len(table))
    return table


def _predictions(source: Run, file: str, names: list[str], *more: str) -> pd.DataFrame:
    """Return a table of predictions, checked."""
    probabilities = metrics.probability_columns(names)
    table = _table(
        source, file, [*dataset.TEXT, *dataset.NUMBERS, "row", "split", "predicted", "correct", *probabilities, *more]
    )
    _require(table["label"].isin(names).all() and table["predicted"].isin(names).all())
    _require((table["correct"] == (table["predicted"] == table["label"])).all())
    _require((table[probabilities].to_numpy(float) <= 1 + 1e-4).all())
    return table


def _heatmaps(source: Run, target: Run) -> None:
    if not (source.folder / "heatmaps.npy").is_file():
        return
    found = np.load(source.folder / "heatmaps.npy", mmap_mode="r", allow_pickle=False)
    _require(found.ndim == 4 and found.shape[:2] == (source.results.n_test, len(source.classes)))
    _require(found.dtype == np.float32 and np.isfinite(found).all())
    target.save_with("heatmaps.npy", lambda path: np.save(path, found, allow_pickle=False))


def _check_detector(found: ood.OutOfDistributionDetector) -> None:
    (axes, channels), arrays = found.axes.shape, (found.centre, found.axes, found.variances)
    _require(found.centre.shape == (channels,) and found.variances.shape == (axes,))
    _require(all(values.dtype.kind == "f" and np.isfinite(values).all() for values in arrays))
    _require(found.ridge > 0 and found.limit > 0 and 0 <= found.alarms <= found.tested)
