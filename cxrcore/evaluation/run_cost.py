"""What a run cost: the seconds that it took, and the size of its model."""

from dataclasses import dataclass

from cxrcore.errors import UserError
from cxrcore.features import backbones
from cxrcore.runs import HEAD_FILE, Run


@dataclass(frozen=True)
class RunCost:
    """The cost of a run on the machine that trained it.

    Attributes:
        seconds: of the run in all, with the evaluation.
        features: seconds until the activations were there; nearly none where an earlier run had computed them.
        training: seconds of training the head.
        megabytes: of the backbone's weights and the saved head, or of the whole saved model; None without a model.
    """

    seconds: float
    features: float
    training: float
    megabytes: float | None


def of_run(run: Run) -> RunCost | None:
    """Return the cost of a run, None before it has results."""
    if (metrics := run.metrics) is None:
        return None
    seconds = metrics.seconds
    return RunCost(
        seconds.get("total", 0.0), seconds.get("features", 0.0), seconds.get("training", 0.0), _megabytes(run)
    )


def _megabytes(run: Run) -> float | None:
    try:
        file = run.model_file
    except UserError:
        return None
    saved = file.stat().st_size / 1e6
    return saved + backbones.get(run.config.backbone).megabytes if file.name == HEAD_FILE else saved
