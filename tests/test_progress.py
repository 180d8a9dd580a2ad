"""The time left of a task in planned steps."""

import pytest

from cxrcore.progress import PlannedStep, Steps, planned_seconds

PLAN = [
    PlannedStep("reading", 100, seconds=0.1),
    PlannedStep("border", 40, passes=1),
    PlannedStep("whole", 0, passes=1),
    PlannedStep("corners", 10, passes=5),
]


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_planned_seconds_count_passes_at_the_rate():
    # 100 x 0.1 + 40 / 5 + 0 + 10 x 5 / 5
    assert planned_seconds(PLAN, rate=5) == pytest.approx(28)


def test_time_left_follows_the_measured_rate():
    found, clock = [], Clock()
    steps = Steps(found.append, PLAN, 5.0, clock)
    steps("reading", 50, 100)
    assert (found[-1].number, found[-1].steps) == (1, 4)
    assert found[-1].seconds_left == pytest.approx(5 + 8 + 10) and not steps.measured
    clock.now = 100.0
    steps("border", 8, 40)  # the first call of a stage measures nothing: models may have been built before it
    assert found[-1].seconds_left == pytest.approx(32 / 5 + 10)
    clock.now = 104.0
    steps("border", 16, 40)  # eight images in four seconds
    assert steps.measured and steps.rate == 2
    assert found[-1].seconds_left == pytest.approx(24 / 2 + 50 / 2)
    clock.now = 110.0
    steps("corners", 8, 10)
    assert (found[-1].number, found[-1].seconds_left) == (4, pytest.approx(2 * 5 / 2))


def test_a_second_look_at_a_step_and_repeated_steps():
    found = []
    steps = Steps(found.append, [PLAN[1], PLAN[1], PLAN[3]], 5.0, Clock())
    for done in (20, 40, 20):  # restarts: the second of two equal steps
        steps("border", done, 40)
    assert [step.number for step in found] == [1, 1, 2]
    steps("border", 8, 16)  # restarts once more: more images in the same step
    assert found[-1].number == 2 and found[-1].seconds_left == pytest.approx(8 / 5 + 10)
    steps("not planned", 1, 2)
    assert (found[-1].number, found[-1].seconds_left) == (0, None)
