"""What apps log, where it goes, and what programs configure before and after."""

from __future__ import annotations

import io
import logging
import logging.config
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .harness import Web, same


@pytest.fixture
def fresh_loggers() -> Iterator[Callable[[], None]]:
    """A function after which there is no handler and no level: pytest has handlers at the root."""
    root = logging.getLogger()
    kept = root.level
    yield forget
    forget()
    root.setLevel(kept)


def forget() -> None:
    for name in (None, "own", "own.deep", "own_again"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.WARNING if name is None else logging.NOTSET)
        logger.propagate, logger.disabled = True, False


def state(web: Web, logger: logging.Logger) -> None:
    default = web.logging.default_handler
    handlers = ["default" if h is default else type(h).__name__ for h in logger.handlers]
    web.note(logger.name, logger.level, handlers, logger.propagate, logger.disabled)


@pytest.mark.slow
@same
def test_an_app_gets_a_handler_when_nobody_else_listens(
    web: Web, fresh_loggers: Callable[[], None]
) -> None:
    fresh_loggers()

    def at(name: str, handler: int, level: int | None = None) -> None:
        made = logging.NullHandler()
        made.setLevel(handler)
        logging.getLogger(name).addHandler(made)
        if level is not None:
            logging.getLogger(name).setLevel(level)

    for name in ("own", "own.deep"):
        for debug in (False, True):
            for before in (
                lambda: None,
                lambda: at("", logging.NOTSET),
                lambda: at("", logging.ERROR),
                lambda: at("", logging.WARNING),
                lambda: at("own", logging.NOTSET),
                lambda: at("own", logging.DEBUG, logging.INFO),
                lambda: at("own", logging.ERROR, logging.INFO),
                lambda: logging.getLogger("own").setLevel(logging.INFO),
                lambda: logging.getLogger().setLevel(logging.DEBUG),
                lambda: setattr(logging.getLogger("own"), "propagate", False) or at("", 0),
                lambda: logging.getLogger("own").addHandler(web.logging.default_handler),
            ):
                forget()
                before()
                app = web.Flask(name, root_path="/", static_folder=None)
                app.debug = debug
                web.note(web.logging.has_level_handler(logging.getLogger(app.name)))
                state(web, app.logger)
                web.note(web.logging.has_level_handler(app.logger), app.logger is app.logger)
                app.debug = not debug
                state(web, app.logger)
    forget()
    first, second = (web.Flask("own", root_path="/") for _ in "ab")
    web.note(first.logger is second.logger, first.logger is logging.getLogger("own"))
    state(web, first.logger)
    state(web, web.logging.create_logger(first))
    first.logger.removeHandler(web.logging.default_handler)
    state(web, first.logger)
    state(web, web.logging.create_logger(web.Flask("own_again", root_path="/")))


