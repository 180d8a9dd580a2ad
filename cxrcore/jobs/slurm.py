"""Workers of a Dask cluster as jobs of Slurm, as `cluster.yaml` asks for; dask-jobqueue writes and submits the jobs."""

import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

from cxrcore import settings
from cxrcore.cluster import GPU
from cxrcore.config import run_config
from cxrcore.errors import UserError

FILE = "cluster.yaml"
_LEAST_MB = 100
# Each job is one worker. `sbatch` takes the beginning of an option for the whole, as `--arr` for `--array`.
_OTHER_TASKS = re.compile("-[an]|--(ar|nt|wr)")
_SLURM_SECONDS = 30
SHORT_SECONDS, MOST_SHORT = 300, 3  # a job that ends sooner failed; so many of them for each that is asked for
SHORT_WINDOW = 3600  # seconds in which these are counted: jobs may be preempted now and then for weeks
FIRST_WAIT, MOST_WAIT = 10, 300  # seconds after a refusal of `sbatch`; they double
# They become parts of a shell script.
_Name = Annotated[str, Field(pattern=r"^[\w.,@+-]*$", max_length=200, coerce_numbers_to_str=True)]


def _time(value: object) -> object:
    # YAML reads 12:00:00 as a number of base 60.
    if isinstance(value, int | float):
        raise PydanticCustomError("time", 'expected text; put it in quotes, as in time: "12:00:00"')
    return value


def _memory(value: object) -> object:
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?([MG])(i?B)?", value) if isinstance(value, str) else None
    if not found:
        raise PydanticCustomError("memory", "expected a number with M, MB, G or GB, for example 4GB")
    number, unit, rest = found.groups()
    if float(number) * (1000 if unit == "G" else 1) < _LEAST_MB:
        raise PydanticCustomError("memory", "expected at least {least}MB", {"least": _LEAST_MB})
    return value if rest else f"{value}iB"  # Slurm's 4G is Dask's 4GiB


def _option(value: object) -> object:
    if isinstance(value, str) and _OTHER_TASKS.match(value):
        raise PydanticCustomError("option", "each job is one task, so --array, --ntasks and --wrap cannot be given")
    return value


_Option = Annotated[
    str,
    StringConstraints(pattern=r"^--[a-z-]+(=[\w.,:@%/*+&|\[\]()-]+)?$", max_length=200),
    BeforeValidator(_option),
]


class SlurmConfig(BaseModel):
    """`cluster.yaml`: how many jobs of one worker each, and what each of them needs.

    `time` is as `sbatch --time` takes it, `options` are further options of `sbatch`, and `port` is the scheduler's, 0
    for a free one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    jobs: int = Field(1, ge=1, le=10_000)
    partition: _Name = ""
    account: _Name = ""
    time: Annotated[str, StringConstraints(pattern=r"^(\d+-)?\d+(:\d+){0,2}$"), BeforeValidator(_time)] = "04:00:00"
    cores: int = Field(2, ge=1, le=1_000)
    memory: Annotated[str, BeforeValidator(_memory)] = "4GB"
    gpus: int = Field(0, ge=0, le=100)
    options: tuple[_Option, ...] = ()
    port: int = Field(8786, ge=0, le=65535)


@dataclass(frozen=True)
class Job:
    """A job of Slurm, and its state in Slurm's words, for example `PENDING`; "" where it has ended."""

    number: str
    state: str


@dataclass
class Refusals:
    """What `sbatch` said when it refused a job last, "" where it has taken all since, and how often it refused one."""

    reason: str = ""
    count: int = 0


class SlurmWorkers:
    """A scheduler in this process, and the jobs of its workers."""

    def __init__(self, cluster: Any, count: int, refusals: Refusals) -> None:
        """Take dask-jobqueue's cluster, how many jobs there are to be, and what the jobs write of refusals."""
        self._cluster, self.count, self._refusals = cluster, count, refusals
        # Times are seconds of `time.monotonic`.
        self._since: dict[str, float] = {}  # when each job was seen first
        self._short: list[float] = []  # when jobs that ended within `SHORT_SECONDS` were missed
        self._noted, self._wait, self._again = 0, FIRST_WAIT, 0.0  # refusals, and when to submit after the last

    @property
    def address(self) -> str:
        """The scheduler's address, for `CXR_DASK_SCHEDULER`."""
        return str(self._cluster.scheduler_address)

    @property
    def script(self) -> str:
        """The script of a job."""
        return str(self._cluster.job_script())

    @property
    def numbers(self) -> list[str]:
        """The numbers of the jobs that are submitted, sorted."""
        workers = list(self._cluster.workers.values())  # Dask's thread changes them
        return sorted(worker.job_id for worker in workers if worker.job_id)

    @property
    def gave_up(self) -> bool:
        """Whether so many jobs have ended soon within the last hour that none is submitted for now."""
        since = time.monotonic() - SHORT_WINDOW
        return sum(ended > since for ended in self._short) > MOST_SHORT * self.count

    @property
    def refusal(self) -> str:
        """Why `sbatch` refuses jobs, "" where it does not."""
        return self._refusals.reason

    def submit(self) -> None:
        """Submit the jobs that are missing: at first all, later those whose worker was lost, as by a time limit.

        Dask gives a worker up after 15 seconds. A job that never became a worker counts as submitted, and after some
        that ended within `SHORT_SECONDS` none is submitted: what fails at once does not come again and again. After
        each refusal of `sbatch` it is waited longer.
        """
        self._count_short()
        self._note_refusals()
        if not self.gave_up and time.monotonic() >= self._again:
            self._cluster.loop.add_callback(self._submit)

    def _note_refusals(self) -> None:
        if len(self.numbers) >= self.count:
            self._refusals.reason, self._wait = "", FIRST_WAIT
        if self._refusals.count > self._noted:
            self._noted = self._refusals.count
            self._again = time.monotonic() + self._wait
            self._wait = min(2 * self._wait, MOST_WAIT)

    def _count_short(self) -> None:
        now, current = time.monotonic(), set(self.numbers)
        for number in self._since.keys() - current:
            if now - self._since.pop(number) < SHORT_SECONDS:
                self._short.append(now)
        self._short = self._short[-MOST_SHORT * self.count - 1 :]  # more make no difference
        for number in current:
            self._since.setdefault(number, now)

    def _submit(self) -> None:
        """Submit on Dask's thread, also those that `sbatch` has refused before."""
        workers = self._cluster.workers
        for name in [name for name, worker in workers.items() if not worker.job_id]:
            del workers[name]
        self._cluster.scale(jobs=self.count)


