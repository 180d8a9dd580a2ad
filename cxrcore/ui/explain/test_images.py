"""Explanations of a run's test images; the heatmaps kept with the run need no TensorFlow."""

import io
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from cxrcore.data import classes
from cxrcore.data.images import display, png
from cxrcore.evaluation import reported
from cxrcore.evaluation.metrics import probability_columns
from cxrcore.evaluation.reported import NO_HEATMAP
from cxrcore.explain import layers, rendering
from cxrcore.explain.explanation import NONE
from cxrcore.figures.outlines import Masks
from cxrcore.i18n import bind, t
from cxrcore.reports.run_summary import RunSummary
from cxrcore.runs import Run
from cxrcore.ui import query_params
from cxrcore.ui.explain import explanation, options
from cxrcore.ui.explain.options import ExplainOptions


def show(run: Run) -> None:
    """Choose a test image and show it explained; the choice is in the URL."""
    table, names = reported.load(run).table, run.classes
    number = choose_image(run)
    chosen = options.show(run)
    row = table.loc[number]
    path = Path(row["path"])
    explanation.transform_note(run, path)
    probabilities, heatmap = _explained(run, row, chosen)
    explanation.picture(
        path.name,
        display(path),
        dict(zip(names, map(float, probabilities), strict=True)),
        heatmap,
        chosen,
        true=row["label"],
        masks=Masks(row["lungs"], row["lesions"]),
    )
    st.download_button(
        t("All {n} Grad-CAM overlays as ZIP", n=int((table["heatmap"] != NO_HEATMAP).sum())),
        bind(lambda: _archive(run, chosen.opacity)),
        f"{RunSummary(run).file_stem}-gradcam.zip",
        "application/zip",
        icon=":material/folder_zip:",
        on_click="ignore",
    )
    if st.toggle(t("Show the most similar training images")):
        place = st.empty()
        grad_cam = ExplainOptions("grad-cam", layers.choices(run.config)[0])
        explanation.similar(run, explanation.explain(run, path, grad_cam, place).vector)


def choose_image(run: Run) -> int:
    """Show the choice of a test image, errors first; return its row in the result that stands for the run.

    Test images of later folds, on which the saved model was trained, come last.
    """
    table = reported.load(run).table
    table = table.assign(later=table["heatmap"] == NO_HEATMAP)
    errors_first = [str(number) for number in table.sort_values(["later", "correct"], kind="stable").index]
    labels = {
        str(number): _label(Path(path).name, true, predicted)
        for number, path, true, predicted in zip(
            table.index, table["path"], table["label"], table["predicted"], strict=True
        )
    }
    place = st.container()
    return int(query_params.selectbox(place, t("Test image (errors first)"), "image", errors_first, labels.__getitem__))


def _label(name: str, true: str, predicted: str) -> str:
    end = t("correct")
    if predicted != true:
        end = t("incorrect: predicted {predicted}", predicted=classes.label(predicted))
    return f"{name} · {classes.label(true)} · {end}"


def _explained(
    run: Run, row: "pd.Series[object]", chosen: ExplainOptions
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.float32]]:
    """Return the saved model's probabilities and the heatmap of a row of the result that stands for the run.

    What is kept with the run is taken from there, as that needs no TensorFlow.
    """
    path, number = Path(str(row["path"])), int(str(row["heatmap"]))
    place = st.empty()  # always there, so that what follows keeps its place on the page
    if number == NO_HEATMAP:
        st.warning(t("This image is in this run's training or validation set: its prediction is not a test."))
        found = explanation.explain(run, path, chosen, place)
        return found.probabilities, np.asarray(found.heatmaps[0])
    probabilities = row[probability_columns(run.classes)].to_numpy(float)
    kept = ("grad-cam", layers.choices(run.config)[0], NONE)
    if (chosen.method, chosen.layer, chosen.score.contrast) == kept:
        return probabilities, np.asarray(run.heatmaps()[number, chosen.score.index(probabilities, run.classes)])
    return probabilities, np.asarray(explanation.explain(run, path, chosen, place).heatmaps[0])


def _archive(run: Run, opacity: float) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, (path, picture) in enumerate(rendering.test_images(run, opacity), 1):
            if isinstance(picture, np.ndarray):
                archive.writestr(f"{number:04d}_{path.stem}.png", png(picture))
    return buffer.getvalue()
