"""What a run cost: the seconds that it took, and the size of its model."""

from dataclasses import dataclass

from cxrcore.errors import UserError
from cxrcore.features import backbones
from cxrcore.runs import HEAD_FILE, Run


@dataclass(frozen=True)
class RunCost:
    """The cost of a run on the machine that trained it.

    Attributes:
        seconds: of the run in all, with the evaluation; few where an earlier run had computed the activations.
        megabytes: of the backbone's weights and the saved head, or of the whole saved model; None without a model.
    """

    seconds: float
    megabytes: float | None


def of_run(run: Run) -> RunCost | None:
    """Return the cost of a run, None before it has results."""
    if (metrics := run.metrics) is None:
        return None
    return RunCost(metrics.seconds.get("total", 0.0), _megabytes(run))


def _megabytes(run: Run) -> float | None:
    try:
        file = run.model_file
    except UserError:
        return None
    saved = file.stat().st_size / 1e6
    return saved + backbones.get(run.config.backbone).megabytes if file.name == HEAD_FILE else saved
