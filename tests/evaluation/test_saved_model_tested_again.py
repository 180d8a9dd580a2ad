"""The model that a run keeps, tested again on its images."""

import numpy as np

from cxrcore.evaluation import saved_model
from cxrcore.evaluation.metrics import probability_columns


def test_result_is_that_of_the_training(trained):
    table, metrics = saved_model.evaluate(trained)
    kept, columns = trained.predictions("test"), probability_columns(trained.classes)
    assert list(table["sha256"]) == list(kept["sha256"]) and list(table["predicted"]) == list(kept["predicted"])
    assert np.allclose(table[columns], kept[columns], atol=1e-4)
    assert metrics == trained.results.test
