"""Import Keras quietly. Every module that computes takes Keras and TensorFlow from here, when it computes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cxrcore.features import gpus

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")


@contextmanager
def _no_native_messages() -> Iterator[None]:
    """Keep TensorFlow's C++ start-up messages (no GPU was found, ...) off the terminal; exceptions pass."""
    saved = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


with _no_native_messages():
    import keras
    import tensorflow as tf

    gpus.start(tf)

__all__ = ["keras", "tf"]
