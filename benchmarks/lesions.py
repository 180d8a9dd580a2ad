"""`python -m benchmarks.lesions [backbone ...]`: each method's heatmaps against lesions drawn by people.

Needs ../shared. The patients of the images with drawn lesions are all tested on, so that no run is trained on them; of
the others a fifth is. Trains a run of each backbone, by default VGG16, Xception and MobileNetV2, and prints a line of
JSON for each method and both baselines. There is no intersection over union: no image outside the test has lesions.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.__main__ import SHARED
from benchmarks.audits import tasks


def main() -> None:
    """Measure each backbone."""
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"CXR_HOME": home, "CXR_WEIGHTS_DIR": str(SHARED / "weights")}
        prepare(Path(home))
        for key in sys.argv[1:] or ("vgg16", "xception", "mobilenetv2"):
            for measured in measure(key):
                print(json.dumps({"backbone": key} | measured), flush=True)


def prepare(home: Path) -> None:
    """Import the images with their lesions, those of the patients with lesions as test images."""
    from cxrcore.data import dataset, split
    from cxrcore.data.importing import import_folders

    data = SHARED / "data"
    import_folders([data / "covid-chestxray-dataset", data / "chest_xray", data / "lesion_masks"], "all")
    table = dataset.load("all").usable
    parts = split.by_patient(table)
    with_lesions = set(table.loc[table["lesions"] != "", "patient"])
    # Patients are renamed by each import, so that only the mask tells who they are.
    parts[table["patient"].isin(with_lesions)] = dataset.TEST
    columns = {"path": table["path"], "finding": table["label"], "patient": table["patient"], "split": parts}
    listed = home / "listed.csv"
    table.assign(**columns)[list(columns)].to_csv(listed, index=False)
    import_folders([listed, data / "lesion_masks"], "lesions")


def measure(key: str) -> Iterator[dict[str, Any]]:
    """Yield the checks of each method on a run of one backbone, and of both baselines."""
    from cxrcore import runs
    from cxrcore.config import run_config
    from cxrcore.schema import to_plain
    from cxrcore.training import pipeline

    config = run_config.make(dataset="lesions", backbone=key, split={"kind": "given"})
    run = pipeline.run(config, runs.create(config).folder)
    yield {"test accuracy": to_plain(run.headline), "images with lesions": int((run.table["lesions"] != "").sum())}
    found = tasks()["faithfulness"][1](run, lambda step: None)
    for name, checks in found.methods.items():
        yield {"method": name} | to_plain(checks.lesions) | {"over_chance": to_plain(checks.over_chance)}
    for name in ("random_point", "lung_centres"):
        yield {"baseline": name} | to_plain(getattr(found, name))


if __name__ == "__main__":
    main()
