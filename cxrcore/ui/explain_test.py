"""Explaining a run's test images; the kept heatmaps need no TensorFlow."""

import io
import zipfile
from pathlib import Path

import numpy as np
import streamlit as st

from cxrcore.data.images import display, png
from cxrcore.evaluation.metrics import probability_columns
from cxrcore.explain import pictures
from cxrcore.language import bound, t, translated
from cxrcore.runs import Run
from cxrcore.ui import explain_view


def show(run: Run) -> None:
    """Choose a test image and show it explained; the choice is in the URL."""
    table, classes = run.predictions("test"), run.about["classes"]
    columns = probability_columns(classes)
    wrong_first = table.sort_values("correct", kind="stable").index.tolist()
    wanted = st.query_params.get("image", "")
    start = wrong_first.index(int(wanted)) if wanted.isdecimal() and int(wanted) in wrong_first else 0
    number = st.selectbox(
        t("Test image, wrong ones first"),
        wrong_first,
        index=start,
        format_func=lambda row: _label(table.loc[row].to_dict()),
    )
    st.query_params["image"] = str(number)
    chosen = explain_view.knobs(run)
    row = table.loc[number]
    path = Path(row["path"])
    explain_view.picture(
        path.name,
        display(path),
        dict(zip(classes, row[columns].astype(float), strict=True)),
        _heatmaps(run, path, int(number), chosen.layer),
        chosen,
        true=row["label"],
    )
    st.download_button(
        t("All {n} overlays as ZIP", n=len(table)), bound(lambda: _archive(run, chosen.opacity)),
        f"{run.name}-gradcam.zip",
        "application/zip", icon=":material/folder_zip:", on_click="ignore",
    )  # fmt: skip


def _heatmaps(run: Run, path: Path, number: int, layer: str) -> np.ndarray:
    if layer == run.config["tap"]:
        return np.asarray(run.heatmaps()[number])
    with st.spinner(t("Computing this layer's map")):
        return explain_view.load_classifier(run).explain(path, layer).heatmaps


def _archive(run: Run, opacity: float) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, (path, picture) in enumerate(pictures.of_tests(run, opacity), 1):
            if isinstance(picture, np.ndarray):
                archive.writestr(f"{number:04d}_{path.stem}.png", png(picture))
    return buffer.getvalue()


def _label(row: dict) -> str:
    wrong = t("wrong: predicted {predicted}", predicted=translated(row["predicted"]))
    end = t("right answer") if row["correct"] else wrong
    return f"{Path(row['path']).name} · {translated(row['label'])} · {end}"
