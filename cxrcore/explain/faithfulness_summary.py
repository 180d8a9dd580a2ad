"""What the faithfulness checks of each method show, in words, and which method is worst."""

from collections.abc import Mapping
from dataclasses import dataclass

from cxrcore.messages import Message, msg
from cxrcore.metric import Metric

SAME_MAP = 0.3  # rank correlation from which a map counts as unchanged by shuffled weights
STABLE = 0.7  # rank correlation below which a map counts as changed by a little noise


@dataclass(frozen=True)
class LesionChecks:
    """How heatmaps agree with drawn lesions: means over the images whose lesions are known and whose prediction is
    correct, with bootstrap intervals over patients; see `localisation.LesionScores`. Where lungs are known of some of
    the images, it is over these, so that methods and baselines are compared on the same images.

    Attributes:
        pointing: share of maps whose peak is in a lesion, or close to one.
        energy: share of the map inside the lesions.
        auprc: area under the precision-recall curve of the pixels; None in checks of an older version.
        iou: intersection over union with the pixels above `threshold`, which was chosen on validation images, of a run
            without them on training images, whatever their prediction; None where none of them has known lesions.
        threshold: share of the map's maximum.
    """

    pointing: Metric
    energy: Metric
    auprc: Metric | None = None
    iou: Metric | None = None
    threshold: float | None = None


@dataclass(frozen=True)
class MethodChecks:
    """The faithfulness checks of one method: means over images, None where a check was not possible.

    Attributes:
        deletion: area under the deletion curve, 0 (good) to 1.
        insertion: area under the insertion curve, 0 to 1 (good).
        over_random: insertion minus deletion, minus the same of a random map of the image.
        stability: rank correlation with the map of the image with a little noise, 1 is good.
        random_weights: rank correlation with the map of the model with all weights shuffled, 0 is good.
        stages: the same after each stage of shuffling, by the last layer that was shuffled.
        lesions: how the maps agree with known lesions.
        over_chance: of the images whose lungs are known, too, the pointing game minus that of a random point in the
            lungs.
        in_lungs: share of the map inside the lungs.
    """

    deletion: Metric
    insertion: Metric
    over_random: Metric
    stability: Metric
    random_weights: Metric | None
    stages: list[tuple[str, float | None]]
    in_lungs: Metric | None
    lesions: LesionChecks | None = None
    over_chance: Metric | None = None


def flaws(checks: MethodChecks) -> list[Message]:
    """Return what the checks of a method found against it."""
    found = []
    random, shuffled, noise, peak = checks.over_random, checks.random_weights, checks.stability, checks.over_chance
    if random.low is None or random.low <= 0:
        found.append(
            msg("On {n} images, the regions it highlights were not shown to matter more than random ones.", n=random.n)
        )
    if shuffled and (shuffled.value or 0) >= SAME_MAP:
        found.append(
            msg(
                "It hardly changes when the model's weights are shuffled (rank correlation {value:.2f}, {n} images): "
                "it shows the image more than the model.",
                value=shuffled.value,
                n=shuffled.n,
            )
        )
    if (noise.value or 0) < STABLE:
        found.append(
            msg(
                "Noise too weak to see changes it (rank correlation {value:.2f}, {n} images).",
                value=noise.value,
                n=noise.n,
            )
        )
    if peak and (peak.low is None or peak.low <= 0):
        found.append(
            msg(
                "On {n} images, its peak was not shown to be in lesions more than a random point in the lungs.",
                n=peak.n,
            )
        )
    return found


def worst(checks: Mapping[str, MethodChecks]) -> str:
    """Return the method with the most flaws; among equals, the one with the lowest `over_random`."""
    return min(checks, key=lambda name: (-len(flaws(checks[name])), checks[name].over_random.value or 0))


def lesion_sentence(
    title: Message, checks: LesionChecks, random_point: LesionChecks | None, lung_centres: LesionChecks | None
) -> Message:
    """Return how often the peak of a method is in a lesion, and how often the two baselines are."""
    pointing = checks.pointing
    values = {"method": title, "n": pointing.n, "value": pointing.value, "low": pointing.low, "high": pointing.high}
    if random_point is None or lung_centres is None:
        return msg(
            "{method} points into a drawn lesion in {value:.0%} of {n} images (95% interval {low:.0%} to {high:.0%}). "
            "How often a random point in the lungs does is not known.",
            **values,
        )
    return msg(
        "{method} points into a drawn lesion in {value:.0%} of {n} images (95% interval {low:.0%} to {high:.0%}), a "
        "random point in the lungs in {random:.0%}, the centre of a lung in {centre:.0%}.",
        random=random_point.pointing.value,
        centre=lung_centres.pointing.value,
        **values,
    )
