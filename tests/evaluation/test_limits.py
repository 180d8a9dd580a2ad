from cxrcore.evaluation import limits

METRICS = {"n": 75, "classes": ["A", "B"], "by_class": {"A": {"n": 60}, "B": {"n": 15}}}
LARGE = {"n": 900, "classes": ["A", "B"], "by_class": {"A": {"n": 600}, "B": {"n": 300}}}


def _of(metrics, kind="patient", phantom=False, external=(), shortcut=None):
    return " ".join(limits.of(metrics, {"split": {"kind": kind}}, phantom, list(external), shortcut))


def test_what_was_not_done_is_said():
    found = _of(METRICS, kind="tutorial", phantom=True)
    for part in ("phantoms", "was not run", "both sides of the split", "Not tested on data from elsewhere",
                 "75 images only", "Fewer than 30 test images of B", "knows only A, B"):  # fmt: skip
        assert part in found


def test_what_was_done_is_not_held_against_it():
    found = _of(LARGE, external=[{"sentence": "On x it is worse."}], shortcut={"sentence": "It looks at the border."})
    assert "On x it is worse." in found and "It looks at the border." in found
    for part in ("phantoms", "was not run", "both sides", "Not tested", "images only", "Fewer than"):
        assert part not in found
