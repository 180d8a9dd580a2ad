"""What pages keep between their runs: figures, hashes of tables, and estimates of durations."""

import pandas as pd

from cxrcore import i18n
from cxrcore.figures.dot_plot import Dot, dot_plot
from cxrcore.metric import Metric
from cxrcore.ui import background_tasks, digest, kept_figures


def rows(value):
    return [Dot("whole image", Metric(value, 0.7, 0.9, 40))]


def test_a_figure_is_made_once_for_equal_arguments():
    first = kept_figures.made(dot_plot, rows(0.8), "accuracy", zero=False)
    assert kept_figures.made(dot_plot, rows(0.8), "accuracy", zero=False) is first
    assert kept_figures.made(dot_plot, rows(0.75), "accuracy", zero=False).data[0].x == (0.75,)
    assert kept_figures.made(dot_plot, rows(0.8), "accuracy", zero=True).layout.xaxis.range[0] == 0


def test_another_language_is_another_figure():
    english = kept_figures.made(dot_plot, rows(0.8), "accuracy")
    i18n.use("pt")
    portuguese = kept_figures.made(dot_plot, rows(0.8), "accuracy")
    i18n.use("en")
    assert "80.0%" in english.data[0].text[0]
    assert "80,0%" in portuguese.data[0].text[0]


def test_tables_that_differ_have_different_hashes():
    table = pd.DataFrame({"label": ["a", "b"], "p_a": [0.9, 0.2]})
    assert digest.of(table) == digest.of(table.copy())
    assert digest.of(table) != digest.of(table.assign(p_a=[0.9, 0.3]))
    assert digest.of(table) != digest.of(table.rename(columns={"p_a": "p_b"}))


def test_an_estimate_is_found_again_when_the_run_has_changed(made):
    run, asked = made[2], []

    def estimate(found):
        asked.append(found)
        return 30.0 * len(asked)

    assert [background_tasks.duration(estimate, run) for _ in range(2)] == ["30 s", "30 s"]
    (run.folder / "rate.json").write_text("{}")
    assert background_tasks.duration(estimate, run) == "60 s"
