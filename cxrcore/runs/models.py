"""The files of a run folder as typed values."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cxrcore.config.run_config import RunConfig
from cxrcore.data.info import DatasetInfo
from cxrcore.i18n import N_
from cxrcore.messages import Message, msg
from cxrcore.metric import ClassificationMetrics, Metric
from cxrcore.process import ProcessId
from cxrcore.schema import Stored, migrate_metrics
from cxrcore.sealing import SealedMessage

QUEUED, RUNNING, FINISHED, STOPPED, FAILED = "queued", "running", "finished", "stopped", "failed"
LIVE = {QUEUED, RUNNING}
# Until the year 3000: later times are no dates on every system.
Time = Annotated[float, Field(ge=0, le=32_503_680_000, allow_inf_nan=False)]
RunState = Literal["queued", "running", "finished", "stopped", "failed"]
WARNINGS = {"collapsed", "exploded"}
STATE_LABELS = {
    QUEUED: N_("queued"),
    RUNNING: N_("running"),
    FINISHED: N_("finished"),
    STOPPED: N_("stopped"),
    FAILED: N_("failed"),
}


def state_label(state: str) -> Message:
    """Return the label of a state as a value of other messages."""
    return Message(id=STATE_LABELS[state])


class RunStatus(Stored, ProcessId):
    """`status.json`: the state of a run, and of a running one its stage and progress. Times are seconds since 1970.

    `done` of `total` steps of the stage are done, `total` is 0 where they cannot be counted; `first` were done before
    the stage began, by an earlier process. `worker` tells whether the run has a process of its own, and `gpu` which GPU
    of its machine that has for itself, as in CUDA_VISIBLE_DEVICES, "" for none. `rank` is what
    waiting runs are sorted by. `previous` is the status, and `previous_config` the config as plain values, to which a
    run that waits to be continued returns if it is taken off the queue.
    """

    state: RunState
    created: Time = 0.0
    started: Time = 0.0
    ended: Time = 0.0
    stage: str = "starting"
    stage_started: Time = 0.0
    done: int = 0
    total: int = 0
    first: int = 0
    paused: bool = False
    worker: bool = False
    gpu: str = ""
    message: SealedMessage = Message(id="")
    rank: float | None = None
    previous: "RunStatus | None" = None
    previous_config: dict[str, Any] | None = None

    @classmethod
    def migrate(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        """Rename `from` and take `before` apart."""
        found = dict(values)
        found["first"] = found.pop("from", 0)
        if before := found.pop("before", None):
            found |= {"previous": cls.migrate(before["status"], version), "previous_config": before["config"]}
        return found


class DatasetSnapshot(BaseModel):
    """The dataset that a run used: its info, its version, images in use by class, and left out by kind of reason."""

    model_config = ConfigDict(frozen=True)

    info: DatasetInfo
    version: int = 1
    counts: dict[str, int] = Field(default_factory=dict)
    left_out: dict[str, int] = Field(default_factory=dict)


class RunInfo(Stored):
    """`about.json`: the classes in the model's order, the digest of the weights, the dataset and package versions."""

    classes: list[str]
    weights_digest: str
    dataset: DatasetSnapshot
    versions: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def migrate(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        """Move the values of the dataset itself into `info`."""
        data = dict(values["dataset"])
        known = {name: data.pop(name) for name in ("version", "counts", "left_out") if name in data}
        return values | {"dataset": known | {"info": data}}


class RunMetrics(Stored):
    """`metrics.json`: the metrics of the test images, the sizes of the parts, the epoch whose weights were kept, and
    the seconds of each step with their `total`.
    """

    test: ClassificationMetrics
    n_train: int
    n_validation: int
    n_test: int
    kept_epoch: int
    seconds: dict[str, float]

    @classmethod
    def migrate(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        """Put the metrics of the test into `test`; what an older version did not measure has no value."""
        found: dict[str, Any] = migrate_metrics(values)
        absent = {"value": None, "n": found["n"]}
        for name in ("balanced_accuracy", "macro_f1", "kappa", "matthews"):
            found.setdefault(name, absent)
        found.setdefault("patients", 0)
        for row in found["by_class"].values():
            for name in ("precision", "recall", "specificity", "npv", "f1"):
                row.setdefault(name, absent)
        names = set(ClassificationMetrics.__dataclass_fields__)
        own = {name: value for name, value in found.items() if name not in names}
        return own | {"test": {name: found[name] for name in names}}


class SelectionTrial(BaseModel):
    """A candidate of a selection: input size, taps joined by "+", the L2 strength that suits it best, and its
    out-of-fold log loss after temperature scaling and accuracy.
    """

    model_config = ConfigDict(frozen=True)

    size: int
    tap: str
    l2: float
    loss: float
    accuracy: Metric


class Selection(Stored):
    """`selection.json`: what the logistic head was chosen from, by cross-validation by patient inside the training part
    of `images` images, in the order of trying; and what was chosen.

    `temperature` was fitted on the out-of-fold predictions of the chosen candidate, 1 without calibration. `left_out`
    is an input size that the time budget did not allow, 0 for none.
    """

    trials: list[SelectionTrial]
    size: int
    tap: str
    l2: float
    temperature: float
    folds: int
    images: int
    seconds: float
    left_out: int = 0

    @property
    def chosen(self) -> SelectionTrial:
        """The candidate that was chosen."""
        return next(trial for trial in self.trials if (trial.size, trial.tap) == (self.size, self.tap))

    @property
    def sentence(self) -> Message:
        """What was chosen and why."""
        return msg(
            "Chosen: layers {tap} at {size} pixels, L2 {l2:g}: lowest out-of-fold log loss ({loss:.3f}) of {n} "
            "candidates; test images were not used.",
            tap=" + ".join(self.tap.split("+")),
            size=self.size,
            l2=self.l2,
            loss=self.chosen.loss,
            n=len(self.trials),
        )

    @property
    def note(self) -> Message | None:
        """That an input size was not tried, None where all were."""
        if not self.left_out:
            return None
        return msg("{size} pixels were not tried within the time budget.", size=self.left_out)


class RunCard(Stored):
    """`card.json`: title, tags and note of the run."""

    title: str = ""
    tags: list[str] = Field(default_factory=list)
    note: str = ""


class EpochMetrics(BaseModel):
    """One epoch. Training loss and accuracy are means during the epoch, as Keras reports. `phase` is `head`, or
    `tuning` when the backbone's upper layers are trained too.
    """

    model_config = ConfigDict(frozen=True)

    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    seconds: float
    phase: str = "head"


class RunEvent(BaseModel):
    """What happened to a run while it was trained, by `event`.

    `learning-rate`: from `epoch` on, a user set it to `value`; `asked` is the time of the request, `message` says what
    the schedule does with it. `reduced`: the schedule reduced the learning rate to `value`. `collapsed` and `exploded`:
    after `epoch` with the training loss `value`, `message` warns that the training goes wrong (see `WARNINGS`).
    """

    model_config = ConfigDict(frozen=True)

    event: str
    epoch: int
    value: float
    asked: float = 0.0
    message: Message = Message(id="")


class ResamplingResult(Stored):
    """`resampling.json`: the test accuracy of each fold or repeat that is `done`, and the mean over them of some
    metrics, each with its interval (see `intervals.of_resampling`); n counts tested images. `settings` are the values
    of the config that the folds or repeats share.
    """

    kind: Literal["kfold", "repeated"]
    planned: int
    done: list[Metric]
    mean: dict[str, Metric]
    settings: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def migrate(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        """Rename `recipe`, and the settings in it."""
        found: dict[str, Any] = migrate_metrics(values)
        return found | {"settings": RunConfig.migrate(found.get("recipe", {}), version)}

    @property
    def label(self) -> Message:
        """What the mean is of, for example `mean of 5 folds`."""
        if self.kind == "kfold":
            return msg("mean of {n} folds", n=len(self.done))
        return msg("mean of {n} repeats", n=len(self.done))


class ShownMark(Stored):
    """`shown.json`: the run is shown where the dashboard is read-only."""
