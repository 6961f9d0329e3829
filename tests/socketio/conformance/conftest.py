"""The servers that the protocol is spoken with: one in memory, and real ones."""

from __future__ import annotations

import asyncio
import inspect
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import socketio_served
from socketio_talk import Memory, Network, Talk

TESTS = Path(__file__).parents[2]
GRANIAN = ["-m", "granian", "--log-level", "warning", "--host", "127.0.0.1"]
APP = "socketio_served:app"
#: How each is started; the port comes last, or the address.
SERVERS = {
    "granian-rsgi": [*GRANIAN, "--interface", "rsgi", APP, "--port"],
    "granian-asgi": [*GRANIAN, "--interface", "asgi", APP, "--port"],
    "uvicorn": ["-m", "uvicorn", "--log-level", "warning", APP, "--port"],
    "granian-wsgi": [*GRANIAN, "--interface", "wsgi", "--blocking-threads", "32", APP, "--port"],
    "two-workers": ["-m", "vial", "serve", "--workers", "2", APP, "--bind"],
}
WITH_WEBSOCKET = ["memory", *(name for name in SERVERS if not name.endswith("wsgi"))]

Opener = Callable[[], AbstractAsyncContextManager[Talk]]


class Servers:
    """Starts each server when the first test asks for it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, tuple[subprocess.Popen[bytes], str]] = {}

    def url(self, name: str) -> str:
        if name not in self._running:
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            with self._log(name).open("wb") as log:
                where = f"127.0.0.1:{port}" if SERVERS[name][-1] == "--bind" else str(port)
                server = subprocess.Popen(
                    [sys.executable, *SERVERS[name], where],
                    env={**os.environ, "PYTHONPATH": str(TESTS)},
                    stdout=log,
                    stderr=log,
                )
            self._running[name] = server, f"http://127.0.0.1:{port}"
            _wait_for_port(port, server)
        return self._running[name][1]

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def stop(self) -> None:
        """
        :raises AssertionError: when one of them has logged a traceback.
        """
        for server, _ in self._running.values():
            server.terminate()
        for name, (server, _) in self._running.items():
            server.wait(20)
            said = self._log(name).read_text()
            assert "Traceback" not in said, f"{name}: {said[-4000:]}"


def _wait_for_port(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"nothing listens on port {port}")


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    servers = Servers(tmp_path_factory.mktemp("servers"))
    yield servers
    servers.stop()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "talk" not in metafunc.fixturenames:
        return
    has_mark = metafunc.definition.get_closest_marker
    names = WITH_WEBSOCKET if has_mark("websocket") else ["memory", *SERVERS]
    if has_mark("one_worker"):
        names = [name for name in names if name != "two-workers"]
    marks: dict[str, Any] = dict.fromkeys(SERVERS, pytest.mark.slow)
    if "transport" not in metafunc.fixturenames:
        params = [pytest.param(n, marks=marks.get(n, ())) for n in names]
        metafunc.parametrize("talk", params, indirect=True)
        return
    ways = [(n, "polling") for n in names]
    ways += [(n, "websocket") for n in names if n in WITH_WEBSOCKET]
    both = [pytest.param(n, way, marks=marks.get(n, ())) for n, way in ways]
    metafunc.parametrize(("talk", "transport"), both, indirect=["talk"])


@pytest.fixture
def talk(request: pytest.FixtureRequest) -> Opener:
    """Opened by :func:`pytest_pyfunc_call`: a test gets the :class:`Talk`."""
    name = request.param
    marked = request.node.get_closest_marker("heartbeat")
    path = f"/{marked.args[0]}/" if marked else "/socket.io/"
    if name == "memory":
        return lambda: _in_memory(path)
    url = request.getfixturevalue("servers").url(name)
    return lambda: _over_network(url, path, name in WITH_WEBSOCKET)


@asynccontextmanager
async def _in_memory(path: str) -> AsyncIterator[Talk]:
    yield Memory(socketio_served.make_app(), path)


@asynccontextmanager
async def _over_network(url: str, path: str, has_websocket: bool) -> AsyncIterator[Talk]:
    async with aiohttp.ClientSession() as session:
        yield Network(session, url, path, has_websocket)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    args = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    asyncio.run(_converse(pyfuncitem.obj, args))
    return True


async def _converse(test: Callable[..., Any], args: dict[str, Any]) -> None:
    async with asyncio.timeout(60):
        if "talk" not in args:
            await test(**args)
            return
        async with args["talk"]() as talk:
            await test(**{**args, "talk": talk})
