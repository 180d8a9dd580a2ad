"""Images through a model: a few at a time in one pass, several passes at once.

Each operation of a pass uses all cores, but not well: passes of four images, two at once, are 1.3 times as fast as one
of eight (measured with Xception and MobileNetV2 on two cores), and their maps fit into the processor's caches.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

IMAGES = 4  # in one pass of Keras; the last one is padded, as a new shape would be compiled again
AT_ONCE = min(4, os.cpu_count() or 1)
_POOL = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="predict")


def predict(model: Any, pixels: np.ndarray) -> np.ndarray:
    """Return the model's outputs, float32 (n, ...), for n images (n, size, size, 3), 0 to 255, or kept maps.

    `model` has `predict_on_batch`: a Keras model, or `openvino.Compiled`, which has `images` in one pass as well.
    """
    return _outputs(_start(model, pixels), len(pixels))


def predict_stream(model: Any, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield what `predict` returns for each batch; the next one is started before, so that no core waits for its end.

    Where `batches` raise an exception, what was started is yielded before it is passed on. After a pass that fails,
    nothing more is yielded: outputs belong to batches by their order.
    """
    source, waiting, interruption = iter(batches), deque[tuple[list[Future[np.ndarray]], int]](), None
    while interruption is None:
        try:
            pixels = next(source)
        except StopIteration:
            break
        except Exception as error:
            interruption = error
        else:
            waiting.append((_start(model, pixels), len(pixels)))
            if len(waiting) > 1:
                yield _outputs(*waiting.popleft())
    yield from (_outputs(*started) for started in waiting)
    if interruption:
        raise interruption


def _start(model: Any, pixels: np.ndarray) -> list[Future[np.ndarray]]:
    images = getattr(model, "images", IMAGES)
    passes = [_padded(pixels[start : start + images], images) for start in range(0, len(pixels), images)]
    return [_POOL.submit(model.predict_on_batch, given) for given in passes]


def _outputs(started: list[Future[np.ndarray]], count: int) -> np.ndarray:
    return np.concatenate([future.result() for future in started])[:count]


def _padded(pixels: np.ndarray, images: int) -> np.ndarray:
    """Return `images` images, black ones after those given."""
    short = images - len(pixels)
    return np.pad(pixels, [(0, short), (0, 0), (0, 0), (0, 0)]) if short else pixels
