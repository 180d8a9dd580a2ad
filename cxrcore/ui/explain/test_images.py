"""Explaining a run's test images; the kept heatmaps need no TensorFlow."""

import io
import zipfile
from pathlib import Path

import numpy as np
import streamlit as st

from cxrcore.data.images import display, png
from cxrcore.evaluation.metrics import probability_columns
from cxrcore.explain import rendering
from cxrcore.i18n import bind, t, translate
from cxrcore.runs import Run
from cxrcore.ui import query_params
from cxrcore.ui.explain import explanation, options
from cxrcore.ui.explain.options import NOTHING, ExplainOptions


def show(run: Run) -> None:
    """Choose a test image and show it explained; the choice is in the URL."""
    table, classes = run.predictions("test"), run.about["classes"]
    number = choose_image(run)
    chosen = options.show(run)
    row = table.loc[number]
    path, probabilities = Path(row["path"]), row[probability_columns(classes)].to_numpy(float)
    explanation.cleaning_note(run, path)
    explanation.picture(
        path.name,
        display(path),
        dict(zip(classes, map(float, probabilities), strict=True)),
        _heatmap(run, path, number, chosen, probabilities, classes),
        chosen,
        true=row["label"],
    )
    st.download_button(
        t("All {n} Grad-CAM overlays as ZIP", n=len(table)), bind(lambda: _archive(run, chosen.opacity)),
        f"{run.name}-gradcam.zip",
        "application/zip", icon=":material/folder_zip:", on_click="ignore",
    )  # fmt: skip
    if st.toggle(t("Show the most similar training images")):
        explanation.similar(run, explanation.load_classifier(run).explain(path, run.config["tap"]).vector)


def choose_image(run: Run) -> int:
    """Show the choice of a test image, wrong ones first; return its row in the predictions."""
    table = run.predictions("test")
    wrong_first = [str(number) for number in table.sort_values("correct", kind="stable").index]
    chosen = query_params.selectbox(
        st, t("Test image, wrong ones first"), "image", wrong_first,
        lambda number: _label(table.loc[int(number)].to_dict()),
    )  # fmt: skip
    return int(chosen)


def _heatmap(
    run: Run, path: Path, number: int, chosen: ExplainOptions, probabilities: np.ndarray, classes: list[str]
) -> np.ndarray:
    """Return the map: the one kept with the run where it is what was chosen, as that needs no TensorFlow."""
    place = st.empty()  # always there, so that what follows keeps its place on the page
    if (chosen.method, chosen.layer, chosen.against) == ("grad-cam", run.config["tap"], NOTHING):
        return np.asarray(run.heatmaps()[number, chosen.number(probabilities, classes)])
    return np.asarray(explanation.explain(run, path, chosen, place).heatmaps[0])


def _archive(run: Run, opacity: float) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, (path, picture) in enumerate(rendering.of_tests(run, opacity), 1):
            if isinstance(picture, np.ndarray):
                archive.writestr(f"{number:04d}_{path.stem}.png", png(picture))
    return buffer.getvalue()


def _label(row: dict) -> str:
    wrong = t("wrong: predicted {predicted}", predicted=translate(row["predicted"]))
    end = t("right answer") if row["correct"] else wrong
    return f"{Path(row['path']).name} · {translate(row['label'])} · {end}"
