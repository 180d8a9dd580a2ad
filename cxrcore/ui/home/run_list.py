"""Runs on Home: the newest ones with their accuracy as a bar, and what was found about the last one with results."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from cxrcore.audits import shortcut
from cxrcore.evaluation import verdict
from cxrcore.figures import formatting, palette
from cxrcore.i18n import nt, t, translate
from cxrcore.metric import Metric
from cxrcore.runs import Run
from cxrcore.ui import feedback, selection, verdict_box

_STYLE = f"""<style>
.cxr-bar {{ position: relative; height: 14px; margin: 4px 6px; }}
.cxr-bar i {{ position: absolute; display: block; }}
.cxr-bar .axis {{ left: 0; right: 0; top: 6px; height: 2px; background: rgba(128,128,128,0.35); }}
.cxr-bar .range {{ top: 5px; height: 4px; border-radius: 2px; background: {palette.TRAINING}; min-width: 2px; }}
.cxr-bar .dot {{ top: 1px; width: 12px; height: 12px; margin-left: -6px; border-radius: 6px; }}
.cxr-bar .dot {{ background: {palette.TRAINING}; }}
.cxr-bar .line {{ top: 0; height: 14px; border-left: 2px dashed #888; }}
[class*=st-key-latest-runs] a, [class*=st-key-latest-runs] a * {{ white-space: normal; overflow: visible; }}
[class*=st-key-latest-runs] a {{ height: auto; }}
.cxr-interval {{ font-size: 13px; text-align: center; }}
</style>"""


def last(run: Run) -> None:
    """Show the accuracy of the last run that has results, its verdict, and what the shortcut audit found."""
    with st.container(border=True):
        st.subheader(t("Last run"))
        label = selection.labels([run])[run.name]
        st.markdown(feedback.plain_text(label))
        _bar(run)
        if judged := verdict.of_run(run):
            verdict_box.show(judged)
        _audit(run)
        link(run, "results", t("See the results"), ":material/analytics:")


def latest(found: Sequence[Run], most: int) -> None:
    """Show the newest runs as links, each with its bar, and a link to the others."""
    labels = selection.labels(found[:most])
    for run in found[:most]:
        judged = verdict.of_run(run)
        icon = verdict_box.ICONS[judged.level] if judged else None
        label = feedback.plain_text(selection.judged(run, labels[run.name]))
        with st.container(border=True, gap="xsmall", key=f"latest runs {run.name}"):
            link(run, "results" if run.metrics else "train", label, icon)
            _bar(run)
    _others(len(found), most)


def shown(found: Sequence[Run], most: int) -> None:
    """Show the newest runs to an audience, each with its bar and links to its results and its heatmaps."""
    labels = selection.labels(found[:most])
    for run in found[:most]:
        with st.container(border=True, gap="xsmall"):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(feedback.plain_text(selection.judged(run, labels[run.name])), width="stretch")
                link(run, "results", t("Results"))
                link(run, "explain", t("Explain"))
            _bar(run)
    _others(len(found), most)


def link(run: Run, page: str, label: str, icon: str | None = None) -> None:
    """Show a link to a page of a run."""
    st.page_link(f"pages/{page}.py", label=label, icon=icon, query_params={"run": run.name})


def bar(accuracy: Metric, baseline: Metric | None) -> str:
    """Return the HTML of an accuracy on an axis from 0 to 100 %: the interval, the value, and the baseline dashed."""
    value = accuracy.value or 0.0
    low, high = (value if end is None else end for end in (accuracy.low, accuracy.high))
    text = t("Test accuracy") + " " + formatting.with_interval(accuracy)
    line = f'<i class="line" style="left:{100 * baseline.value:.1f}%"></i>' if baseline and baseline.value else ""
    return (
        f'<div class="cxr-bar" role="img" aria-label="{escape(text, quote=True)}"><i class="axis"></i>{line}'
        f'<i class="range" style="left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%"></i>'
        f'<i class="dot" style="left:{100 * value:.1f}%"></i></div>'
    )


def _bar(run: Run) -> None:
    accuracy = run.headline
    if accuracy is None or accuracy.value is None:
        return
    judged = verdict.of_run(run)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(_STYLE + bar(accuracy, judged.baseline if judged else None), width="stretch")
        st.html(f'<div class="cxr-interval">{escape(formatting.with_interval(accuracy))}</div>', width="content")


def _audit(run: Run) -> None:
    found = shortcut.load(run)
    if found is None:
        st.caption(t("The shortcut audit was not run for this run. It is on the Results page, under Robustness."))
        return
    sentence = feedback.plain_text(translate(found.sentence))
    if found.is_shortcut:
        st.error(t("**Shortcut found.** {sentence}", sentence=sentence), icon=":material/warning:")
    else:
        st.info(sentence, icon=":material/info:")


def _others(count: int, most: int) -> None:
    if count > most:
        label = nt("All {n} runs", "All {n} runs", count)
        st.page_link("pages/compare.py", label=label, icon=":material/compare_arrows:")
