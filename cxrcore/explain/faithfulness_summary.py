"""What the checks of `faithfulness` say of each method, in words, and which method is worst."""

from typing import Any

from cxrcore.messages import msg

ALIKE = 0.3  # rank correlation from which on a map counts as the same after its model's weights were shuffled
STEADY = 0.7  # rank correlation below which a map counts as another one after a little noise
POINTING = 0.5


def of(checks: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return `flaws`, sentences by method, and `worst`, the method with the most of them.

    Where several have as many, it is the one whose map matters least to the model.
    """
    flaws = {name: _flaws(check) for name, check in checks.items()}
    worst = min(checks, key=lambda name: (-len(flaws[name]), checks[name]["over_random"]["value"]))
    return {"flaws": flaws, "worst": worst}


def _flaws(check: dict[str, Any]) -> list[str]:
    found = []
    random, shuffled, noise, pointing = (
        check[name] for name in ("over_random", "random_weights", "stability", "pointing")
    )
    if random["ci95"][0] <= 0:
        found.append(
            msg("On {n} images, what it points at cannot be shown to matter more than a random place.", n=random["n"])
        )
    if shuffled and shuffled["value"] >= ALIKE:
        found.append(
            msg(
                "It stays much the same when the model's weights are shuffled (rank correlation {value:.2f}, {n} "
                "images): it shows the image more than the model.",
                value=shuffled["value"], n=shuffled["n"],
            )
        )  # fmt: skip
    if noise["value"] < STEADY:
        found.append(
            msg(
                "A little noise, too weak to see, changes it (rank correlation {value:.2f}, {n} images).",
                value=noise["value"], n=noise["n"],
            )
        )  # fmt: skip
    if pointing and pointing["value"] < POINTING:
        found.append(
            msg(
                "Its peak lies inside a lesion in only {value:.0%} of {n} images.",
                value=pointing["value"], n=pointing["n"],
            )
        )  # fmt: skip
    return found
