"""Which exceptions reach a debugger around the app: those that reach it with Flask 3.1.3."""

from __future__ import annotations

from itertools import product
from typing import Any

import flask
import pytest
from werkzeug.debug import DebuggedApplication
from werkzeug.test import Client

import vial
from vial.server.debugger import DebuggedWSGI

PATHS = ("/error", "/missing-key", "/abort", "/nowhere", "/handled", "/bad-handler", "/fine")
SETTINGS = [
    dict(zip(("DEBUG", "TESTING", "PROPAGATE_EXCEPTIONS"), values, strict=True))
    for values in product((False, True), (False, True), (None, False, True))
]
TRAPS: list[dict[str, Any]] = [
    {},
    {"TRAP_HTTP_EXCEPTIONS": True},
    {"TRAP_BAD_REQUEST_ERRORS": True},
]


def make_app(web: Any, cls: Any, settings: dict[str, Any]) -> Any:
    app = cls("shop", static_folder=None, root_path="/")
    app.config.update(settings)
    app.logger.disabled = True

    @app.get("/<name>")
    def view(name: str) -> str:
        if name == "error":
            raise LookupError
        if name == "missing-key":
            return str(web.request.args["none"])
        if name == "abort":
            web.abort(403)
        if name in ("handled", "bad-handler"):
            raise ZeroDivisionError(name)
        return name

    @app.errorhandler(ZeroDivisionError)
    def handler(e: ZeroDivisionError) -> tuple[str, int]:
        if "bad" in str(e):
            raise OSError
        return "handled", 418

    @app.errorhandler(500)
    def failure(e: Any) -> tuple[str, int]:
        return f"sorry for {type(e.original_exception).__name__}", 500

    return app


def answers(debugged: Any) -> list[tuple[int, bool]]:
    """Status of each path, and whether the debugger made the answer."""
    client = Client(debugged)
    told = [client.get(path, headers={"Accept": "text/html"}) for path in PATHS]
    return [(answer.status_code, "Traceback" in answer.text) for answer in told]


@pytest.mark.slow
@pytest.mark.parametrize("traps", TRAPS, ids=["", "http", "bad-request"])
def test_the_same_exceptions_get_out(traps: dict[str, Any]) -> None:
    for settings in SETTINGS:
        theirs = make_app(flask, flask.Flask, settings | traps)
        ours = make_app(vial, vial.Vial, settings | traps)
        expected = answers(DebuggedApplication(theirs.wsgi_app))
        assert answers(DebuggedWSGI(ours.wsgi_app)) == expected, (settings, traps)
        assert answers(DebuggedApplication(ours.wsgi_app)) == expected, (settings, traps)
    assert (500, True) in expected and (200, False) in expected
