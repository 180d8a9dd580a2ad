"""A workspace of the first releases (schema version 1): two datasets, three runs and a sweep.

`datasets/demo` has two versions, an audit and an image left out by hand. The runs are named below, the sweep `tries`.
"""

import zipfile
from pathlib import Path

import pandas as pd

ARCHIVE = Path(__file__).parent / "fixtures" / "workspace-v1.zip"
_PREFIX = "/workspace-v1/"  # of the paths in its tables
# Trained at 64 pixels for 6 epochs; described, shown, with all audits and an external validation on `elsewhere`.
AUDITED = "20261124-203747-197-cxrtiny-352e"
# Two repeats with augmentation and an image transform.
REPEATED = "20261124-203754-736-cxrtiny-b2a4"
# The run that was promoted from the sweep.
PROMOTED = "20261124-203838-679-cxrtiny-a84f"


def extract(home: Path) -> Path:
    """Extract the workspace into the folder `home` and return it; paths in its tables then point there."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(home)
    for file in home.rglob("*.parquet"):
        table = pd.read_parquet(file)
        for column in table.columns.intersection(["path", "lungs", "lesions"]):
            table[column] = table[column].str.replace(_PREFIX, f"{home.as_posix()}/", regex=False)
        table.to_parquet(file)
    return home
