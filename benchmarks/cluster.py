"""`python -m benchmarks.cluster [images]`: activations on Dask workers of this machine, on phantoms with CXRTiny.

Three workers against this process: are the activations equal, bit for bit, also where one worker is killed in the
middle, and is nothing computed twice? Then two workers bound to one core each against one, which take turns; the
fastest of each counts, as others use the machine. Needs two cores and `taskset`. Importing TensorFlow and building the
model is not measured. The processor time of the workers depends less on what else the machine does.

The exit code is 1 where activations are not equal, an image was computed twice, or two workers compute less than 1.6
times as many images a second as one.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import psutil

from cxrcore.features import backbones, extract, weights
from cxrcore.features.key import FeatureKey
from cxrcore.features.store import Store
from cxrcore.progress import Progress, ignore

_ADDRESS, _HOST, _PORT = "tcp://127.0.0.1:8652", "127.0.0.1", "8652"
_WEIGHTS = weights.resolve(backbones.get("cxrtiny"), "bundled")
_WARM = 64  # images that make every worker import TensorFlow and build the model
_ROUNDS = 3
_LEAST = 1.6  # times as many images a second with two workers as with one


def main() -> int:
    """Print what was equal, and images a second; return the exit code."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"CXR_HOME": f"{folder}/drawn", "CXR_OPENVINO": "0", "TF_CPP_MIN_LOG_LEVEL": "3"}
        from cxrcore.data.phantom import dataset as phantoms

        table = phantoms.create("phantom", patients=-(-count // 6)).usable.head(count)
        equal, rates = _equal(table, folder), _rates(table, folder)
    print(json.dumps({"images": len(table)} | equal | rates, indent=2))
    exact = all(found["equal"] and not found["computed twice"] for found in equal.values())
    return 0 if exact and rates["two against one"] >= _LEAST else 1


def _key(size: int) -> FeatureKey:
    return FeatureKey("cxrtiny", _WEIGHTS.digest, size, "minus_one_to_one", "block5_out")


def _equal(table: pd.DataFrame, folder: str) -> dict[str, dict[str, int]]:
    """Return whether the activations of 64 pixels are equal, and how many images were computed twice."""
    key = _key(64)
    os.environ |= {"CXR_HOME": f"{folder}/local", "CXR_EXECUTOR": "local"}
    local = extract.activations(table, key, _WEIGHTS, lambda: key.build(_WEIGHTS)).rows(range(len(table)))
    found: dict[str, dict[str, int]] = {}
    for name in ("three workers", "one of three killed"):
        with _workers(f"{folder}/{name}", [[]] * 3) as processes:

            def kill(done: int, total: int, victim: "subprocess.Popen[bytes]" = processes[1]) -> None:
                if done > total / 3:
                    victim.kill()

            maps = _extracted(table, key, kill if "killed" in name else ignore)
            indices = [json.loads(path.read_text()) for path in Store(key).folder.glob("*.index")]
            found[name] = {
                "equal": bool((maps == local).all()),
                "computed twice": sum(map(len, indices)) - len(table),
                "workers at the end": sum(process.poll() is None for process in processes),
            }
    return found


def _rates(table: pd.DataFrame, folder: str) -> dict[str, Any]:
    """Return images a second of 128 pixels of one and of two workers, each bound to a core."""
    key = _key(128)
    rates, used = {1: 0.0, 2: 0.0}, {1: float("inf"), 2: float("inf")}
    for number in range(_ROUNDS):
        for count in rates:
            bound = [["taskset", "-c", str(core)] for core in sorted(os.sched_getaffinity(0))[:count]]
            with _workers(f"{folder}/{number} {count}", bound) as processes:
                _extracted(table.head(_WARM), key)
                start, before = perf_counter(), _processor_seconds(processes)
                _extracted(table.iloc[_WARM:], key)
                seconds, computed = perf_counter() - start, len(table) - _WARM
                rates[count] = max(rates[count], computed / seconds)
                used[count] = min(used[count], (_processor_seconds(processes) - before) / computed * 1000)
                print(number, count, computed / seconds, used[count], file=sys.stderr)
    return {
        "images a second": rates,
        "two against one": rates[2] / rates[1],
        "processor seconds of the workers for 1,000 images": used,
    }


def _processor_seconds(processes: Sequence["subprocess.Popen[bytes]"]) -> float:
    times = [psutil.Process(process.pid).cpu_times() for process in processes]
    return float(sum(each.user + each.system for each in times))


def _extracted(table: pd.DataFrame, key: FeatureKey, progress: Progress = ignore) -> np.ndarray:
    callbacks = extract.ExtractionCallbacks(progress)
    return extract.activations(table, key, _WEIGHTS, _not_here, callbacks).rows(range(len(table)))


def _not_here() -> Any:
    raise AssertionError("the model was built in this process")


@contextmanager
def _workers(home: str, prefixes: Sequence[Sequence[str]]) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Yield a worker process for each prefix of its command; they have a scheduler and a workspace of their own."""
    os.environ |= {"CXR_HOME": home, "CXR_EXECUTOR": "dask", "CXR_DASK_SCHEDULER": _ADDRESS}
    dask = [sys.executable, "-m", "dask"]
    local = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", f"{home}/dask"]
    commands = [
        [*dask, "scheduler", "--host", _HOST, "--port", _PORT, "--no-dashboard"],
        *([*prefix, *dask, "worker", _ADDRESS, *local] for prefix in prefixes),
    ]
    scheduler, *processes = (subprocess.Popen(command, stderr=subprocess.DEVNULL) for command in commands)
    try:
        _wait_for(len(prefixes))
        yield processes
    finally:
        for process in (*processes, scheduler):
            process.kill()
            process.wait()


def _wait_for(count: int) -> None:
    from distributed import Client

    with Client(_ADDRESS, timeout=60) as client:  # type: ignore[no-untyped-call]
        client.wait_for_workers(count, timeout=60)


if __name__ == "__main__":
    sys.exit(main())
