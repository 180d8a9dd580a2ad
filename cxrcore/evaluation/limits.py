"""What a result does not say: plain sentences that follow from how it came about."""

from typing import Any

from cxrcore.evaluation.subgroups import FEW
from cxrcore.language import said

_SMALL_TEST = 200


def of(
    metrics: dict[str, Any],
    config: dict[str, Any],
    phantom: bool,
    external: list[dict[str, Any]],
    shortcut: dict[str, Any] | None,
) -> list[str]:
    """Return the limits of a run's result, the gravest first, as English sentences of the catalogue.

    Args:
        metrics: of the test images, see `metrics.evaluate`.
        config: of the run.
        phantom: whether the images were drawn by this project.
        external: the tests on other data, see `external.evaluate`.
        shortcut: the shortcut audit, None before it was made.
    """
    found = [said("Not for clinical use: nothing here was tested as a medical device is.")]
    if phantom:
        found.append(said("Learned and tested on phantoms, which are drawn: it says nothing about X-rays of people."))
    if shortcut is None:
        found.append(said("Whether it uses a shortcut was not looked into (the shortcut audit was not run)."))
    else:
        found.append(shortcut["sentence"])
    if config["split"]["kind"] == "tutorial":
        found.append(said("Images of one patient may be on both sides of the split, which flatters the result."))
    if not external:
        found.append(said("Not tested on data from elsewhere: expect it to be worse at another hospital."))
    found += [test["sentence"] for test in external]
    if metrics["n"] < _SMALL_TEST:
        found.append(said("Tested on {n} images only: read the intervals, not the values.", n=metrics["n"]))
    few = [name for name, values in metrics["by_class"].items() if values["n"] < FEW]
    if few:
        found.append(said("Fewer than {few} test images of {classes}.", few=FEW, classes=", ".join(few)))
    known = ", ".join(metrics["classes"])
    found.append(
        said("It knows only {classes} and gives one of them to any picture, whatever it shows.", classes=known)
    )
    return found
