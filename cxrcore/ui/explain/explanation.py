"""One image explained: picture and prediction, notes on the heatmap, the most similar images."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cxrcore.data import classes
from cxrcore.data.images import load, png, read
from cxrcore.explain import loaded_runs, lung_zones
from cxrcore.explain.explanation import NONE, Explanation
from cxrcore.explain.methods import METHODS, Method
from cxrcore.explain.overlay import banner, label_text, overlay
from cxrcore.features import image_transforms, lung_segmenter
from cxrcore.features.image_transforms import TRANSFORMS
from cxrcore.figures import lung_zones as lung_zones_figure
from cxrcore.i18n import N_, bind, format_number, t, translate
from cxrcore.inference import ood, saved_model, similar_images
from cxrcore.progress import Progress
from cxrcore.runs import Run
from cxrcore.ui import computing, feedback, kept_figures, prediction, progress
from cxrcore.ui import similar as similar_grid
from cxrcore.ui.explain import image_views, options
from cxrcore.ui.explain.options import ExplainOptions

Source = Path | npt.NDArray[np.uint8]  # an image file, or what `images.load` returned for one
_ZONES_NAMED, _LEAST_SHARE = 3, 0.05  # of a heatmap
_READING = N_(
    "Bright regions contributed to the class, as far as this method can tell. The heatmap is coarse and scaled to its "
    "own maximum. It shows where the model looked, not whether the prediction is correct."
)


@dataclass(frozen=True)
class Explained:
    """One image with its explanation.

    Attributes:
        name: of the image file.
        image: uint8 (H, W, 3), undistorted.
        probabilities: by class.
        heatmap: float (h, w), at least 0.
        true: the true class, "" if it is not known.
        in_distribution: whether the image resembles the training images; else the prediction is hidden at first.
    """

    name: str
    image: npt.NDArray[np.uint8]
    probabilities: dict[str, float]
    heatmap: npt.NDArray[np.float32]
    true: str = ""
    in_distribution: bool = True

    def target(self, chosen: ExplainOptions) -> str:
        """Return the class that the heatmap explains."""
        names = list(self.probabilities)
        return names[chosen.score.index(np.array(list(self.probabilities.values())), names)]

    def title(self, chosen: ExplainOptions) -> str:
        """Return what the heatmap explains, as plain text."""
        target = classes.label(self.target(chosen))
        if (contrast := chosen.score.contrast) == NONE:
            return target
        return t("{target} against {contrast}", target=target, contrast=classes.label(contrast))


@dataclass(frozen=True)
class Places:
    """The parts of the page that are filled when the options are known: the picture, the answer and the options."""

    picture: DeltaGenerator
    answer: DeltaGenerator
    options: DeltaGenerator


def places() -> Places:
    """Return the picture's place with the answer and the options beside it, or below it if the view is wide."""
    picture = st.container() if options.is_wide() else None
    left, right = st.columns(2 if picture else [3, 2], gap="medium")
    if picture:
        return Places(picture, left, right)
    return Places(left, right.container(), right.container())


def show(shown: Explained, chosen: ExplainOptions, place: Places) -> None:
    """Show the picture, and the answer beside it."""
    with place.picture:
        image_views.show(shown.name, shown.image, shown.heatmap, chosen, shown.title(chosen))
    with place.answer:
        if shown.in_distribution:
            prediction.show(shown.true, shown.probabilities)
        else:
            with st.expander(t("Show the prediction anyway")):
                prediction.show(shown.true, shown.probabilities)


def details(shown: Explained, chosen: ExplainOptions) -> None:
    """Show where the heatmap lies, notes on it, how to read it, and the overlay as a file."""
    method = METHODS[chosen.method]
    found = _shares(shown.name, shown.image, shown.heatmap)
    right = st.container()
    if isinstance(found, lung_zones.ZoneShares):
        st.markdown(_sentence(found))
        left, right = st.columns([2, 3], gap="medium")
        diagram = kept_figures.made(lung_zones_figure.diagram, found)
        left.plotly_chart(diagram, key=f"zones {shown.name}", config={"displayModeBar": False}, alt=_sentence(found))
    with right:
        if isinstance(found, str):
            st.caption(t("Zones of the lungs: not known, {problem}.", problem=translate(found)))
        _notes(shown.heatmap, shown.title(chosen), method)
        st.caption(f"{translate(_READING)} {translate(method.title)}: {translate(method.paper)}.")
        st.download_button(
            t("Overlay as PNG"),
            bind(lambda: _file(shown, chosen)),
            f"overlay-{chosen.method}.png",
            "image/png",
            icon=":material/download:",
            on_click="ignore",
        )


