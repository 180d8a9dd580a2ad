"""The audit of a dataset: every check, kept with the version it was made of."""

from typing import Any

from cxrcore import settings
from cxrcore.audits.dataset import confounders, duplicates, measurements, outliers, patients, statistics_probe
from cxrcore.audits.dataset.issues import KINDS
from cxrcore.audits.dataset.measurements import Progress
from cxrcore.data import dataset, editing, split
from cxrcore.errors import UserError
from cxrcore.files import read_json, write_json


def run(data: dataset.Dataset, progress: Progress | None = None) -> dict[str, Any]:
    """Return what was found in the images in use, and keep it with the dataset.

    `findings`: a list, see `Issue.as_json`. `cramers_v`: by column, None where it is not defined. `source_probe`: see
    `source_probe.measure`. `small_classes`: classes of few patients. `tables`: images by class for each
    value of each column. `gone`: images in use that are no longer where they were.
    """
    settings.require_writable()
    progress = progress or (lambda stage, done, total: None)
    measures = measurements.of(data, progress)
    table = data.usable.assign(part=_parts(data))
    values = confounders.columns(table, measures)
    probed = statistics_probe.measure(table, measures)
    found = duplicates.find(table, data.left_out, measures, progress)
    found += patients.leaks(table)
    found += confounders.find(values, table) + statistics_probe.find(probed, table)
    found += outliers.find(table, measures)
    report = {
        "dataset": data.name,
        "version": data.version,
        "n": len(table),
        "findings": [finding.as_json(data.table) for finding in found],
        "tables": confounders.tables(values, table["label"]),
        "cramers_v": confounders.cramers_v(values, table["label"]),
        "source_probe": probed,
        "small_classes": patients.small_classes(table),
        "gone": measurements.gone(data),
    }
    write_json(data.folder / "audit.json", report)
    return report


def last(data: dataset.Dataset) -> dict[str, Any] | None:
    """Return the last audit of the dataset, of whatever version, or None."""
    path = data.folder / "audit.json"
    return read_json(path) if path.is_file() else None


def exclude(data: dataset.Dataset, report: dict[str, Any], kind: str) -> dataset.Dataset:
    """Exclude what settles the findings of `kind`, or of `kind:what`; return the new version.

    Raises:
        UserError: no such kind, or excluding settles nothing.
    """
    if kind.partition(":")[0] not in KINDS:
        raise UserError(
            "kind of finding: expected one of {expected}. Received: {kind!r}", expected=", ".join(KINDS), kind=kind
        )
    chosen = [
        finding for finding in report["findings"] if kind in (finding["kind"], f"{finding['kind']}:{finding['what']}")
    ]
    rows = {row for finding in chosen for row in finding["exclude"]}
    in_use = sorted(rows & set(data.usable["row"]))
    if not in_use:
        raise UserError(
            "There is no finding {kind!r} in {name!r} that excluding images would settle.", kind=kind, name=data.name
        )
    return editing.exclude(data.name, in_use, kind)


def _parts(data: dataset.Dataset) -> Any:
    """Return the part of each image: as the source gives it, else by patient, else "" where no split is possible."""
    table = data.usable
    try:
        return (
            split.given(table, 0.1, 0) if (table["given_split"] != "").any() else split.by_patient(table, 0.2, 0.1, 0)
        )
    except UserError:
        return ""
