"""Runs side by side: a table to choose from, curves, the paired test, and what can be done with a run."""

from typing import Any

import pandas as pd
import streamlit as st

from cxrcore.evaluation import mcnemar, run_comparison
from cxrcore.figures import comparison, formatting
from cxrcore.i18n import bind, format_number, t, translate
from cxrcore.runs import LIVE, Run
from cxrcore.ui import feedback, query_params, selection
from cxrcore.ui.compare import edit

_MOST = 8


def show(runs: list[Run]) -> None:
    """Show the runs; those chosen in the table are compared."""
    found = _filtered(runs)
    if not found:
        st.info(t("No run has these words in its name, dataset, settings or tags."), icon=":material/info:")
        return
    labels = selection.labels(found)
    table = run_comparison.table(found)
    chosen = _choose(found, table, labels)
    st.download_button(t("Table as CSV"), table.to_csv(index=False), "runs.csv", "text/csv", icon=":material/download:")
    if not chosen:
        st.caption(t("Choose runs in the table to compare them; one alone can be renamed, tagged or deleted."))
        return
    edit.show(chosen, labels)
    if len(chosen) > 1:
        _against_baseline(chosen, labels)
    live = any(run.status["state"] in LIVE for run in chosen)
    st.fragment(bind(_curves), run_every=2.0 if live else None)(chosen[:_MOST], labels)


def _filtered(runs: list[Run]) -> list[Run]:
    wanted = st.text_input(t("Filter"), placeholder=t("for example: vgg16 kfold"), key="run filter").lower().split()
    return [run for run in runs if all(word in _words(run) for word in wanted)]


def _words(run: Run) -> str:
    card = run.card
    said = [run.name, card["title"], *card["tags"], run.status["state"], *map(str, run.settings.values())]
    return " ".join(said).lower()


def _choose(runs: list[Run], table: pd.DataFrame, labels: dict[str, str]) -> list[Run]:
    rows = []
    for run, row in zip(runs, table.to_dict("records"), strict=True):
        metrics, rounds = run.metrics or {}, run.rounds
        shown: dict[str, Any] = {t("run"): labels[run.name]}
        shown[t("test accuracy")] = (
            formatting.with_interval(metrics["accuracy"]) if metrics else translate(row["state"])
        )
        shown[t("mean of rounds")] = formatting.with_interval(rounds["mean"]["accuracy"]) if rounds else "–"
        shown |= {name: _text(row[name]) for name in run_comparison.differing(runs)}
        shown[t("macro F1")] = formatting.with_interval(metrics["macro_f1"]) if "macro_f1" in metrics else "–"
        rows.append(shown | {t("images tested"): metrics.get("n_test"), t("tags"): row["tags"]})
    st.caption(t("Only settings that are not the same in all of these runs have a column. A click on a title sorts."))
    event = st.dataframe(
        rows,
        hide_index=True,
        selection_mode="multi-row",
        on_select="rerun",
        key=f"runs {hash(tuple(run.name for run in runs))}",
    )
    return [runs[k] for k in event.selection.rows]


def _text(value: Any) -> str:
    if value is None or value != value:
        return "–"
    return format_number(value, "g") if isinstance(value, float) else str(value)


def _against_baseline(runs: list[Run], labels: dict[str, str]) -> None:
    tested = [run for run in runs if run.metrics]
    if len(tested) < 2:
        st.info(t("Only runs with results can be compared image by image."), icon=":material/info:")
        return
    st.subheader(t("Image by image"))
    names = [run.name for run in tested]
    name = query_params.selectbox(st, t("Baseline"), "baseline", names, lambda name: labels[name])
    baseline = next(run for run in tested if run.name == name)
    for run in tested:
        if run.name != baseline.name:
            with feedback.friendly():
                found = mcnemar.compare(baseline, run)
                st.markdown(f"**{feedback.plain_text(labels[run.name])}**: {translate(found['sentence'])}")
    if len(tested) > 2:
        st.caption(t("With several comparisons, one of twenty small p values is chance: look at all of them."))
    designs = [(run.config.get("design") or {}).get("kind", "holdout") for run in tested]
    if len({(str(run.config["split"]), design) for run, design in zip(tested, designs, strict=True)}) > 1:
        st.caption(
            t(
                "These runs were split differently, so images that one was tested on may be among those another "
                "learned from: the test uses only images that both were tested on."
            )
        )


def _curves(runs: list[Run], labels: dict[str, str]) -> None:
    found = {labels[run.name]: epochs for run in runs if (epochs := run.epochs)}
    if not found:
        return
    left, right = st.columns(2)
    for column, metric, title in (
        (left, "val_accuracy", t("Accuracy, validation")),
        (right, "val_loss", t("Loss, validation")),
    ):
        figure = comparison.curves(found, metric, title)
        column.plotly_chart(figure, key=f"compared {metric}", alt=t("{title} by epoch, one line a run", title=title))
