"""The backbone that is used where none was chosen."""

from dataclasses import dataclass

from cxrcore.features import backbones, weights
from cxrcore.features.backbones import Backbone
from cxrcore.messages import Message, msg

# By the accuracy of the logistic head on the real X-rays that were measured; VGG16 is last as it takes twice as long as
# any other.
PREFERENCE = ("xception", "resnet50v2", "densenet121", "efficientnetv2b0", "mobilenetv2", "vgg16")
OF_TUTORIALS = ("xception", "resnet50v2", "vgg16")
_DEMONSTRATION, _SMALLEST = "cxrtiny", "mobilenetv2"


@dataclass(frozen=True)
class DefaultBackbone:
    """A backbone, and why it is the default."""

    backbone: Backbone
    reason: Message


def choose(phantom: bool, preset: str = "recommended") -> DefaultBackbone:
    """Return the default backbone for X-rays, or for images of a `phantom` dataset, with a preset.

    For X-rays it is the first of `PREFERENCE` whose weights are on this machine. Where none are, it is the one with
    the smallest download: whether there is a network, and how fast it is, is not known. The tutorials' is Xception.
    """
    if preset == "tutorial":
        first = backbones.get(OF_TUTORIALS[0])
        return DefaultBackbone(first, msg("{title}: the first backbone of the tutorials.", title=first.title))
    if phantom:
        tiny = backbones.get(_DEMONSTRATION)
        reason = msg("{title} is trained on synthetic X-rays: for demonstrations.", title=tiny.title)
        return DefaultBackbone(tiny, reason)
    known = [backbones.get(key) for key in PREFERENCE]
    for backbone in known:
        if weights.on_disk(backbone):
            reason = msg("{title}: best of those whose weights are on this machine.", title=backbone.title)
            return DefaultBackbone(backbone, reason)
    smallest = backbones.get(_SMALLEST)
    reason = msg(
        "{title}: the smallest download ({megabytes:g} MB), as no weights are on this machine.",
        title=smallest.title,
        megabytes=smallest.megabytes,
    )
    return DefaultBackbone(smallest, reason)
