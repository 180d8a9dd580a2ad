"""Copies of runs for others to look at: only what the read-only pages show, with pictures in place of the originals."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cxrcore.data import images
from cxrcore.errors import UserError
from cxrcore.runs import EVENTS, FINISHED, HEAD_FILE, WHOLE_MODEL_FILE, Run, RunInfo, RunStatus
from cxrcore.runs.run import RESAMPLING, RESAMPLING_TABLE, SELECTION

LONGEST = 1024  # pixels of a side of a picture
# No log, checkpoint, request, task, note or external validation. The features of training images would find pictures
# that are not there.
_WRITTEN = ("config.json", "about.json", "card.json", "status.json", "table.parquet", "predictions.parquet")
_RESAMPLED = (RESAMPLING, RESAMPLING_TABLE)
_COPIED = (
    EVENTS, "metrics.json", SELECTION, HEAD_FILE, WHOLE_MODEL_FILE, "heatmaps.npy", "novelty.npz",
)  # fmt: skip
FILES = (*_WRITTEN, *_RESAMPLED, *_COPIED)  # of a run without what was computed of it later
_AUDITS = ("verdict.json", "shortcut.json", "mitigations.json", "faithfulness.json", "learning_curve.json")
_MASKS = ("lungs", "lesions")
_SHOWN_SPLITS = ("test", "validation")
Picture = tuple[str, str, dict[str, str]]  # path, SHA-256 and masks


def require_finished(run: Run) -> None:
    """Raise `UserError` unless a run has finished with results and its weights can be given to others."""
    if run.status.state != FINISHED:
        raise UserError("Run {name} has not finished. Only finished runs can be shared.", name=run.name)
    _ = run.results, run.model_file
    if run.config.weights == "file":
        raise UserError("Run {name} uses weights from a file of yours. It cannot be shared.", name=run.name)


def finished(run: Run) -> RunStatus:
    """Return the status of a finished run without what tells of the machine and the process that trained it."""
    status = run.status
    return RunStatus(state=FINISHED, created=status.created, started=status.started, ended=status.ended)


def copy(run: Run, workspace: Path) -> None:
    """Write a run into another workspace, marked as shown.

    Its tables name the test and validation images' pictures in `images/` by their SHA-256. Patients are numbered; the
    names of files, folders and sources are left out.

    Raises:
        ImageError: a test or validation image cannot be read any more.
    """
    target = Run(workspace / "runs" / run.name)
    copy_without_pictures(run, target, dict(_pictures(run.table, workspace)))
    for name in _AUDITS:
        if (run.folder / name).is_file():
            shutil.copyfile(run.folder / name, target.folder / name)
    target.show(True)


def copy_without_pictures(run: Run, target: Run, written: dict[str, Picture] | None = None) -> None:
    """Write `FILES` of a run as another one, as `copy` does; `written` are pictures of images that were written."""
    target.folder.mkdir(parents=True)
    for name in _COPIED:
        if (run.folder / name).is_file():
            shutil.copyfile(run.folder / name, target.folder / name)
    finished(run).write(target.folder / "status.json")
    run.requested.write(target.folder / "config.json")
    nameless(run.info).write(target.folder / "about.json")
    target.describe(title=run.title, tags=run.card.tags)
    table = run.table
    tables = {"table.parquet": table, "predictions.parquet": run.read_table("predictions.parquet")}
    if result := run.resampling:
        result.write(target.folder / RESAMPLING)
        tables[RESAMPLING_TABLE] = run.resampled_predictions()
    patients = numbers("patient", table["patient"])
    for name, found in tables.items():
        target.write_table(name, neutral(found, written or {}, patients), seal=False)


def nameless(info: RunInfo) -> RunInfo:
    """Return the same without what names files, folders and findings of the dataset."""
    data = info.dataset.info.model_copy(update={"sources": [], "mapping": {}, "notes": []})
    return info.model_copy(update={"dataset": info.dataset.model_copy(update={"info": data})})


def _pictures(table: pd.DataFrame, workspace: Path) -> Iterator[tuple[str, Picture]]:
    """Write the pictures of the shown images; yield an image's SHA-256 with its picture's path, SHA-256 and masks."""
    for row in table[table["split"].isin(_SHOWN_SPLITS)].to_dict("records"):
        pixels = images.display(Path(str(row["path"])), LONGEST)
        path, digest = _save("images", pixels, workspace)
        masks = {name: _mask(str(row[name]), name, pixels, workspace) for name in _MASKS if row.get(name)}
        yield str(row["sha256"]), (path, digest, masks)


def _mask(file: str, folder: str, pixels: np.ndarray, workspace: Path) -> str:
    """Write a mask in the size of its picture; "" for one that is missing, damaged or empty."""
    found = images.known_mask(file)
    if found is None:
        return ""
    scaled = Image.fromarray(found).resize((pixels.shape[1], pixels.shape[0]), Image.Resampling.NEAREST)
    return _save(folder, np.asarray(scaled), workspace)[0]


def _save(folder: str, pixels: np.ndarray, workspace: Path) -> tuple[str, str]:
    """Write a PNG file; return its path in the workspace and its SHA-256."""
    grey = pixels.ndim == 3 and bool((pixels == pixels[..., :1]).all())
    content = images.png(pixels[..., 0] if grey else pixels)
    digest = hashlib.sha256(content).hexdigest()
    path = workspace / folder / f"{digest[:16]}.png"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return f"{folder}/{path.name}", digest


def neutral(
    table: pd.DataFrame, written: dict[str, Picture], patients: dict[str, str], folder: str = "images"
) -> pd.DataFrame:
    """Return a table whose paths are those of the written pictures, of other images a file in `folder` that is not
    there; and without names.
    """
    found = [written.get(sha256, ("", sha256, {})) for sha256 in table["sha256"]]
    changed = {
        # A path tells one image from another, so an image without a picture has one too.
        "path": [path or f"{folder}/{sha256[:16]}.png" for path, sha256, _ in found],
        "sha256": [sha256 for _, sha256, _ in found],
        "patient": [patients[name] for name in table["patient"]],
    }
    changed |= {mask: [masks.get(mask, "") for _, _, masks in found] for mask in _MASKS if mask in table}
    changed |= {name: [""] * len(table) for name in ("finding", "left_out_reason") if name in table}
    if "source" in table:
        sources = numbers("source", table["source"])
        changed["source"] = [sources[name] for name in table["source"]]
    return table.assign(**changed)


def numbers(word: str, values: pd.Series) -> dict[str, str]:
    """Return what stands for each value, for example `patient 1`."""
    return {value: f"{word} {number}" for number, value in enumerate(sorted(set(values)), 1)}
