"""`python -m benchmarks.lungs`: the lung segmenter against lungs drawn by people, overall, accepted and refused.

Needs ../shared. Patients are in two halves: the network and the limits of its check were chosen while looking at
`chosen_on` alone; `held_out` was looked at in the end. Masks are compared at the size of the drawn ones.
"""

import hashlib
import json
from time import perf_counter

import numpy as np
import pandas as pd

from benchmarks.__main__ import SHARED
from cxrcore.data.images import load_mask, open_rgb
from cxrcore.features import lung_segmenter
from cxrcore.features.lung_files import enlarged


def main() -> None:
    """Print one JSON object."""
    table = measure()
    accepted = table["accepted"]
    parts = {
        "all": table,
        "chosen_on": table[table["chosen_on"]],
        "held_out": table[~table["chosen_on"]],
        "accepted": table[accepted],
        "refused": table[~accepted],
        "held_out_accepted": table[accepted & ~table["chosen_on"]],
        "held_out_refused": table[~accepted & ~table["chosen_on"]],
    }
    print(
        json.dumps(
            {name: summary(part) for name, part in parts.items()}
            | {
                "megabytes": lung_segmenter.NETWORK.stat().st_size / 1e6,
                "milliseconds_an_image": float(1000 * table["seconds"].median()),
                "correlation_of_confidence_and_dice": float(table["confidence"].corr(table["dice"], "spearman")),
            },
            indent=2,
        )
    )


def measure() -> pd.DataFrame:
    """Return a row for each image with drawn lungs."""
    folder = SHARED / "data" / "covid-chestxray-dataset"
    patients = pd.read_csv(folder / "metadata.csv").drop_duplicates("filename").set_index("filename")["patientid"]
    images = {path.stem: path for path in sorted((folder / "images").iterdir())}
    rows = []
    for drawn in sorted((SHARED / "data" / "lung_masks").iterdir()):
        path, truth = images[drawn.stem], load_mask(drawn)
        pixels = np.asarray(open_rgb(path))
        start = perf_counter()
        found = lung_segmenter.segment(pixels[None])[0]
        seconds = perf_counter() - start
        mask = enlarged(found.mask, truth.shape)
        both = (mask & truth).sum()
        rows.append(
            {
                "dice": 2 * both / (mask.sum() + truth.sum()),
                "recall": both / truth.sum(),
                "precision": both / max(1, mask.sum()),
                "accepted": not found.refused,
                "confidence": found.confidence,
                "seconds": seconds,
                "chosen_on": chosen_on(str(patients[path.name])),
            }
        )
    return pd.DataFrame(rows)


def chosen_on(patient: str) -> bool:
    """Return whether choices were made on the images of a patient."""
    return hashlib.sha256(f"lungs{patient}".encode()).digest()[0] % 2 == 0


def summary(table: pd.DataFrame) -> dict[str, float]:
    """Return the number of images and the Dice overlap, recall and precision of a part of the table."""
    if table.empty:
        return {"n": 0}
    return {
        "n": len(table),
        "dice_median": table["dice"].median(),
        "dice_p10": table["dice"].quantile(0.1),
        "dice_mean": table["dice"].mean(),
        "recall_median": table["recall"].median(),
        "precision_median": table["precision"].median(),
    }


if __name__ == "__main__":
    main()
