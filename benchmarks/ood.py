"""Detection rate of out-of-distribution images: `python -m benchmarks.ood [backbone]`; needs ../shared.

A run is trained on the 375 real images, split by patient. Measured are the test X-rays themselves (false alarms); tiles
of photographs (scikit-learn's samples); noise; and the test X-rays inverted, rotated by 90 degrees and upside down.
"""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_sample_images

SHARED = Path(__file__).parents[2] / "shared"
TILES = 50


def main(backbone: str) -> None:
    """Print the detection rates."""
    from PIL import Image

    from cxrcore import runs
    from cxrcore.audits.dataset import outliers
    from cxrcore.config import run_config
    from cxrcore.data.images import load
    from cxrcore.data.importing import ImportOptions, import_folders
    from cxrcore.inference.classifier import Classifier
    from cxrcore.training import pipeline

    limits = {"COVID": 175, "NORMAL": 100, "OTHER INFECTION": 100}
    folders = [SHARED / "data" / "covid-chestxray-dataset", SHARED / "data" / "chest_xray"]
    import_folders(folders, "real", ImportOptions(limits=limits))
    config = run_config.make(dataset="real", backbone=backbone)
    run = pipeline.run(config, runs.create(config).folder)
    classifier = Classifier(run)
    size, paths = classifier.size, [Path(path) for path in run.predictions("test")["path"]]
    xrays = np.stack([load(path, size) for path in paths])
    for name, pixels in _pictures(xrays, size).items():
        scores = classifier.ood_score(classifier.feature_maps(pixels).mean(axis=(1, 2)))
        assert scores is not None
        shape = np.array([bool(outliers.shape_issue(Image.fromarray(image))) for image in pixels])
        print(
            f"{name:32} {np.mean((scores > 1) | shape):6.1%} of {len(pixels)} detected, "
            f"{np.mean(scores > 1):6.1%} by their features (median score {np.median(scores):.2f}), "
            f"{np.mean(shape):6.1%} by their shape"
        )


def _photographs() -> dict[str, np.ndarray]:
    """Return the samples of scikit-learn and, where it is installed, those that come with scikit-image."""
    found = dict(zip(("china", "flower"), load_sample_images().images, strict=True))
    with contextlib.suppress(ImportError):
        from skimage import data

        for name in ("astronaut", "cat", "coffee", "rocket", "camera", "coins", "moon", "brick", "grass", "gravel"):
            picture = getattr(data, name)()
            found[name] = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    return found


def _pictures(xrays: np.ndarray, size: int) -> dict[str, np.ndarray]:
    import cv2

    rng, found = np.random.default_rng(0), {"X-rays of the test set": xrays}
    for name, photograph in _photographs().items():
        tiles = []
        for _ in range(TILES):
            side = int(rng.integers(150, min(photograph.shape[:2])))
            top, left = (int(rng.integers(0, edge - side + 1)) for edge in photograph.shape[:2])
            tiles.append(cv2.resize(photograph[top : top + side, left : left + side], (size, size)))
        found[f"photograph, {name}"] = np.stack(tiles)
        grey = np.stack([cv2.cvtColor(tile, cv2.COLOR_RGB2GRAY) for tile in tiles])
        found[f"photograph, {name}, grey"] = np.repeat(grey[..., None], 3, axis=3)
    noise = rng.integers(0, 256, (TILES, size, size, 1), dtype=np.uint8)
    found["noise"] = np.repeat(noise, 3, axis=3)
    found["X-rays, inverted"] = 255 - xrays
    found["X-rays, rotated by 90 degrees"] = np.rot90(xrays, axes=(1, 2))
    found["X-rays, upside down"] = xrays[:, ::-1]
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"CXR_HOME": home, "CXR_WEIGHTS_DIR": str(SHARED / "weights")}
        main(sys.argv[1] if len(sys.argv) > 1 else "mobilenetv2")
