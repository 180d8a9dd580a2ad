"""A Dask cluster on this machine, for the tests that need one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from distributed import LocalCluster


@contextmanager
def started(folder: Path, workers: int) -> Iterator[tuple[LocalCluster, Path]]:
    """Yield processes of one thread each, and their workspace in `folder`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXR_HOME", str(folder / "workspace"))
        patch.setenv("CXR_OPENVINO", "0")
        with LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            local_directory=str(folder),
        ) as made:
            yield made, folder / "workspace"


def use(made: LocalCluster, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> LocalCluster:
    """Let this process use the cluster and its workspace."""
    monkeypatch.setenv("CXR_HOME", str(workspace))
    monkeypatch.setenv("CXR_EXECUTOR", "dask")
    monkeypatch.setenv("CXR_DASK_SCHEDULER", made.scheduler_address)
    return made
