"""CXRTiny: a small MobileNet-like network of our own, trained on phantoms by `scripts/train_cxrtiny.py`.

Depthwise-separable blocks as in MobileNet (Howard et al. 2017, arXiv:1704.04861), kept at stride 8 so
that its last map, 16 x 16 for a 128-pixel image, is fine enough to point at a lesion. One late block is
dilated instead of strided (Yu & Koltun 2016, arXiv:1511.07122); the blocks are few, so that a cell sees
its neighbourhood and not the whole chest.
"""

from pathlib import Path
from typing import Any

BUNDLED_WEIGHTS = Path(__file__).with_name("cxrtiny_notop.weights.h5")


def build(input_shape: tuple[int, int, int]) -> Any:
    """Return the Keras model without a top: float32 (N, H, W, 3) in -1 to 1, to (N, H/8, W/8, 64)."""
    from keras import Input, Model, layers

    def conv(x: Any, filters: int, strides: int, name: str) -> Any:
        x = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False, name=f"{name}_conv")(x)
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
        return layers.ReLU(name=f"{name}_out")(x)

    def separable(x: Any, filters: int, name: str, strides: int = 1, dilation: int = 1) -> Any:
        x = layers.DepthwiseConv2D(
            3, strides, padding="same", dilation_rate=dilation, use_bias=False, name=f"{name}_depthwise"
        )(x)
        x = layers.BatchNormalization(name=f"{name}_depthwise_bn")(x)
        x = layers.ReLU(name=f"{name}_depthwise_out")(x)
        x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_conv")(x)
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
        return layers.ReLU(name=f"{name}_out")(x)

    pixels = Input(input_shape, name="pixels")
    x = conv(pixels, 16, 2, "block1")
    x = conv(x, 32, 2, "block2")
    x = separable(x, 48, "block3a")
    x = separable(x, 64, "block3b", strides=2)
    x = separable(x, 96, "block4a")
    x = separable(x, 96, "block4b", dilation=2)
    x = separable(x, 96, "block4c")
    x = separable(x, 64, "block5")
    return Model(pixels, x, name="cxrtiny")
