"""One image explained: its picture and overlay, what the colours hide, the probabilities, the most similar images."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from cxrcore.data.images import Upload, load, png, read
from cxrcore.explain.methods import METHODS, Method
from cxrcore.explain.overlay import banner, label_text, overlay
from cxrcore.features import image_transforms, lung_segmenter
from cxrcore.features.image_transforms import CLEANINGS
from cxrcore.figures import charts
from cxrcore.i18n import N_, format_number, t, translate
from cxrcore.inference import similar_images
from cxrcore.runs import Run
from cxrcore.ui import gallery, progress
from cxrcore.ui.explain import image_views
from cxrcore.ui.explain.options import NOTHING, ExplainOptions

_KEPT = 12  # explanations of one visitor
_READING = N_(
    "Bright is where the evidence for the class came from, as far as this method can tell. The map is coarse and "
    "scaled to its own maximum. It shows where the model looked, not whether that was right."
)


def picture(
    name: str,
    image: np.ndarray,
    probabilities: dict[str, float],
    heatmap: np.ndarray,
    chosen: ExplainOptions,
    true: str,
    trusted: bool = True,
) -> None:
    """Show the original and the overlay.

    Args:
        name: of the image file.
        image: uint8 (H, W, 3), undistorted.
        probabilities: by class.
        heatmap: float32 (h, w), of what was chosen to be explained.
        chosen: the knobs.
        true: the true class, or "" when nobody knows.
        trusted: whether the image is like those learned from; else no answer is given unasked.
    """
    names, method = list(probabilities), METHODS[chosen.method]
    predicted = max(names, key=probabilities.__getitem__)
    target = names[chosen.number(np.array(list(probabilities.values())), names)]
    explained = translate(target)
    if chosen.against != NOTHING:
        explained = t("{target} rather than {against}", target=explained, against=translate(chosen.against))
    text = label_text(translate(target), probabilities[target]) if trusted else t("unlike what it learned from")
    before = t("True: {label}", label=translate(true)) if true else name
    image_views.show(name, image, heatmap, chosen, (before, text), explained)
    _said_of_the_map(heatmap, explained, method)
    if trusted:
        _verdict(predicted, true, probabilities)
    else:
        with st.expander(t("What the model says all the same")):
            _verdict(predicted, true, probabilities)
    over = banner(overlay(image, heatmap, chosen.opacity, chosen.colours, chosen.threshold), text)
    st.download_button(
        t("Overlay as PNG"), png(over), f"{name.rsplit('.', 1)[0]}-{chosen.method}.png", "image/png",
        icon=":material/download:", on_click="ignore",
    )  # fmt: skip
    st.caption(f"{translate(_READING)} {translate(method.title)}: {translate(method.paper)}.")


def explain(run: Run, source: Path | Upload, chosen: ExplainOptions, place: Any) -> Any:
    """Return the `Explanation` of an image file as chosen; `place`, a `st.empty`, shows how far it is.

    The last ones of this visitor are kept: moving the opacity perturbation_fn the model nothing.
    """
    kept: dict[Any, Any] = st.session_state.setdefault("explained", {})
    what = (chosen.target, chosen.against, chosen.method, chosen.layer)
    key = (run.name, run.model_file.stat().st_mtime, hashlib.sha256(_content(source)).hexdigest(), *what)
    if key not in kept:
        with place.container():
            kept[key] = _explained(run, source, chosen)
        place.empty()
        for old in list(kept)[:-_KEPT]:
            del kept[old]
    return kept[key]


def cleaning_note(run: Run, source: Path | Upload) -> None:
    """Say what the run's cleaning does to this image, or that it could not be done."""
    name = run.config.get("cleaning", "")
    if not name:
        return
    text = t("This run's images are cleaned first ({cleaning}).", cleaning=translate(CLEANINGS[name]))
    if image_transforms.needs_lungs(name) and (
        doubt := lung_segmenter.segment(load(source, run.config["size"])[None])[1][0]
    ):
        st.warning(
            t(
                "{cleaning} Not this one: its lungs could not be found ({doubt}), so the model sees the whole image, "
                "unlike most that it learned from.",
                cleaning=text, doubt=translate(doubt),
            ),
            icon=":material/warning:",
        )  # fmt: skip
    else:
        st.caption(text)


def _content(source: Path | Upload) -> bytes:
    return source.content if isinstance(source, Upload) else read(source)


def _explained(run: Run, source: Path | Upload, chosen: ExplainOptions) -> Any:
    model = load_classifier(run)
    scores = lambda answer: chosen.scores(answer, model.classes)  # noqa: E731
    if METHODS[chosen.method].cam_fn:
        with st.spinner(t("Computing this map")):
            return model.explain(source, chosen.layer, chosen.method, scores)
    move = progress.bar(t("Asking the model about altered images"))
    return model.explain(source, chosen.layer, chosen.method, scores, move)


def similar(run: Run, vector: np.ndarray) -> None:
    """Show the training images that are most like an image with the mean feature `vector`."""
    found = similar_images.nearest(run, vector)
    if found is None:
        st.caption(t("This run kept no features of its training images. Train it again."))
        return
    st.caption(t("The training images whose features are most like this one's (1 is the same direction)."))
    cards = [
        gallery.Card(
            row.path, row.label, translate(row.label), (Path(row.path).name, format_number(row.similarity, ".3f"))
        )
        for row in found.itertuples()
    ]
    gallery.show(cards, run.about["classes"])


def _said_of_the_map(heatmap: np.ndarray, explained: str, method: Method) -> None:
    """Say what the colours hide: an empty map, how strong it is, and a method that knows no class."""
    if heatmap.max() <= 0:
        st.warning(t("Nothing in this layer speaks for {target}: the map is 0 everywhere.", target=explained))
        return
    st.caption(
        t("Raw maximum of the map: {maximum:.3g}. A weak map is shown as brightly as a strong one.",
          maximum=float(heatmap.max()))
    )  # fmt: skip
    if not method.of_class:
        st.info(t("{method} knows no class: it shows what is prominent in this layer, whatever class is chosen.",
                  method=translate(method.title)))  # fmt: skip


@st.cache_resource(max_entries=2, show_spinner=False)
def classifier(folder: str, written: float) -> Any:
    """Return the run's classifier, shared by all tabs (it locks itself); `written` tells a newer model."""
    from cxrcore.explain.explainer import Classifier

    return Classifier(Run(Path(folder)))


def load_classifier(run: Run) -> Any:
    """Return the classifier of `run`; imports TensorFlow the first time."""
    path = run.folder / "model.keras"
    with st.spinner(t("Loading the model; the first time takes some seconds")):
        return classifier(str(run.folder), path.stat().st_mtime if path.exists() else 0.0)


def _verdict(predicted: str, true: str, probabilities: dict[str, float]) -> None:
    called = translate(predicted)
    if not true:
        st.markdown(t("Predicted **{predicted}**.", predicted=called))
    elif predicted == true:
        st.markdown(t("Predicted **{predicted}**, which is right.", predicted=called))
    else:
        st.markdown(
            t(
                "Predicted **{predicted}**, which is **wrong**: it is **{true}**.",
                predicted=called,
                true=translate(true),
            )
        )
    alt = ", ".join(f"{translate(name)} {format_number(value, '.1%')}" for name, value in probabilities.items())
    st.plotly_chart(charts.probabilities(probabilities), key="probabilities", alt=t("Probabilities: {alt}", alt=alt))
