"""`cxr app`: the dashboard, from any working directory."""

import os
import runpy
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from cxrcore import heaps, settings
from cxrcore.cli import terminal
from cxrcore.errors import UserError


def app(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the dashboard.")] = 8501,
    address: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 opens the dashboard to your network.")
    ] = "localhost",
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Demonstration: show the runs marked as shown, change nothing.")
    ] = False,
) -> None:
    """Start the dashboard; Ctrl-C or SIGTERM stops it. Runs and tasks go on."""
    require_free_port(address, port)
    if read_only:
        os.environ["CXR_READ_ONLY"] = "1"
    print(f"Workspace: {settings.home_description()}", file=sys.stderr)
    heaps.bound()  # before Streamlit starts threads
    terminal.exit_when_asked()  # uvicorn ends orderly, then passes the signal on
    sys.argv = ["streamlit", *streamlit_arguments(address, port)]
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)


def entry_script() -> Path:
    """Return `streamlit_app.py`: of the source checkout, or the copy that the wheel installs in `cxrcore/app`.

    Streamlit reads the theme and the server's settings from `.streamlit/config.toml` beside it.
    """
    folder = settings.source_checkout() or Path(settings.__file__).parent / "app"
    return folder / "streamlit_app.py"


def streamlit_arguments(address: str, port: int) -> list[str]:
    """Return the arguments of `streamlit` that start the dashboard."""
    return ["run", str(entry_script()), "--server.address", address, "--server.port", str(port)]


def require_free_port(address: str, port: int) -> None:
    """Raise `UserError` if nothing can listen on `port` of `address`."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        socket.create_server((address, port), family=family).close()
    except OSError as error:
        raise UserError(
            "Port {port} of {address} is not available ({reason}). Choose another one with --port.",
            port=port,
            address=address,
            reason=error.strerror or type(error).__name__,
        ) from error
