from __future__ import annotations

import importlib
import io
import logging
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import vial.logging


@pytest.fixture(params=["flask", "vial"])
def web(request: pytest.FixtureRequest) -> SimpleNamespace:
    """The framework under test, by role: the same case runs on Flask and on Vial."""
    package = importlib.import_module(request.param)
    return SimpleNamespace(
        App=getattr(package, request.param.title()),
        logging=importlib.import_module(f"{request.param}.logging"),
    )


@pytest.fixture(autouse=True)
def parent(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """The top of a tree of its own, out of reach of the handlers that pytest puts on the root."""
    parent, child = logging.getLogger("log"), logging.getLogger("log.app")
    monkeypatch.setattr(parent, "parent", None)
    parent.setLevel(logging.WARNING)
    yield parent
    for logger in (parent, child):
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET)
        logger.propagate = True


def make_logger(module: Any, debug: bool = False) -> logging.Logger:
    return module.create_logger(SimpleNamespace(name="log.app", debug=debug))


def test_the_logger_carries_the_name_of_the_app_and_one_default_handler(
    web: SimpleNamespace,
) -> None:
    app = web.App("log.app")
    assert app.logger is app.logger
    assert app.logger.name == "log.app"
    assert app.logger.level == logging.NOTSET
    assert app.logger.handlers == [web.logging.default_handler]
    assert make_logger(web.logging).handlers == [web.logging.default_handler]


def test_debug_mode_lowers_an_unset_level_and_keeps_one_that_is_set(web: SimpleNamespace) -> None:
    assert make_logger(web.logging, debug=True).level == logging.DEBUG
    logging.getLogger("log.app").setLevel(logging.ERROR)
    assert make_logger(web.logging, debug=True).level == logging.ERROR


def test_logging_set_up_by_the_program_is_left_alone(
    web: SimpleNamespace, parent: logging.Logger
) -> None:
    parent.addHandler(logging.NullHandler())
    assert make_logger(web.logging).handlers == []


def test_a_handler_counts_only_when_it_takes_the_level_and_is_reached(
    web: SimpleNamespace, parent: logging.Logger
) -> None:
    logger = logging.getLogger("log.app")
    logger.setLevel(logging.INFO)
    assert not web.logging.has_level_handler(logger)
    handler = logging.NullHandler(logging.WARNING)
    parent.addHandler(handler)
    assert not web.logging.has_level_handler(logger)
    handler.setLevel(logging.INFO)
    assert web.logging.has_level_handler(logger)
    logger.propagate = False
    assert not web.logging.has_level_handler(logger)


def test_outside_of_a_request_the_stream_is_stderr_of_the_moment(
    web: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    assert web.logging.wsgi_errors_stream._get_current_object() is stream
    make_logger(web.logging).error("broken")
    line = stream.getvalue()
    assert line.startswith("[2")
    assert line.endswith("] ERROR in test_logging: broken\n")


def test_in_a_request_the_stream_is_wsgi_errors(web: SimpleNamespace) -> None:
    app = web.App("log.app")
    stream = io.StringIO()
    with app.test_request_context("/", errors_stream=stream):
        assert web.logging.wsgi_errors_stream._get_current_object() is stream
        app.logger.error("broken")
    assert stream.getvalue().endswith("] ERROR in test_logging: broken\n")
    with app.app_context():
        assert web.logging.wsgi_errors_stream._get_current_object() is sys.stderr


def test_the_context_layer_says_where_the_stream_of_a_request_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(vial.logging, "find_request_errors", lambda: stream)
    make_logger(vial.logging).warning("slow")
    assert stream.getvalue().endswith("] WARNING in test_logging: slow\n")
    monkeypatch.setattr(vial.logging, "find_request_errors", lambda: None)
    assert vial.logging.wsgi_errors_stream._get_current_object() is sys.stderr
