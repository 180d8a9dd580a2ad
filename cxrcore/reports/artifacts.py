"""The files that can be exported from a run: one table for the Results page, the command line and the ZIP."""

import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from cxrcore.files import csv_text
from cxrcore.i18n import N_
from cxrcore.inference import saved_model
from cxrcore.progress import Progress, StageProgress, ignore, of_stage
from cxrcore.reports import html_report, model_card, prediction_grid, tflite
from cxrcore.reports.run_summary import RunSummary, image_id
from cxrcore.runs import Run


@dataclass(frozen=True)
class Artifact:
    """A file made from a run. Its name ends with `file`; `make` returns its content, at once if it is `quick`, by means
    of TensorFlow if it is `heavy`.
    """

    key: str
    title: str
    description: str
    file: str
    mime: str
    make: Callable[[RunSummary, Progress], bytes]
    quick: bool = False
    heavy: bool = False

    def file_name(self, summary: RunSummary) -> str:
        """Return the name of the file for a run."""
        return f"{summary.file_stem}-{self.file}"


def _predictions(summary: RunSummary) -> bytes:
    """Return the predictions without names of people, files and folders: images are named by the first digits of their
    SHA-256, patients and sources are numbered.
    """
    table = summary.table.drop(columns=["path", "lungs", "lesions", "heatmap"], errors="ignore")
    table.insert(0, "image", [image_id(digest) for digest in table["sha256"]])
    table["source"] = table["source"].map(summary.source_names)
    table["patient"] = pd.factorize(table["patient"])[0] + 1
    return csv_text(table).encode()


_ALL = (
    Artifact(
        "html",
        N_("HTML report"),
        N_("One page with interactive figures that opens without a network connection."),
        "report.html",
        "text/html",
        lambda summary, progress: html_report.render(summary, progress).encode(),
    ),
    Artifact(
        "pdf",
        N_("Prediction grid (PDF)"),
        N_("The test images with their predicted and true labels, as in the tutorials; of many, a random sample."),
        "grid.pdf",
        "application/pdf",
        lambda summary, progress: prediction_grid.render(summary, progress=progress),
    ),
    Artifact(
        "card",
        N_("Model card (Markdown)"),
        N_("Intended use, data, metrics by subgroup and limitations on one page."),
        "card.md",
        "text/markdown",
        lambda summary, progress: model_card.render(summary).encode(),
        quick=True,
    ),
    Artifact(
        "csv",
        N_("Predictions (CSV)"),
        N_("One row for each test image, with the probability of each class."),
        "predictions.csv",
        "text/csv",
        lambda summary, progress: _predictions(summary),
        quick=True,
    ),
    Artifact(
        "config",
        N_("Config (YAML)"),
        N_("Repeats the run with `cxr train --config`."),
        "config.yaml",
        "text/yaml",
        lambda summary, progress: summary.yaml.encode(),
        quick=True,
    ),
    Artifact(
        "keras",
        N_("Keras model"),
        N_("Takes raw pixels and returns probabilities; for `keras.models.load_model`."),
        "model.keras",
        "application/octet-stream",
        lambda summary, progress: saved_model.export(summary.run),
        heavy=True,
    ),
    Artifact(
        "tflite",
        N_("TensorFlow Lite model"),
        N_("The same model for small devices; checked on test images to give the same probabilities as Keras."),
        "model.tflite",
        "application/octet-stream",
        lambda summary, progress: tflite.convert(summary.run),
        heavy=True,
    ),
)
ARTIFACTS = {artifact.key: artifact for artifact in _ALL}


Maker = Callable[[Artifact, RunSummary, Progress], bytes]


def make(artifact: Artifact, summary: RunSummary, progress: Progress = ignore) -> bytes:
    """Return the content of an artifact, made in this process."""
    return artifact.make(summary, progress)


def make_by_key(run: Run, key: str, progress: Progress = ignore) -> bytes:
    """Return the content of the artifact `key`; the arguments can be sent to another process."""
    return make(ARTIFACTS[key], RunSummary(run), progress)


def zip_all(
    summary: RunSummary, progress: StageProgress, keys: Sequence[str] = tuple(ARTIFACTS), maker: Maker = make
) -> bytes:
    """Return a ZIP of the artifacts `keys`, each made by `maker`; the stages of `progress` are their titles.

    Raises:
        UserError: an artifact cannot be made.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for key in keys:
            artifact = ARTIFACTS[key]
            progress(artifact.title, 0, 1)
            content = maker(artifact, summary, of_stage(progress, artifact.title))
            archive.writestr(artifact.file_name(summary), content)
            progress(artifact.title, 1, 1)
    return buffer.getvalue()
