"""The table of backbones; the code, the selector, the README and the tests read it."""

from dataclasses import dataclass
from typing import Any

from cxrcore.errors import UserError
from cxrcore.i18n import N_


@dataclass(frozen=True)
class Backbone:
    """A network without its top.

    Attributes:
        key: name in configs, file names and on the command line.
        title: name on the screen.
        constructor: a function of keras.applications, or "" for CXRTiny.
        preprocessing: what its weights were trained with, a key of `preprocessing.MODES`.
        size: default input height and width in pixels.
        sizes: smallest and largest input height and width.
        taps: layer names from shallow to deep; the last is the default.
        megabytes: size of the weights file.
        rate: images per second at `size` on two laptop cores, measured by `python -m benchmarks.rates`.
        licence: of the weights.
        download: where Keras keeps the ImageNet weights, and their MD5 ("" where Keras knows none).
        normalises_itself: whether Keras's network has layers that normalise its input, which are then switched off in
            favour of `preprocessing`. A network whose layers cannot be switched off has the preprocessing `none`.
        tap_shares: the share of the processor time of a whole pass that the layers up to each tap take, 0 to 1,
            measured by `python -m benchmarks.rates` too; () where it was not measured.
    """

    key: str
    title: str
    constructor: str
    preprocessing: str
    size: int
    sizes: tuple[int, int]
    taps: tuple[str, ...]
    megabytes: float
    rate: float
    licence: str
    download: tuple[str, str] | None = None
    normalises_itself: bool = False
    tap_shares: tuple[float, ...] = ()

    @property
    def weights_kinds(self) -> tuple[str, ...]:
        """The weights this backbone can have, the default first."""
        return ("imagenet", "file", "random") if self.download else ("bundled", "file", "random")

    @property
    def joined_taps(self) -> list[str]:
        """What a logistic head chooses from: each three neighbouring taps, joined by "+".

        Single taps are not tried: in our measurements three joined were at least as accurate and better calibrated,
        and fewer candidates leave less to chance.
        """
        return ["+".join(self.taps[k : k + 3]) for k in range(len(self.taps) - 2)]

    def before(self, tap: str) -> tuple[str, ...]:
        """Return the taps after which layers with weights follow before `tap`; () for a layer that is not a tap.

        A pooling layer has no weights, so a convolution of its own block does not count.
        """
        shallower = self.taps[: self.taps.index(tap)] if tap in self.taps else ()
        block = tap.removesuffix("pool")
        return tuple(name for name in shallower if block == tap or not name.startswith(block))

    def rate_at(self, size: int) -> float:
        """Return about how many images a second pass at an input size in pixels; 0 for the default size."""
        return self.rate * (self.size / (size or self.size)) ** 2

    def milliseconds(self, size: int, tap: str) -> float:
        """Return about how long an image of an input size in pixels takes up to a tap, or the deepest of several joined
        by "+", on two laptop cores.
        """
        shares = dict(zip(self.taps, self.tap_shares, strict=bool(self.tap_shares)))
        return 1000 / self.rate_at(size) * max(shares.get(name, 1.0) for name in tap.split("+"))

    def build(self, size: int) -> Any:
        """Return the Keras model without a top and with random weights, inputs (N, size, size, 3)."""
        if not self.constructor:
            from cxrcore.features import cxrtiny

            return cxrtiny.build((size, size, 3))
        import keras

        arguments: dict[str, Any] = {"weights": None, "include_top": False, "input_shape": (size, size, 3)}
        if self.normalises_itself:
            arguments["include_preprocessing"] = False  # it is a layer before the backbone, as for all others
        return getattr(keras.applications, self.constructor)(**arguments)


BACKBONES = {
    backbone.key: backbone
    for backbone in (
        Backbone(
            "cxrtiny",
            "CXRTiny",
            "",
            "minus_one_to_one",
            128,
            (64, 512),
            ("block3a_out", "block3b_out", "block4a_out", "block4b_out", "block4c_out", "block5_out"),
            0.3,
            580,
            N_("MIT, trained by this project on phantoms"),
            tap_shares=(0.50, 0.54, 0.64, 0.85, 0.92, 1.0),
        ),
        Backbone(
            "mobilenetv2",
            "MobileNetV2",
            "MobileNetV2",
            "minus_one_to_one",
            224,
            (64, 640),
            ("block_5_add", "block_9_add", "block_12_add", "block_15_add", "out_relu"),
            9,
            43,
            "Apache 2.0",
            ("mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", ""),
            tap_shares=(0.59, 0.69, 0.80, 0.97, 1.0),
        ),
        Backbone(
            "efficientnetv2b0",
            "EfficientNetV2B0",
            "EfficientNetV2B0",
            "torch",
            224,
            (64, 640),
            ("block2b_add", "block3b_add", "block4c_add", "block5e_add", "block6h_add", "top_activation"),
            24,
            51,
            "Apache 2.0",
            ("efficientnet_v2/efficientnetv2-b0_notop.h5", "893217f2bb855e2983157299931e43ff"),
            normalises_itself=True,
            tap_shares=(0.31, 0.39, 0.47, 0.70, 1.0, 1.0),
        ),
        Backbone(
            "densenet121",
            "DenseNet121",
            "DenseNet121",
            "torch",
            224,
            (64, 640),
            ("conv2_block6_concat", "conv3_block12_concat", "conv4_block24_concat", "relu"),
            29,
            14,
            "MIT (Keras)",
            ("densenet/densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5", "30ee3e1110167f948a6b9946edeeb738"),
            tap_shares=(0.40, 0.70, 0.92, 1.0),
        ),
        Backbone(
            "resnet50v2",
            "ResNet50V2",
            "ResNet50V2",
            "minus_one_to_one",
            237,
            (64, 640),
            ("conv2_block3_out", "conv3_block4_out", "conv4_block6_out", "post_relu"),
            94,
            15,
            "MIT (Keras)",
            ("resnet/resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5", "fac2f116257151a9d068a22e544a4917"),
            tap_shares=(0.22, 0.45, 0.80, 1.0),
        ),
        Backbone(
            "vgg16",
            "VGG16",
            "VGG16",
            "caffe",
            237,
            (64, 640),
            ("block2_pool", "block3_pool", "block4_pool", "block5_conv3", "block5_pool"),
            59,
            3.8,
            "CC BY 4.0",
            ("vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "6d6bbae143d832006294945121d1f1fc"),
            tap_shares=(0.32, 0.62, 0.92, 1.0, 1.0),
        ),
        Backbone(
            "xception",
            "Xception",
            "Xception",
            "minus_one_to_one",
            237,
            (96, 640),
            (
                "block4_sepconv1_act",
                "block5_sepconv1_act",
                "block9_sepconv1_act",
                "block13_sepconv1_act",
                "block14_sepconv2_act",
            ),
            84,
            10,
            "MIT (Keras)",
            ("xception/xception_weights_tf_dim_ordering_tf_kernels_notop.h5", "b0042744bf5b25fce3cb969f33bebb97"),
            tap_shares=(0.27, 0.38, 0.64, 0.92, 1.0),
        ),
    )
}


def find(key: object) -> Backbone | None:
    """Return the backbone `key`, None for what is not in the table."""
    return BACKBONES.get(key) if isinstance(key, str) else None


def get(key: str) -> Backbone:
    """Return the backbone `key`; raise `UserError` for a name that is not in the table."""
    if key not in BACKBONES:
        raise UserError(
            "backbone: expected one of {expected}. Received: {key!r}", expected=", ".join(BACKBONES), key=key
        )
    return BACKBONES[key]
