"""The server's settings: environment variables named `CXR_*`, read each time they are needed."""

import os
import re
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from platformdirs import user_config_path, user_data_path

from cxrcore import access
from cxrcore.access import Role
from cxrcore.errors import UserError

_ROOT = Path(__file__).parent.parent
SCHEDULER_FILE = "scheduler.txt"  # in the workspace: the address, as long as `cxr cluster` runs
# A host name, an IPv4 address, or an IPv6 address in brackets.
_SCHEDULER = re.compile(r"(tcp|tls)://([\w.-]+|\[[0-9a-fA-F:.]+\]):\d{1,5}")

# Name -> (default, meaning). The README's table is tested against this one.
SETTINGS = {
    "CXR_HOME": (
        "",
        "Workspace: the folder of datasets/, downloads/, features/, runs/ and sweeps/. Default: workspace/ in a source "
        "checkout, the user's data folder for an installed package.",
    ),
    "CXR_WEIGHTS_DIR": ("", "Folder searched first for weights files such as xception_notop.weights.h5."),
    "CXR_DATA_ROOTS": (
        "~",
        "Folders of the server, separated as in PATH, below which the dashboard may import or read weights.",
    ),
    "CXR_KEY_FILE": (
        "",
        "File of the key that file names, folder names and patients are encrypted with in the workspace. Default: "
        "path.key in the user's configuration folder of cxrcore; made when it is first needed.",
    ),
    "CXR_MIRROR": ("", "Address of a folder that holds the public sets' files, in place of their publishers'."),
    "CXR_READ_ONLY": ("0", "1: demonstration. Only runs marked as shown are visible, and nothing can be changed."),
    "CXR_EDITORS": (
        "",
        "Who may change everything after signing in: e-mail addresses and @domains, separated by commas; * for all.",
    ),
    "CXR_VIEWERS": (
        "",
        "Who sees the runs marked as shown after signing in, in the same form; * for all who can sign in.",
    ),
    "CXR_SIGN_IN_HOURS": ("12", "Hours after which a visitor must sign in again."),
    "CXR_ALLOWED_HOSTS": (
        "",
        "Names under which the dashboard may be opened, separated by commas, for example xray.example.org or "
        "*.example.org; localhost and IP addresses are always allowed.",
    ),
    "CXR_FEATURES_DIR": (
        "",
        "Folder of the cached features of this workspace, and of no other one, for example on another disk. Default: "
        "features/ in the workspace.",
    ),
    "CXR_CACHE_GB": ("50", "Largest size of features/ in GB; the least recently used activations are deleted first."),
    "CXR_HALF_PRECISION": (
        "0",
        "1: keep feature maps in half precision (float16), in half the space; means of maps stay in float32.",
    ),
    "CXR_OPENVINO": ("1", "0: compute activations by Keras even where OpenVINO is installed."),
    "CXR_EXECUTOR": ("local", "Where runs and activations are computed: local, or dask for a Dask cluster."),
    "CXR_DASK_SCHEDULER": (
        "",
        "Address of the cluster's scheduler for CXR_EXECUTOR=dask, for example tcp://host:8786. Default: that of cxr "
        "cluster, if it runs.",
    ),
    "CXR_MAX_JOBS": ("1", "How many training runs the dashboard runs at the same time; others wait."),
    "CXR_WORKERS": ("1", "How many processes compute for the pages at the same time (heatmaps, tests); others wait."),
    "CXR_WORKER_MB": ("3000", "Memory in MB above which such a process is replaced by a new one."),
}


class Executor(StrEnum):
    """What trains and computes: this machine's processes, or the workers of a Dask cluster."""

    LOCAL = "local"
    DASK = "dask"


def read(name: str) -> str:
    """Return the text of a setting, or its default."""
    return os.environ.get(name) or SETTINGS[name][0]


def source_checkout() -> Path | None:
    """Return the root of the source checkout that this package runs from, or None for an installed package."""
    return _ROOT if (_ROOT / "pyproject.toml").is_file() else None


def home() -> Path:
    """Return the workspace folder, absolute; it may not exist yet.

    It is `CXR_HOME` (relative to the working directory), or `workspace/` at the root of a source checkout, or the
    user's data folder for an installed package.
    """
    if chosen := read("CXR_HOME"):
        return Path(chosen).expanduser().resolve()
    checkout = source_checkout()
    return checkout / "workspace" if checkout else user_data_path("cxrcore", appauthor=False)


def home_description() -> str:
    """Return the path of the workspace and why it is this one."""
    if read("CXR_HOME"):
        reason = "CXR_HOME"
    else:
        reason = "of the source checkout" if source_checkout() else "the user's data folder"
    return f"{home()} ({reason})"


