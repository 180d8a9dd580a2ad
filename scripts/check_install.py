"""Install the project in each documented way, each in an empty environment, and use what was installed.

    python3 scripts/check_install.py                       # every way
    python3 scripts/check_install.py wheel pipx            # some ways
    python3 scripts/check_install.py make --checkout .     # `make app` in this checkout, which must have no .venv yet

Only the standard library is needed. Everything is done in a temporary folder, from a fresh clone of the last commit,
and removed afterwards; the caches of pip and uv stay. Prints the seconds of each way.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS, STOP_SECONDS = 120, 20
DEMO_ACCURACY = 0.95
# Runs every page of the installed dashboard once.
OPEN_PAGES = """
from streamlit.testing.v1 import AppTest
from cxrcore.cli.dashboard import entry_script
test = AppTest.from_file(str(entry_script()), default_timeout=60).run()
for path in sorted((entry_script().parent / "pages").glob("*.py")):
    test.switch_page(f"pages/{path.name}").run()
    assert not test.exception, (path, test.exception)
    print("page", path.stem)
"""
OPEN_RESULTS = """
from streamlit.testing.v1 import AppTest
test = AppTest.from_file("streamlit_app.py", default_timeout=60).run().switch_page("pages/results.py").run()
assert not test.exception and not test.error and test.selectbox[0].label == "Run", test
print("results of", test.selectbox[0].options)
"""
DRAW_PHANTOMS = "from cxrcore.data.phantom import dataset; dataset.create('tiny', patients=6, images=2, seed=5)"


@dataclass(frozen=True)
class Place:
    """Folders of one check: `clone` of the project, `work` for everything else, `away` as a working directory."""

    clone: Path
    work: Path

    @property
    def away(self) -> Path:
        """A folder outside the checkout."""
        folder = self.work / "away"
        folder.mkdir(exist_ok=True)
        return folder

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a user without settings of this project, whose data folder is in `work`."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CXR_", "PYTHON", "STREAMLIT_", "PIPX_"))
            and name not in ("VIRTUAL_ENV", "MAKEFLAGS")
        }
        pipx = {"PIPX_HOME": str(self.work / "pipx"), "PIPX_BIN_DIR": str(self.work / "bin")}
        return kept | pipx | {"XDG_DATA_HOME": str(self.work / "data"), "TF_CPP_MIN_LOG_LEVEL": "3"}

    def run(self, *command: str | Path, folder: Path | None = None) -> str:
        """Run a command and return what it prints on stdout; a failure ends the check."""
        print("  $", *command, flush=True)
        folder = folder or self.away
        done = subprocess.run(command, cwd=folder, env=self.environment, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout

    def virtual_environment(self, name: str) -> Path:
        """Create an empty environment and return the folder of its programs."""
        self.run(sys.executable, "-m", "venv", self.work / name)
        return self.work / name / "bin"

    def tools(self, *names: str) -> Path:
        """Install tools into an environment of their own and return the folder of its programs."""
        programs = self.virtual_environment("tools")
        pip(self, programs, *names)
        return programs


def pip(place: Place, programs: Path, *arguments: str | Path) -> None:
    """Run `pip install` of an environment."""
    options = ("--quiet", "--disable-pip-version-check")
    place.run(programs / "python", "-m", "pip", "install", *options, *arguments, folder=place.clone)


def check_server(place: Place, *command: str | Path, folder: Path | None = None, port: int, **extra: str) -> None:
    """Start a dashboard and ask it whether it is healthy; `extra` are environment variables."""
    print("  $", *command, flush=True)
    environment = place.environment | {"STREAMLIT_SERVER_HEADLESS": "true"} | extra
    process = subprocess.Popen(command, cwd=folder or place.away, env=environment, start_new_session=True)
    try:
        wait_until_healthy(process, port)
    finally:
        stop(process)


def wait_until_healthy(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait for the health address of a dashboard.

    Raises:
        RuntimeError: the process ended, or did not answer in time.
    """
    began = time.monotonic()
    while True:
        try:
            with urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=2) as answer:
                print(f"  health: {answer.read().decode()} after {time.monotonic() - began:.1f} s", flush=True)
                return
        except OSError:
            if process.poll() is not None:
                raise RuntimeError(f"The dashboard ended with exit code {process.returncode}.") from None
            if time.monotonic() - began > START_SECONDS:
                raise RuntimeError(f"The dashboard did not answer in {START_SECONDS} s.") from None
            time.sleep(0.2)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def check_cxr(place: Place, *cxr: str | Path) -> None:
    """Start the dashboard and run the demo by the command `cxr`."""
    port = free_port()
    check_server(place, *cxr, "app", "--port", str(port), port=port)
    result = json.loads(place.run(*cxr, "demo", "--json"))
    print(f"  demo: accuracy {result['accuracy']:.3f}", flush=True)
    if result["accuracy"] < DEMO_ACCURACY:
        raise RuntimeError(f"Accuracy of the demo: expected at least {DEMO_ACCURACY}. Received: {result['accuracy']}")
    workspace = place.work / "data" / "cxrcore"
    if not (workspace / "runs").is_dir():
        raise RuntimeError(f"The demo's run is not in the user's data folder {workspace}.")


