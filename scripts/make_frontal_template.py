"""Make the template of a frontal chest radiograph that `cxrcore.data.image_statistics` compares images with.

It is the mean of phantoms, so it holds no patient data: 32 x 32 grey values, symmetric.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from cxrcore.data import image_statistics
from cxrcore.data.phantom.images import BACKBONE_STREAM, generate, specs

PATIENTS = 100


def main() -> None:
    """Write the template into the package."""
    views = [
        image_statistics.normalised(generate(spec, 0, stream=BACKBONE_STREAM).image) for spec in specs(PATIENTS, 1)
    ]
    mean = np.mean(views, axis=0)
    mean = mean + mean[:, ::-1]
    low, high = mean.min(), mean.max()
    grey = np.round((mean - low) * (255 / (high - low))).astype(np.uint8)
    Image.fromarray(grey).save(Path(image_statistics.__file__).with_name("frontal.png"))


if __name__ == "__main__":
    main()
