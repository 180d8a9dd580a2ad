"""Workers as jobs of Slurm, with `sbatch`, `squeue` and `scancel` that start, list and end processes here."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from cxrcore import cluster, settings
from cxrcore.cli import app
from cxrcore.cli import cluster as cluster_command
from cxrcore.errors import UserError
from cxrcore.jobs import slurm
from tests.conftest import ROOT

CONFIG = """
jobs: 2
partition: gpu
account: radiology
time: "02:30:00"
cores: 8
memory: 16GB
gpus: 1
options: ["--qos=high"]
port: 0
"""
SBATCH = """#!/bin/sh
cd {folder}
[ "$1" = --test-only ] && exit 0
number=101
until mkdir $number 2>/dev/null; do number=$((number + 1)); done
cp "$1" $number.sh
setsid bash $number.sh > $number.out 2>&1 &
echo $! > $number.pid
echo "Submitted batch job $number"
"""
SQUEUE = """#!/bin/sh
cd {folder}
echo "$@" >> squeue.txt
for file in *.pid; do
    [ -e "${{file%.pid}}.ended" ] && continue
    kill -0 "$(cat $file)" 2>/dev/null && echo "${{file%.pid}} RUNNING"
done
exit 0
"""
SCANCEL = """#!/bin/sh
cd {folder}
echo "$@" >> scancel.txt
kill -- "-$(cat $1.pid)"
"""
# The command `cxr cluster`, which looks more often.
FAST = """
from cxrcore.cli import app, cluster
from cxrcore.jobs import slurm

cluster._LOOK_SECONDS = slurm.FIRST_WAIT = 0.3
app(["cluster"])
"""


@pytest.fixture
def fake(tmp_path, monkeypatch, home):
    """Commands that stand for Slurm's, and `cluster.yaml`; returns the folder of what they write."""
    folder, commands = tmp_path / "jobs", tmp_path / "bin"
    folder.mkdir()
    commands.mkdir()
    for name, text in {"sbatch": SBATCH, "squeue": SQUEUE, "scancel": SCANCEL}.items():
        (commands / name).write_text(text.format(folder=folder))
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    home.mkdir()
    (home / "cluster.yaml").write_text(CONFIG)
    yield folder
    for file in folder.glob("*.pid"):
        try:
            os.killpg(int(file.read_text()), signal.SIGKILL)
        except ProcessLookupError:
            continue


def test_dry_run_prints_the_script_of_a_job(fake, home):
    result = CliRunner().invoke(app, ["cluster", "--dry-run"], catch_exceptions=False)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    wanted = [
        "-p gpu",
        "-A radiology",
        "-n 1",
        "--cpus-per-task=8",
        "--mem=15G",
        "-t 02:30:00",
        "--gres=gpu:1",
        "--qos=high",
    ]
    assert [line for line in lines if line.startswith("#SBATCH")][-8:] == [f"#SBATCH {option}" for option in wanted]
    assert f"export CXR_HOME={home}" in lines
    (worker,) = [line for line in lines if "dask_worker" in line]
    assert worker.startswith(f"{sys.executable} -m distributed.cli.dask_worker tcp://") and "--nthreads 1" in worker
    assert "--resources GPU=1" in worker
    assert list(fake.iterdir()) == []


def test_port_that_is_taken_is_told_and_not_needed_for_a_dry_run(fake, home):
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        (home / slurm.FILE).write_text(f"port: {port}\n")
        result = CliRunner().invoke(app, ["cluster", "--dry-run"], catch_exceptions=False)
        assert result.exit_code == 0 and "#SBATCH -n 1" in result.stdout
        with pytest.raises(UserError, match=f"port {port}.*in use"), slurm.workers(slurm.read(home / slurm.FILE)):
            pass
    assert list(fake.iterdir()) == []


def _until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.1)


