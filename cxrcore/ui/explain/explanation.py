"""One image explained: original and overlay, notes on the heatmap, probabilities, the most similar images."""

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cxrcore.data import classes
from cxrcore.data.images import Upload, load, png, read
from cxrcore.explain import loaded_runs, lung_zones
from cxrcore.explain.explanation import NONE, Explanation
from cxrcore.explain.methods import METHODS, Method
from cxrcore.explain.overlay import banner, label_text, overlay
from cxrcore.features import image_transforms, lung_segmenter
from cxrcore.features.image_transforms import TRANSFORMS
from cxrcore.figures import lung_zones as lung_zones_figure
from cxrcore.figures.outlines import Masks
from cxrcore.i18n import N_, format_number, t, translate
from cxrcore.inference import saved_model, similar_images
from cxrcore.progress import Progress
from cxrcore.runs import Run
from cxrcore.ui import computing, feedback, prediction, progress
from cxrcore.ui import similar as similar_grid
from cxrcore.ui.explain import image_views
from cxrcore.ui.explain.options import ExplainOptions

_KEPT = 12  # explanations of one visitor
_ZONES_NAMED, _LEAST_SHARE = 3, 0.05  # of a heatmap
_READING = N_(
    "Bright regions contributed to the class, as far as this method can tell. The heatmap is coarse and scaled to its "
    "own maximum. It shows where the model looked, not whether the prediction is correct."
)


def picture(
    name: str,
    image: npt.NDArray[np.uint8],
    probabilities: dict[str, float],
    heatmap: npt.NDArray[np.float32],
    chosen: ExplainOptions,
    true: str = "",
    in_distribution: bool = True,
    masks: Masks | None = None,
) -> None:
    """Show the original, the overlay and the prediction.

    Args:
        name: of the image file.
        image: (H, W, 3), undistorted.
        probabilities: by class.
        heatmap: (h, w).
        chosen: the options.
        true: the true class, "" if it is not known.
        in_distribution: whether the image resembles the training images; else the prediction is hidden at first.
        masks: the drawn lungs and lesions of the image, if any are known.
    """
    names, method = list(probabilities), METHODS[chosen.method]
    target = names[chosen.score.index(np.array(list(probabilities.values())), names)]
    explained = classes.label(target)
    if (contrast := chosen.score.contrast) != NONE:
        explained = t("{target} against {contrast}", target=explained, contrast=classes.label(contrast))
    text = t("out of distribution")
    if in_distribution:
        text = label_text(classes.label(target), probabilities[target])
    before = t("True: {label}", label=classes.label(true)) if true else name
    image_views.show(name, image, heatmap, chosen, (before, text), explained, masks or Masks())
    _zones(name, image, heatmap)
    _notes(heatmap, explained, method)
    if in_distribution:
        prediction.show(true, probabilities)
    else:
        with st.expander(t("Show the prediction anyway")):
            prediction.show(true, probabilities)
    over = banner(overlay(image, heatmap, chosen.opacity, chosen.colours, chosen.threshold), text)
    st.download_button(
        t("Overlay as PNG"),
        png(over),
        f"{Path(name).stem}-{chosen.method}.png",
        "image/png",
        icon=":material/download:",
        on_click="ignore",
    )
    st.caption(f"{translate(_READING)} {translate(method.title)}: {translate(method.paper)}.")


def _zones(name: str, image: npt.NDArray[np.uint8], heatmap: npt.NDArray[np.float32]) -> None:
    """Say in which zones of the lungs the heatmap lies, with a diagram."""
    lungs = lung_segmenter.segment(image[None])[0]
    if lungs.refused:
        st.caption(t("Zones of the lungs: not known, {problem}.", problem=translate(lungs.refused)))
        return
    found = lung_zones.shares(heatmap, lungs)
    if found is None:
        return
    zones = sorted(found.zones.items(), key=lambda item: -item[1])[:_ZONES_NAMED]
    named = [(translate(zone), share) for zone, share in zones if share >= _LEAST_SHARE]
    named.append((t("outside the lungs"), found.outside))
    parts = [f"{place} {format_number(share, '.0%')}" for place, share in sorted(named, key=lambda item: -item[1])]
    st.markdown(t("The heatmap lies here: {parts}.", parts=", ".join(parts)))
    st.plotly_chart(lung_zones_figure.diagram(found), key=f"zones {name}", width=260, config={"displayModeBar": False})


def explain(run: Run, source: Path | Upload, chosen: ExplainOptions, place: DeltaGenerator) -> Explanation:
    """Return the explanation of an image file; `place`, a `st.empty`, shows the progress.

    The latest explanations of this visitor are kept: the opacity can be changed without a computation.
    """
    kept: dict[object, Explanation] = st.session_state.setdefault("explanations", {})
    content = source.content if isinstance(source, Upload) else read(source)
    options = (chosen.score, chosen.method, chosen.layer)
    key = (run.name, saved_model.stamp(run), hashlib.sha256(content).hexdigest(), *options)
    if key not in kept:
        with place.container():
            kept[key] = _computed(run, source, chosen)
        place.empty()
        for old in list(kept)[:-_KEPT]:
            del kept[old]
    return kept[key]


def transform_note(run: Run, source: Path | Upload) -> None:
    """Name the run's image transform, and say if it could not be applied to this image."""
    name = run.config.image_transform
    if not name:
        return
    text = t("This run transforms its images first ({transform}).", transform=translate(TRANSFORMS[name]))
    problem = None
    if image_transforms.needs_lungs(name):
        problem = lung_segmenter.segment(load(source, run.config.size)[None])[0].refused
    if not problem:
        st.caption(text)
        return
    failed = t(
        "Not this image: its lungs were not found ({problem}). The model sees the whole image, unlike most of its "
        "training images.",
        problem=translate(problem),
    )
    st.warning(f"{text} {failed}", icon=":material/warning:")


def _computed(run: Run, source: Path | Upload, chosen: ExplainOptions) -> Explanation:
    bars: list[Progress] = []

    def move(done: int, total: int) -> None:
        if not bars:
            bars.append(progress.bar(t("Predicting altered copies of the image")))
        bars[0](done, total)

    text, options = t("Computing the heatmap"), (chosen.layer, chosen.method, chosen.score)
    found: Explanation = computing.compute(text, loaded_runs.explain, run, source, *options, progress=move)
    return found


def similar(run: Run, vector: npt.NDArray[np.float32]) -> None:
    """Show the training images that are most similar to an image with the mean feature `vector`."""
    similar_grid.show(similar_images.nearest(run, vector), run.classes, "similar")


def _notes(heatmap: npt.NDArray[np.float32], explained: str, method: Method) -> None:
    """Show what the colours hide: an empty heatmap, its peak, and a method that is not specific to a class."""
    if heatmap.max() <= 0:
        target = feedback.plain_text(explained)
        st.warning(t("No region in this layer supports {target}: the heatmap is 0 everywhere.", target=target))
        return
    st.caption(
        t(
            "Peak before normalisation: {peak:.3g}. A weak heatmap is shown as brightly as a strong one.",
            peak=float(heatmap.max()),
        )
    )
    if not method.class_specific:
        title = translate(method.title)
        st.info(t("{method} is not specific to a class: it shows what is prominent in this layer.", method=title))
