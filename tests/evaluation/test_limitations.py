from dataclasses import replace

import pandas as pd

from cxrcore.config import run_config
from cxrcore.evaluation import metrics
from cxrcore.evaluation.external import ExternalEvaluation
from cxrcore.evaluation.limitations import limitations, unknown_patients
from cxrcore.messages import msg
from cxrcore.metric import Metric


def _metrics(n, patients, n_of_b):
    table = pd.DataFrame({"label": ["A"] * (n - n_of_b) + ["B"] * n_of_b, "patient": [f"p{k}" for k in range(n)]})
    found = metrics.evaluate(table.assign(predicted=table["label"]), ["A", "B"])
    return replace(found, patients=patients)


SMALL, LARGE = _metrics(75, 40, 15), _metrics(900, 900, 300)


def _external(sentence, elsewhere):
    return ExternalEvaluation(
        metrics=LARGE,
        dataset="x",
        version=1,
        elsewhere=elsewhere,
        unknown_classes=[],
        absent_classes=[],
        known_images=0,
        drop=Metric(0.0),
        sentence=msg(sentence),
    )


def _text(found, kind="patient", transform="", phantom=False, external=(), shortcut=None, unknown=0):
    config = run_config.make(dataset="d", image_transform=transform, split={"kind": kind})
    return " ".join(str(one) for one in limitations(found, config, phantom, list(external), shortcut, unknown))


def test_image_transform_is_a_limitation_of_the_model_file():
    text = _text(LARGE, transform="crop")
    assert "(crop to the lungs)" in text and "the model file alone does not" in text


def test_limitations_of_a_small_result_without_audits():
    text = _text(SMALL, kind="tutorial", phantom=True)
    for part in (
        "synthetic X-rays",
        "the shortcut audit was not run",
        "The split is not by patient",
        "Not tested on real images of another source",
        "Only 75 test images",
        "75 images come from 40 patients",
        "Fewer than 30 test images of B.",
        "knows only A, B and",
    ):
        assert part in text


def test_limitations_that_do_not_apply_are_left_out():
    external = [_external("Accuracy on x is lower.", elsewhere=True)]
    text = _text(LARGE, external=external, shortcut=msg("The border predicts the class."))
    assert "Accuracy on x is lower." in text and "The border predicts the class." in text
    for part in (
        "synthetic",
        "was not run",
        "not by patient",
        "Not tested on real images of another source",
        "test images:",
        "Fewer than",
        "unknown",
        "as independent",
        "transformed",
    ):
        assert part not in text


def test_more_images_of_the_same_source_are_no_external_validation():
    text = _text(LARGE, external=[_external("Accuracy on x is the same.", elsewhere=False)])
    assert "Accuracy on x is the same." in text and "Not tested on real images of another source" in text


def test_unknown_patients_are_counted():
    table = pd.DataFrame(
        {"patient": ["a:/x/1.png", "p7", "a:p8"], "source": "a", "path": ["/x/1.png", "/x/2.png", "/x/3.png"]}
    )
    assert unknown_patients(table) == 1
    text = _text(SMALL, kind="given", unknown=1)
    assert "The patient of 1 of 75 test images is unknown" in text and "The split is not by patient" in text


def test_limits_of_what_counts_as_few():
    """200 test images and 30 of a class are enough, one less is not."""
    enough, fewer = _text(_metrics(200, 200, 30)), _text(_metrics(199, 199, 29))
    assert "Only" not in enough and "Fewer" not in enough
    assert "Only 199 test images" in fewer and "Fewer than 30 test images of B." in fewer


def test_intervals_by_patient_are_not_called_too_narrow():
    config = run_config.make(dataset="d")
    text = " ".join(map(str, limitations(SMALL, config, False, [], None, by_patient=True)))
    assert "too narrow" not in text and "Only 75 test images" in text
