"""The state of the server as a page: first whether something is wrong, then the numbers."""

from collections import Counter
from importlib.metadata import version

import streamlit as st

from cxrcore import __version__, cluster, logs, settings
from cxrcore.features import gpus
from cxrcore.i18n import N_, format_number, format_time, nt, t
from cxrcore.ui import feedback
from cxrcore.ui.status import state

_FOLDERS = {
    "datasets": N_("Datasets"),
    "downloads": N_("Downloads"),
    "features": N_("Cached features, can be deleted"),
    "runs": N_("Runs"),
    "sweeps": N_("Sweeps"),
    "logs": N_("Logs"),
}
_PACKAGES = ("streamlit", "tensorflow", "keras", "numpy", "scikit-learn")
_ERRORS = 20
_CLUSTER_SECONDS = 3  # that the page waits for the scheduler
# What workers of a cluster do, by the function that they were given.
_WORK = {
    "compute_block": N_("activations"),
    "begin": N_("run"),
    "train_split": N_("fold or repeat"),
    "train_trial": N_("trial"),
}


def show() -> None:
    """Show whether something is wrong, what the server uses, the latest errors, settings and versions."""
    now = state.read()
    for problem in _problems(now):
        st.warning(problem, icon=":material/warning:")
    if not _problems(now):
        st.success(t("The server has enough disk space and memory."), icon=":material/check_circle:")
    feedback.numbers(
        {
            t("Free disk space"): _gigabytes(now.free_disk),
            t("Free memory"): _gigabytes(now.free_memory),
            t("Memory of the server"): _gigabytes(now.server_memory),
            t("Memory of the workers"): _gigabytes(now.worker_memory),
        }
    )
    st.write(
        " ".join(
            [
                nt("{n} run is being trained.", "{n} runs are being trained.", now.running),
                nt("{n} run waits.", "{n} runs wait.", now.queued),
                nt("{n} computation waits.", "{n} computations wait.", now.computations),
            ]
        )
    )
    if settings.executor() is settings.Executor.DASK:
        st.subheader(t("Cluster"))
        with feedback.friendly():
            _cluster()
    st.subheader(t("GPUs"))
    _gpus()
    st.subheader(t("Latest errors"))
    _errors()
    st.subheader(t("Disk space by folder"))
    st.caption(feedback.plain_text(str(settings.home())))
    if settings.read("CXR_FEATURES_DIR"):
        st.caption(feedback.plain_text(str(settings.features_folder())))
    with st.spinner(t("Adding up the sizes of the files"), show_time=True):
        sizes = _sizes(str(settings.home()))
    rows = [{t("Folder"): t(_FOLDERS[name]), t("Size"): _gigabytes(size)} for name, size in sizes.items()]
    st.dataframe(rows, hide_index=True)
    with st.expander(t("Settings and versions"), icon=":material/tune:"):
        st.dataframe([{t("Setting"): name, t("Value"): settings.read(name)} for name in settings.SETTINGS])
        versions = {"cxrcore": __version__} | {name: version(name) for name in _PACKAGES}
        st.dataframe([{t("Package"): name, t("Version"): number} for name, number in versions.items()])


def _problems(now: state.ServerState) -> list[str]:
    found = []
    if now.free_disk < state.LOW_DISK:
        free = _gigabytes(now.free_disk)
        found.append(t("Only {free} of disk space are free. Delete cached features or old runs.", free=free))
    if now.free_memory < state.LOW_MEMORY:
        found.append(t("Only {free} of memory are free. Runs may be ended.", free=_gigabytes(now.free_memory)))
    return found


def _gpus() -> None:
    rows = [
        {t("Machine"): found.machine, t("GPU"): gpu.name, t("Memory"): _gigabytes(gpu.memory) if gpu.memory else ""}
        for found in gpus.machines()
        for gpu in found.gpus
    ]
    if rows:
        st.dataframe(rows, hide_index=True)
    else:
        st.caption(t("No process has found a GPU yet. Activations are computed by the processor."))


def _cluster() -> None:
    with cluster.connected(_CLUSTER_SECONDS) as connection:
        workers, page = connection.workers, connection.page
    if not workers:
        text = t("There is no worker; runs wait for one. Start one with: {command}", command=_start_command())
        st.warning(text, icon=":material/warning:")
    else:
        st.dataframe([_row(worker) for worker in workers], hide_index=True)
    st.link_button(t("Dask's own page"), page, icon=":material/open_in_new:")


def _start_command() -> str:
    return f"`dask worker {settings.dask_scheduler()} --nthreads 1`"


def _row(worker: cluster.Worker) -> dict[str, str]:
    return {
        t("Worker"): worker.address,
        t("Tasks being computed"): t("{n} of {most}", n=worker.tasks, most=worker.threads),
        t("Work"): ", ".join(
            f"{t(_WORK.get(name, name))} × {count}" for name, count in sorted(Counter(worker.functions).items())
        ),
        t("Processors"): format_number(worker.processors, ".1f"),
        t("Memory"): _gigabytes(worker.memory),
        t("Memory limit"): _gigabytes(worker.limit) if worker.limit else "",
    }


def _errors() -> None:
    errors = logs.latest_errors(_ERRORS)
    if not errors:
        st.caption(t("No unexpected error in the log."))
        return
    st.caption(t("The file logs/cxr.jsonl has the details under the number."))
    st.dataframe(
        [
            {t("Time"): format_time(error.time.timestamp()), t("Number"): error.number, t("Error"): error.message}
            for error in errors
        ],
        hide_index=True,
    )


def _gigabytes(size: int) -> str:
    return f"{format_number(size / 1e9, '.1f')} GB" if size >= 1e8 else f"{format_number(size / 1e6, '.0f')} MB"


@st.cache_data(ttl=60, max_entries=2, show_spinner=False)
def _sizes(home: str) -> dict[str, int]:
    """Return the sizes of the workspace `home`; counting takes a while where it has many files."""
    return state.folder_sizes()
