"""Copies in an external set: `python -m benchmarks.external_duplicates [--json]`; needs ../shared, about two minutes.

The run's set are the real X-rays in covid-chestxray-dataset and chest_xray. External are copies of its COVID images,
changed in several ways, and kermany3, which has none of its images. Each is imported as a dataset and compared as
before an external validation. Given are the recall, the false pairs among all pairs of an external image and one of the
run's set, and the external images that have one.
"""

import argparse
import io
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from cxrcore.data.dataset import Dataset

DATA = Path(__file__).parents[2] / "shared" / "data"
COVID = DATA / "covid-chestxray-dataset"
Change = Callable[[Image.Image], Image.Image]


def _scaled(factor: float) -> Change:
    return lambda image: image.resize(
        (round(factor * image.width), round(factor * image.height)), Image.Resampling.BICUBIC
    )


def _jpeg(quality: int) -> Change:
    def change(image: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return Image.open(buffer)

    return change


def _cropped(share: float) -> Change:
    """Return a change that removes this share of each axis, half of it at each end."""

    def change(image: Image.Image) -> Image.Image:
        x, y = share / 2 * image.width, share / 2 * image.height
        return image.crop((round(x), round(y), round(image.width - x), round(image.height - y)))

    return change


def _brightened(image: Image.Image) -> Image.Image:
    return Image.eval(image, lambda value: min(255, round(1.2 * value + 10)))


def _gamma(image: Image.Image) -> Image.Image:
    return Image.eval(image, lambda value: round(255 * (value / 255) ** 0.7))


# Every copy is saved as PNG after these.
CHANGES: dict[str, list[Change]] = {
    "scale 0.7, JPEG 60": [_scaled(0.7), _jpeg(60)],
    "grey, saved as RGB": [lambda image: image.convert("L").convert("RGB")],
    "JPEG 30": [_jpeg(30)],
    "scale 0.4": [_scaled(0.4)],
    "scale 0.4, JPEG 30": [_scaled(0.4), _jpeg(30)],
    "cropped 3 %": [_cropped(0.03)],
    "cropped 5 %": [_cropped(0.05)],
    "cropped 6 %": [_cropped(0.06)],
    "1.2 times as bright": [_brightened],
    "gamma 0.7": [_gamma],
}


def measure() -> dict[str, dict[str, float | int]]:
    """Return the figures of each external set; datasets go to CXR_HOME."""
    from cxrcore.data.importing import ImportOptions, import_folders

    own = import_folders([COVID, DATA / "chest_xray"], "own")
    options = ImportOptions(one_class=True)  # COVID-19 alone is a class by default
    found = {}
    for number, (name, changes) in enumerate(CHANGES.items()):
        folder = Path(os.environ["CXR_HOME"]) / f"copies-{number}"
        _copy(changes, folder)
        found[name] = _compare(import_folders([folder], folder.name, options), own)
    found["kermany3"] = _compare(import_folders([DATA / "kermany3"], "others"), own)
    return found


def _copy(changes: list[Change], folder: Path) -> None:
    """Write the COVID set with changed images, each under the name of its original whatever its format is."""
    from cxrcore.data.images import open_rgb

    (folder / "images").mkdir(parents=True)
    shutil.copy(COVID / "metadata.csv", folder)
    for path in (COVID / "images").iterdir():
        image = open_rgb(path)
        for change in changes:
            image = change(image)
        image.save(folder / "images" / path.name, "PNG", compress_level=1)


def _compare(external: "Dataset", own: "Dataset") -> dict[str, float | int]:
    from cxrcore.data import measurements
    from cxrcore.data.dataset import MEASURES
    from cxrcore.evaluation import external_duplicates
    from cxrcore.progress import ignore_stages

    table = own.usable
    rows = {Path(path).name: row for row, path in table.loc[table["source"] == COVID.name, "path"].items()}
    originals = [rows.get(Path(path).name, -1) for path in external.usable["path"]]
    hashes = []
    for data in (external, own):
        measurements.load_or_measure(data, ignore_stages)
        hashes.append(measurements.hashes_of(data.usable, data.folder / MEASURES))
    pairs = external_duplicates.copies(hashes[0], hashes[1], external.usable["path"], table["path"], ignore_stages)
    copies = sum(row >= 0 for row in originals)
    right, wrong = ([(a, b) for a, b in pairs if (originals[a] == b) == is_copy] for is_copy in (True, False))
    found: dict[str, float | int] = {"images": len(originals), "copies": copies}
    if copies:
        found["recall"] = len(right) / copies
    return found | {
        "false_pairs": len(wrong),
        "false_pair_share": len(wrong) / (len(originals) * len(table) - copies),
        "images_in_false_pairs": len({a for a, _ in wrong}) / len(originals),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    if not DATA.is_dir():
        sys.exit(f"The benchmark needs the real X-rays in {DATA}.")
    with tempfile.TemporaryDirectory() as home:
        os.environ["CXR_HOME"] = home
        found = measure()
    if as_json:
        print(json.dumps(found))
        return
    for name, row in found.items():
        recall = f"recall {row['recall']:.1%}" if "recall" in row else "no copies"
        print(
            f"{name:20} {row['images']} images, {recall}, {row['false_pairs']} false pairs "
            f"({row['false_pair_share']:.4%} of all others), {row['images_in_false_pairs']:.2%} of images in one"
        )


if __name__ == "__main__":
    main()
