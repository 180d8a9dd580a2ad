"""The numbers behind a figure: a table with its download as CSV, for an expander below the figure."""

from collections.abc import Mapping, Sequence

from cxrcore.figures import formatting
from cxrcore.metric import Metric
from cxrcore.ui import csv_table

Row = Mapping[str, str | Metric | None]


def show(rows: Sequence[Row], file: str, share: bool = True) -> None:
    """Show rows by their titles, metrics with their intervals: in percent if each is a `share`, else as numbers.

    `file` is the name of the CSV file, in which every metric has a column for the value, the two ends of its 95 %
    interval (2.5 and 97.5 %) and n.
    """
    shown = [{name: _text(value, share) for name, value in row.items()} for row in rows]
    csv_table.content(shown, file, [_numbers(row) for row in rows])


def _text(value: str | Metric | None, share: bool) -> str:
    if isinstance(value, str):
        return value
    return formatting.with_interval(value) if share else formatting.number(value, 2)


def _numbers(row: Row) -> dict[str, str | float | None]:
    found: dict[str, str | float | None] = {}
    for name, value in row.items():
        if isinstance(value, str):
            found[name] = value
            continue
        metric = value or Metric(None)
        found |= {name: metric.value, f"{name} (2.5%)": metric.low, f"{name} (97.5%)": metric.high}
        found[f"{name} (n)"] = metric.n
    return found
