"""The folder that `cxr share` writes: runs, weights, the dashboard, and the files of a server."""

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from cxrcore import __version__
from cxrcore.errors import UserError
from cxrcore.reports.templates import markdown_text
from cxrcore.runs import Run
from cxrcore.sharing import package
from cxrcore.sharing import runs as copies

TEMPLATES = (
    "Dockerfile", "compose.yaml", "nginx.conf", "cxr.service", "settings.env", "README.md", "LEIA-ME.md",
    ".dockerignore",
)  # fmt: skip
_DASHBOARD = ("pages", ".streamlit/config.toml")
# Follows the entry's docstring: Streamlit would show one that is not the first statement.
_SETTINGS = """import os
from pathlib import Path

_HERE = Path(__file__).resolve().parent
os.environ |= {"CXR_READ_ONLY": "1", "CXR_HOME": str(_HERE / "workspace"), "CXR_WEIGHTS_DIR": str(_HERE / "weights")}
os.environ.setdefault("CXR_ALLOWED_HOSTS", "*")

"""


def write(chosen: Sequence[Run], folder: Path, entry: Path) -> None:
    """Write a folder that serves runs read-only. It appears when it is complete.

    Args:
        chosen: finished runs.
        folder: a new or empty folder.
        entry: the dashboard's `streamlit_app.py`; the other files of the dashboard are beside it.

    Raises:
        UserError: the folder is not empty, a run has not finished, its weights are not at hand, or the package cannot
            be copied.
        ImageError: an image of a run cannot be read any more.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError("{folder} exists and is not empty. Choose a new folder.", folder=folder)
    for run in chosen:
        copies.require_finished(run)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        made = Path(temporary) / "made"
        (made / "workspace").mkdir(parents=True)
        (made / "weights").mkdir()
        for run in chosen:
            copies.copy(run, made / "workspace")
            _copy_weights(run, made / "weights")
        _copy_dashboard(entry, made)
        packages = _requirements(entry, made)
        (made / "requirements.txt").write_text(packages, encoding="utf-8")
        environment = Environment(  # nosec B701
            loader=PackageLoader("cxrcore.sharing", "templates"), undefined=StrictUndefined, keep_trailing_newline=True
        )
        for name in TEMPLATES:
            text = environment.get_template(f"{name.removeprefix('.')}.j2").render(
                version=__version__,
                python=f"{sys.version_info.major}.{sys.version_info.minor}",
                titles=[markdown_text(run.title or run.name) for run in chosen],
            )
            (made / name).write_text(text, encoding="utf-8")
        made.replace(folder)


def _copy_weights(run: Run, folder: Path) -> None:
    """Copy the weights of a run's backbone, which explaining an image needs; bundled ones are in the package."""
    config = run.config
    if config.weights == "imagenet" and (path := config.resolve().path):
        shutil.copyfile(path, folder / f"{config.backbone}_notop.weights.h5")


def _copy_dashboard(entry: Path, made: Path) -> None:
    """Copy the dashboard's files; its settings are relative to the folder, so that it runs wherever it lies."""
    for name in _DASHBOARD:
        source, target = entry.parent / name, made / name
        target.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
    before, imports, after = entry.read_text(encoding="utf-8").partition("import streamlit as st\n")
    (made / "streamlit_app.py").write_text(before + _SETTINGS + imports + after, encoding="utf-8")


def _requirements(entry: Path, made: Path) -> str:
    """Copy the package as a wheel; return what to install: exact versions and the wheel, all with hashes."""
    wheel = package.wheel(made / "package")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()  # pip asks for it, as the other packages have theirs
    versions = (entry.parent / "requirements.txt").read_text(encoding="utf-8")
    return f"{versions}./package/{wheel.name} --hash=sha256:{digest}\n"
