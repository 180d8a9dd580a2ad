"""Metrics as values: a number with its 95 % interval and its n, and the metrics of a test set."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A number of an evaluation.

    Attributes:
        value: None where nothing defines it, as for 0 of 0.
        low: lower end of the 95 % interval, None where there is none.
        high: upper end.
        n: how many images (or what the docstring of the function says) it was measured on.
        successes: of a proportion, the number of successes among `n`.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    successes: int | None = None

    @property
    def has_interval(self) -> bool:
        """Whether there is an interval."""
        return self.low is not None and self.high is not None


@dataclass(frozen=True)
class ClassMetrics:
    """The metrics of one class against the rest; `n` is the number of images of the class.

    `precision` is the positive predictive value, `recall` the sensitivity, `npv` the negative predictive value.
    Predictive values hold for the share of the classes in the test set.
    """

    n: int
    precision: Metric
    recall: Metric
    specificity: Metric
    npv: Metric
    f1: Metric


@dataclass(frozen=True)
class ClassificationMetrics:
    """The metrics of a test set; `confusion` has a row for each true class and a column for each predicted class."""

    n: int
    patients: int
    classes: list[str]
    accuracy: Metric
    balanced_accuracy: Metric
    macro_f1: Metric
    kappa: Metric
    matthews: Metric
    confusion: list[list[int]]
    by_class: dict[str, ClassMetrics]
