"""The verdict on a run: every finding by hand, and no false alarm on simulated predictions."""

import numpy as np
import pandas as pd
import pytest

from cxrcore.config import run_config
from cxrcore.evaluation import intervals, training_loss, verdict
from cxrcore.files import append_line
from cxrcore.runs import EVENTS, EpochMetrics, RunEvent

CLASSES = ["COVID", "NORMAL", "OTHER INFECTION"]


def _table(matrix, classes=CLASSES, per_patient=1):
    """Return the predictions of a confusion matrix; so many images in a row are of one patient."""
    cells = [(true, predicted) for true, row in enumerate(matrix) for predicted, n in enumerate(row) for _ in range(n)]
    table = pd.DataFrame([{"label": classes[true], "predicted": classes[predicted]} for true, predicted in cells])
    patients = [f"p{number // per_patient}" for number in range(len(table))]
    return table.assign(patient=patients, correct=table["label"] == table["predicted"])


def _judge(matrix, classes=CLASSES, training=None, **values):
    return verdict.judge(_table(matrix, classes), classes, training or {}, **values)


def _ids(found):
    return [finding.id for finding in found.findings]


def _epochs(losses, accuracy=0.9):
    return [
        EpochMetrics(epoch=k, loss=loss, accuracy=accuracy, val_loss=1, val_accuracy=0.5, learning_rate=0.01, seconds=1)
        for k, loss in enumerate(losses, start=1)
    ]


def test_paired_interval_is_that_of_newcombes_table():
    # 36 both, 12 only the first, 2 only the second, 0 neither: table II of the paper, method 10.
    assert intervals.paired_difference(36, 12, 2, 0) == pytest.approx((0.0569, 0.3404), abs=1e-4)
    low, high = intervals.paired_difference(3, 2, 7, 4)
    assert intervals.paired_difference(3, 7, 2, 4) == pytest.approx((-high, -low)), "the other way round"


def test_good_model_is_better_than_the_class_with_most_training_images():
    found = _judge([[18, 2, 0], [1, 19, 0], [0, 0, 20]], training={"COVID": 10, "NORMAL": 30, "OTHER INFECTION": 20})
    assert (found.level, found.majority, found.findings) == ("good", "NORMAL", [])
    assert (found.accuracy.successes, found.baseline.successes, found.baseline.n) == (57, 20, 60)
    assert (found.baseline.low, found.baseline.high) == intervals.wilson(20, 60)
    assert found.difference.value == pytest.approx(37 / 60)
    assert "57 of 60 test images are correct, against 20." in str(found.messages[0])
    assert found.plain()["baseline"] | {"low": 0, "high": 0} == {
        "class": "NORMAL", "value": 1 / 3, "low": 0, "high": 0, "n": 60, "successes": 20,
    }  # fmt: skip


def test_one_answer_and_baseline_in_two_classes():
    found = _judge([[0, 20], [0, 30]], ["NORMAL", "COVID"])
    assert (found.level, _ids(found)) == ("bad", ["one-answer", "no-better"])
    assert str(found.title) == "always answers COVID"
    assert "Answers COVID to all 50 test images, although 20 of them" in str(found.messages[0])
    assert str(found.findings[1].title) == "no better than always answering COVID"


def test_few_images_of_other_classes_tell_nothing():
    found = _judge([[0, 3], [0, 5]], ["NORMAL", "COVID"])
    assert (found.level, _ids(found)) == ("caution", ["few-images"])
    assert _ids(_judge([[4, 1], [1, 4]], ["NORMAL", "COVID"])) == ["few-images"]
    assert _ids(_judge([[2, 0], [0, 3]], ["NORMAL", "COVID"])) == ["few-images"], "5 of 5 may be chance"


def test_images_of_one_patient_count_once():
    matrix = [[8, 2], [2, 8]]
    assert verdict.judge(_table(matrix, ["a", "b"]), ["a", "b"], {}).level == "good"
    assert _ids(verdict.judge(_table(matrix, ["a", "b"], per_patient=5), ["a", "b"], {})) == ["few-images"]


def test_rare_positives_that_are_found_are_not_called_useless():
    # 90 of 100 negatives and 9 of 10 positives: 99 of 110, against 100 of 110 for always "a".
    found = _judge([[90, 10], [1, 9]], ["a", "b"])
    assert (found.level, _ids(found)) == ("caution", ["imbalanced"])
    assert "balanced accuracy 90.0%" in str(found.messages[0]) and "against 50.0%" in str(found.messages[0])
    assert _ids(_judge([[90, 10], [9, 1]], ["a", "b"])) == ["no-better"]


def test_class_that_is_never_predicted_is_named():
    found = _judge([[40, 0, 0], [0, 0, 15], [0, 0, 20]])
    assert (found.level, _ids(found)) == ("bad", ["never-predicted"])
    assert str(found.title) == "never predicts NORMAL"
    assert str(found.messages[0]) == "Never predicts NORMAL (15 test images)."


