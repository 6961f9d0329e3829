"""Runs one case on Flask and on Vial and compares what happened.

A case is a test function that takes ``web``: the names of ``flask``, or those of ``vial`` with
``Flask`` from its Flask mode. It builds an app, makes requests and notes what it sees; everything
goes into one list, in order. The list must be the same for Flask, for Vial, and for Vial with an
app class that overrides every step of a request by a call of the inherited one.
"""

from __future__ import annotations

import builtins
import importlib
import inspect
import logging
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from difflib import unified_diff
from functools import partial
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any

import flask
import pytest
from itsdangerous import TimestampSigner

import vial.globals
from vial.flask_mode import Flask as VialInFlaskMode
from vial.plans import STEPS

SIGNALS = (
    "template_rendered",
    "before_render_template",
    "request_started",
    "request_finished",
    "request_tearing_down",
    "got_request_exception",
    "appcontext_tearing_down",
    "appcontext_pushed",
    "appcontext_popped",
    "message_flashed",
)
MTIME = 1_700_000_000
_numbers = count()
# What depends on the second in which a case runs.
_TIMES = re.compile(r"(?<=Expires=)[^;]+|(?<=^Date: ).+|(?<=^Expires: ).+")


def same(case: Callable[..., None], runs: tuple[Any, ...] = ()) -> Callable[..., None]:
    """Make a test of a case; further parameters of the case are parameters of the test.

    :param runs: the real Flask and what must do the same; by default :data:`RUNS`.
    """

    def test(
        tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, **params: Any
    ) -> None:
        # Most cases write no file: a folder for each would be most of what they take.
        folder = tmp_path_factory.getbasetemp() / f"compat-{next(_numbers)}"
        stop_the_clocks(monkeypatch)
        if "monkeypatch" in inspect.signature(case).parameters:
            params["monkeypatch"] = monkeypatch
        expected, *others = [transcript(case, web(folder), params) for web in runs or RUNS]
        assert expected, "the case neither asked nor noted anything"
        for web, found in zip((runs or RUNS)[1:], others, strict=True):
            if found != expected:
                pytest.fail(f"{web.args[0]} differs from Flask:\n{_diff(expected, found)}")

    wanted = dict(inspect.signature(case).parameters, **inspect.signature(test).parameters)
    named = [
        p.replace(kind=p.KEYWORD_ONLY) for n, p in wanted.items() if n not in ("web", "params")
    ]
    test.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
    test.__name__, test.__module__, test.__doc__ = case.__name__, case.__module__, case.__doc__
    return test


