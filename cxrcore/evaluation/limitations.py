"""The limitations of a run's result: sentences that follow from how it was obtained."""

import pandas as pd

from cxrcore.config.run_config import RunConfig
from cxrcore.data.classes import display
from cxrcore.evaluation.external import ExternalEvaluation
from cxrcore.evaluation.subgroups import FEW
from cxrcore.features.image_transforms import TRANSFORMS
from cxrcore.messages import Message, msg, some
from cxrcore.metric import ClassificationMetrics

SMALL_TEST = 200


def unknown_patients(table: pd.DataFrame) -> int:
    """Return how many images of a prediction table have a patient that the import made up, `source:path`."""
    return int((table["patient"] == table["source"] + ":" + table["path"]).sum())


def limitations(
    metrics: ClassificationMetrics,
    config: RunConfig,
    phantom: bool,
    external: list[ExternalEvaluation],
    shortcut: Message | None,
    unknown_patients: int = 0,
    by_patient: bool = False,
) -> list[Message]:
    """Return the limitations of a run's result, the most serious first.

    Args:
        metrics: of the test images.
        config: of the run.
        phantom: whether the images are synthetic.
        external: the evaluations on other datasets.
        shortcut: the sentence of the shortcut audit, None before it was run.
        unknown_patients: how many test images have no known patient, see the function of this name.
        by_patient: whether the intervals of proportions are by patient.
    """
    found = [msg("Not for clinical use: this is not a validated medical device.")]
    if phantom:
        found.append(msg("Trained and tested on synthetic X-rays: the result does not apply to X-rays of people."))
    found.append(shortcut or msg("Whether the model uses a shortcut is not known: the shortcut audit was not run."))
    if config.split.kind != "patient":
        found.append(
            msg(
                "The split is not by patient: images of one patient may be in both training and test set, which makes "
                "the result too good."
            )
        )
    if config.image_transform:
        found.append(
            msg(
                "Every image is transformed before the network sees it ({transform}). The app does so; the model file "
                "alone does not, and its predictions on untransformed images are not valid.",
                transform=msg(TRANSFORMS[config.image_transform]),
            )
        )
    if unknown_patients:
        found.append(
            msg(
                "The patient of {unknown} of {n} test images is unknown: each counts as a patient of its own, and the "
                "same person may be in the training set.",
                unknown=unknown_patients,
                n=metrics.n,
            )
        )
    if metrics.n > metrics.patients and not by_patient:
        found.append(
            msg(
                "Intervals of proportions treat images as independent, but {n} images come from {patients} patients: "
                "the intervals are too narrow.",
                n=metrics.n,
                patients=metrics.patients,
            )
        )
    if not any(evaluation.elsewhere for evaluation in external):
        found.append(msg("Not tested on real images of another source: expect lower performance at another hospital."))
    found += [evaluation.summary for evaluation in external]
    if metrics.n < SMALL_TEST:
        found.append(msg("Only {n} test images: consider the intervals, not only the values.", n=metrics.n))
    if few := [display(name) for name, values in metrics.by_class.items() if values.n < FEW]:
        found.append(msg("Fewer than {few} test images of {classes}.", few=FEW, classes=some(few)))
    found.append(
        msg(
            "The model knows only {classes} and assigns one of them to every image, whatever it shows.",
            classes=some([display(name) for name in metrics.classes]),
        )
    )
    return found