def check_wheel(place: Place) -> None:
    """Build sdist and wheel, install the wheel, open every page, start the dashboard, run the demo, share its run."""
    uv = place.tools("uv") / "uv"
    place.run(uv, "build", "--quiet", "--out-dir", place.work / "dist", place.clone)  # wheel from the sdist
    (wheel,) = (place.work / "dist").glob("*.whl")
    programs = place.virtual_environment("environment")
    place.run(uv, "pip", "install", "--quiet", "--python", programs / "python", wheel)  # twice as fast as pip
    print(place.run(programs / "python", "-c", OPEN_PAGES), end="")
    check_cxr(place, programs / "cxr")
    shared = place.work / "shared"
    place.run(programs / "cxr", "share", "latest", "--out", shared)
    install = ("pip", "install", "--quiet", "--python", programs / "python", "--require-hashes")
    place.run(uv, *install, "-r", "requirements.txt", folder=shared)
    print(place.run(programs / "python", "-c", OPEN_RESULTS, folder=shared), end="")


def check_pip(place: Place) -> None:
    """Install `requirements.txt` alone, start the dashboard from the checkout and train a run."""
    programs = place.virtual_environment("environment")
    pip(place, programs, "-r", "requirements.txt")
    port = free_port()
    command = (programs / "streamlit", "run", "streamlit_app.py", "--server.port", str(port))
    check_server(place, *command, folder=place.clone, port=port)
    python = programs / "python"
    place.run(python, "-c", DRAW_PHANTOMS, folder=place.clone)
    options = ("--data", "tiny", "--size", "64", "--epochs", "3")
    print("  " + place.run(python, "-m", "cxrcore", "train", *options, "--json", folder=place.clone), end="")


def check_pipx(place: Place) -> None:
    """Install with `pipx install .`, start the dashboard and run the demo."""
    place.run(place.tools("pipx") / "pipx", "install", "--quiet", ".", folder=place.clone)
    check_cxr(place, place.work / "bin" / "cxr")


def check_uvx(place: Place) -> None:
    """Start the dashboard with `uvx --from . cxr app` and run the demo."""
    check_cxr(place, place.tools("uv") / "uvx", "--quiet", "--from", place.clone, "cxr")


def check_make(place: Place) -> None:
    """Start the dashboard with `make app` in a checkout without an environment."""
    if (place.clone / ".venv").exists():
        raise RuntimeError(f"{place.clone}/.venv exists already: `make clean` removes it.")
    place.run("make", ".venv/app", f"PYTHON={sys.executable}", folder=place.clone)
    port = free_port()
    check_server(place, "make", "app", f"PORT={port}", folder=place.clone, port=port)


def check_share(place: Place) -> None:
    """Share a run from this checkout's .venv, then do the steps of the Dockerfile as plain commands in an empty one."""
    python, shared = ROOT / ".venv" / "bin" / "python", place.work / "shared"
    if not python.exists():
        raise RuntimeError(f"There is no {python}: `make .venv/app` makes it.")
    place.run(python, "-c", DRAW_PHANTOMS, folder=place.clone)
    options = ("--data", "tiny", "--size", "64", "--epochs", "3")
    place.run(python, "-m", "cxrcore", "train", *options, folder=place.clone)
    place.run(python, "-m", "cxrcore", "share", "latest", "--out", shared, folder=place.clone)
    steps = (shared / "Dockerfile").read_text().splitlines()
    (install,) = (line.removeprefix("RUN pip ").split() for line in steps if line.startswith("RUN pip install"))
    (start,) = (json.loads(line.removeprefix("CMD ")) for line in steps if line.startswith("CMD "))
    server = place.virtual_environment("server")
    install.remove("--no-cache-dir")
    place.run(server / "python", "-m", "pip", *install, "--quiet", folder=shared)
    print(place.run(server / "python", "-c", OPEN_RESULTS, folder=shared), end="")
    port = free_port()
    words = [str(port) if word == "7860" else word for word in start]
    check_server(place, server / words[0], *words[1:], folder=shared, port=port)


WAYS = {
    "make": check_make,
    "pip": check_pip,
    "wheel": check_wheel,
    "pipx": check_pipx,
    "uvx": check_uvx,
    "share": check_share,
}


@contextmanager
def prepared(checkout: Path | None) -> Iterator[Place]:
    """Yield the folders of one check; removes them at the end."""
    work = Path(tempfile.mkdtemp(prefix="cxr-install-"))
    try:
        if checkout is None:
            checkout = work / "clone"
            subprocess.run(["git", "clone", "--quiet", ROOT, checkout], check=True)
        yield Place(checkout.resolve(), work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def main() -> int:
    """Check the ways that the command line names; return 1 if one of them fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ways", nargs="*", choices=[*WAYS, []], help="default: all of them")
    parser.add_argument("--checkout", type=Path, help="use this checkout instead of a fresh clone")
    arguments = parser.parse_args()
    failed = False
    results: list[str] = []
    for name in arguments.ways or WAYS:
        print(f"{name}: {WAYS[name].__doc__}", flush=True)
        began, outcome = time.monotonic(), "ok"
        try:
            with prepared(arguments.checkout) as place:
                WAYS[name](place)
        except (RuntimeError, OSError, ValueError, subprocess.CalledProcessError) as error:
            failed, outcome = True, f"FAILED: {error}"
        results.append(f"{name:6} {time.monotonic() - began:6.1f} s  {outcome}")
        print(results[-1], flush=True)
    print("\n".join(["", "Ways to install:", *results]))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
