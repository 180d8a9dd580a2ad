"""Raw pixels, 0 to 255, to what a backbone's weights expect: as layers, so that they are saved with a model."""

from typing import Any

# torch: the ImageNet mean and standard deviation of each channel, as torchvision and Keras use them.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# caffe: the ImageNet mean in blue, green, red, without scaling (Simonyan & Zisserman 2014).
_CAFFE_MEAN = (103.939, 116.779, 123.68)

MODES = {
    "minus_one_to_one": "x / 127.5 - 1",
    "torch": "(x / 255 - mean) / standard deviation",
    "caffe": "blue, green, red; x - mean",
    "unit": "x / 255 (as in the tutorials, for any backbone)",
    "none": "x (the network normalises its input itself)",
}


def apply(pixels: Any, mode: str) -> Any:
    """Return the Keras tensor `pixels` (N, H, W, 3), red, green, blue, after preprocessing `mode`."""
    from cxrcore.features.keras_setup import keras

    layers = keras.layers
    if mode == "minus_one_to_one":
        return layers.Rescaling(1 / 127.5, -1.0, name="preprocess")(pixels)
    if mode == "none":
        return layers.Rescaling(1.0, name="preprocess")(pixels)
    if mode == "unit":
        return layers.Rescaling(1 / 255, name="preprocess")(pixels)
    if mode == "torch":
        scale = [1 / (255 * std) for std in _STD]
        offset = [-mean / std for mean, std in zip(_MEAN, _STD, strict=True)]
        return layers.Rescaling(scale, offset, name="preprocess")(pixels)
    flipped = keras.ops.flip(pixels, axis=-1)
    return layers.Rescaling([1.0] * 3, [-mean for mean in _CAFFE_MEAN], name="preprocess")(flipped)
