"""Three faults at random moments of trainings and an import; `benchmarks/faults.py` has the other kinds."""

import shutil

from benchmarks import fault_moments, faults
from benchmarks.faults import BAD, GOOD
from cxrcore.jobs import worker_pool
from cxrcore.maintenance import doctor, leftovers


def test_killed_processes_leave_nothing_and_everything_comes_to_its_end(trained, home, tmp_path, monkeypatch):
    monkeypatch.setattr(worker_pool, "pool", faults.PoolInProcess)
    monkeypatch.setattr(fault_moments, "LONGEST", 1.0)
    for module, name in ((leftovers, "SETTLED_SECONDS"), (doctor, "LEAST_FREE")):
        monkeypatch.setattr(module, name, 0)  # which the moments set, too
    faults.scan_packages_once()
    template = tmp_path / "template"
    shutil.copytree(home, template)
    for name in (BAD, GOOD):
        shutil.copytree(template / "datasets" / "phantom", template / "datasets" / name)
    kinds = ["kill -9 both", "kill -9 worker", "SIGTERM server"]

    def open_home():
        return faults.opened(faults.VIEWS[0], "", "")[1]

    assert fault_moments.run_moments(kinds, 7, template, open_home, mounted=False, started=()) == []