def test_rare_classes_that_are_never_predicted_are_no_alarm_among_many():
    classes = [f"c{k:02}" for k in range(50)]
    matrix = np.eye(50, dtype=int) * 9
    matrix[range(0, 50, 5), range(0, 50, 5)], matrix[range(0, 50, 5), 1] = 0, 9
    assert _judge(matrix, classes).level == "good", "0.5 ** 9 * 50 is 0.098"
    matrix[:10:5, 1] = 10
    found = _judge(matrix, classes)
    assert (found.level, _ids(found)) == ("caution", ["never-predicted"])
    assert "c00 (10 test images), c05 (10 test images)." in str(found.messages[0])
    matrix[::5, 1] = 10
    assert "c00, c05, c10, 7 more" in str(_judge(matrix, classes).title)
    assert _judge(matrix, classes).level == "bad", "a fifth of the test images"


@pytest.mark.parametrize(
    ("losses", "text"),
    [
        ([1.2, 1.1, 1.1], "lower the learning rate from 0.005 to 0.0005"),
        ([2.0, 90.0, 70.0, 80.0], "2.000 in the first epoch, 75.000 in the last ones."),
        ([3.0, 2.9, 2.5], "It still fell: train for more epochs."),
        ([1.2, 1.1, 1.07], ""),
        ([9.0, 9.0], ""),
    ],
)
def test_training_loss_that_does_not_fall_below_a_constant_prediction(losses, text):
    # Three classes of 20: ln 3 = 1.0986, times 0.98 = 1.0766. Two epochs are too few.
    config = run_config.make(dataset="d", backbone="vgg16", head="gap")
    found = _judge(np.eye(3, dtype=int) * 20, epochs=_epochs(losses), config=config)
    assert _ids(found) == (["loss-not-falling"] if text else [])
    assert text in str(found.messages[0])


def test_constant_loss_is_the_entropy_of_the_classes():
    assert training_loss.constant_loss([5, 5, 0]) == pytest.approx(np.log(2))
    assert training_loss.constant_loss([1, 3]) == pytest.approx(0.25 * np.log(4) + 0.75 * np.log(4 / 3))


def test_advice_fits_the_config():
    native = {"dataset": "d", "backbone": "vgg16", "preprocessing": "native"}
    assert "'unit'" in str(training_loss.advice(run_config.make("tutorial", native)))
    assert "'unit'" not in str(training_loss.advice(run_config.make("tutorial", native, preprocessing="unit")))
    assert "'logistic'" not in str(training_loss.advice(run_config.make(**native, head="probe")))
    assert "regularisation from 0.5" in str(training_loss.advice(run_config.make(**native, l2=0.5)))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"l2": 0.1}, "Lower the L2 regularisation from 0.1, or check the labels."),
        ({"l2": 0.09, "head": "probe"}, "Lower the learning rate from 0.02 to 0.002, or check the labels."),
        ({"head": "hidden"}, "Lower the learning rate from 0.02 to 0.002, or check the labels."),
        ({"head": "logistic"}, "Check the labels of the training images."),
        (
            {},
            "Lower the learning rate from 0.02 to 0.002, or choose the head 'logistic', which standardises its inputs.",
        ),
        (
            {"backbone": "vgg16", "preprocessing": "native"},
            "Set preprocessing to 'unit', lower the learning rate from 0.02 to 0.002, or choose the head 'logistic', "
            "which standardises its inputs.",
        ),
        (
            {"backbone": "mobilenetv2", "preprocessing": "native"},  # which does not take grey levels around 0
            "Lower the learning rate from 0.02 to 0.002, or choose the head 'logistic', which standardises its inputs.",
        ),
    ],
)
def test_advice_in_words(values, text):
    config = run_config.make(**{"dataset": "d", "head": "gap", "learning_rate": 0.02} | values)
    assert str(training_loss.advice(config)) == text


def test_training_far_above_validation_is_a_caution_beyond_noise():
    matrix, training = np.eye(3, dtype=int) * 20, dict.fromkeys(CLASSES, 100)
    few, many = _table([[21, 9], [0, 0]], ["a", "b"]), _table([[70, 30], [0, 0]], ["a", "b"])
    values = {"training": training, "epochs": _epochs([0.5, 0.1, 0.01], accuracy=1.0), "kept_epoch": 3}
    # 300 of 300 against 70 of 100: 30 points, 95 % interval from 21.9; against 21 of 30 from 16.6.
    found = _judge(matrix, **values, unseen=many)
    assert (found.level, _ids(found)) == ("caution", ["overfit"])
    assert "Training accuracy 100.0% is far above the 70.0% on 100 images" in str(found.messages[0])
    assert _ids(_judge(matrix, **values, unseen=few)) == ["overfit"]
    assert _ids(_judge(matrix, **values, unseen=_table([[25, 5], [0, 0]], ["a", "b"]))) == [], "from 6.7 points"
    assert _ids(_judge(matrix, **(values | {"kept_epoch": 7}), unseen=many)) == [], "of an unknown epoch"


def test_warning_during_training_replaces_the_finding_on_the_loss():
    event = RunEvent(event="collapsed", epoch=4, value=1.1, message="it died")
    found = _judge(np.eye(3, dtype=int) * 20, epochs=_epochs([1.2, 1.1, 1.1]), events=[event])
    assert (_ids(found), str(found.messages[0])) == (["collapsed"], "it died")


