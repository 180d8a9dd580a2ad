"""The GPUs that this machine has.

A process that computes looks for them when it imports TensorFlow (see `keras_setup`) and notes them in the workspace:
pages, the keys of features and the queue know them from there, without TensorFlow.
"""

import os
import platform
import shutil
import subprocess  # nosec B404
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from cxrcore import cluster, settings
from cxrcore.errors import UserError
from cxrcore.features import openvino
from cxrcore.schema import Stored

MIXED = "mixed_float16"  # the engine of keys, and Keras's name of the policy
_VISIBLE = "CUDA_VISIBLE_DEVICES"
_QUERY = ("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits")
_QUERY_SECONDS = 10

_in_use = False  # whether TensorFlow has found a GPU in this process


class Gpu(BaseModel):
    """A GPU: its name, and its memory in bytes, 0 where it is not known."""

    model_config = ConfigDict(frozen=True)

    name: str
    memory: int = 0


class MachineGpus(Stored):
    """The GPUs of a machine, and the backbones that compute in float32 on it (see `use_float32`)."""

    machine: str
    gpus: tuple[Gpu, ...]
    float32: tuple[str, ...] = ()


def start(tf: Any) -> None:
    """Look for GPUs before anything is computed: take their memory only as it is needed, and note them.

    A process that may see only some of the machine's GPUs notes them only where nothing was noted yet.

    Args:
        tf: the module of TensorFlow.
    """
    global _in_use
    found = tf.config.list_physical_devices("GPU")
    _in_use = bool(found)
    for gpu in found:
        tf.config.experimental.set_memory_growth(gpu, True)
    if found:
        tf.config.experimental.enable_tensor_float_32_execution(False)  # it has no more bits than float16
    if _VISIBLE not in os.environ or not machine():
        details = [tf.config.experimental.get_device_details(gpu) for gpu in found]
        with suppress(UserError, OSError):  # a full disk is told by what has to be written
            _note([str(each.get("device_name", "GPU")) for each in details])


def are_expected() -> bool:
    """Tell whether this machine has the driver of a GPU, but none was noted yet."""
    return bool(shutil.which(_QUERY[0])) and not machine()


def are_in_use() -> bool:
    """Tell whether this process computes on a GPU."""
    return _in_use


def machine() -> MachineGpus | None:
    """Return the GPUs that were found on this machine, None if there was none."""
    return _read(_file())


def machines() -> list[MachineGpus]:
    """Return the GPUs of all machines that have computed in this workspace."""
    return [found for path in sorted(_folder().glob("[!.]*.json")) if (found := _read(path))]


def assignments() -> list[str]:
    """Return a value of CUDA_VISIBLE_DEVICES for each GPU that a process on this machine can have for itself."""
    found, visible = machine(), os.environ.get(_VISIBLE)
    if visible is not None:
        return [name for name in visible.split(",") if name]
    return [str(number) for number in range(len(found.gpus))] if found else []


def engine_for(backbone: str) -> str:
    """Return what computes a backbone's maps on this machine, as in `FeatureKey.engine`.

    On a cluster it is never mixed precision, as some of its workers may have no GPU. Nor is it in a task on a worker,
    which computes on its own, but with the activations of the process that asked.
    """
    found = machine()
    if found is None or settings.executor() is settings.Executor.DASK or cluster.is_task():
        return openvino.engine_for(backbone)
    return "" if backbone in found.float32 else MIXED


def use_float32(backbone: str) -> None:
    """Let a backbone compute in float32 on this machine from now on."""
    if (found := machine()) and not settings.read_only():
        found.model_copy(update={"float32": tuple(sorted({*found.float32, backbone}))}).write(_file())


def _note(names: list[str]) -> None:
    """Note the GPUs of this machine by their names, or that it has none any more."""
    if settings.read_only():
        return
    known = machine()
    if not names:
        _file().unlink(missing_ok=True)
    elif known is None or [gpu.name for gpu in known.gpus] != names:
        memories = _memories()
        gpus = tuple(Gpu(name=name, memory=memories.get(name, 0)) for name in names)
        MachineGpus(machine=platform.node(), gpus=gpus).write(_file())


def _memories() -> dict[str, int]:
    """Return the memory in bytes of the GPUs by their names: the driver's own program tells it, TensorFlow does not."""
    try:
        told = subprocess.run(  # nosec B603
            _QUERY, capture_output=True, text=True, check=True, timeout=_QUERY_SECONDS
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    rows = [line.rpartition(",") for line in told.splitlines()]
    return {name.strip(): int(megabytes) * 2**20 for name, _, megabytes in rows if megabytes.strip().isdecimal()}


def _read(path: Path) -> MachineGpus | None:
    try:
        return MachineGpus.read_if_present(path)
    except UserError:  # damaged; the next process that computes writes it again
        return None


def _folder() -> Path:
    return settings.home() / "gpus"


def _file() -> Path:
    return _folder() / f"{platform.node()}.json"
