"""Compare: the runs that the URL names, their figures and the images on which they disagree."""

import json

from cxrcore.metric import Metric
from cxrcore.ui.home import dataset_cards, run_list
from tests.pages.test_pages import _button, _texts


def _rows(test):
    (figure,) = [chart for chart in test.get("plotly_chart") if '"1. ' in chart.proto.spec]
    return json.loads(figure.proto.spec)["layout"]["yaxis"]["ticktext"]


def test_figures_show_the_newest_runs_until_some_are_chosen(open_page, made):
    test = open_page("compare")
    assert "The newest 3 runs with results." in _texts(test) and len(_rows(test)) == 3
    assert "They were tested on different datasets" in _texts(test) and "McNemar's test" not in _texts(test)
    test = open_page("compare", runs=f"{made[2].name},gone")
    assert "The chosen run." in _texts(test) and len(_rows(test)) == 1
    assert test.query_params["runs"] == made[2].name


def test_link_shows_the_same_comparison(open_page, made):
    test = open_page("compare", runs=f"{made[2].name},{made[10].name}")
    text = _texts(test)
    assert "The 2 chosen runs." in text and "McNemar's test" in text and "Confusion matrices" in text
    assert "no test image in common" in text


def test_filter_keeps_the_chosen_runs(open_page, made):
    test = open_page("compare", runs=f"{made[2].name},{made[10].name}")
    test.text_input(key="run filter").set_value("made50").run()
    assert len(test.dataframe[0].value) == 1 and "The 2 chosen runs." in _texts(test)
    assert set(test.query_params["runs"].split(",")) == {made[2].name, made[10].name}


def test_deletion_is_under_more(open_page, made):
    test = open_page("compare", runs=made[2].name)
    assert _button(test, "Delete") and "Delete this run?" in _texts(test)


def test_bar_has_interval_value_and_baseline():
    html = run_list.bar(Metric(0.8, 0.7, 0.9, 10), Metric(0.5))
    assert "left:70.0%;width:20.0%" in html and "left:80.0%" in html and "left:50.0%" in html
    assert 'class="line"' not in run_list.bar(Metric(0.8), None) and "width:0.0%" in run_list.bar(Metric(0.8), None)


def test_bars_of_classes_are_relative_to_the_largest():
    html = dataset_cards.bars({"A": 50, "B": 100, "<c>": 25})
    assert html.index("> B<") < html.index("> A<") < html.index("> &lt;c&gt;<")
    assert [f"width:{share}%" in html for share in ("100.0", "50.0", "25.0")] == [True] * 3
    assert dataset_cards.bars({})
