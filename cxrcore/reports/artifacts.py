"""What can be taken away of a run: one table for the Results page, the command line and the ZIP of everything."""

import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cxrcore.i18n import N_
from cxrcore.reports import html_report, model_card, prediction_grid, tflite
from cxrcore.reports.html_report import Progress
from cxrcore.reports.run_summary import RunSummary


@dataclass(frozen=True)
class Artifact:
    """`file` follows the run's name; `make` returns its content, at once if it is `quick`."""

    key: str
    title: str
    about: str
    file: str
    mime: str
    make: Callable[[RunSummary, Progress], bytes]
    quick: bool = False


ARTIFACTS = {
    part.key: part
    for part in (
        Artifact(
            "html", N_("Report"), N_("One page that opens without a network, with interactive figures."),
            "report.html", "text/html", lambda facts, progress: html_report.render(facts, progress).encode(),
        ),
        Artifact(
            "pdf", N_("Grid as PDF"), N_("Every test image with predicted and true label, as in the tutorials."),
            "grid.pdf", "application/pdf", lambda facts, progress: prediction_grid.render(facts, progress=progress),
        ),
        Artifact(
            "card", N_("Model card"), N_("A page of Markdown: intended use, data, metrics by subgroup, limits."),
            "card.md", "text/markdown", lambda facts, progress: model_card.render(facts).encode(), True,
        ),
        Artifact(
            "csv", N_("Predictions as CSV"), N_("One row a test image, with the probability of each class."),
            "predictions.csv", "text/csv", lambda facts, progress: _predictions(facts), True,
        ),
        Artifact(
            "config", N_("Config"), N_("What `cxr train --config` needs to repeat the run."),
            "config.yaml", "text/yaml", lambda facts, progress: facts.yaml.encode(), True,
        ),
        Artifact(
            "keras", N_("Model for Keras"), N_("Raw pixels in, probabilities out; for `keras.models.load_model`."),
            "model.keras", "application/octet-stream", lambda facts, progress: facts.run.model_file.read_bytes(), True,
        ),
        Artifact(
            "tflite", N_("Model for TensorFlow Lite"),
            N_("The same for small devices, checked on test images to answer as Keras does."),
            "model.tflite", "application/octet-stream", lambda facts, progress: tflite.convert(facts.run),
        ),
    )
}  # fmt: skip


def _predictions(facts: RunSummary) -> bytes:
    """Return the predictions without what names a person or a place on this machine: patients are numbered."""
    table = facts.table.drop(columns=["lungs", "lesions"], errors="ignore").rename(columns={"path": "file"})
    table["file"] = [Path(path).name for path in table["file"]]
    table["patient"] = pd.factorize(table["patient"])[0] + 1
    return table.to_csv(index=False).encode()


def everything(
    facts: RunSummary, progress: Callable[[str, int, int], None], keys: Sequence[str] = tuple(ARTIFACTS)
) -> bytes:
    """Return a ZIP of the parts `keys`; `progress` hears of each part's title, what is done and what there is.

    Raises:
        UserError: a part cannot be made.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for key in keys:
            part = ARTIFACTS[key]
            progress(part.title, 0, 1)
            content = part.make(facts, lambda done, total, title=part.title: progress(title, done, total))  # type: ignore[misc]
            archive.writestr(f"{facts.run.name}-{part.file}", content)
            progress(part.title, 1, 1)
    return buffer.getvalue()
