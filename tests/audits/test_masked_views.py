"""What the page shows of the masked images that the shortcut audit measures."""

import numpy as np
import pytest

from cxrcore.audits import masked_views
from cxrcore.features import lung_masks


@pytest.fixture
def left_is_lung(monkeypatch):
    """The lungs are the left half of every image but those of the first `unknown`, of which none are known."""

    def set_unknown(unknown):
        asked = []

        def of(table, pixels, files):
            asked.append(table["path"][0])
            return [None if len(asked) <= unknown else np.arange(8)[None].repeat(8, axis=0) < 4]

        monkeypatch.setattr(lung_masks, "of", of)
        return asked

    return set_unknown


def _titles(views):
    return [str(view.title) for view in views]


def test_lungs_and_all_else_of_the_first_image_with_known_lungs(made, left_is_lung):
    asked = left_is_lung(2)
    found = masked_views.views(made[2], 8)
    assert len(asked) == 3
    assert _titles(found) == ["whole image", "border of 8 px only", "lungs only", "lungs masked"]
    whole, border, only, without = (view.picture[..., 0] for view in found)
    assert whole.shape == (40, 50) and (whole == 90).all()  # the proportions of the file
    assert border[0, 0] == 90 and border[20, 25] == 0
    assert (only[20, 10], only[20, 40]) == (90, 0)
    assert (without[20, 10], without[20, 40]) == (0, 90)


def test_whole_image_and_border_where_no_lungs_are_known(made, left_is_lung):
    assert len(left_is_lung(100)) == 0
    assert _titles(masked_views.views(made[2], 8)) == ["whole image", "border of 8 px only"]


def test_no_views_of_images_that_are_gone(made, left_is_lung):
    left_is_lung(0)
    table = made[2].table
    table["path"] = [f"{path}.gone" for path in table["path"]]
    made[2].write_table("table.parquet", table)
    assert masked_views.views(made[2], 8) == []
