from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from cxrcore.errors import DamagedFileError
from cxrcore.evaluation import error_analysis
from cxrcore.runs import Run

CLASSES = ["A", "B", "C"]
TABLE = pd.DataFrame(
    {
        "sha256": ["s0", "s1", "s2", "s3"],
        "label": ["A", "A", "B", "C"],
        "correct": [True, False, True, False],
        "p_A": [0.4, 0.2, 0.1, 0.5],
        "p_B": [0.35, 0.7, 0.8, 0.3],
        "p_C": [0.25, 0.1, 0.1, 0.2],
    }
)


def test_errors_by_confidence():
    assert list(error_analysis.errors_by_confidence(TABLE, CLASSES)["sha256"]) == ["s1", "s3"]


def test_low_margin_first():
    found = error_analysis.low_margin(TABLE, CLASSES)
    assert list(found["sha256"]) == ["s0", "s2"]
    assert list(found["margin"].round(3)) == [0.05, 0.7]
    assert len(error_analysis.low_margin(TABLE, CLASSES, most=1)) == 1


def test_equal_images_keep_their_order():
    """200 images of two margins in turn; a sort that is not stable mixes them."""
    table = pd.DataFrame({"row": range(200), "p_A": [0.9, 0.6] * 100, "p_B": [0.1, 0.4] * 100, "p_C": 0.0})
    lowest = error_analysis.low_margin(table.assign(correct=True), CLASSES, most=100)
    assert list(lowest["row"]) == list(range(1, 200, 2))
    errors = error_analysis.errors_by_confidence(table.assign(correct=False), CLASSES)
    assert list(errors["row"]) == [*range(0, 200, 2), *range(1, 200, 2)]


def test_notes_written_at_once_are_all_kept(tmp_path):
    run = Run(tmp_path)
    assert error_analysis.read_notes(run) == {}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda k: error_analysis.write_note(run, f"s{k}", f" note {k} "), range(12)))
    assert error_analysis.read_notes(Run(tmp_path)) == {f"s{k}": f"note {k}" for k in range(12)}
    error_analysis.write_note(run, "s3", "")
    assert "s3" not in error_analysis.read_notes(run)


def test_notes_of_version_1_are_read(tmp_path):
    (tmp_path / "notes.json").write_text('{"s0": "look again"}')
    assert error_analysis.read_notes(Run(tmp_path)) == {"s0": "look again"}


def test_damaged_notes_raise(tmp_path):
    (tmp_path / "notes.json").write_text('{"s0": ')
    with pytest.raises(DamagedFileError):
        error_analysis.read_notes(Run(tmp_path))
