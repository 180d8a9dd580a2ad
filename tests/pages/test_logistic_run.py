"""Pages of a run with the logistic head."""

from cxrcore.cli import train
from cxrcore.evaluation.intervals import proportion
from cxrcore.reports import model_card
from cxrcore.reports.run_summary import RunSummary
from cxrcore.runs.models import Selection, SelectionTrial


def _make_logistic(run):
    """Let a run that was made without training have a logistic head, chosen from two layers."""
    run.config.model_copy(update={"head": "logistic", "tap": "auto", "size": 0}).write(run.folder / "config.json")
    trials = [
        SelectionTrial(size=128, tap=tap, l2=0.1, loss=loss, accuracy=proportion(3, 4))
        for tap, loss in (("block3a_out", 0.7), ("block5_out", 0.5))
    ]
    chosen = {"size": 128, "tap": "block5_out", "l2": 0.1, "temperature": 2.0}
    Selection(trials=trials, folds=5, images=4, seconds=1, **chosen).write(run.folder / "selection.json")
    return run


def _texts(test):
    return "\n".join(str(element.value) for kind in (test.markdown, test.caption) for element in kind)


def test_train_page_shows_iterations_and_what_was_chosen(open_page, made):
    run = _make_logistic(made[2])
    test = open_page("train", run=run.name)
    shown = {metric.label: metric.value for metric in test.metric}
    assert shown["Iteration"] == "2" and not {"Epoch", "Learning rate"} & set(shown)
    assert "layers block5\\_out at 128 pixels, L2 0.1: lowest out-of-fold log loss (0.500) of 2" in _texts(test)
    assert "held out" in _texts(test) and len(test.get("plotly_chart")) == 4
    assert [button.label for button in test.button if "Continue" in button.label] == []


def test_results_show_calibration_before_and_after_and_no_learning_rate(open_page, made):
    run = _make_logistic(made[2])
    test = open_page("results", run=run.name, tab="Training curves")
    assert "lowest out-of-fold log loss (0.500)" in _texts(test) and len(test.get("plotly_chart")) == 4
    (table,) = [each.value for each in test.dataframe if "ms per image" in each.value]
    # CXRTiny's 580 images a second are 1.7 ms up to its last layer
    assert list(table["Layer"]) == ["block5_out", "block3a_out"] and list(table["ms per image"]) == [1.7, 0.9]
    assert list(table["accuracy"]) == [0.75, 0.75]
    test = open_page("results", run=run.name, tab="Probabilities")
    (table,) = [each.value for each in test.dataframe if "temperature scaling" in each.value]
    assert list(table["temperature scaling"]) == ["before (T = 1)", "after (T = 2.00)"]
    # 17 of 20 are correct at 80 %, which was 16 / 17 before
    assert [value.split(" ")[0] for value in table["expected calibration error"]] == ["9.1%", "5.0%"]
    assert "validation images" not in _texts(test)
    effect = train.summary(run)["calibration"]
    assert effect["temperature"] == 2.0 and round(effect["ece"]["value"], 3) == 0.05


def test_model_card_names_no_validation_images(made):
    card = model_card.render(RunSummary(_make_logistic(made[2])))
    assert "validated by cross-validation inside them; test 20." in card
