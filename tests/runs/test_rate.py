"""Images a second of a run, for estimates of time."""

import pytest

from cxrcore.features import backbones
from cxrcore.runs import rate
from cxrcore.training.run_recorder import RATE_FILE, RateRequest


def test_measured_rate_counts_at_the_size_of_the_run(made):
    """Twice the side is four times the work."""
    run = made[2]
    assert rate.expected(run) == backbones.get(run.config.backbone).rate_at(run.config.size)
    rate.keep(run, 80.0, run.config.size // 2)
    assert rate.expected(run) == pytest.approx(80.0 / 4)
    rate.keep(run, 30.0, run.config.size)
    assert rate.expected(run) == 30.0


def test_request_for_a_learning_rate_is_no_measured_rate(made):
    run = made[2]
    usual = rate.expected(run)
    RateRequest(value=0.01, time=1.0).write(run.folder / RATE_FILE)
    assert rate.expected(run) == usual
