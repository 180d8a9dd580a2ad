"""The cache key of activations: everything that determines them besides the image itself."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cxrcore.features import backbones, graph, preprocessing
from cxrcore.features.augmentation import AugmentationRanges
from cxrcore.features.weights import Weights


@dataclass(frozen=True)
class FeatureKey:
    """Equal keys mean equal activations of an image.

    Attributes:
        backbone: key of the table of backbones.
        weights: digest of the weights, not their name: other weights are other features.
        size: height and width of the input in pixels.
        preprocessing: a key of `preprocessing.MODES`.
        tap: name of the layer, or of several joined by "+", from shallow to deep.
        pooled: whether only the mean of each channel is kept, as a map of one cell.
        image_transform: applied to the pixels first, "" for none (see `image_transforms`).
        lungs: digest of the segmenter that finds the lungs for it, `LUNGS_FROM_FILES`, or "" where none are needed.
        view: number of the augmented copy within `ranges`, 0 for the image itself.
        ranges: of the augmentation.
        cut: whether the map is taken where the backbone can be cut in two at the tap (see `graph.cut_tensor`).
        engine: what computes it, "" for Keras.
        moments: whether the map holds the values and their squares (see `graph.moments`), as joined taps always do.
    """

    backbone: str
    weights: str
    size: int
    preprocessing: str
    tap: str
    pooled: bool = False
    image_transform: str = ""
    lungs: str = ""
    view: int = 0
    ranges: AugmentationRanges | None = None
    cut: bool = False
    engine: str = ""
    moments: bool = False

    @property
    def taps(self) -> list[str]:
        """The names of the layers, from shallow to deep."""
        return self.tap.split("+")

    @property
    def folder(self) -> str:
        """A folder name that is the same for equal keys only, and the same as in earlier versions."""
        values = asdict(self)
        values["alteration"] = values.pop("image_transform")
        for name in ("lungs", "view", "ranges", "cut", "engine", "moments"):
            if not values[name]:
                del values[name]
        content = json.dumps(values, sort_keys=True).encode()
        return f"{self.backbone}-{hashlib.sha256(content).hexdigest()[:16]}"

    def build(self, weights: Weights) -> Any:
        """Return the Keras model from raw pixels (N, size, size, 3), 0 to 255, to the tap's map (N, h, w, c).

        The backbone, cut at the tap, is its layer `backbone`; it is frozen and in inference mode. With `moments`, the
        layer `moments` follows it.

        Raises:
            UserError: the file does not hold weights of this backbone.
        """
        return self.build_from(self.build_backbone(weights))

    def build_backbone(self, weights: Weights) -> Any:
        """Return the whole backbone with its weights."""
        from cxrcore.features.keras_setup import keras

        if weights.path is None:
            keras.utils.set_random_seed(weights.seed)
        full = backbones.get(self.backbone).build(self.size)
        weights.load_into(full)
        return full

    def build_from(self, full: Any) -> Any:
        """Return the same as `build` from a whole backbone of this size and with these weights."""
        from cxrcore.features.keras_setup import keras

        ends = [graph.cut_tensor(full, self.tap)] if self.cut else [full.get_layer(tap).output for tap in self.taps]
        cut = keras.Model(full.input, ends[0] if len(ends) == 1 else ends, name="backbone")
        cut.trainable = False
        pixels = keras.Input((self.size, self.size, 3), name="pixels")
        maps = cut(preprocessing.apply(pixels, self.preprocessing), training=False)
        return keras.Model(pixels, self.finish(maps if len(ends) > 1 else [maps]), name="features")

    def finish(self, maps: Sequence[Any], name: str = "moments") -> Any:
        """Return the Keras tensor of this key from those of its taps' maps; `name` is that of the layer of moments."""
        from cxrcore.features.keras_setup import keras

        found = graph.moments([each.shape[1:] for each in maps], name)(maps) if self.moments else maps[0]
        if self.pooled:
            found = keras.layers.GlobalAveragePooling2D(keepdims=True)(found)
        return found
