from __future__ import annotations

import subprocess
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from vial import Vial
from vial.socketio import SocketIO

#: The client that browsers load; every 4.x speaks the same protocol.
NPM_CLIENT = "socket.io-client@4"


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


@pytest.fixture(scope="session")
def npm_client(request: pytest.FixtureRequest) -> Path:
    """Where npm installed the client: once, into pytest's cache. Needs node, npm and a registry."""
    cache = request.config.cache
    assert cache is not None
    folder = cache.mkdir("socket.io-client")
    if not (folder / "node_modules" / "socket.io-client" / "package.json").exists():
        install = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), NPM_CLIENT]
        subprocess.run(install, check=True, timeout=120, capture_output=True)
    return folder
