"""An attribute that is computed at first access and then is an ordinary one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

T = TypeVar("T")


class lazy(Generic[T]):
    """Decorate a method of no arguments; its result replaces it on the instance.

    Unlike :class:`functools.cached_property` of Python 3.11 it takes no lock, and unlike
    Werkzeug's it does not intercept later reads. Assigning sets the value.
    """

    def __init__(self, build: Callable[[Any], T]) -> None:
        self.build = build
        self.name = build.__name__
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, obj: None, owner: type) -> Self: ...
    @overload
    def __get__(self, obj: object, owner: type) -> T: ...
    def __get__(self, obj: object | None, owner: type) -> T | Self:
        if obj is None:
            return self
        value = self.build(obj)
        # PERF: benchmarks/dispatch.py, hello: touching __dict__ would make CPython 3.11 build it.
        setattr(obj, self.name, value)
        return value

    if TYPE_CHECKING:  # a descriptor without __set__ is read-only to type checkers

        def __set__(self, obj: object, value: T) -> None: ...
