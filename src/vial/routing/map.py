"""A Werkzeug ``Map`` that tells when what was compiled from it is out of date."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import werkzeug.routing
from werkzeug.routing import RuleFactory


class _Watched:
    """Mixed into a class of maps, makes it call its watchers after every change.

    A change is a rule added, or a public attribute set (``host_matching = True``, …). Editing a
    rule that is already bound, or ``map.converters``, changes nothing in the map and is not told.
    """

    _watchers: tuple[Callable[[], None], ...] = ()

    def watch(self, changed: Callable[[], None]) -> None:
        """Call ``changed()`` after each change, in the thread that made it."""
        self._watchers = (*self._watchers, changed)

    def add(self, rulefactory: RuleFactory) -> None:
        """Bind a rule or the rules of a factory to this map, as Werkzeug does."""
        try:
            super().add(rulefactory)  # type: ignore[misc]
        finally:  # a factory may fail half way, after some of its rules are in
            self._tell()

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if not name.startswith("_"):
            self._tell()

    def _tell(self) -> None:
        for changed in self._watchers:
            changed()


class Map(_Watched, werkzeug.routing.Map):
    """Werkzeug's ``Map`` (same arguments) that calls its watchers after every change."""


def watched(cls: type[werkzeug.routing.Map]) -> type[Map]:
    """The class itself if its maps can be watched, else a subclass whose maps can."""
    if issubclass(cls, _Watched):
        return cls  # type: ignore[return-value]
    made: type[Map] = types.new_class(cls.__name__, (_Watched, cls))
    return made


def watch(url_map: werkzeug.routing.Map, changed: Callable[[], None]) -> None:
    """Let any map call ``changed()`` after each change; its class becomes one that can."""
    url_map.__class__ = watched(type(url_map))
    url_map.watch(changed)  # type: ignore[attr-defined]


def binds_itself(url_map: werkzeug.routing.Map) -> bool:
    """Whether the class of a map binds it to requests in its own way, to adapters of its own."""
    return type(url_map).bind_to_environ is not werkzeug.routing.Map.bind_to_environ
