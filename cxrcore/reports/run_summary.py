"""Everything that a report or a model card shows of a run, gathered once."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
import yaml

from cxrcore import settings
from cxrcore.audits import shortcut
from cxrcore.audits.dataset import audit
from cxrcore.audits.dataset.audit import DatasetAudit
from cxrcore.config.run_config import RunConfig
from cxrcore.data import dataset
from cxrcore.evaluation import (
    calibration,
    external,
    limitations,
    metrics,
    probability_metrics,
    reported,
    subgroups,
    verdict,
)
from cxrcore.evaluation.calibration import CalibrationEffect
from cxrcore.evaluation.external import ExternalEvaluation
from cxrcore.evaluation.probability_metrics import ProbabilityMetrics
from cxrcore.evaluation.reported import ReportedResult
from cxrcore.evaluation.verdict import Verdict
from cxrcore.features import backbones
from cxrcore.messages import Message
from cxrcore.metric import ClassificationMetrics, ClassMetrics, Metric
from cxrcore.runs import Run
from cxrcore.runs.models import RunInfo, RunMetrics

_LONGEST_NAME = 60


def image_id(sha256: str) -> str:
    """Return what an image is called in exports, as its file's name may be a person's."""
    return sha256[:12]


@dataclass(frozen=True)
class RunSummary:
    """A run with results; what takes time is computed when it is first used.

    Raises:
        UserError: the run has no results.
    """

    run: Run

    def __post_init__(self) -> None:
        self.stored  # noqa: B018

    @property
    def title(self) -> str:
        """The title that a user gave the run, else its name."""
        return self.run.title or self.run.name

    @property
    def file_stem(self) -> str:
        """The title in letters, digits and hyphens that every file system takes, else the run's name."""
        plain = unicodedata.normalize("NFKD", self.run.title).encode("ascii", "ignore").decode()
        return re.sub(r"[^A-Za-z0-9]+", "-", plain)[:_LONGEST_NAME].strip("-") or self.run.name

    @cached_property
    def result(self) -> ReportedResult:
        """The test predictions that stand for the run: of k-fold those of all folds."""
        return reported.load(self.run)

    @property
    def table(self) -> pd.DataFrame:
        """The prediction table of `result`."""
        return self.result.table

    @property
    def headline_label(self) -> Message:
        """What the headline is of, "" for a single split."""
        return self.run.averaged.label if self.run.averaged else Message(id="")

    @property
    def headline(self) -> Metric:
        """The accuracy that stands for the run."""
        return self.run.headline or self.metrics.accuracy

    @property
    def basis(self) -> Message | None:
        """What the metrics are of, beside the headline of folds or repeats; None for a single split."""
        return reported.basis(self.run)

    @cached_property
    def config(self) -> RunConfig:
        """The run's config."""
        return self.run.config

    @cached_property
    def info(self) -> RunInfo:
        """The run's dataset, weights and package versions."""
        return self.run.info

    @property
    def classes(self) -> list[str]:
        """The classes in the model's order."""
        return self.info.classes

    @property
    def positive(self) -> str:
        """The positive class of a two-class question, "" for more classes."""
        return self.run.positive

    @cached_property
    def stored(self) -> RunMetrics:
        """The results that the run keeps, with the sizes of the parts and the seconds."""
        return self.run.results

    @cached_property
    def metrics(self) -> ClassificationMetrics:
        """The metrics of the test images; what an older version did not measure is computed."""
        return reported.evaluate(self.run, self.result)

    @cached_property
    def verdict(self) -> Verdict | None:
        """The verdict on the run, None where it cannot be given (see `verdict.of_run`)."""
        return verdict.of_run(self.run)

    @property
    def by_class(self) -> dict[str, ClassMetrics]:
        """The metrics of each class; of a two-class question those of the positive class alone."""
        return metrics.reported(self.metrics, self.positive)

    @cached_property
    def probability_metrics(self) -> ProbabilityMetrics:
        """ROC AUC, average precision and calibration."""
        return probability_metrics.evaluate(self.table, self.classes)

    @cached_property
    def temperature(self) -> Metric:
        """The temperature fitted on the validation images."""
        return calibration.fit_temperature(self.run.predictions("validation"), self.classes)

    @cached_property
    def calibration_effect(self) -> CalibrationEffect | None:
        """What the temperature of a logistic head changed, None for other heads."""
        return calibration.of_run(self.run)

    @cached_property
    def subgroups(self) -> dict[str, dict[str, ClassificationMetrics]]:
        """The metrics by subgroup; the sources are numbered, see `source_names`."""
        table = self.table.assign(source=self.table["source"].map(self.source_names))
        return subgroups.evaluate(table, self.classes, self.result.pooled)

    @cached_property
    def source_names(self) -> dict[str, str]:
        """What the sources are called in exports."""
        return subgroups.source_numbers(self.run.table["source"], self.table["source"])

    @cached_property
    def external(self) -> list[ExternalEvaluation]:
        """The evaluations on other datasets."""
        return external.load_all(self.run)

    @cached_property
    def shortcut(self) -> Message | None:
        """The result of the shortcut audit, None before it was run."""
        found = shortcut.load(self.run)
        return found.sentence if found else None

    @cached_property
    def audit(self) -> DatasetAudit | None:
        """The audit of the run's dataset, None if there is none of the version that the run was trained on."""
        if self.config.dataset not in dataset.names():
            return None
        report = audit.load(dataset.load(self.config.dataset))
        return report if report and report.version == self.config.dataset_version else None

    @property
    def issues(self) -> list[Message]:
        """The issues of the audit as sentences; the sources are numbered, see `source_names`."""
        found = []
        for issue in self.audit.issues if self.audit else ():
            values = dict(issue.sentence.values)
            if issue.what == "source" and "value" in values:
                values["value"] = self.source_names.get(str(values["value"]), "")
            found.append(issue.sentence.model_copy(update={"values": values}))
        return found

    @property
    def changed(self) -> float:
        """When the latest file that the report depends on was written, in seconds since 1970."""
        files = [*self.run.folder.rglob("*.json"), settings.datasets_folder() / self.config.dataset / "audit.json"]
        return max(path.stat().st_mtime for path in files if path.is_file())

    @property
    def limitations(self) -> list[Message]:
        """The limitations of the result."""
        unknown = limitations.unknown_patients(self.table)
        return limitations.limitations(
            self.metrics, self.config, self.run.is_phantom, self.external, self.shortcut, unknown, self.result.pooled
        )

    @property
    def backbone(self) -> backbones.Backbone:
        """The run's backbone."""
        return backbones.get(self.config.backbone)

    @property
    def yaml(self) -> str:
        """The config as `cxr train --config` reads it.

        Every fold or repeat chooses its own layers and input size: those of the first were chosen with images that
        others test.
        """
        config = self.config if self.config.resampling.count == 1 else self.run.requested
        return yaml.safe_dump(config.plain(), sort_keys=False, allow_unicode=True)

    @property
    def config_file(self) -> str:
        """The name of the exported config."""
        return f"{self.file_stem}-config.yaml"

    @property
    def command(self) -> str:
        """The command that repeats the run from `config_file`."""
        return f"cxr train --config {self.config_file}"
