"""Statistics of a dataset's images: kept in a file, measured where they are missing, read without the hashes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrcore import schema
from cxrcore.data import dataset, measurements
from cxrcore.data.image_statistics import packed
from cxrcore.progress import ignore, ignore_stages


@pytest.fixture(autouse=True)
def measured(phantom, monkeypatch):
    """Measure the dataset, and set the parts of what is done afterwards to 7 rows."""
    measurements.load_or_measure(phantom, ignore_stages)
    for module in (schema, measurements):
        monkeypatch.setattr(module, "BATCH", 7)


def test_what_is_missing_is_measured_and_added(phantom, tmp_path):
    file, kept = tmp_path / "measures.parquet", pd.read_parquet(phantom.folder / dataset.MEASURES)
    schema.write_table(file, kept.iloc[:20], index=True)
    table, seen = phantom.usable, []
    found = measurements.of_table(table, file, lambda count, total: seen.append((count, total)))
    assert seen == [(count, 40) for count in range(1, 41)]
    expected = kept.loc[table["sha256"], measurements.NUMBERS].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected, check_exact=False)
    pd.testing.assert_frame_equal(pd.read_parquet(file).loc[kept.index, kept.columns], kept, check_exact=False)
    measurements.of_table(table, file, pytest.fail)
    assert (measurements.hashes_of(table, file) == packed(kept.loc[table["sha256"], "hashes"])).all()


def test_hashes_are_in_the_order_of_the_table(phantom):
    table = phantom.usable.iloc[[5, 3, 59, 3]].assign(
        sha256=lambda rows: rows["sha256"].mask(rows["row"] == 59, "gone")
    )
    file = phantom.folder / dataset.MEASURES
    found, kept = measurements.hashes_of(table, file), pd.read_parquet(file)
    assert not found[2].any() and (found[1] == found[3]).all()
    assert (found[:2] == packed(kept.loc[list(table["sha256"][:2]), "hashes"])).all()


def test_an_image_that_cannot_be_read_has_missing_values_and_is_not_kept(phantom, tmp_path):
    table = phantom.usable.iloc[:2].assign(path=[str(tmp_path / "gone.png"), phantom.usable["path"].iloc[1]])
    file = tmp_path / "measures.parquet"
    found = measurements.of_table(table, file, ignore)
    assert found["pixels"].iloc[0] == "" and np.isnan(found["mean"].iloc[0]) and found["mean"].iloc[1] > 0
    assert list(pd.read_parquet(file).index) == [table["sha256"].iloc[1]]
    assert not measurements.hashes_of(table, file)[0].any()
    file.unlink()
    nothing = measurements.of_table(table.iloc[:1], file, ignore)
    assert nothing["pixels"].to_list() == [""] and not file.exists()
    assert not measurements.hashes_of(table.iloc[:1], file).any()


def test_a_damaged_file_is_measured_again(phantom):
    file = Path(phantom.folder / dataset.MEASURES)
    before = measurements.of_table(phantom.usable, file, ignore)
    file.write_bytes(file.read_bytes()[:-50])
    pd.testing.assert_frame_equal(measurements.of_table(phantom.usable, file, ignore), before, check_exact=False)
