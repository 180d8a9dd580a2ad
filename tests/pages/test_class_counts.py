"""Pages of runs with two, ten and fifty classes, among them names that look like HTML, Markdown and formulas."""

import pytest

from cxrcore.ui import csv_table, feedback
from cxrcore.ui.results import errors
from tests.pages.test_pages import _texts
from tests.synthetic_runs import NASTY

POSITIVE = "<script>alert(1)</script>"


@pytest.mark.parametrize("count", [2, 10, 50])
@pytest.mark.parametrize("page", ["results", "explain"])
def test_pages_show_any_number_of_classes(open_page, made, page, count):
    test = open_page(page, run=made[count].name)
    boxes = {box.label: box.options for box in test.selectbox}
    shown = boxes["True class"] if page == "results" else boxes["Class to explain"]
    assert shown[1:] == made[count].classes


@pytest.mark.parametrize("tab", ["Errors", "Export"])
def test_tabs_of_fifty_classes(open_page, made, tab):
    assert open_page("results", run=made[50].name, tab=tab).main


def test_two_classes_have_one_row_and_one_sentence(open_page, made):
    test = open_page("results", run=made[2].name, tab="Metrics")
    row = test.dataframe[0].value
    assert row["positive class"].tolist() == [POSITIVE]
    assert row["sensitivity (recall)"].tolist() == ["80.0% (49.0% to 94.3%)"]
    assert row["NPV"].tolist() == ["81.8% (52.3% to 94.9%)"]
    assert any("NPV 81.8% (52.3% to 94.9%)" in chart.proto.alt for chart in test.get("plotly_chart"))
    name = feedback.plain_text(POSITIVE)
    sentence = f"Of **10** images of {name}, **8** were predicted correctly (95% interval 49.0% to 94.3%). "
    assert sentence + f"Of 10 images of NORMAL, **1** were predicted as {name}." in _texts(test)
    assert list(test.dataframe[2].value)[-2:] == [f"sensitivity, {POSITIVE}", f"specificity, {POSITIVE}"]


def test_two_classes_have_one_threshold_with_predictive_values(open_page, made):
    """At a prevalence of 10 %: PPV 0.08 / (0.08 + 0.09), NPV 0.81 / (0.81 + 0.02)."""
    test = open_page("results", run=made[2].name, tab="Probabilities")
    assert "Class" not in [box.label for box in test.selectbox]
    assert test.dataframe[1].value["class"].tolist() == [POSITIVE]
    described = " ".join(chart.proto.alt for chart in test.get("plotly_chart"))
    assert f"Probability of {POSITIVE}. Sensitivity 80.0% (49.0% to 94.3%), specificity 90.0% (" in described
    text = _texts(test)
    assert "PPV in this test set: 88.9%" in text and "At a prevalence of 10.0%: **47.1%**." in text
    assert "NPV in this test set: 81.8%" in text and "At a prevalence of 10.0%: **97.6%**." in text
    matrix = test.dataframe[0].value
    assert matrix.index.tolist() == [POSITIVE, "NORMAL"] and matrix.to_numpy().tolist() == [[8, 2], [1, 9]]


def test_fifty_classes_have_the_most_confused_pairs_by_class(open_page, made):
    test = open_page("results", run=made[50].name)
    assert test.dataframe[0].value["images"].tolist() == [1] * 50
    test.selectbox(key="confused class").set_value("p_x").run()
    pairs = test.dataframe[0].value
    assert [tuple(row) for row in pairs.to_numpy()] == [
        ("p_x", "p_x", 3, "75%"), ("🫁", "p_x", 1, "25%"), ("p_x", NASTY[6], 1, "25%"),
    ]  # fmt: skip


def test_fifty_classes_have_short_tables_and_ten_curves(open_page, made):
    test = open_page("results", run=made[50].name, tab="Metrics")
    assert "The 5 classes with the lowest sensitivity" in _texts(test) and "40 more" in _texts(test)
    assert "The 10 classes with the lowest sensitivity" in _texts(test)
    assert len(test.dataframe[0].value) == 50 and len(list(test.dataframe[2].value)) == 8
    test = open_page("results", run=made[50].name, tab="Probabilities")
    assert len(test.multiselect(key="classes with a curve").value) == 10
    test = open_page("explain", run=made[50].name)
    assert "The 5 highest of 50 probabilities." in _texts(test)


@pytest.mark.parametrize("name", ["any", NASTY[3], "a|b"])
def test_images_of_a_class_with_any_name(open_page, made, name):
    test = open_page("results", run=made[50].name, true=name)
    assert "4 of 200 test images, highest confidence first" in _texts(test)
    assert test.query_params["true"] == name


def test_class_named_none_can_be_explained(open_page, made):
    test = open_page("explain", run=made[50].name)
    next(box for box in test.selectbox if box.label == "Class to explain").set_value("none").run()
    assert not test.exception and "Predicted **" in _texts(test)


def test_home_has_bars_of_the_four_largest_of_fifty_classes(open_page, made):
    cards = [element.proto.body for element in open_page("home").get("html") if "cxr-classes" in element.proto.body]
    fifty = next(card for card in cards if "46 more classes" in card)
    assert fifty.count('class="bar"') == 4 and fifty.count(">4</span>") == 4
    two = next(card for card in cards if card.count('class="bar"') == 2)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in two and "<script" not in two


def test_compare_lists_the_runs(open_page, made):
    table = open_page("compare").dataframe[0].value
    assert sorted(table["test images"]) == [20, 40, 200]


def test_table_of_errors_is_made_when_it_is_opened(open_page, made, monkeypatch):
    """50 errors and 10 correct images of low margin, of which the first 12 are listed."""
    monkeypatch.setattr(errors, "_MOST_LISTED", 12)
    test = open_page("results", run=made[50].name, tab="Errors")
    assert not test.dataframe
    test.session_state["table of errors"] = True
    test.run()
    assert len(test.dataframe[0].value) == 12 and "The first 12 of 60." in _texts(test)


def test_long_table_shows_its_first_rows_and_saves_all(open_page, made, monkeypatch):
    monkeypatch.setattr(csv_table, "_MOST", 7)
    test = open_page("results", run=made[50].name, tab="Metrics")
    assert len(test.dataframe[0].value) == 7 and "The first 7 of 50; the file has all." in _texts(test)