@same
def test_what_is_logged_is_written_to_the_errors_of_the_server(
    web: Web, fresh_loggers: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh_loggers()
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(logging.Formatter, "formatTime", lambda *args: "TIME")
    app = web.Flask("own", root_path="/", static_folder=None)
    stream = web.logging.wsgi_errors_stream

    @app.route("/<what>")
    def index(what: str) -> str:
        app.logger.error("seen %s", what, extra={"x": 1})
        app.logger.info("not shown")
        web.note(stream._get_current_object() is web.request.environ["wsgi.errors"])
        stream.write("written\n")
        return {"none": ""}.get(what) or str(1 / len(what[1:]))

    def lines(errors: io.StringIO) -> list[str]:
        text = [x for x in errors.getvalue().splitlines() if x[:1] not in " "]
        return [x for x in text if "Traceback" not in x and "~" not in x]

    app.logger.warning("outside")
    web.note(stream._get_current_object() is sys.stderr, lines(sys.stderr))
    for path in ("/ab", "/x", "/none"):
        errors = io.StringIO()
        web.note(app.test_client().get(path, errors_stream=errors).status, lines(errors))
    with app.app_context():
        app.logger.warning("in the context")
    with app.test_request_context(errors_stream=io.StringIO()) as ctx:
        app.logger.error("test")
        web.note(lines(ctx.request.environ["wsgi.errors"]))
    web.note(lines(sys.stderr))
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    app.logger.warning("another stream")
    web.note(lines(sys.stderr))
    app.debug = True
    app.logger.setLevel(logging.DEBUG)
    app.logger.debug("debug")
    web.note(lines(sys.stderr), web.logging.default_handler.level)
    web.note(type(web.logging.default_handler).__name__, web.logging.default_handler.formatter._fmt)
    forget()
    print(type(stream).__name__, file=stream, flush=True)
    web.note(lines(sys.stderr))


@same
def test_programs_configure_logging(
    web: Web, fresh_loggers: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh_loggers()
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"default": {"format": "%(levelname)s %(name)s %(message)s"}},
        "handlers": {
            "wsgi": {
                "class": "logging.StreamHandler",
                "stream": f"ext://{web.package.__name__}.logging.wsgi_errors_stream",
                "formatter": "default",
            }
        },
        "root": {"level": "INFO", "handlers": ["wsgi"]},
    }

    class Injecting(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            asked = web.has_request_context()
            record.url = web.request.url if asked else None
            record.remote = web.request.remote_addr if asked else None
            return super().format(record)

    def make(name: str) -> Any:
        app = web.Flask(name, root_path="/", static_folder=None)
        app.add_url_rule("/", "i", lambda: app.logger.info("in a view") or "x")
        app.add_url_rule("/fail", "f", lambda: 1 / 0)
        return app

    logging.config.dictConfig(config)
    app = make("own")
    state(web, app.logger)
    app.logger.info("outside")
    errors = io.StringIO()
    app.test_client().get("/", errors_stream=errors)
    web.note(sys.stderr.getvalue(), errors.getvalue())
    before = make("own_again")
    forget()
    state(web, before.logger)
    before.logger.info("not yet")
    logging.config.dictConfig(config)
    before.logger.info("twice, as its own handler stays")
    state(web, before.logger)
    web.note([x for x in sys.stderr.getvalue().splitlines() if "twice" not in x])
    forget()
    app = make("own")
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(Injecting("%(remote)s %(url)s %(levelname)s %(message)s"))
    app.logger.removeHandler(web.logging.default_handler)
    app.logger.addHandler(handler)
    app.logger.setLevel(logging.INFO)
    app.logger.info("outside")
    app.test_client().get("/?x=1")
    app.test_client().get("/fail", base_url="https://s.example")
    web.note([line for line in out.getvalue().splitlines() if "INFO" in line or "ERROR" in line])
    logging.getLogger("own.deep").warning("of a child")
    web.note(out.getvalue().splitlines()[-1])
    app.logger.handlers.clear()
    logging.getLogger().addHandler(handler)
    logging.getLogger("werkzeug").warning("of another")
    web.note(out.getvalue().splitlines()[-1])
    app.logger.disabled = True
    app.test_client().get("/fail")
    web.note(out.getvalue().splitlines()[-1])


@pytest.mark.slow
@same
def test_which_errors_an_app_logs(web: Web) -> None:
    class Own(web.Flask):  # type: ignore[misc, name-defined]
        def log_exception(self, exc_info: Any) -> None:
            web.note("own", exc_info[0].__name__, web.request.path, exc_info[2] is not None)
            super().log_exception(exc_info)

    for cls in (web.Flask, Own):
        for config in ({}, {"TESTING": True}, {"DEBUG": True}, {"PROPAGATE_EXCEPTIONS": True}):
            app = web.app(f"app{len(web.events)}", cls=cls, **config)
            app.add_url_rule("/fail", "fail", lambda: 1 / 0, methods=["GET", "POST"])
            app.add_url_rule("/abort", "abort", lambda: web.abort(500))
            app.add_url_rule("/handled", "handled", lambda: {}["x"])
            app.add_url_rule("/get", "get", lambda: "x")
            app.errorhandler(KeyError)(lambda e: ("handled", 500))
            web.note(cls is Own, config)
            for path in ("/fail?q=1", "/abort", "/handled", "/get", "/none"):
                try:
                    web.note(path, app.test_client().get(path).status)
                except ZeroDivisionError:
                    web.note(path, "raised")
            with pytest.raises(ValueError), app.test_request_context("/test"):
                try:
                    raise ValueError("own")
                except ValueError:
                    app.log_exception(sys.exc_info())
                    raise
