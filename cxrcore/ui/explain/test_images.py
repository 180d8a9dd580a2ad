"""Explanations of a run's test images; the heatmaps kept with the run need no TensorFlow."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

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
from cxrcore.ui import image_names, query_params
from cxrcore.ui.explain import explanation, image_strip, options, shortcut_warning
from cxrcore.ui.explain.explanation import Explained
from cxrcore.ui.explain.options import ExplainOptions

_PER_PAGE = 500  # images to choose from at once
_MOST_SAVED = 1000  # overlays in a ZIP, which is made in memory


@dataclass(frozen=True)
class Layout:
    """The parts of the tab, in their order on the page: what is chosen stands below what is shown."""

    places: explanation.Places
    strip: DeltaGenerator
    image: DeltaGenerator
    run: DeltaGenerator


def arrange() -> Layout:
    """Return the empty parts of the tab."""
    places, strip = explanation.places(), st.container()
    left, right = st.columns(2)
    return Layout(places, strip, left, right)


def show(run: Run, layout: Layout) -> None:
    """Show a test image explained, with its neighbours in the list; the choice is in the URL."""
    table, names = reported.load(run).table, run.classes
    rows, label_of = _errors_first(table), partial(_label, table)
    chosen_image = _choose(layout.image, rows, label_of)
    row = table.loc[int(chosen_image)]
    with layout.strip:
        image_strip.show("image", chosen_image, rows, label_of, table)
    path = Path(row["path"])
    with layout.places.options:
        chosen = options.show(run, Masks(row["lungs"], row["lesions"]))
    with layout.places.answer:
        shortcut_warning.show(run)
        probabilities, heatmap = _explained(run, row, chosen)
    by_class = dict(zip(names, map(float, probabilities), strict=True))
    shown = Explained(image_names.name(path, row["sha256"]), display(path), by_class, heatmap, true=row["label"])
    explanation.show(shown, chosen, layout.places)
    with layout.places.answer:
        explanation.transform_note(run, path)
    explanation.details(shown, chosen)
    count = int((table["heatmap"] != NO_HEATMAP).sum())
    label = t("All {n} Grad-CAM overlays as ZIP", n=count)
    if count > _MOST_SAVED:
        label = t("{most:,} of {n:,} Grad-CAM overlays as ZIP", most=_MOST_SAVED, n=count)
    st.download_button(
        label,
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
    """Show the choice of a test image, errors first; return its row in the result that stands for the run."""
    table = reported.load(run).table
    return int(_choose(st.container(), _errors_first(table), partial(_label, table)))


def _errors_first(table: pd.DataFrame) -> list[str]:
    """Return the rows of the test images, errors first.

    Test images of later folds, on which the saved model was trained, come last.
    """
    table = table.assign(later=table["heatmap"] == NO_HEATMAP)
    return [str(row) for row in table.sort_values(["later", "correct"], kind="stable").index]


def _choose(place: DeltaGenerator, rows: list[str], label: Callable[[str], str]) -> str:
    """Show the choice of an image, of many on pages: all choices are sent to the browser."""
    key = query_params.start("image", rows, rows[0])
    page, pages = rows.index(st.session_state[key]) // _PER_PAGE, -(-len(rows) // _PER_PAGE)
    options = rows[page * _PER_PAGE : (page + 1) * _PER_PAGE]
    chosen = str(place.selectbox(t("Test image (errors first)"), options, format_func=label, key=key))
    query_params.keep("image", chosen, rows[0])
    if pages > 1:
        number = "image page"
        st.session_state[number] = page + 1  # that of the image, which other widgets choose too

        def turn() -> None:
            query_params.put("image", rows[(st.session_state[number] - 1) * _PER_PAGE])

        place.number_input(t("Page (of {pages})", pages=pages), 1, pages, key=number, on_change=turn, width=160)
    return chosen


def _label(table: pd.DataFrame, number: str) -> str:
    row = table.loc[int(number)]
    true, predicted = str(row["label"]), str(row["predicted"])
    end = t("correct")
    if predicted != true:
        end = t("incorrect: predicted {predicted}", predicted=classes.label(predicted))
    return f"{image_names.name(row['path'], row['sha256'])} · {classes.label(true)} · {end}"


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
        for number, (path, picture) in enumerate(rendering.test_images(run, opacity, _MOST_SAVED), 1):
            if isinstance(picture, np.ndarray):
                archive.writestr(f"{number:04d}_{path.stem}.png", png(picture))
    return buffer.getvalue()