def test_command_submits_follows_submits_again_and_cancels(fake, home, monkeypatch):
    monkeypatch.setenv("DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT", "1s")
    with (home / "out.txt").open("w") as out:
        process = subprocess.Popen([sys.executable, "-c", FAST], cwd=ROOT, stdout=out)
    try:
        _until((home / "scheduler.txt").is_file)
        assert sorted(path.name for path in fake.glob("*.sh")) == ["101.sh", "102.sh"]
        monkeypatch.setenv("CXR_EXECUTOR", "dask")
        with cluster.connected() as connection:
            _until(lambda: connection.threads == 2)
            assert sorted(connection.results(abs, [-3, 2, -1], lambda: None)) == [1, 2, 3]
        _until(lambda: "Jobs: 2 running" in (home / "out.txt").read_text())
        assert (fake / "squeue.txt").read_text().splitlines()[0] == "--noheader --format=%i %T --jobs=101,102"
        (fake / "101.ended").touch()  # for squeue; its worker is lost only after that was seen
        _until(lambda: "Jobs: 1 ended, 1 running" in (home / "out.txt").read_text())
        os.killpg(int((fake / "101.pid").read_text()), signal.SIGKILL)
        _until((fake / "103.sh").is_file)
        _until(lambda: (home / "out.txt").read_text().count("Jobs: 2 running") == 2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
    assert {"102", "103"} <= set((fake / "scancel.txt").read_text().split())
    assert not (fake / "104.sh").exists()
    _until(lambda: subprocess.run(["squeue"], capture_output=True, text=True).stdout == "")
    assert not (home / "scheduler.txt").exists()


def test_command_ends_where_all_jobs_have_ended(monkeypatch, capsys):
    class Workers:
        count, numbers, looks, gave_up, refusal = 2, ["101", "102"], 0, False, ""

        def submit(self):
            self.looks += 1

    monkeypatch.setattr(cluster_command, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(cluster_command, "_ENDED_SECONDS", 0.1)
    workers = Workers()
    monkeypatch.setattr(slurm, "jobs", lambda numbers: [slurm.Job(n, "RUNNING" * (workers.looks < 3)) for n in numbers])
    cluster_command._follow(workers)
    assert [line.split(" ", 1)[1] for line in capsys.readouterr().out.splitlines()] == [
        "Jobs: 2 running",
        "Jobs: 2 ended",
    ]
    assert workers.looks > 3


class Cluster:
    """Stands for dask-jobqueue's; what it submits is refused for the reason `refused`, unless that is ""."""

    def __init__(self):
        self.workers, self.loop, self.scaled, self.next = {}, self, 0, 100
        self.refusals, self.refused = slurm.Refusals(), ""

    def add_callback(self, function, *args):
        function(*args)

    def scale(self, jobs):
        self.scaled += 1
        for name in range(jobs):
            if name not in self.workers:
                self.next += 1
                self.workers[name] = SimpleNamespace(job_id=None if self.refused else str(self.next))
                if self.refused:
                    self.refusals.reason, self.refusals.count = self.refused, self.refusals.count + 1


def test_jobs_that_end_soon_are_submitted_a_few_times_only(monkeypatch):
    found = Cluster()
    workers = slurm.SlurmWorkers(found, 2, found.refusals)
    workers.submit()
    assert workers.numbers == ["101", "102"]
    found.workers[0].job_id = None  # sbatch refused it
    workers.submit()
    assert workers.numbers == ["102", "103"]
    monkeypatch.setattr(slurm, "SHORT_SECONDS", 0.0)
    for _ in range(10):  # each job lives long enough
        workers.submit()
        workers.submit()  # a job that was submitted is seen at the next look
        del found.workers[0]
    assert not workers.gave_up
    monkeypatch.setattr(slurm, "SHORT_SECONDS", 300.0)
    for _ in range(10):
        workers.submit()
        workers.submit()
        found.workers.pop(0, None)
    scaled = found.scaled
    workers.submit()
    assert workers.gave_up and found.scaled == scaled and workers.numbers == ["102"]
    now = time.monotonic()
    monkeypatch.setattr(slurm.time, "monotonic", lambda: now + 3700.0)
    workers.submit()
    assert not workers.gave_up and found.scaled == scaled + 1


def test_jobs_that_are_preempted_now_and_then_are_submitted_again(monkeypatch):
    now = 0.0
    monkeypatch.setattr(slurm.time, "monotonic", lambda: now)
    found = Cluster()
    workers = slurm.SlurmWorkers(found, 1, found.refusals)
    for _ in range(100):
        workers.submit()
        now += 200.0
        workers.submit()
        found.workers.clear()
        now += 1000.0
        assert not workers.gave_up


def test_refused_jobs_are_submitted_again_after_longer_and_longer(monkeypatch):
    now = 0.0
    monkeypatch.setattr(slurm.time, "monotonic", lambda: now)
    found = Cluster()
    workers = slurm.SlurmWorkers(found, 3, found.refusals)
    found.refused, tries = "QOSMaxSubmitJobPerUserLimit", []
    for now in range(0, 1000, 5):
        before = found.scaled
        workers.submit()
        tries += [now] * (found.scaled > before)
    assert tries == [0, 15, 40, 85, 170, 335, 640, 945]
    assert workers.refusal == "QOSMaxSubmitJobPerUserLimit"
    found.refused = ""
    now += 300
    workers.submit()
    workers.submit()
    assert len(workers.numbers) == 3 and workers.refusal == ""
    found.workers.clear()
    scaled = found.scaled
    workers.submit()
    assert found.scaled == scaled + 1 and len(workers.numbers) == 3


def test_refusal_of_a_lost_job_is_told_once_without_a_traceback(fake, home, monkeypatch):
    monkeypatch.setenv("DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT", "1s")
    with (home / "out.txt").open("w") as out:
        process = subprocess.Popen([sys.executable, "-c", FAST], cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
    try:
        _until(lambda: "Jobs: 2 running" in (home / "out.txt").read_text())
        monkeypatch.setenv("CXR_EXECUTOR", "dask")
        with cluster.connected() as connection:
            _until(lambda: connection.threads == 2)
        sbatch = Path(os.environ["PATH"].split(":")[0]) / "sbatch"
        sbatch.write_text(f"#!/bin/sh\necho >> {fake}/tries.txt\necho 'error: QOSMaxSubmitJob' >&2\nexit 1\n")
        os.killpg(int((fake / "101.pid").read_text()), signal.SIGKILL)
        _until(lambda: (fake / "tries.txt").exists() and (fake / "tries.txt").read_text().count("\n") >= 3)
        text = (home / "out.txt").read_text()
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
    finally:
        process.kill()
    assert text.count("Slurm refuses jobs, which are submitted again later: error: QOSMaxSubmitJob\n") == 1
    assert text.count("QOSMaxSubmitJob") == 1 and "Traceback" not in text


def test_refusal_of_sbatch_is_told(fake, home):
    sbatch = Path(os.environ["PATH"].split(":")[0]) / "sbatch"
    sbatch.write_text("#!/bin/sh\necho 'error: invalid partition specified: gpu' >&2\nexit 1\n")
    with (
        pytest.raises(UserError, match="invalid partition specified: gpu"),
        slurm.workers(slurm.read(home / slurm.FILE)),
    ):
        pass


def test_job_that_is_not_submitted_is_told(fake, home, monkeypatch):
    sbatch = Path(os.environ["PATH"].split(":")[0]) / "sbatch"
    sbatch.write_text("#!/bin/sh\n[ $1 = --test-only ] || echo too many jobs >&2\n[ $1 = --test-only ]\n")
    monkeypatch.setattr(slurm, "_SLURM_SECONDS", 1.0)
    with (
        pytest.raises(UserError, match=r"Only 0 of 2 jobs .* too many jobs"),
        slurm.workers(slurm.read(home / slurm.FILE)),
    ):
        pass


def test_queue_that_cannot_be_asked(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert slurm.jobs([]) == []
    with pytest.raises(UserError, match=r"squeue failed: .*squeue"):
        slurm.jobs(["1"])


class _Workers:
    count, numbers, gave_up, refusal = 2, ["101", "102"], False, ""

    def submit(self):
        pass


def test_queue_that_fails_for_a_while_is_asked_again(monkeypatch, capsys):
    answers = ["RUNNING", None, None, None, "RUNNING"]

    def jobs(numbers):
        answer = answers.pop(0) if answers else ""
        if answer is None:
            raise UserError("squeue failed: {reason}", reason="Unable to contact slurm controller")
        return [slurm.Job(number, answer) for number in numbers]

    monkeypatch.setattr(cluster_command, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(cluster_command, "_ENDED_SECONDS", 0.15)  # shorter than it fails
    monkeypatch.setattr(slurm, "jobs", jobs)
    cluster_command._follow(_Workers())
    assert [line.split(" ", 1)[1] for line in capsys.readouterr().out.splitlines()] == [
        "Jobs: 2 running",
        "squeue failed: Unable to contact slurm controller",
        "Jobs: 2 running",
        "Jobs: 2 ended",
    ]


def test_queue_that_fails_for_long_ends_the_command(monkeypatch, capsys):
    def jobs(numbers):
        raise UserError("squeue failed: {reason}", reason="Unable to contact slurm controller")

    monkeypatch.setattr(cluster_command, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(cluster_command, "_FAILED_SECONDS", 0.1)
    monkeypatch.setattr(slurm, "jobs", jobs)
    start = time.monotonic()
    with pytest.raises(UserError, match="Unable to contact"):
        cluster_command._follow(_Workers())
    assert time.monotonic() - start >= 0.1
    assert capsys.readouterr().out.count("Unable to contact") == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("partition: 'gpu; rm'", "partition"),
        ("options: ['--wrap=$(id)']", "options"),
        ("memory: much", "memory: expected a number with M, MB, G or GB"),
        ("memory: 0GB", "memory: expected at least 100MB. Received: '0GB'"),
        ("memory: 0.0001MB", "memory: expected at least 100MB"),
        ("memory: 99M", "memory: expected at least 100MB"),
        ("memory: 4", "memory: expected a number with M, MB, G or GB"),
        ("time: 12:00:00", "time: expected text; put it in quotes"),
        ("partition: true", "partition"),
        ("options: ['--array=1-100']", "options.0: each job is one task"),
        ("options: ['--arr=1-100']", "options.0: each job is one task"),
        ("options: ['--wrap=true']", "options.0: each job is one task"),
        ("options: ['--ntasks=4']", "options.0: each job is one task"),
        ("options: ['-a1-9']", "options.0: each job is one task"),
        ("options: ['-n 4']", "options.0: each job is one task"),
        ("jobs: 0", "jobs"),
        ("nodes: 3", "nodes"),
    ],
)
def test_values_that_are_not_valid(home, line, reason):
    home.mkdir()
    (home / slurm.FILE).write_text(line)
    with pytest.raises(UserError, match=reason):
        slurm.read(home / slurm.FILE)


@pytest.mark.parametrize("text", ["", "# jobs: 2\n"])
def test_empty_file_leaves_the_defaults(home, text):
    home.mkdir()
    (home / slurm.FILE).write_text(text)
    assert slurm.read(home / slurm.FILE) == slurm.SlurmConfig()


@pytest.mark.parametrize(("memory", "wanted"), [("16G", "16G"), ("16GB", "15G"), ("100M", "100M"), ("1.5 GiB", "2G")])
def test_names_of_digits_and_memory_as_slurm_writes_it(fake, home, memory, wanted):
    (home / slurm.FILE).write_text(f"partition: 1\naccount: 12345\nmemory: {memory}\nport: 0\n")
    result = CliRunner().invoke(app, ["cluster", "--dry-run"], catch_exceptions=False)
    assert result.exit_code == 0
    assert {"#SBATCH -p 1", "#SBATCH -A 12345", f"#SBATCH --mem={wanted}"} <= set(result.stdout.splitlines())


def test_scheduler_of_the_command_is_found_unless_a_setting_names_another(home, monkeypatch):
    with pytest.raises(UserError, match="CXR_DASK_SCHEDULER"):
        settings.dask_scheduler()
    with cluster.announced("tcp://host:1234"):
        assert settings.dask_scheduler() == "tcp://host:1234"
        monkeypatch.setenv("CXR_DASK_SCHEDULER", "tcp://other:1")
        assert settings.dask_scheduler() == "tcp://other:1"
    assert not (home / "scheduler.txt").exists()