def read(file: Path) -> SlurmConfig:
    """Return what a `cluster.yaml` asks for.

    Raises:
        UserError: it is missing or not valid.
    """
    try:
        return SlurmConfig.model_validate(run_config.read_yaml(file, may_be_empty=True))
    except ValidationError as error:
        raise UserError("{file}: {reason}", file=file, reason=run_config.describe(error)) from error


@contextmanager
def workers(config: SlurmConfig, dry_run: bool = False) -> Iterator[SlurmWorkers]:
    """Yield a scheduler whose jobs are submitted, none with `dry_run`; at the end it is closed and they are cancelled.

    Raises:
        UserError: dask-jobqueue is not installed, the port is taken, or `sbatch` is not there or refuses the jobs.
    """
    try:
        from dask_jobqueue.slurm import SLURMCluster, SLURMJob
    except ImportError as error:
        raise UserError("Slurm needs dask-jobqueue. Install it: pip install 'cxrcore[cluster]'") from error
    port = 0 if dry_run else config.port
    _check_port(port)
    options = [*([f"--gres=gpu:{config.gpus}"] if config.gpus else []), *config.options]
    home = str(settings.home())
    refusals = Refusals()
    try:
        made = SLURMCluster(
            job_cls=_recording_refusals(SLURMJob, refusals),
            queue=config.partition or None,
            account=config.account or None,
            walltime=config.time,
            cores=1,  # tasks at once; each of them uses all cores of the job
            job_cpu=config.cores,
            processes=1,
            memory=config.memory,
            job_extra_directives=options,
            job_script_prologue=[f"export CXR_HOME={shlex.quote(home)}"],
            python=shlex.quote(sys.executable),
            worker_extra_args=["--resources", f"{GPU}=1"] if config.gpus else [],
            # dask-jobqueue writes it into the script as it is.
            log_directory=f"{home}/logs" if shlex.quote(home) == home else None,
            scheduler_options={"port": port, "dashboard_address": ":0"},
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError("The scheduler did not start: {reason}", reason=str(error)) from error
    try:
        found = SlurmWorkers(made, config.jobs, refusals)
        if not dry_run:
            _check(found.script)
            found.submit()
            _wait_for(found, config.jobs)
        yield found
    finally:
        with suppress(AssertionError):  # Dask's, where a job was not submitted: that its worker had begun
            made.close()


def _recording_refusals(job_class: Any, refusals: Refusals) -> Any:
    """Return a class of jobs that write a refusal of `sbatch` there, which Dask would print with a traceback."""

    class Job(job_class):  # type: ignore[misc]
        status: Any

        async def start(self) -> None:
            try:
                await super().start()
            except (OSError, RuntimeError, ValueError) as error:
                self.status = type(self.status).running  # as Dask asks for; without a number it is submitted again
                refusals.reason = str(error).rpartition("stderr:\n")[2].strip() or "sbatch gave no reason."
                refusals.count += 1

    return Job


def _check(script: str) -> None:
    """Raise `UserError` if Slurm would refuse a job, as dask-jobqueue does not tell why."""
    with NamedTemporaryFile("w", suffix=".sh") as file:
        file.write(script)
        file.flush()
        _output(["sbatch", "--test-only", file.name])


def _check_port(port: int) -> None:
    """Raise `UserError` if nothing can listen at a port, as Dask does not tell why."""
    try:
        socket.create_server(("", port)).close()
    except OSError as error:
        raise UserError(
            "The scheduler cannot use port {port} ({reason}). Name another one in {file}, or 0 for a free one.",
            port=port,
            reason=error.strerror,
            file=FILE,
        ) from error


def _wait_for(found: SlurmWorkers, count: int) -> None:
    """Return when so many jobs are submitted."""
    end = time.monotonic() + _SLURM_SECONDS
    while len(found.numbers) < count:
        if time.monotonic() > end:
            raise UserError(
                "Only {n} of {count} jobs could be submitted. {reason}",
                n=len(found.numbers),
                count=count,
                reason=found.refusal,
            )
        time.sleep(0.1)


def jobs(numbers: list[str]) -> list[Job]:
    """Return the states of these jobs; raise `UserError` if `squeue` is not there or fails."""
    if not numbers:
        return []
    text = _output(["squeue", "--noheader", "--format=%i %T", f"--jobs={','.join(numbers)}"])
    states = dict(line.split(maxsplit=1) for line in text.splitlines() if " " in line.strip())
    return [Job(number, states.get(number, "")) for number in numbers]


def _output(command: list[str]) -> str:
    """Return what a command of Slurm prints; raise `UserError` with its error."""
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=_SLURM_SECONDS)  # nosec B603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError("{command} failed: {reason}", command=command[0], reason=str(error)) from error
    if found.returncode:
        raise UserError("{command} failed: {reason}", command=command[0], reason=found.stderr.strip())
    return found.stdout
