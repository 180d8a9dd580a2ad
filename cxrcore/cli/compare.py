"""`cxr compare`: runs side by side, and the paired test against the first."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from cxrcore import runs
from cxrcore.cli import terminal
from cxrcore.cli.options import Json
from cxrcore.evaluation import mcnemar, run_comparison
from cxrcore.files import csv_text, write_text
from cxrcore.schema import to_plain


def compare(
    run: Annotated[
        list[str], typer.Argument(metavar="RUN RUN...", help="Two runs or more; the first is the baseline.")
    ],
    csv: Annotated[Path | None, typer.Option(help="Also write the table as CSV.")] = None,
    json: Json = False,
) -> None:
    """Compare runs: results with intervals, settings that differ, and McNemar's test against the first run."""
    chosen = [runs.load(name) for name in run]
    table = run_comparison.table(chosen)
    if csv:
        write_text(csv, csv_text(table))
    tests = {other.name: mcnemar.compare(chosen[0], other) for other in chosen[1:]}
    rows = table.astype(object).where(pd.notna(table), None).to_dict("records")
    lines, differing = [], run_comparison.differing([each.settings for each in chosen])
    for found, row in zip(chosen, rows, strict=True):
        label = f"{found.title} ({found.name})" if found.title else found.name
        accuracy = f"  {terminal.headline(found)}" if found.headline else ""
        lines.append(label + accuracy)
        lines += [f"  {name}: {row[name]}" for name in differing]
    lines += [f"{name} against the baseline: {test.sentence}" for name, test in tests.items()]
    value = {"runs": rows, "baseline": chosen[0].name, "tests": {name: _plain(test) for name, test in tests.items()}}
    terminal.result(value, "\n".join(lines), json)


def _plain(test: mcnemar.PairedComparison) -> dict[str, object]:
    found: dict[str, object] = to_plain(test)
    return found | {"sentence": str(test.sentence)}