def datasets_folder() -> Path:
    """Return the folder of datasets."""
    return home() / "datasets"


def features_folder() -> Path:
    """Return the folder of cached features, absolute; it may not exist yet."""
    text = read("CXR_FEATURES_DIR")
    return Path(text).expanduser().resolve() if text else home() / "features"


def runs_folder() -> Path:
    """Return the folder of runs."""
    return home() / "runs"


def key_file() -> Path:
    """Return the file of the key of `sealing`; it may not exist yet."""
    text = read("CXR_KEY_FILE")
    return Path(text).expanduser().resolve() if text else user_config_path("cxrcore", appauthor=False) / "path.key"


def weights_folder() -> Path | None:
    """Return the user's folder of weights, or None when the setting is empty."""
    text = read("CXR_WEIGHTS_DIR")
    return Path(text).expanduser().resolve() if text else None


def data_roots() -> list[Path]:
    """Return the folders below which the dashboard may read what a user names, absolute and without links."""
    return [Path(text).expanduser().resolve() for text in read("CXR_DATA_ROOTS").split(os.pathsep) if text]


def max_jobs() -> int:
    """Return how many jobs may run at once, at least 1."""
    return _at_least_1("CXR_MAX_JOBS")


def workers() -> int:
    """Return how many processes may compute for the pages at once, at least 1."""
    return _at_least_1("CXR_WORKERS")


def worker_bytes() -> int:
    """Return how many bytes of memory such a process may take."""
    return _at_least_1("CXR_WORKER_MB") * 10**6


def cache_bytes() -> int:
    """Return how many bytes the cached features may take."""
    text = read("CXR_CACHE_GB")
    try:
        gigabytes = float(text)
    except ValueError:
        gigabytes = 0.0
    if not gigabytes > 0:
        raise UserError("CXR_CACHE_GB must be a number over 0. Received: {received!r}", received=text)
    return int(gigabytes * 1e9)


def use_openvino() -> bool:
    """Tell whether OpenVINO may be used where it is installed."""
    return _switch("CXR_OPENVINO")


def half_precision() -> bool:
    """Tell whether feature maps are kept in float16."""
    return _switch("CXR_HALF_PRECISION")


def executor() -> Executor:
    """Return what trains and computes."""
    text = read("CXR_EXECUTOR")
    if text not in list(Executor):
        raise UserError("CXR_EXECUTOR must be local or dask. Received: {received!r}", received=text)
    return Executor(text)


def dask_scheduler() -> str:
    """Return the address of the Dask cluster's scheduler, for example tcp://host:8786: the setting, or that of
    `cxr cluster` in this workspace.
    """
    text = read("CXR_DASK_SCHEDULER")
    if not text:
        with suppress(OSError, UnicodeDecodeError):
            text = (home() / SCHEDULER_FILE).read_text(encoding="utf-8").strip()
    if not _SCHEDULER.fullmatch(text):
        raise UserError(
            "CXR_DASK_SCHEDULER must be an address as tcp://host:8786 or tls://host:8786. Received: {received!r}",
            received=text,
        )
    return text


def read_only() -> bool:
    """Tell whether nothing may be changed, trained or written: by nobody, or not by this visitor."""
    return _switch("CXR_READ_ONLY") or access.current() is not Role.EDITOR


def editors() -> list[str]:
    """Return the e-mail addresses and @domains of the editors, lower case."""
    return _names("CXR_EDITORS")


def viewers() -> list[str]:
    """Return the e-mail addresses and @domains of the viewers, lower case."""
    return _names("CXR_VIEWERS")


def sign_in_hours() -> int:
    """Return how many hours a visitor stays signed in, at least 1."""
    return _at_least_1("CXR_SIGN_IN_HOURS")


def allowed_hosts() -> list[str]:
    """Return the names under which the dashboard may be opened, besides localhost and IP addresses, lower case."""
    return _names("CXR_ALLOWED_HOSTS")


def _names(name: str) -> list[str]:
    return [text.strip().lower() for text in read(name).split(",") if text.strip()]


def _at_least_1(name: str) -> int:
    text = read(name)
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) < 1:
        raise UserError("{name} must be a whole number of at least 1. Received: {received!r}", name=name, received=text)
    return int(text)


def _switch(name: str) -> bool:
    text = read(name)
    if text not in ("0", "1"):
        raise UserError("{name} must be 0 or 1. Received: {received!r}", name=name, received=text)
    return text == "1"


def require_writable() -> None:
    """Raise `UserError` where nothing may be changed, or not by this visitor."""
    if _switch("CXR_READ_ONLY"):
        raise UserError("This is a demonstration (CXR_READ_ONLY=1): nothing can be changed here.")
    if access.current() is not Role.EDITOR:
        raise UserError("Only editors who are signed in can change something here.")
