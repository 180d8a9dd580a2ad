"""How long an image takes up to each tap of a backbone."""

import dataclasses

import pytest

from cxrcore.features import backbones
from cxrcore.features.backbones import BACKBONES


@pytest.mark.parametrize("backbone", BACKBONES.values(), ids=list(BACKBONES))
def test_deeper_taps_take_longer_and_the_last_takes_the_whole_time(backbone):
    shares = backbone.tap_shares
    assert len(shares) == len(backbone.taps) and shares[-1] == 1 and shares[0] > 0.1
    assert list(shares) == sorted(shares)


def test_time_grows_with_the_area_and_is_that_of_the_deepest_of_joined_taps():
    backbone = dataclasses.replace(backbones.get("mobilenetv2"), rate=10, size=100)
    first, second, *_, last = backbone.taps
    assert backbone.milliseconds(100, last) == backbone.milliseconds(0, last) == pytest.approx(100)
    assert backbone.milliseconds(200, last) == pytest.approx(400)
    assert backbone.milliseconds(100, f"{first}+{second}") == pytest.approx(100 * backbone.tap_shares[1])
    unmeasured = dataclasses.replace(backbone, tap_shares=())
    assert unmeasured.milliseconds(100, first) == pytest.approx(100)
