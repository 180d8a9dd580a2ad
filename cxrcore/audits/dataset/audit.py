"""The audit of a dataset: all checks; the result is kept with the version that was audited."""

from typing import Annotated, Any

import pandas as pd

from cxrcore import settings
from cxrcore.audits.dataset import confounders, duplicates, outliers, patients, statistics_probe
from cxrcore.audits.dataset.issues import CONFOUNDER, KINDS, Issue
from cxrcore.audits.dataset.statistics_probe import StatisticsProbe
from cxrcore.data import dataset, editing, measurements, near_duplicates, split
from cxrcore.errors import UserError
from cxrcore.messages import Message, msg
from cxrcore.progress import StageProgress, ignore_stages
from cxrcore.schema import Stored, migrate_metrics
from cxrcore.sealing import Sealed

FILE = "audit.json"
STAGES = measurements.STAGE | near_duplicates.STAGE
# Code in `Issue.what` -> its title.
TITLES = (
    duplicates.TITLES
    | patients.TITLES
    | statistics_probe.TITLES
    | confounders.COLUMNS
    | {name: check.title for name, check in outliers.CHECKS.items()}
)


class DatasetAudit(Stored):
    """The result of an audit.

    Attributes:
        dataset: its name.
        version: the version that was audited.
        n: images in use.
        issues: what was found.
        tables: images by class for each value of each column of `confounders.COLUMNS`.
        cramers_v: Cramér's V by column, None where it is not defined.
        statistics_probe: accuracy from image statistics, None where it cannot be cross-validated.
        small_classes: patients of the classes that have few.
        missing_files: images in use whose file is missing.
    """

    dataset: str
    version: int
    n: int
    issues: Annotated[list[Issue], Sealed()]
    tables: Annotated[dict[str, dict[str, dict[str, int]]], Sealed()]
    cramers_v: dict[str, float | None]
    statistics_probe: StatisticsProbe | None
    small_classes: dict[str, int]
    missing_files: int

    @classmethod
    def migrate(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        """Return the values of an audit of version 1."""
        issues = [
            found | {"kind": CONFOUNDER if found["kind"] == "confound" else found["kind"]}
            for found in values["findings"]
        ]
        probe = migrate_metrics(values["source_probe"])
        if probe:
            accuracy = {name: probe[name] for name in ("value", "low", "high", "n")}
            probe = {"accuracy": accuracy, "chance": probe["chance"], "border": probe["border"]}
        return values | {"issues": issues, "statistics_probe": probe, "missing_files": values["gone"]}


def run(data: dataset.Dataset, progress: StageProgress = ignore_stages) -> DatasetAudit:
    """Return the issues of the images in use, and keep the result with the dataset.

    Args:
        data: the dataset.
        progress: called with a stage of `STAGES`, images done and images in all.
    """
    settings.require_writable()
    measures = measurements.load_or_measure(data, progress)
    hashes = measurements.hashes_of(data.usable, data.folder / dataset.MEASURES)
    table = data.usable.assign(part=_parts(data.usable))
    values = confounders.columns(table, measures)
    probe = statistics_probe.measure(table, measures)
    issues = [
        *duplicates.find(table, data.left_out, measures["pixels"], hashes, progress),
        *patients.leaks(table),
        *confounders.find(values, table),
        *statistics_probe.find(probe, table),
        *outliers.find(table, measures),
    ]
    paths = data.table["path"]
    result = DatasetAudit(
        dataset=data.name,
        version=data.version,
        n=len(table),
        issues=[found.model_copy(update={"images": [str(paths[row]) for row in found.rows]}) for found in issues],
        tables=confounders.tables(values, table["label"]),
        cramers_v=confounders.cramers_v(values, table["label"]),
        statistics_probe=probe,
        small_classes=patients.small_classes(table),
        missing_files=measurements.missing_files(data),
    )
    result.write(data.folder / FILE)
    return result


def load(data: dataset.Dataset) -> DatasetAudit | None:
    """Return the last audit of the dataset, of any version, or None.

    Raises:
        DamagedFileError: the file is damaged; the audit can be run again.
    """
    return DatasetAudit.read_if_present(data.folder / FILE)


def title(issue: Issue) -> Message:
    """Return for example `Outliers: inverted`."""
    what = Message(id=TITLES.get(issue.what, issue.what))
    return msg("{kind}: {what}", kind=Message(id=KINDS.get(issue.kind, issue.kind)), what=what)


def exclude(data: dataset.Dataset, audit: DatasetAudit, kind: str) -> dataset.Dataset:
    """Exclude the images that resolve the issues of `kind`, or of `kind:what`; return the new version.

    Raises:
        UserError: no such kind, or no issue that excluding images would resolve.
    """
    if kind.partition(":")[0] not in KINDS:
        raise UserError(
            "kind of issue: expected one of {expected}. Received: {kind!r}", expected=list(KINDS), kind=kind
        )
    chosen = [issue for issue in audit.issues if kind in (issue.kind, f"{issue.kind}:{issue.what}")]
    rows = sorted({row for issue in chosen for row in issue.exclude} & set(data.usable["row"]))
    if not rows:
        raise UserError(
            "There is no issue {kind!r} in {name!r} that excluding images would resolve.", kind=kind, name=data.name
        )
    return editing.exclude(data.name, rows, title(chosen[0]))


def _parts(table: pd.DataFrame) -> pd.Series | str:
    """Return the part of each image: as the source gives it, else by patient, else "" where no split is possible."""
    try:
        return split.given(table) if (table["given_split"] != "").any() else split.by_patient(table)
    except UserError:
        return ""