def stop_the_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make signatures and multipart boundaries the same in every run."""
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: MTIME)
    monkeypatch.setattr("werkzeug.test.time", lambda: MTIME)
    monkeypatch.setattr("werkzeug.test.random", lambda: 0.5)


def transcript(
    case: Callable[..., None], web: Web, params: Mapping[str, Any] = MappingProxyType({})
) -> list[Any]:
    """What happened while a case ran."""
    with web.running():
        try:
            case(web, **params)
        except Exception as e:
            e.add_note(f"It happened on {web.kind}, after:\n" + "\n".join(map(str, web.events)))
            raise
    return web.events


def _diff(expected: list[Any], found: list[Any]) -> str:
    lines = unified_diff([*map(repr, expected)], [*map(repr, found)], "Flask", "Vial", n=1)
    return "\n".join(line.rstrip("\n") for line in lines)


class Web:
    """A web framework as cases see it, and the list of what happened."""

    def __init__(self, kind: str, package: str, app_class: Any, folder: Path) -> None:
        self.kind = kind
        self.package = importlib.import_module(package)
        self.Flask = app_class
        #: A folder for files, the same in every run.
        self.folder = folder
        self.events: list[Any] = []
        self._stack = ExitStack()
        self._app: Any = None
        self._client: Any = None

    def __getattr__(self, name: str) -> Any:
        if hasattr(self.package, name):
            return getattr(self.package, name)
        return importlib.import_module(f"{self.package.__name__}.{name}")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Undo at the end what listens; a context that was left open is a failure."""
        with self._stack:
            yield
        leaked = (flask.has_app_context(), vial.globals._cv.get(None))
        assert leaked == (False, None), f"a context of {self.kind} was left open"

    # -- building --------------------------------------------------------------------------

    def app(self, import_name: str = "app", *, cls: Any = None, **options: Any) -> Any:
        """Make an app, whose log is noted; requests go to the app made last."""
        config = {key: options.pop(key) for key in list(options) if key.isupper()}
        options.setdefault("root_path", str(self.folder))
        app = (cls or self.Flask)(import_name, **options)
        app.config.update(config)
        self.use(app)
        return app

    def use(self, app: Any) -> None:
        """Let requests go to this app, with a new cookie jar, and note its log."""
        logger = logging.getLogger(app.name)
        handler = logging.Handler()
        handler.emit = self._log  # type: ignore[method-assign]
        logger.addHandler(handler)
        self._stack.callback(logger.removeHandler, handler)
        self._stack.callback(logger.setLevel, logging.NOTSET)
        self._app = app
        self._client = app.test_client()

    def file(self, name: str, content: str | bytes) -> None:
        """Write a file below ``folder``, with a fixed time of change."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, (MTIME, MTIME))

    # -- noting ----------------------------------------------------------------------------

    def note(self, *values: Any) -> None:
        """Add something to the list."""
        self.events.append(values)

    def noting(self, *values: Any, returns: Any = None) -> Callable[..., Any]:
        """A function that takes anything, notes ``values`` and returns ``returns``."""

        def function(*args: Any, **kwargs: Any) -> Any:
            self.note(*values)
            return returns

        return function

    def listen(self, *names: str) -> None:
        """Note signals, with the names of what they carry; by default all of them."""
        for name in names or SIGNALS:
            self.hear(name, partial(self._signalled, name))

    def hear(self, name: str, receiver: Callable[..., Any], *sender: Any) -> None:
        """Connect a receiver to a signal for the time of the case."""
        signal = getattr(self.signals, name)
        signal.connect(receiver, *sender, weak=False)
        self._stack.callback(signal.disconnect, receiver)  # of one sender only, blinker keeps it

    def _signalled(self, name: str, sender: Any, **extra: Any) -> None:
        extra.pop("_async_wrapper", None)
        self.note("signal", name, sender is self._app, sorted(extra))

    def _log(self, record: logging.LogRecord) -> None:
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        self.note("log", record.levelname, record.getMessage(), error)

    @staticmethod
    @contextmanager
    def ignoring(category: str) -> Iterator[None]:
        """Do not make an error of warnings of a builtin class."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", getattr(builtins, category))
            yield

    def attempt(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Call a function and note what it returns, or the class of what it raises."""
        try:
            self.note("returned", function(*args, **kwargs))
        except Exception as e:
            self.note("raised", *_names(e))

    # -- asking ----------------------------------------------------------------------------

    def open(self, path: Any, **options: Any) -> Any:
        """Make a request and note the whole answer, or the exception that came out."""
        try:
            response = self._client.open(path, **options)
            body = response.get_data()
        except Exception as e:
            self.note("raised", *_names(e))
            return None
        cookies = sorted((c.key, c.value, c.path) for c in self._cookies())
        self.note(options.get("method", "GET"), path, response.status)
        self.note(_headers(response.headers), body, cookies)
        response.close()
        return response

    def _cookies(self) -> list[Any]:
        jar = self._client._cookies
        return list(jar.values()) if jar else []

    def get(self, path: str, **options: Any) -> Any:
        return self.open(path, **options)

    def post(self, path: str, **options: Any) -> Any:
        return self.open(path, method="POST", **options)

    def every(self, *paths: str, **options: Any) -> None:
        """Ask for several paths."""
        for path in paths:
            self.open(path, **options)


def _names(error: Exception) -> list[str]:
    """The classes of an exception by which a program may catch it, its own first."""
    names = [cls.__name__ for cls in type(error).__mro__]
    return names[: names.index("Exception")]


def _headers(headers: Any) -> list[str]:
    lines = []
    for name, value in headers:
        if name == "Allow":  # a set
            value = ", ".join(sorted(value.split(", ")))
        lines.append(_TIMES.sub("…", f"{name}: {value}"))
    return sorted(lines)


def _pass_on(name: str) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(super(VialByMethods, self), name)(*args, **kwargs)

    return method


class VialByMethods(VialInFlaskMode):
    """Vial on the path through the methods, which it takes for apps that override one."""


for _name in STEPS:
    setattr(VialByMethods, _name, _pass_on(_name))
VialByMethods.__name__ = "Flask"


RUNS = (
    partial(Web, "Flask", "flask", flask.Flask),
    partial(Web, "Vial", "vial", VialInFlaskMode),
    partial(Web, "Vial by methods", "vial", VialByMethods),
)
