"""This package as a wheel, for a server elsewhere: no index has it, and anyone could register its name there."""

import base64
import hashlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, PackagePath, distribution
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from cxrcore import __version__, settings
from cxrcore.errors import UserError

_OWN = ("METADATA", "WHEEL", "entry_points.txt", "licenses")  # of `.dist-info`; the rest is the installer's, with paths


def wheel(folder: Path) -> Path:
    """Write the wheel of this package into a new folder: of a checkout built now, else made of what is installed.

    Raises:
        UserError: it cannot be built, or no installer has listed the files of the package.
    """
    if checkout := settings.source_checkout():
        _build(checkout, folder)
    else:
        try:
            repack(distribution("cxrcore"), folder)
        except PackageNotFoundError as error:
            raise UserError("The package cannot be copied: install it with pip.") from error
    (found,) = folder.glob("*.whl")
    return found


def repack(installed: Distribution, folder: Path) -> None:
    """Write the wheel of which the package was installed: the same files, but none that the installer has added.

    Raises:
        UserError: no installer has listed its files.
    """
    chosen = list(_of_the_wheel(installed))
    if not chosen:
        raise UserError("The package cannot be copied: install it with pip.")
    information = f"cxrcore-{__version__}.dist-info"
    folder.mkdir()
    with ZipFile(folder / f"cxrcore-{__version__}-py3-none-any.whl", "w", ZIP_DEFLATED) as archive:
        record = ""
        for file in chosen:
            content = file.read_binary()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            record += f"{file},sha256={digest},{len(content)}\n"
            archive.writestr(ZipInfo(str(file)), content, ZIP_DEFLATED)
        archive.writestr(ZipInfo(f"{information}/RECORD"), f"{record}{information}/RECORD,,\n", ZIP_DEFLATED)


def _of_the_wheel(installed: Distribution) -> Iterator[PackagePath]:
    for file in installed.files or []:
        first, *others = file.parts
        if (first == "cxrcore" and "__pycache__" not in others) or (first.endswith(".dist-info") and others[0] in _OWN):
            yield file


def _build(checkout: Path, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder)]
    if importlib.util.find_spec("hatchling"):
        command.append("--no-build-isolation")
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(  # nosec B603
        [*command, str(checkout)], capture_output=True, text=True, env=environment
    )
    if done.returncode:
        raise UserError("The package could not be built: {reason}", reason=done.stderr.strip()[-500:])
