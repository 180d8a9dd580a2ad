"""What the faithfulness checks of each method show, in words, and which method is worst."""

from collections.abc import Mapping
from dataclasses import dataclass

from cxrcore.messages import Message, msg
from cxrcore.metric import Metric

SAME_MAP = 0.3  # rank correlation from which a map counts as unchanged by shuffled weights
STABLE = 0.7  # rank correlation below which a map counts as changed by a little noise
POINTING = 0.5


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
        pointing: share of maps whose peak is inside a lesion, of correct images with known lesions.
        in_lesions: share of the map inside the lesions, of the same images.
        in_lungs: share of the map inside the lungs.
    """

    deletion: Metric
    insertion: Metric
    over_random: Metric
    stability: Metric
    random_weights: Metric | None
    stages: list[tuple[str, float | None]]
    pointing: Metric | None
    in_lesions: Metric | None
    in_lungs: Metric | None


def flaws(checks: MethodChecks) -> list[Message]:
    """Return what the checks of a method found against it."""
    found = []
    random, shuffled, noise, peak = checks.over_random, checks.random_weights, checks.stability, checks.pointing
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
    if peak and (peak.value or 0) < POINTING:
        found.append(msg("Its peak is inside a lesion in only {value:.0%} of {n} images.", value=peak.value, n=peak.n))
    return found


def worst(checks: Mapping[str, MethodChecks]) -> str:
    """Return the method with the most flaws; among equals, the one with the lowest `over_random`."""
    return min(checks, key=lambda name: (-len(flaws(checks[name])), checks[name].over_random.value or 0))
