"""What is explained, as weights of the logits; and that an explanation needs no TensorFlow where it arrives."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

from cxrcore.explain.explanation import ClassScore, Explanation

CLASSES = ["A", "B", "C"]
PROBABILITIES = np.array([0.2, 0.5, 0.3])


@pytest.mark.parametrize(
    ("score", "weights"),
    [
        (ClassScore(), [0, 1, 0]),
        (ClassScore("C"), [0, 0, 1]),
        (ClassScore("C", "A"), [-1, 0, 1]),
        (ClassScore(contrast="C"), [0, 1, -1]),
        (ClassScore("A", "A"), [0, 0, 0]),
    ],
)
def test_weights_of_the_logits(score, weights):
    found = score.weights(PROBABILITIES, CLASSES)
    np.testing.assert_array_equal(found, [weights])
    assert found.dtype == np.float32


def test_unpickling_an_explanation_imports_no_tensorflow():
    content = pickle.dumps(
        Explanation(np.zeros((2, 2, 3), np.uint8), PROBABILITIES, np.ones((1, 2, 2)), 0.5, np.ones(4))
    )
    code = f"import pickle, sys; print(pickle.loads({content!r}).ood_score, 'tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0.5", "False"]
