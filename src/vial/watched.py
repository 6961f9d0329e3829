"""Dicts and lists that say when they change.

The registries of an app (``before_request_funcs``, ``view_functions``, …) are public and
extensions write to them at any time; what was compiled from them must then be dropped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from typing import Any

Notify = Callable[[], None]


def _watch(cls: type, methods: str) -> None:
    for name in methods.split():
        setattr(cls, name, _telling(getattr(cls, name)))


def _telling(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def tell(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = method(self, *args, **kwargs)
        self._notify()
        return result

    return tell


class WatchedList(list[Any]):
    """A list that calls ``notify()`` after each change."""

    def __init__(self, notify: Notify, items: Any = ()) -> None:
        super().__init__(items)
        self._notify = notify

    def like(self, items: Any) -> WatchedList:
        """A list of other items that tells the same."""
        return WatchedList(self._notify, items)


class WatchedDict(defaultdict[Any, Any]):
    """A dict that calls ``notify()`` after each change; missing keys are made by ``factory``.

    A plain list that is assigned is kept as a watched copy.
    """

    def __init__(self, notify: Notify, factory: Callable[[], Any] | None = None) -> None:
        super().__init__(factory)
        self._notify = notify

    def like(self, items: Any) -> WatchedDict:
        """A dict of other items that tells the same."""
        other = WatchedDict(self._notify, self.default_factory)
        other.update(items)
        return other

    def __setitem__(self, key: Any, value: Any) -> None:
        if type(value) is list:
            value = WatchedList(self._notify, value)
        super().__setitem__(key, value)
        self._notify()

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *args: Any, **kwargs: Any) -> None:
        for key, value in dict(*args, **kwargs).items():
            self[key] = value


_watch(
    WatchedList,
    "append extend insert remove pop clear sort reverse __setitem__ __delitem__ __iadd__ __imul__",
)
_watch(WatchedDict, "__delitem__ pop popitem clear __ior__")


def lists_by_key(notify: Notify) -> WatchedDict:
    """``{key: [function, …]}``, as ``before_request_funcs``."""
    return WatchedDict(notify, lambda: WatchedList(notify))


def error_handlers(notify: Notify) -> WatchedDict:
    """``{blueprint: {code: {exception class: handler}}}``, as ``error_handler_spec``."""
    return WatchedDict(notify, lambda: WatchedDict(notify, lambda: WatchedDict(notify)))
