"""What a request leaves behind: nothing that has to be found by the garbage collector."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder

from vial import Vial, g, request, session

REQUESTS = 50


@pytest.fixture
def app() -> Vial:
    app = Vial("garbage")
    app.secret_key = "not a secret"
    logging.getLogger("garbage").disabled = True
    app.add_url_rule("/", "hello", lambda: "Hello")
    app.add_url_rule("/fail", "fail", lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    app.add_url_rule("/form", "form", lambda: request.form["name"], methods=["POST"])

    @app.get("/all")
    def everything() -> str:
        session["user"] = g.user = request.args["user"]
        return str(request.path)

    return app


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def serve(app: Vial, **request: Any) -> None:
    for _ in range(REQUESTS):
        builder = EnvironBuilder(**request)
        list(app(builder.get_environ(), lambda status, headers, exc_info=None: bytes))
        builder.close()


@pytest.mark.parametrize(
    "request_",
    [
        {"path": "/"},
        {"path": "/all?user=ada"},
        {"path": "/form", "method": "POST", "data": {"name": "ada"}},
        {"path": "/nothing"},
        {"path": "/", "method": "POST"},
        {"path": "/fail"},
    ],
    ids=lambda r: f"{r.get('method', 'GET')} {r['path']}",
)
def test_a_request_leaves_no_cycles(app: Vial, uncollected: None, request_: dict[str, Any]) -> None:
    serve(app, **request_)
    gc.collect()
    serve(app, **request_)
    assert gc.collect() < REQUESTS  # less than one object each
