from __future__ import annotations

from functools import wraps
from typing import Any

import pytest

from vial import Vial
from vial.socketio import SocketIO


@pytest.fixture
def app() -> Vial:
    app = Vial("chat", static_folder=None)
    app.secret_key = "key"
    return app


@pytest.fixture
def socketio(app: Vial) -> SocketIO:
    return SocketIO(app)


@pytest.fixture(params=["sync", "async"])
def lane(request: pytest.FixtureRequest) -> Any:
    """Makes a handler sync or async: what holds for one must hold for the other."""
    if request.param == "sync":
        return lambda function: function

    def make_async(function: Any) -> Any:
        @wraps(function)
        async def handler(*args: Any) -> Any:
            return function(*args)

        return handler

    return make_async
