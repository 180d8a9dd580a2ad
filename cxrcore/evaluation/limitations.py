"""What a result does not say: plain sentences that follow from how it came about."""

from typing import Any

import pandas as pd

from cxrcore.evaluation.subgroups import FEW
from cxrcore.features.image_transforms import CLEANINGS
from cxrcore.i18n import N_
from cxrcore.messages import msg

SMALL_TEST = 200


def unknown_patients(table: pd.DataFrame) -> int:
    """Return how many images of a prediction table have a patient that the import made up, `source:path`."""
    return int((table["patient"] == table["source"] + ":" + table["path"]).sum())


def of(
    metrics: dict[str, Any],
    config: dict[str, Any],
    phantom: bool,
    external: list[dict[str, Any]],
    shortcut: dict[str, Any] | None,
    unknown: int = 0,
) -> list[str]:
    """Return the limits of a run's result, the gravest first, as English sentences of the catalogue.

    Args:
        metrics: of the test images, see `metrics.evaluate`.
        config: of the run.
        phantom: whether the images were drawn by this project.
        external: the tests on other data, see `external.evaluate`.
        shortcut: the shortcut audit, None before it was made.
        unknown: how many test images have no known patient, see `unknown_patients`.
    """
    found = [N_("Not for clinical use: nothing here was tested as a medical device is.")]
    if phantom:
        found.append(N_("Learned and tested on phantoms, which are drawn: it says nothing about X-rays of people."))
    if shortcut is None:
        found.append(N_("Whether it uses a shortcut was not looked into (the shortcut audit was not run)."))
    else:
        found.append(shortcut["sentence"])
    if config["split"]["kind"] != "patient":
        found.append(N_("Images of one patient may be on both sides of the split, which flatters the result."))
    if cleaning := config.get("cleaning"):
        found.append(
            msg(
                "Every image is cleaned before the network sees it ({cleaning}). The studio does so; the model file by "
                "itself does not, and its answers to images as they come are worth nothing.",
                cleaning=CLEANINGS[cleaning],
            )
        )
    if unknown:
        found.append(
            msg(
                "The patient of {unknown} of {n} test images is unknown: each counts as a patient of its own, and "
                "others of the same person may have been learned from.",
                unknown=unknown, n=metrics["n"],
            )
        )  # fmt: skip
    if metrics["n"] > metrics["patients"]:
        found.append(
            msg(
                "Intervals of shares count images as independent, though {n} images come from {patients} patients: "
                "they are narrower than they should be.",
                n=metrics["n"], patients=metrics["patients"],
            )
        )  # fmt: skip
    if not any(test.get("elsewhere") for test in external):
        found.append(N_("Not tested on data from elsewhere: expect it to be worse at another hospital."))
    found += [test["sentence"] for test in external]
    if metrics["n"] < SMALL_TEST:
        found.append(msg("Tested on {n} images only: read the intervals, not the values.", n=metrics["n"]))
    few = [name for name, values in metrics["by_class"].items() if values["n"] < FEW]
    if few:
        found.append(msg("Fewer than {few} test images of {classes}.", few=FEW, classes=", ".join(few)))
    known = ", ".join(metrics["classes"])
    found.append(msg("It knows only {classes} and gives one of them to any picture, whatever it shows.", classes=known))
    return found
