"""One card for what is associated with the class: Cramér's V of each property, what stands out, details on demand."""

import streamlit as st

from cxrcore.audits.dataset import confounders
from cxrcore.audits.dataset.audit import DatasetAudit
from cxrcore.audits.dataset.issues import CONFOUNDER, Issue
from cxrcore.audits.dataset.statistics_probe import StatisticsProbe
from cxrcore.data.dataset import Dataset
from cxrcore.figures import associations, charts, formatting
from cxrcore.i18n import format_number, t, translate
from cxrcore.ui import csv_table, feedback, kept_figures
from cxrcore.ui.data import samples

_MOST_VALUES = 12  # of a property, in a figure
_EXAMPLES = 12


def show(data: Dataset, found: DatasetAudit) -> None:
    """Show the associations that an audit found."""
    issues = {issue.what: issue for issue in found.issues if issue.kind == CONFOUNDER}
    known = {name: v for name, v in found.cramers_v.items() if v is not None}
    known = dict(sorted(known.items(), key=lambda pair: -pair[1]))
    with st.container(border=True):
        st.subheader(t("Association with the class"))
        for issue in _first(issues):
            _sentence(issue)
        if known:
            _bars(known, list(issues))
        rows = [
            {t("property"): _title(name), t("Cramér's V"): None if v is None else round(v, 3)}
            for name, v in found.cramers_v.items()
        ]
        csv_table.show(rows, "associations.csv")
        with st.expander(t("Details"), icon=":material/search:"):
            _details(data, found, issues, list(known))


def _first(issues: dict[str, Issue]) -> list[Issue]:
    """Return the issue of the strongest property and that of the image borders, as far as there are any."""
    properties = [issue for name, issue in issues.items() if name in confounders.COLUMNS]
    return [*properties[:1], *(issue for name, issue in issues.items() if name not in confounders.COLUMNS)]


def _sentence(issue: Issue) -> None:
    st.markdown(f":material/error: {feedback.plain_text(translate(issue.sentence))}")


def _bars(known: dict[str, float], marked: list[str]) -> None:
    values = {_title(name): v for name, v in known.items()}
    titles = [_title(name) for name in known if name in marked]
    described = ", ".join(f"{title} {format_number(v, '.2f')}" for title, v in values.items())
    figure, alt = (
        kept_figures.made(associations.cramers_v, values, titles, confounders.STRONG),
        t("Cramér's V") + f": {described}",
    )
    st.plotly_chart(figure, key="cramers v", alt=alt, config={"displayModeBar": False})
    st.caption(
        t(
            "0: no association with the class. 1: it determines the class. In red: V of at least {strong} and p below "
            "{p} (chi-squared test, each patient once). View, age and sex count where they are known. Left out: what "
            "is the same for all images, or known for one class only.",
            strong=format_number(confounders.STRONG, ".1f"),
            p=format_number(confounders.SIGNIFICANT, ".3f"),
        )
    )


def _details(data: Dataset, found: DatasetAudit, issues: dict[str, Issue], strongest: list[str]) -> None:
    options = [*strongest, *(name for name in found.tables if name not in strongest)]
    name = st.selectbox(t("Images by class and property"), options, format_func=_title)
    if name is not None:
        if name in issues:
            _sentence(issues[name])
        _values(data, found, name)
        if name in issues and st.toggle(t("Show images"), key=f"images of {name}"):
            rows = [row for row in issues[name].rows if row in data.table.index][:_EXAMPLES]
            samples.grid(data, rows, f"images-{name}")
    if found.statistics_probe is None:
        st.caption(t("The probe needs two classes with two patients each."))
    else:
        _probe(found.statistics_probe)


def _values(data: Dataset, found: DatasetAudit, name: str) -> None:
    """Show the images of each class that have each value, of many values the most frequent."""
    table = found.tables[name]
    values = sorted(table, key=lambda value: -sum(table[value].values()))[:_MOST_VALUES]
    counts = {_value(value): table[value] for value in values}
    names = [*data.info.classes, *sorted({label for row in table.values() for label in row} - set(data.info.classes))]
    figure = kept_figures.made(
        charts.class_counts, counts, [label for label in names if any(label in row for row in table.values())]
    )
    st.plotly_chart(figure, key="values", alt=_title(name), config={"displayModeBar": False})


def _title(name: str) -> str:
    return translate(confounders.COLUMNS.get(name, name))


def _value(value: str) -> str:
    shown = confounders.display(value)
    return shown if isinstance(shown, str) else translate(shown)


def _probe(probe: StatisticsProbe) -> None:
    feedback.numbers(
        {
            t("Accuracy from 20 image statistics"): formatting.percent(probe.accuracy),
            t("Chance"): format_number(probe.chance, ".1%"),
        }
    )
    st.markdown(
        t(
            "A linear classifier that sees only size, aspect, histogram and border brightness reaches {accuracy} (95% "
            "interval, n = {n}, cross-validated by patient). Without the histogram, which disease changes too: "
            "{border}. A model that uses the lungs should be much better than this.",
            accuracy=formatting.with_interval(probe.accuracy),
            n=probe.accuracy.n,
            border=formatting.with_interval(probe.border),
        )
    )
