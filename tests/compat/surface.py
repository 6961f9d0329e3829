"""What a program can tell of ``flask`` without making requests.

:func:`paths` lists what Flask has, as paths such as ``flask.app:Flask.run``; :func:`describe` says
what a path leads to, in whatever ``flask`` means in this process. Run as a program, this module
describes the paths on its standard input in Flask mode.

Paths lead to all that can be imported from a module, also to what a module of Flask merely imports
from another one, because editors write such imports; names from outside of Flask are left out.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from operator import attrgetter
from types import ModuleType
from typing import Any

import click
from blinker import Signal
from werkzeug.local import LocalProxy

MODULES = """
flask flask.app flask.blueprints flask.cli flask.config flask.ctx flask.debughelpers flask.globals
flask.helpers flask.json flask.json.provider flask.json.tag flask.logging flask.sansio
flask.sansio.app flask.sansio.blueprints flask.sansio.scaffold flask.sessions flask.signals
flask.templating flask.testing flask.typing flask.views flask.wrappers
""".split()  # noqa: SIM905 - a table to read
#: Private names that extensions are known to use.
PRIVATE = ["flask.globals:_cv_app", "flask.globals:_cv_request", "flask.ctx:_AppCtxGlobals"]
#: Objects with attributes that their class does not show.
OBJECTS: dict[str, Callable[[Any], Any]] = {
    "app": lambda app: app,
    "app.jinja_env": lambda app: app.jinja_env,
    "app.json": lambda app: app.json,
    "app.url_map": lambda app: app.url_map,
    "blueprint": lambda app: import_module("flask").Blueprint("b", "surface", root_path="/"),
    "client": lambda app: app.test_client(),
    "cli_runner": lambda app: app.test_cli_runner(),
    "app_context": lambda app: app.app_context(),
    "request_context": lambda app: app.test_request_context(),
    "request": lambda app: app.test_request_context().request,
    "response": lambda app: app.response_class("body"),
    "session": lambda app: import_module("flask.sessions").SecureCookieSession({"a": 1}),
}
MAPPINGS = ("app.config", "app.jinja_env.globals", "app.jinja_env.filters", "app.jinja_env.tests")
PLAIN = (str, bytes, int, float, type(None))


def paths() -> Iterator[str]:
    """All of what the real Flask has."""
    yield from PRIVATE
    for name in MODULES:
        module = import_module(name)
        for attribute in filter(_is_public, dir(module)):
            value = getattr(module, attribute)
            if not _is_of_flask(value):
                continue
            yield f"{name}:{attribute}"
            if inspect.isclass(value) and value.__module__ == name:
                yield from _members(f"{name}:{attribute}", value)
    for name in OBJECTS:
        yield from (f"{name}!{a}" for a in vars(_object(name)) if _is_public(a))
    for name in MAPPINGS:
        yield from (f"{name}[{key}" for key in attrgetter(name)(_Objects))


def _members(path: str, cls: type) -> Iterator[str]:
    yield f"{path}.__init__"
    yield from (f"{path}.{name}" for name in dir(cls) if _is_public(name))
    for base in cls.__mro__[1:]:
        if base.__module__.partition(".")[0] == "flask":
            yield f"{path}<{base.__module__}:{base.__name__}"


def _is_public(name: str) -> bool:
    return not name.startswith("_") and name != "annotations"


def _is_of_flask(value: Any) -> bool:
    if isinstance(value, LocalProxy):
        return True
    home = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", "")
    return (home or "").partition(".")[0] in ("flask", "")


def describe(path: str) -> str:
    """What the path leads to, in words that are the same for the same thing."""
    try:
        return _describe(path)
    except (AttributeError, ImportError, KeyError) as e:
        return f"missing ({type(e).__name__})"


def _describe(path: str) -> str:
    if "[" in path:
        name, _, key = path.partition("[")
        return _words(attrgetter(name)(_Objects)[key], member=False)
    if "!" in path:
        name, _, attribute = path.partition("!")
        value = getattr(_object(name), attribute)
        return "function" if inspect.isroutine(value) else _words(value, member=False)
    path, _, base = path.partition("<")
    if path.endswith(".__init__"):
        return _parameters(_resolve(path.removesuffix(".__init__")), member=False)
    value = _resolve(path)
    if base:
        return str(issubclass(value, _resolve(base)))
    return _words(value, member="." in path.partition(":")[2])


def _resolve(path: str) -> Any:
    module, _, names = path.partition(":")
    return attrgetter(names)(import_module(module))


def _words(value: Any, member: bool) -> str:
    if isinstance(value, LocalProxy):
        return "proxy"
    if isinstance(value, Signal):
        return f"signal {getattr(value, 'name', '')}"
    if isinstance(value, PLAIN):
        return repr(value)
    if isinstance(value, dict):
        return f"a mapping of {sorted(map(repr, value))}"
    if isinstance(value, (set, frozenset)):
        return f"a set of {sorted(map(repr, value))}"
    if isinstance(value, (list, tuple)):
        return f"a sequence of {[_words(item, member=False) for item in value]}"
    if isinstance(value, click.Command):
        return " ".join(["command", value.name or "", *sorted(_options(value))])
    if inspect.isclass(value):
        return f"class {value.__name__}"
    if inspect.isfunction(value) or inspect.ismethod(value) or inspect.isbuiltin(value):
        return _parameters(value, member)
    return "a value"


def _options(command: click.Command) -> Iterator[str]:
    for parameter in command.params:
        yield "/".join([*parameter.opts, *parameter.secondary_opts])


def _parameters(function: Any, member: bool) -> str:
    """Names, kinds and plain defaults; without the first one of a method, which has any name."""
    try:
        found = list(inspect.signature(function).parameters.values())
    except ValueError:
        return "function"
    kept = found[1:] if member and inspect.isfunction(function) else found
    return str(inspect.Signature(map(_plainly, kept)))


def _plainly(parameter: inspect.Parameter) -> inspect.Parameter:
    default = parameter.default
    if default is not parameter.empty and not isinstance(default, (*PLAIN, tuple)):
        default = ...
    return parameter.replace(annotation=parameter.empty, default=default)


@cache
def _object(name: str) -> Any:
    return OBJECTS[name](_Objects.app)


class _Lazily:
    @property
    def app(self) -> Any:
        return _app()


@cache
def _app() -> Any:
    return import_module("flask").Flask("surface", root_path="/", instance_path="/instance")


_Objects = _Lazily()


if __name__ == "__main__":
    from vial import install_as_flask

    install_as_flask()
    json.dump({path: describe(path) for path in json.load(sys.stdin)}, sys.stdout)
