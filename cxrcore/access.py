"""What the person for whom something is done may do: nothing, look at the runs marked as shown, or everything.

A server that people sign in to says by `decide_by` how it knows the role of its visitors. In every other process, a
command or the worker of a run, the role is editor, as whoever can start a process can write the files as well.
"""

from collections.abc import Callable
from contextvars import ContextVar
from enum import StrEnum
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Role(StrEnum):
    """What a visitor may do; the value is kept nowhere but in memory."""

    NOBODY = "nobody"
    VIEWER = "viewer"
    EDITOR = "editor"


_given: ContextVar[Role | None] = ContextVar("role", default=None)
_decide: Callable[[], Role] = lambda: Role.EDITOR  # noqa: E731


def decide_by(decide: Callable[[], Role]) -> None:
    """Let `decide` tell the role, in all threads of this process that have not been given one."""
    global _decide
    _decide = decide


def current() -> Role:
    """Return the role for which this thread works."""
    return _given.get() or _decide()


def run_as(role: Role, function: Callable[P, R]) -> Callable[P, R]:
    """Return `function` bound to a role, whatever thread calls it."""

    @wraps(function)
    def bound(*args: P.args, **kwargs: P.kwargs) -> R:
        token = _given.set(role)
        try:
            return function(*args, **kwargs)
        finally:
            _given.reset(token)

    return bound
