"""Phantoms to a dataset on disk: images, lung masks and lesion masks as PNG files."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pandas as pd

from cxrcore.data import dataset
from cxrcore.data.images import png
from cxrcore.data.phantom.draw import SIZE
from cxrcore.data.phantom.images import PhantomImage, shots, take
from cxrcore.data.staging import publish, refuse_taken, staging
from cxrcore.i18n import N_

Progress = Callable[[int, int], None]
DEFAULTS = {"seed": 0, "patients": 60, "images": 2, "planted_class": None}


def create(
    name: str = "phantom",
    patients: int = 60,
    images: int = 2,
    seed: int = 0,
    planted_class: str | None = None,
    progress: Progress | None = None,
    replace: bool = False,
) -> dataset.Dataset:
    """Draw `patients` patients a class with `images` images each and save them as the dataset `name`.

    `planted_class` names the class whose images carry a marker in the corner: a shortcut, for testing
    whether an audit finds it.

    Raises:
        UserError: the name is taken, or is no valid name.
    """
    refuse_taken(name, replace)
    with staging() as folder:
        for kind in ("images", "lungs", "lesions"):
            (folder / kind).mkdir()
        series = list(shots(patients, images))
        draw_one = partial(_save, folder=folder, seed=seed, planted_class=planted_class)
        records = []
        with ThreadPoolExecutor() as pool:
            for record in pool.map(draw_one, series):
                records.append(record)
                if progress:
                    progress(len(records), len(series))
        about = {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "sources": [{"layout": "phantom", "path": "", "citation": N_("Drawn by this project; not patients.")}],
            "mapping": {},
            "phantom": {"seed": seed, "patients": patients, "images": images, "planted_class": planted_class},
        }
        return publish(folder, name, pd.DataFrame.from_records(records), about, replace)


def _save(shot: PhantomImage, folder: Path, seed: int, planted_class: str | None) -> dict:
    phantom = take(shot, seed, planted_class)
    content = png(phantom.image)
    (folder / "images" / f"{shot.name}.png").write_bytes(content)
    (folder / "lungs" / f"{shot.name}.png").write_bytes(png(phantom.lungs))
    lesions = f"lesions/{shot.name}.png" if phantom.lesions.any() else ""
    if lesions:
        (folder / lesions).write_bytes(png(phantom.lesions))
    return {
        "path": f"images/{shot.name}.png",
        "sha256": hashlib.sha256(content).hexdigest(),
        "label": shot.disease,
        "patient": f"phantom:{shot.name.rsplit('_', 1)[0]}",
        "source": "phantom",
        "view": "PA",
        "finding": shot.disease,
        "lungs": f"lungs/{shot.name}.png",
        "lesions": lesions,
        "width": SIZE,
        "height": SIZE,
        "format": "PNG",
        "bits": 8,
    }
