"""Figures that are kept: Plotly checks each property of a new one, which takes longer than all else on a page."""

from collections.abc import Callable
from threading import Lock
from typing import Any, ParamSpec, TypeVar

from cachetools import LRUCache

from cxrcore.i18n import current
from cxrcore.ui import digest

_MOST = 256  # of the order of 50 kB each
_P = ParamSpec("_P")
_Figures = TypeVar("_Figures")
_FOUND: LRUCache[bytes, Any] = LRUCache(_MOST)
_LOCK = Lock()


def made(make: Callable[_P, _Figures], *args: _P.args, **kwargs: _P.kwargs) -> _Figures:
    """Return the figures that a function of a module makes of these arguments, which can be pickled.

    They depend on nothing but the arguments and the current language. For equal arguments they are the same object, so
    they must not be changed.
    """
    key = digest.of((make.__module__, make.__qualname__, current(), args, kwargs))
    with _LOCK:
        if key in _FOUND:
            return _FOUND[key]  # type: ignore[no-any-return]
    figures = make(*args, **kwargs)
    with _LOCK:
        _FOUND[key] = figures
    return figures
