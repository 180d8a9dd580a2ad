"""One image in a dialog: large, with its heatmap and outlines, what was predicted, and what is known about it.

A page shows images with `grid`, or by `gallery.show` and passes the image that was clicked to `show`. The dialog walks
through all images, on whatever page of the grid they are; the image in view is in the URL.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st
from PIL import Image

from cxrcore import settings
from cxrcore.data import classes, exclusions, images
from cxrcore.data.dataset import PART_TITLES
from cxrcore.data.errors import ImageError
from cxrcore.errors import DamagedFileError
from cxrcore.evaluation.metrics import probability_columns
from cxrcore.evaluation.reported import NO_HEATMAP
from cxrcore.explain.overlay import coloured
from cxrcore.figures import thumbnails
from cxrcore.figures.outlines import Masks
from cxrcore.i18n import N_, bind, t, translate
from cxrcore.inference import similar_images
from cxrcore.reports.run_summary import image_id
from cxrcore.runs import Run
from cxrcore.ui import feedback, gallery, image_names, outline_toggle, prediction, similar
from cxrcore.ui.fragments import fragment

_LONGEST = 1024  # pixels of the longer side of the image
# Column of a table of images -> its title in the list of an image's properties.
_PROPERTIES = {
    "label": N_("class"),
    "finding": N_("finding"),
    "patient": N_("patient"),
    "source": N_("source"),
    "view": N_("view"),
    "sex": N_("sex"),
    "age": N_("age"),
    "given_split": N_("given split"),
    "fold": N_("fold"),
    "format": N_("format"),
    "left_out": N_("left out"),
    "path": N_("path"),
    "sha256": N_("name in exports"),
}
_HTML = """<div class="frame"><img class="under"><img class="over" alt=""></div>
<label><span></span><input type="range" min="0" max="100" value="50"></label>"""
_CSS = """
.frame { position: relative; background: #000; border-radius: 6px; overflow: hidden; margin: 0 auto; max-width: 100%; }
img { position: absolute; inset: 0; width: 100%; height: 100%; display: block; }
label { display: flex; align-items: center; gap: 12px; padding-top: 8px; font-size: 14px; }
input { flex: 1; min-width: 60px; accent-color: var(--st-primary-color); }
[hidden] { display: none; }
"""
# The opacity is a property of the page: moving it asks nothing of the server, and the next image keeps it.
_JS = """
export default function ({ data, parentElement }) {
  const [frame, under, over, label, text, slider] =
    [".frame", ".under", ".over", "label", "span", "input"].map((name) => parentElement.querySelector(name));
  frame.style.aspectRatio = `${data.width} / ${data.height}`;
  frame.style.width = `calc(72vh * ${data.width / data.height})`;
  if (under.src !== data.picture) under.src = data.picture;
  under.alt = data.alt;
  label.hidden = over.hidden = !data.over;
  if (data.over && over.src !== data.over) over.src = data.over;
  text.textContent = data.opacity;
  const fade = () => { over.style.opacity = slider.value / 100; };
  slider.oninput = fade;
  slider.onkeydown = (event) => {  // arrow keys move the slider, not to another image
    if (event.key.startsWith("Arrow")) event.stopPropagation();
  };
  fade();
}
"""
_layers = st.components.v2.component("cxr_sample", html=_HTML, css=_CSS, js=_JS)


@dataclass(frozen=True)
class Prediction:
    """What a run says about an image.

    Attributes:
        run: the run.
        probabilities: by class, all classes of the run.
        number: of the image on the Explain page of the run, its row in `reported.load(run).table`.
        heatmap: Grad-CAM for the predicted class, float32 (h, w), None if the run kept none.
    """

    run: Run
    probabilities: Mapping[str, float]
    number: int
    heatmap: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Sample:
    """What the dialog shows of one image.

    Attributes:
        path: of the image file, "" for one that must not be opened.
        true: its class, "" if it has none.
        sha256: of the file.
        masks: the drawn lungs and lesions, where known.
        properties: what is known about it, by title.
        predictions: of the runs it is shown for, none on the Data page.
        problem: why there is no image to show, if `path` is "".
    """

    path: str
    true: str
    sha256: str
    masks: Masks
    properties: Mapping[str, str]
    predictions: tuple[Prediction, ...] = ()
    problem: ImageError | None = None


def of_run(run: Run, table: pd.DataFrame, number: int) -> Sample:
    """Return the image of row `number` (its index) of a prediction table from `reported.load(run)`."""
    return of_runs([(run, table, number)])


def of_runs(rows: Sequence[tuple[Run, pd.DataFrame, int]]) -> Sample:
    """Return one image as several runs predicted it: a run, its prediction table, and the row of the image in it.

    Path, class, masks and properties are those of the first.
    """
    _, table, number = rows[0]
    row = table.loc[number]
    masks = Masks(str(row.get("lungs", "")), str(row.get("lesions", "")))
    predictions = tuple(_prediction(run, table.loc[number], number) for run, table, number in rows)
    return Sample(str(row["path"]), str(row["label"]), str(row["sha256"]), masks, properties(row), predictions)


def _prediction(run: Run, row: "pd.Series[Any]", number: int) -> Prediction:
    names = run.classes
    values = row[probability_columns(names)].to_numpy(float)
    heatmap = None
    if (kept := int(row["heatmap"])) != NO_HEATMAP:
        try:
            heatmap = np.asarray(run.heatmaps()[kept, int(values.argmax())])
        except DamagedFileError:
            heatmap = None  # the dialog says that none is kept; the image is worth seeing without
    return Prediction(run, dict(zip(names, map(float, values), strict=True)), number, heatmap)


def properties(row: "pd.Series[Any]") -> dict[str, str]:
    """Return what a row of a dataset's, a run's or a prediction table tells about its image, by title.

    The patient is left out where it is not known (the import then makes one up of the source and the path). Visitors
    who may change nothing do not see it, nor names of files, folders and sources, which may be a person's.
    """
    made_up = row.get("patient") == f"{row.get('source')}:{row.get('path')}"
    hidden = {"patient", "path", "source", "finding"} if settings.read_only() else {"patient"} if made_up else set()
    shown = {column: title for column, title in _PROPERTIES.items() if row.get(column) and column not in hidden}
    return {translate(title): _property(row, column) for column, title in shown.items()}


def _property(row: "pd.Series[Any]", column: str) -> str:
    value = str(row[column])
    if column == "left_out":
        reason = translate(exclusions.reason(row["left_out_reason"]))
        return f"{translate(exclusions.KINDS.get(value, value))}: {reason}"
    if column == "given_split":
        return translate(PART_TITLES.get(value, value))
    if column == "sha256":
        return image_id(value)
    shown = {"label": classes.label, "finding": classes.finding_label}
    return shown[column](value) if column in shown else value


def grid(
    cards: Sequence[gallery.Card],
    names: Sequence[str],
    key: str,
    numbers: Sequence[int],
    on_page: Sequence[int],
    sample: Callable[[int], Sample],
    name: str = "sample",
    below: Callable[[int], None] | None = None,
) -> None:
    """Show a grid of images that open in the dialog; a click draws the grid again, and nothing else of the page.

    Args:
        cards: of the images that are in view.
        names: all classes of the run or dataset, which decide the colours.
        key: of the grid, which no other element of the page has.
        numbers: of all images that previous and next go through, in their order.
        on_page: those of `cards`.
        sample: see `show`.
        name: see `show`.
        below: see `show`.
    """
    fragment(_grid)(cards, names, key, numbers, on_page, sample, name, below)


def _grid(
    cards: Sequence[gallery.Card],
    names: Sequence[str],
    key: str,
    numbers: Sequence[int],
    on_page: Sequence[int],
    sample: Callable[[int], Sample],
    name: str,
    below: Callable[[int], None] | None,
) -> None:
    clicked = gallery.show(cards, names, key)
    show(numbers, None if clicked is None else on_page[clicked], sample, name, below)


def show(
    numbers: Sequence[int],
    clicked: int | None,
    sample: Callable[[int], Sample],
    name: str = "sample",
    below: Callable[[int], None] | None = None,
) -> None:
    """Open the dialog if an image was clicked just now, or if the URL, opened anew, names one.

    Args:
        numbers: of all images that previous and next go through, in their order.
        clicked: the number of the image that was clicked, None if none was.
        sample: returns the image of a number; it is called when that image is shown.
        name: of the parameter in the URL. Two grids of one page need two names, unless no number is in both.
        below: shows more about the image of a number, such as controls that edit it.
    """
    number = clicked if clicked is not None else _linked(numbers, name)
    if number is None:
        return
    st.session_state[_key(name)] = number
    st.dialog(t("Image"), width="large", on_dismiss="rerun")(bind(_dialog))(numbers, sample, name, below)


def _title(of: Prediction) -> str:
    return feedback.plain_text(of.run.title or of.run.name)


def _key(name: str) -> str:
    return f"in view {name}"


def _linked(numbers: Sequence[int], name: str) -> int | None:
    """Return the image that the URL names, unless it was written here: its dialog was closed since."""
    url = st.query_params.get(name)
    if url is None or not re.fullmatch("[0-9]{1,9}", url) or int(url) not in numbers:
        return None
    if url == st.session_state.get(f"written {name}"):
        del st.query_params[name]
        return None
    return int(url)


def _dialog(
    numbers: Sequence[int], sample: Callable[[int], Sample], name: str, below: Callable[[int], None] | None
) -> None:
    number = int(st.session_state[_key(name)])
    st.query_params[name] = st.session_state[f"written {name}"] = str(number)
    with feedback.friendly():
        found = sample(number)
        _steps(numbers, number, name, found)
        left, right = st.columns([3, 2])
        with left, feedback.friendly():
            _picture(found)
        with right:
            for each in found.predictions:
                if len(found.predictions) > 1:
                    st.markdown(f"**{_title(each)}**")
                prediction.show(found.true, each.probabilities, f"probabilities {each.run.name}")
            st.dataframe(pd.Series(found.properties, name=t("value")), height="content")
            if below:
                below(number)
        if found.predictions:
            _similar(found.predictions[0].run, found.sha256)


def _steps(numbers: Sequence[int], number: int, name: str, found: Sample) -> None:
    """Show previous and next with the position between them, and the links to Explain."""
    position = list(numbers).index(number)

    def go(step: int) -> None:
        st.session_state[_key(name)] = numbers[position + step]

    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            t("Previous"),
            icon=":material/chevron_left:",
            shortcut="Left",
            on_click=go,
            args=(-1,),
            disabled=not position,
        )
        st.markdown(t("{right} of {n}", right=position + 1, n=len(numbers)), width="content")
        last = position + 1 == len(numbers)
        st.button(t("Next"), icon=":material/chevron_right:", shortcut="Right", on_click=go, args=(1,), disabled=last)
        for each in found.predictions:
            label = t("Open in Explain")
            if len(found.predictions) > 1:
                label += f": {_title(each)}"
            query = {"run": each.run.name, "image": str(each.number)}
            st.page_link("pages/explain.py", label=label, icon=":material/visibility:", query_params=query)


def _picture(found: Sample) -> None:
    """Show the image with its outlines under a heatmap of adjustable opacity."""
    if found.problem:
        raise found.problem
    heatmaps = [(_title(each), each.heatmap) for each in found.predictions if each.heatmap is not None]
    name = image_names.name(found.path, found.sha256)
    picture, size = _opened(found.path, gallery.modified_at(found.path))
    masks = outline_toggle.choose(found.masks, shown=True)
    pictures = [picture]
    if heatmaps:
        places, chosen = range(len(heatmaps)), 0
        if len(heatmaps) > 1:
            chosen = st.segmented_control(
                t("Heatmap"), places, format_func=lambda k: heatmaps[k][0], default=0, required=True
            )
        pictures.append(coloured(heatmaps[chosen][1], *picture.shape[:2]))
    urls = [
        thumbnails.data_url(Image.fromarray(each), colour=True) for each in outline_toggle.outlined(pictures, masks)
    ]
    _layers(
        key="sample layers",
        data={
            "picture": urls[0],
            "over": urls[1] if heatmaps else "",
            "width": picture.shape[1],
            "height": picture.shape[0],
            "alt": t("X-ray {name}", name=name),
            "opacity": t("Opacity of the heatmap (Grad-CAM)"),
        },
    )
    st.caption(f"{feedback.plain_text(name)} · {t('{width} x {height}, {bits} bits', **size)}")
    if found.predictions and not heatmaps:
        st.caption(t("No heatmap of this image is kept. Explain computes one."))


@st.cache_data(max_entries=8, show_spinner=False)
def _opened(path: str, modified: float) -> tuple[npt.NDArray[np.uint8], dict[str, int]]:
    """Return the pixels to show, uint8 (H, W, 3), and width, height and bits of a channel of the file."""
    with images.opened(images.read(Path(path))) as decoded:
        image = decoded.image
        size = {"width": image.width, "height": image.height, "bits": decoded.bits}
        image.thumbnail((_LONGEST, _LONGEST), Image.Resampling.LANCZOS)
        return np.asarray(image.convert("RGB")), size


@st.cache_data(max_entries=200, show_spinner=False, hash_funcs={Run: lambda run: str(run.folder)})
def _nearest(run: Run, modified: float, sha256: str) -> pd.DataFrame | None:
    return similar_images.nearest_to_kept(run, sha256)


def _similar(run: Run, sha256: str) -> None:
    """Show the most similar training images, where the features of this image are kept."""
    st.markdown(f"**{t('Most similar training images')}**")
    found = _nearest(run, run.model_file.stat().st_mtime, sha256)
    if found is None:
        st.caption(t("The features of this image are not kept. Explain computes them."))
        return
    similar.show(found, run.classes, f"similar to {sha256}")
