"""Runs side by side: a table to choose from, curves, the paired test, and actions on runs."""

import pandas as pd
import streamlit as st

from cxrcore import runs, settings
from cxrcore.evaluation import mcnemar, run_comparison, verdict
from cxrcore.evaluation.verdict import BAD, CAUTION, GOOD
from cxrcore.figures import comparison, formatting
from cxrcore.files import csv_text
from cxrcore.i18n import bind, format_number, t, translate
from cxrcore.runs import LIVE, Run, state_label
from cxrcore.ui import feedback, query_params, selection
from cxrcore.ui.compare import edit

_MOST_CURVES = 8
_MARKS = {GOOD: "✓", CAUTION: "⚠", BAD: "✕"}


def show_all() -> None:
    """Show the runs, those that are damaged, and the trash."""
    found = selection.listed()
    if found:
        _runs(found)
    if not settings.read_only():
        feedback.damaged({run.name: run.message for run in runs.damaged()})
    edit.trash()
    if not found:
        selection.no_run()


def _runs(listed: list[Run]) -> None:
    """Show the table; the runs chosen in it are compared."""
    found = _filtered(listed)
    if not found:
        st.info(t("No run matches these words in its title, dataset, settings or tags."), icon=":material/info:")
        return
    labels = selection.labels(found)
    table = run_comparison.table(found)
    chosen = _choose(found, table, labels)
    st.download_button(t("Table as CSV"), csv_text(table), "runs.csv", "text/csv", icon=":material/download:")
    if not chosen:
        st.caption(t("Select runs in the table to compare them; a single run can be renamed, tagged or deleted."))
        return
    edit.show(chosen, labels)
    if len(chosen) > 1:
        _paired_test(chosen, labels)
    live = any(run.status.state in LIVE for run in chosen)
    st.fragment(bind(_curves), run_every=2.0 if live else None)(chosen[:_MOST_CURVES], labels)


def _filtered(listed: list[Run]) -> list[Run]:
    wanted = st.text_input(t("Filter"), placeholder=t("for example: vgg16 cosine"), key="run filter").lower().split()
    return [run for run in listed if all(word in _words(run) for word in wanted)]


def _words(run: Run) -> str:
    card = run.card
    return " ".join([run.name, card.title, *card.tags, run.status.state, *map(str, run.settings.values())]).lower()


def _choose(listed: list[Run], table: pd.DataFrame, labels: dict[str, str]) -> list[Run]:
    differing, rows = run_comparison.differing(listed), []
    for run, row in zip(listed, table.to_dict("records"), strict=True):
        metrics, averaged, accuracy = run.metrics, run.averaged, run.headline
        macro_f1 = metrics.test.macro_f1 if metrics else None
        state = translate(state_label(run.status.state))
        rows.append(
            {
                t("run"): labels[run.name],
                t("test accuracy"): formatting.with_interval(accuracy) if accuracy else state,
            }
            | {t("verdict"): _verdict(run)}
            | {name: _text(row[name]) for name in differing}
            | {
                t("macro F1"): formatting.with_interval(averaged.mean.get("macro_f1") if averaged else macro_f1),
                t("test images"): accuracy.n if accuracy else None,
                t("tags"): row["tags"],
            }
        )
    st.caption(t("Settings that are the same in all runs have no column. Click on a column's title to sort."))
    event = st.dataframe(
        rows,
        hide_index=True,
        selection_mode="multi-row",
        on_select="rerun",
        key=f"runs {hash(tuple(run.name for run in listed))}",
    )
    return [listed[k] for k in event.selection.rows]


def _verdict(run: Run) -> str:
    """Return what went wrong in a few words, or that nothing did; a dash before there are results."""
    found = verdict.of_run(run)
    if found is None:
        return "–"
    titles = [translate(finding.title) for finding in found.findings] or [translate(found.title)]
    return f"{_MARKS[found.level]} {'; '.join(titles)}"


def _text(value: object) -> str:
    if value is None or value != value:
        return "–"
    return format_number(value, "g") if isinstance(value, float) else str(value)


def _paired_test(chosen: list[Run], labels: dict[str, str]) -> None:
    tested = {run.name: run for run in chosen if run.metrics}
    if len(tested) < 2:
        st.info(t("Only runs with results can be compared image by image."), icon=":material/info:")
        return
    st.subheader(t("McNemar's test"))
    st.caption(t("Compares two runs on the images that both were tested on."))
    names = list(tested)
    baseline = query_params.selectbox(st.container(), t("Baseline"), "baseline", names, labels.__getitem__)
    for run in tested.values():
        if run.name != baseline:
            with feedback.friendly():
                sentence = translate(mcnemar.compare(tested[baseline], run).sentence)
                st.markdown(f"**{feedback.plain_text(labels[run.name])}**: {feedback.plain_text(sentence)}")
    if len(tested) > 2:
        st.caption(t("Of several comparisons, one in twenty has p below 0.05 by chance: consider all of them."))
    if len({(str(run.config.split), run.config.resampling.kind) for run in tested.values()}) > 1:
        st.caption(
            t(
                "These runs were split differently: a test image of one may be a training image of another. The test "
                "uses only images that both were tested on."
            )
        )


def _curves(chosen: list[Run], labels: dict[str, str]) -> None:
    with feedback.friendly():
        found = {labels[run.name]: epochs for run in chosen if (epochs := run.epochs)}
        if not found:
            return
        metrics = {"val_accuracy": t("Accuracy, validation"), "val_loss": t("Loss, validation")}
        for column, (metric, title) in zip(st.columns(2), metrics.items(), strict=True):
            figure = comparison.curves(found, metric, title)
            alt = t("{title} by epoch, one line for each run", title=title)
            column.plotly_chart(figure, key=f"compared {metric}", alt=alt)
