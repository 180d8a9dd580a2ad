"""The command line, `cxr` or `python -m cxrcore`: one call into cxrcore per command."""

import sys

import typer
from typer.exceptions import TyperException

from cxrcore import settings
from cxrcore.cli import (
    cluster,
    compare,
    control,
    dashboard,
    data,
    lungs,
    maintenance,
    phantom,
    report,
    runs,
    share,
    sweep,
    terminal,
    train,
)
from cxrcore.errors import UserError

app = typer.Typer(
    name="cxr",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Chest X-ray studio: train, evaluate and explain. For research and teaching, not for clinical use.",
)
data.app.command()(phantom.phantom)
app.add_typer(data.app, name="data")
control.add(runs.app)
app.add_typer(runs.app, name="runs")
app.command()(dashboard.app)
app.command()(train.demo)
app.command()(train.train)
app.command()(sweep.sweep)
app.command()(compare.compare)
app.command()(runs.evaluate)
app.command()(runs.explain)
app.command()(runs.faithfulness)
app.command()(runs.shortcut)
app.command()(runs.learning_curve)
app.command()(lungs.lungs)
app.command()(report.report)
app.command()(share.share)
app.command()(cluster.cluster)
app.command("doctor")(maintenance.check)
app.command()(maintenance.gc)


def main() -> None:
    """Run the command and name the workspace on stderr; a user's mistake ends with code 2 and one line."""
    try:
        code = app(standalone_mode=False)
    except OSError as error:
        print(terminal.visible(f"Error: {error.strerror or error}: {error.filename or ''}"), file=sys.stderr)
        sys.exit(2)
    except (UserError, TyperException) as error:
        text = error.format_message() if isinstance(error, TyperException) else str(error)
        if text:  # empty when only the help was asked for
            print(terminal.visible(f"Error: {text}"), file=sys.stderr)
        sys.exit(2)
    except (typer.Abort, KeyboardInterrupt):
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)
    if "--help" not in sys.argv:
        print(f"Workspace: {settings.home_description()}", file=sys.stderr)
    sys.exit(code or 0)