@pytest.mark.parametrize(
    ("shares", "n", "accuracy"),
    [((0.47, 0.27, 0.26), 75, 0.93), ((0.5, 0.5), 40, 0.95), ((0.02,) * 50, 200, 0.8), ((0.34, 0.33, 0.33), 24, 0.9)],
)
def test_no_false_alarm_on_models_that_work(shares, n, accuracy):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        matrix = np.zeros((len(shares), len(shares)), int)
        for true in rng.choice(len(shares), n, p=shares):
            matrix[true, true if rng.random() < accuracy else rng.integers(len(shares))] += 1
        found = _judge(matrix, [f"c{k:02}" for k in range(len(shares))], unseen=None)
        assert found.level == "good", (seed, found.messages)


@pytest.mark.parametrize(("shares", "n"), [((0.47, 0.27, 0.26), 75), ((0.1,) * 10, 100)])
def test_predictions_of_shuffled_labels_are_no_better_than_one_answer(shares, n):
    levels = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        matrix = np.zeros((len(shares), len(shares)), int)
        np.add.at(matrix, tuple(rng.choice(len(shares), (2, n), p=shares)), 1)
        levels.append(_judge(matrix, [f"c{k}" for k in range(len(shares))]).level)
    assert levels.count("bad") >= 19 and "good" not in levels, levels


def test_verdict_of_a_run_is_read_from_its_files(made):
    found = verdict.of_run(made[2])
    # 9 + 8 of 20 correct; no training part, so the first of two classes with 10 test images each.
    assert (found.level, found.accuracy.successes, found.baseline.successes) == ("good", 17, 10)
    append_line(made[2].folder / EVENTS, RunEvent(event="exploded", epoch=2, value=9.0, message="boom").model_dump())
    (made[2].folder / "metrics.json").touch()
    assert _ids(verdict.of_run(made[2])) == ["exploded"], "it is not kept longer than the files are"
    (made[2].folder / "predictions.parquet").unlink()
    (made[2].folder / "metrics.json").touch()
    assert verdict.of_run(made[2]) is None
    (made[2].folder / "metrics.json").unlink()
    assert verdict.of_run(made[2]) is None


def test_verdict_of_a_run_is_kept_with_it_until_its_results_change(made):
    run = made[2]
    verdict.keep(run)
    file, found = run.folder / verdict.FILE, verdict.of_run(run)
    assert verdict.KeptVerdict.read(file).verdict == found
    (run.folder / "predictions.parquet").unlink()  # not read any more
    verdict._of_run.cache_clear()
    assert verdict.of_run(run) == found
    file.write_text("{")
    verdict._of_run.cache_clear()
    assert verdict.of_run(run) is None, "the tables are read again"
    verdict.KeptVerdict(of=[1, 0], verdict=found).write(file)
    verdict._of_run.cache_clear()
    assert verdict.of_run(run) is None, "it is of other results"


def test_verdict_is_found_again_when_a_table_is_restored(made):
    run = made[2]
    (run.folder / verdict.FILE).unlink(missing_ok=True)
    verdict._of_run.cache_clear()
    table = run.folder / "predictions.parquet"
    content = table.read_bytes()
    table.write_bytes(b"")
    assert verdict.of_run(run) is None
    table.write_bytes(content)
    assert verdict.of_run(run) is not None


def test_training_keeps_the_verdict(trained):
    assert verdict.KeptVerdict.read(trained.folder / verdict.FILE).verdict == verdict.of_run(trained)


def test_plain_verdict_has_the_difference_and_the_findings():
    """17 of 20 against 10 of 20: 35 points."""
    found = _judge([[9, 1], [2, 8]], ["NORMAL", "COVID"]).plain()
    assert list(found) == ["level", "findings", "baseline", "difference"]
    assert (found["level"], found["findings"]) == ("good", [])
    assert found["difference"]["value"] == pytest.approx(0.35) and found["difference"]["n"] == 20
    assert 0 < found["difference"]["low"] < 0.35 < found["difference"]["high"]
    silent = _judge([[0, 20], [0, 30]], ["NORMAL", "COVID"]).plain()
    assert silent["findings"][0] == {
        "id": "one-answer",
        "level": "bad",
        "title": "always answers COVID",
        "text": "Answers COVID to all 50 test images, although 20 of them are of other classes.",
    }


def test_half_of_what_could_be_gained_decides_between_few_images_and_no_better():
    """A model that is a little above the baseline of one half, which leaves 0.5 to be gained, of which half is 0.25.

    Of 40 images 21 are correct against 20: the interval of 1 / 40 ends at 0.237; of 30 images 16 against 15: at 0.274.
    """
    large, small = _judge([[10, 10], [9, 11]], ["a", "b"]), _judge([[8, 7], [7, 8]], ["a", "b"])
    assert (large.difference.value, small.difference.value) == pytest.approx((1 / 40, 1 / 30))
    assert large.difference.high < 0.25 < small.difference.high
    assert (_ids(large), _ids(small)) == (["no-better"], ["few-images"])
