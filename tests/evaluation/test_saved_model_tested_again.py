"""The model that a run keeps, tested again on its images."""

import numpy as np
import pytest

from cxrcore.evaluation import saved_model
from cxrcore.evaluation.metrics import probability_columns
from cxrcore.features.extract import ExtractionCallbacks


def test_result_is_that_of_the_training(trained):
    table, metrics = saved_model.evaluate(trained)
    kept, columns = trained.predictions("test"), probability_columns(trained.classes)
    assert list(table["sha256"]) == list(kept["sha256"]) and list(table["predicted"]) == list(kept["predicted"])
    assert np.allclose(table[columns], kept[columns], atol=1e-4)
    assert metrics == trained.results.test


def test_progress_is_told_and_may_stop(trained):
    calls = []
    saved_model.evaluate(trained, ExtractionCallbacks(lambda done, total: calls.append((done, total))))
    assert calls[-1] == (12, 12)

    def stop():
        raise InterruptedError

    with pytest.raises(InterruptedError):
        saved_model.evaluate(trained, ExtractionCallbacks(check=stop))
