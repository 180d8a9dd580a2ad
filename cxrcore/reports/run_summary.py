"""Everything that a report or a model card says of a run, gathered once."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
import yaml

from cxrcore import settings
from cxrcore.audits.dataset import audit
from cxrcore.data import dataset
from cxrcore.evaluation import calibration, external, limitations, metrics, probability_metrics, subgroups
from cxrcore.features import backbones
from cxrcore.runs import Run


@dataclass(frozen=True)
class RunSummary:
    """What is known of a run with results; what takes time is computed when it is first asked for.

    Raises:
        UserError: the run has no results.
    """

    run: Run

    def __post_init__(self) -> None:
        self.stored  # noqa: B018

    @cached_property
    def table(self) -> pd.DataFrame:
        """The predictions of the test images; the row numbers are those of the run's heatmaps."""
        return self.run.predictions("test")

    @cached_property
    def config(self) -> dict[str, Any]:
        """The run's config."""
        return self.run.config

    @cached_property
    def about(self) -> dict[str, Any]:
        """What the run keeps of its dataset, weights and versions."""
        return self.run.about

    @cached_property
    def classes(self) -> list[str]:
        """The classes in the model's order."""
        return list(self.about["classes"])

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The metrics of the test images, see `metrics.evaluate`."""
        return metrics.kept_or_evaluated(self.stored, self.table)

    @cached_property
    def stored(self) -> dict[str, Any]:
        """What the run itself keeps of its test, with the sizes of the parts and the seconds."""
        return self.run.results

    @cached_property
    def scores(self) -> dict[str, Any]:
        """What the probabilities are worth, see `scores.evaluate`."""
        return probability_metrics.evaluate(self.table, self.classes)

    @cached_property
    def temperature(self) -> dict[str, Any]:
        """The temperature fitted on the validation images, see `calibration.temperature`."""
        return calibration.temperature(self.run.predictions("validation"), self.classes)

    @cached_property
    def subgroups(self) -> dict[str, dict[str, Any]]:
        """The metrics by subgroup, see `subgroups.evaluate`."""
        return subgroups.evaluate(self.table, self.classes)

    @cached_property
    def external(self) -> list[dict[str, Any]]:
        """The tests on other data."""
        return external.kept(self.run)

    @cached_property
    def audit(self) -> dict[str, Any] | None:
        """The last check of the run's dataset if it was of the version that the run learned from."""
        name, version = self.config["dataset"], self.config["dataset_version"]
        if name not in dataset.names():
            return None
        report = audit.last(dataset.load(name))
        return report if report and report["version"] == version else None

    @property
    def changed(self) -> float:
        """When something that is said of the run was written last, in seconds since 1970."""
        said_of_it = [
            *self.run.folder.rglob("*.json"),
            settings.datasets_folder() / self.config["dataset"] / "audit.json",
        ]
        return max(path.stat().st_mtime for path in said_of_it if path.is_file())

    @property
    def limits(self) -> list[str]:
        """What the result does not say."""
        unknown = limitations.unknown_patients(self.table)
        return limitations.of(self.metrics, self.config, self.run.is_phantom, self.external, self.run.shortcut, unknown)

    @property
    def backbone(self) -> backbones.Backbone:
        """The backbone's row of the table."""
        return backbones.get(self.config["backbone"])

    @property
    def yaml(self) -> str:
        """The config as `cxr train --config` reads it."""
        return yaml.safe_dump(self.config, sort_keys=False, allow_unicode=True)

    @property
    def config_file(self) -> str:
        """The name under which the config is taken away."""
        return f"{self.run.name}-config.yaml"

    @property
    def command(self) -> str:
        """The command that repeats the run from `config_file`."""
        return f"cxr train --config {self.config_file}"
