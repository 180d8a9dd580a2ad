import pandas as pd

from cxrcore.evaluation import limitations

METRICS = {"n": 75, "patients": 40, "classes": ["A", "B"], "by_class": {"A": {"n": 60}, "B": {"n": 15}}}
LARGE = {"n": 900, "patients": 900, "classes": ["A", "B"], "by_class": {"A": {"n": 600}, "B": {"n": 300}}}


def _of(metrics, kind="patient", phantom=False, external=(), shortcut=None):
    return " ".join(limitations.of(metrics, {"split": {"kind": kind}}, phantom, list(external), shortcut))


def test_a_cleaning_that_the_model_file_lacks_is_said():
    config = {"split": {"kind": "patient"}, "cleaning": "crop"}
    found = limitations.of(LARGE, config, False, [], None)
    assert any("crop to the lungs" in sentence and "model file" in sentence for sentence in found)


def test_what_was_not_done_is_said():
    found = _of(METRICS, kind="tutorial", phantom=True)
    for part in ("phantoms", "was not run", "both sides of the split", "Not tested on data from elsewhere",
                 "75 images only", "75 images come from 40 patients", 
                 "Fewer than 30 test images of B", "knows only A, B"):  # fmt: skip
        assert part in found


def test_what_was_done_is_not_held_against_it():
    found = _of(
        LARGE,
        external=[{"sentence": "On x it is worse.", "elsewhere": True}],
        shortcut={"sentence": "It looks at the border."},
    )
    assert "On x it is worse." in found and "It looks at the border." in found
    for part in (
        "phantoms",
        "was not run",
        "both sides",
        "Not tested",
        "images only",
        "Fewer than",
        "unknown",
        "independent",
    ):
        assert part not in found


def test_a_test_on_more_of_the_same_is_not_a_test_elsewhere():
    found = _of(LARGE, external=[{"sentence": "On x it is right.", "elsewhere": False}])
    assert "On x it is right." in found and "Not tested on data from elsewhere" in found


def test_patients_that_the_import_made_up_are_counted():
    table = pd.DataFrame(
        {"patient": ["a:/x/1.png", "p7", "a:p8"], "source": "a", "path": ["/x/1.png", "/x/2.png", "/x/3.png"]}
    )
    assert limitations.unknown_patients(table) == 1
    found = " ".join(limitations.of(METRICS, {"split": {"kind": "given"}}, False, [], None, 1))
    assert "The patient of 1 of 75 test images is unknown" in found and "both sides of the split" in found
