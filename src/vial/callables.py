"""What kind of function somebody handed us; asked at setup, not by Vial in a request."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache, wraps
from types import FunctionType, MethodType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives a coroutine: ``async def``, a partial of one, or an object whose
    ``__call__`` is one."""
    if inspect.iscoroutinefunction(function):
        return True
    # Extensions ask ``app.ensure_sync()`` in each request; the ``__call__`` of these says nothing.
    if isinstance(function, (FunctionType, MethodType)):
        return False
    method = getattr(function, "__call__", None)  # noqa: B004 - the method is what is asked for
    return inspect.iscoroutinefunction(method)


def never_waits(function: F) -> F:
    """Mark a sync hook that waits for nothing: beside a loop it is called there, not in a thread,
    which would cost more than all else of a small request."""
    function._never_waits = True  # type: ignore[attr-defined]
    return function


def beside_loop(function: F, on_loop: Callable[..., Any]) -> F:
    """A sync hook that is another function, an async one, beside a loop: one that knows when there
    is nothing to wait for, and no thread to go to."""

    @wraps(function)
    def hook(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    hook._on_loop = on_loop  # type: ignore[attr-defined]
    return hook  # type: ignore[return-value]


@lru_cache(100)
def takes(function: Callable[..., Any], count: int) -> bool:
    """Whether it can be called with that many arguments; in doubt it can."""
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # one without a signature
        pass
    return True
