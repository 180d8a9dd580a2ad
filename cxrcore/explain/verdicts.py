"""What the checks of `faithfulness` say of each method, in words, and which method is worst."""

from typing import Any

from cxrcore.language import said

ALIKE = 0.3  # rank correlation from which on a map counts as the same after its model's weights were shuffled
STEADY = 0.7  # rank correlation below which a map counts as another one after a little noise
POINTING = 0.5


def of(checks: dict[str, dict[str, Any]], random: dict[str, Any]) -> dict[str, Any]:
    """Return `flaws`, sentences by method, and `worst`, the method with the most of them.

    Where several have as many, it is the one whose map matters least to the model: insertion less deletion.
    """
    flaws = {name: _flaws(check, random) for name, check in checks.items()}
    return {"flaws": flaws, "worst": min(checks, key=lambda name: (-len(flaws[name]), _matters(checks[name])))}


def _flaws(check: dict[str, Any], random: dict[str, Any]) -> list[str]:
    found = []
    if _matters(check) <= _matters(random):
        found.append(said("What it points at matters no more to the model than what a random map points at."))
    if check["random_weights"] and check["random_weights"]["value"] >= ALIKE:
        found.append(
            said(
                "It stays much the same when the model's weights are shuffled (rank correlation {value:.2f}): it shows "
                "the image more than the model.",
                value=check["random_weights"]["value"],
            )
        )
    if check["stability"]["value"] < STEADY:
        found.append(
            said(
                "A little noise, too weak to see, changes it (rank correlation {value:.2f}).",
                value=check["stability"]["value"],
            )
        )
    if check["pointing"] and check["pointing"]["value"] < POINTING:
        found.append(
            said("Its peak lies inside a lesion in only {value:.0%} of the images.", value=check["pointing"]["value"])
        )
    return found


def _matters(check: dict[str, Any]) -> float:
    return float(check["insertion"]["value"] - check["deletion"]["value"])
