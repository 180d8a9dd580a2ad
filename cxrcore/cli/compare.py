"""`cxr compare`: runs side by side, and the paired test against the first."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from cxrcore import runs
from cxrcore.cli import terminal
from cxrcore.cli.data import Json
from cxrcore.evaluation import mcnemar, run_comparison
from cxrcore.files import write_text


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
        write_text(csv, table.to_csv(index=False))
    tests = {other.name: mcnemar.compare(chosen[0], other) for other in chosen[1:]}
    rows = table.astype(object).where(pd.notna(table), None).to_dict("records")
    lines = []
    for row in rows:
        value = {"value": row["accuracy"], "ci95": (row["accuracy_low"], row["accuracy_high"])}
        known = row["accuracy"] is not None
        lines.append(f"{row['run']}  {terminal.share(value)} of {row['n_test']} images" if known else row["run"])
        lines += [f"  {name}: {row[name]}" for name in run_comparison.differing(chosen)]
    lines += [f"{name} against the baseline: {found['sentence']}" for name, found in tests.items()]
    terminal.result({"runs": rows, "baseline": chosen[0].name, "tests": tests}, "\n".join(lines), json)