def _file(shown: Explained, chosen: ExplainOptions) -> bytes:
    text = t("out of distribution")
    if shown.in_distribution:
        target = shown.target(chosen)
        text = label_text(classes.label(target), shown.probabilities[target])
    over = overlay(shown.image, shown.heatmap, chosen.opacity, chosen.colours, chosen.threshold)
    return png(banner(over, text))


def _sentence(found: lung_zones.ZoneShares) -> str:
    """Say in which zones of the lungs the heatmap lies."""
    zones = sorted(found.zones.items(), key=lambda item: -item[1])[:_ZONES_NAMED]
    named = [(translate(zone), share) for zone, share in zones if share >= _LEAST_SHARE]
    named.append((t("outside the lungs"), found.outside))
    parts = [f"{place} {format_number(share, '.0%')}" for place, share in sorted(named, key=lambda item: -item[1])]
    return t("The heatmap lies here: {parts}.", parts=", ".join(parts))


@st.cache_data(max_entries=20, show_spinner=False, scope="session")  # nothing is learnt of others' uploads
def _shares(
    name: str, image: npt.NDArray[np.uint8], heatmap: npt.NDArray[np.float32]
) -> lung_zones.ZoneShares | str | None:
    """Return the share of the heatmap in each zone, None for an empty one, or why the lungs are not known; `name` is a
    part of the cache's key, as of large arrays only a sample is.
    """
    lungs = lung_segmenter.segment(image[None])[0]
    return lungs.refused or lung_zones.shares(heatmap, lungs)


def explain(run: Run, source: Source, chosen: ExplainOptions, place: DeltaGenerator) -> Explanation:
    """Return the explanation of an image; `place`, a `st.empty`, shows the progress.

    The latest explanations of this visitor are kept: the opacity can be changed without a computation.
    """
    digest = hashlib.sha256(read(source) if isinstance(source, Path) else source.tobytes()).hexdigest()
    chosen_of = (chosen.layer, chosen.method, chosen.score)
    key, bars = (run.name, saved_model.stamp(run), digest, *chosen_of), list[Progress]()

    def move(done: int, total: int) -> None:
        if not bars:
            bars.append(progress.bar(t("Predicting altered copies of the image")))
        bars[0](done, total)

    text = t("Computing the heatmap")
    found: Explanation = computing.once(place, key, text, loaded_runs.explain, run, source, *chosen_of, progress=move)
    return found


def transform_note(run: Run, source: Source) -> None:
    """Name the run's image transform, and say if it could not be applied to this image."""
    name = run.config.image_transform
    if not name:
        return
    text = t("This run transforms its images first ({transform}).", transform=translate(TRANSFORMS[name]))
    problem = None
    if image_transforms.needs_lungs(name):
        pixels = load(source, run.config.size) if isinstance(source, Path) else source
        problem = lung_segmenter.segment(pixels[None])[0].refused
    if not problem:
        st.caption(text)
        return
    failed = t(
        "Not this image: its lungs were not found ({problem}). The model sees the whole image, unlike most of its "
        "training images.",
        problem=translate(problem),
    )
    st.warning(f"{text} {failed}", icon=":material/warning:")


def similar(run: Run, vector: npt.NDArray[np.float32]) -> None:
    """Show the training images that are most similar to an image with the mean feature `vector`."""
    similar_grid.show(similar_images.nearest(run, vector), run.classes, "similar")
    images = run.results.n_train + run.results.n_validation
    if images > ood.MOST:
        st.caption(
            t(
                "A random sample of {n:,} of the {all:,} training and validation images was searched. The "
                "out-of-distribution limit comes from the same sample.",
                n=ood.MOST,
                all=images,
            )
        )


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
