"""What a run cost."""

import pytest

from cxrcore import runs
from cxrcore.evaluation import run_cost


def test_cost_is_of_the_whole_run_and_of_weights_and_head(made):
    run = made[2]
    (run.folder / runs.HEAD_FILE).write_bytes(b"0" * 50_000)
    seconds = {"features": 30.0, "training": 2.0, "total": 40.0}
    run.results.model_copy(update={"seconds": seconds}).write(run.folder / "metrics.json")
    cost = run_cost.of_run(run)
    assert cost.seconds == 40
    assert cost.megabytes == pytest.approx(0.3 + 0.05)  # CXRTiny's weights and the head


def test_whole_model_counts_alone_and_no_model_has_no_size(made):
    run = made[2]
    (run.folder / runs.HEAD_FILE).rename(run.folder / runs.WHOLE_MODEL_FILE)
    (run.folder / runs.WHOLE_MODEL_FILE).write_bytes(b"0" * 2_000_000)
    assert run_cost.of_run(run).megabytes == 2
    (run.folder / runs.WHOLE_MODEL_FILE).unlink()
    assert run_cost.of_run(run).megabytes is None
    (run.folder / "metrics.json").unlink()
    assert run_cost.of_run(run) is None


def test_run_without_a_total_has_no_seconds(made):
    run = made[2]
    run.results.model_copy(update={"seconds": {"training": 2.0}}).write(run.folder / "metrics.json")
    assert run_cost.of_run(run).seconds == 0
