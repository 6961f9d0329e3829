"""Many clients of a real RSGI server, as bare sockets: what arrives is compared byte by byte."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import socketio as python_socketio

pytestmark = pytest.mark.slow

PROGRAM = """
import os
from vial import Vial
from vial.socketio import SocketIO, emit, peer

peer.SLOW = 0.5
app = Vial(__name__, static_folder=None)
socketio = SocketIO(app)
ended = []
socketio.on("disconnect")(ended.append)

@socketio.on("flood")
async def flood(count, size):
    for number in range(count):
        await emit("n", f"{number:08}" + "x" * size, broadcast=True)

@socketio.on("flood_sync")
def flood_sync(count, size):
    for number in range(count):
        emit("n", f"{number:08}" + "x" * size, broadcast=True)

@socketio.on("state")
async def state():
    return [len(socketio.async_server.eio.sockets), len(os.listdir("/proc/self/fd")), ended]

@socketio.on("mirror")
async def mirror(data):
    emit("mirror", data)
    return "seen"
"""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("program")
    (folder / "fan_program.py").write_text(PROGRAM)
    with serving(folder) as port, many_files():
        yield port


@contextmanager
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 4096:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    command = [sys.executable, "-m", "granian", "--interface", "rsgi", "--port", str(port)]
    options = ["--no-log", "--backpressure", "2048", "--runtime-mode", "mt", "fan_program:app"]
    with many_files():
        process = subprocess.Popen([*command, *options], cwd=folder)
    try:
        wait_for_port(port)
        yield port
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError(f"nothing answers on port {port}")


def masked(text: str) -> bytes:
    assert len(text) < 126
    return bytes((0x81, 0x80 | len(text))) + b"\0\0\0\0" + text.encode()


def framed(text: str) -> bytes:
    payload = text.encode()
    size = len(payload)
    head = bytes((size,)) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    return b"\x81" + head + payload


class Client:
    """A WebSocket that has joined the namespace."""

    def __init__(self, port: int, buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(30)
        self.socket.connect(("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self.until(b"pingTimeout")
        self.say("40")
        self.until(b'"sid"')

    def until(self, mark: bytes) -> bytes:
        got = b""
        while mark not in got:
            piece = self.socket.recv(4096)
            assert piece, f"closed after {got!r}"
            got += piece
        return got

    def say(self, text: str) -> None:
        self.socket.sendall(masked(text))

    def expect(self, expected: bytes) -> None:
        """That this is what comes, and nothing else."""
        got = bytearray()
        while len(got) < len(expected):
            piece = self.socket.recv(len(expected) - len(got))
            assert piece, f"closed after {len(got)} bytes"
            got += piece
        assert got == expected

    def state(self) -> Any:
        self.say('427["state"]')
        answer = self.until(b"]]")
        return json.loads(answer[answer.index(b"[") :])[0]

    def close(self) -> None:
        self.socket.close()


@contextmanager
def clients(port: int, number: int) -> Iterator[list[Client]]:
    found = [Client(port) for _ in range(number)]
    try:
        yield found
    finally:
        for client in found:
            client.close()


def numbers(count: int, size: int) -> bytes:
    return b"".join(framed(f'42["n","{n:08}{"x" * size}"]') for n in range(count))


def test_a_thousand_clients_get_every_message_in_order(port: int) -> None:
    with clients(port, 1_000) as everyone:
        for handler in ("flood", "flood_sync"):
            everyone[0].say(f'42["{handler}",20,80]')
            expected = numbers(20, 80)
            for client in everyone:
                client.expect(expected)
        assert everyone[0].state()[0] == 1_000


def test_who_does_not_read_is_dropped_and_leaves_no_file_open(port: int) -> None:
    with clients(port, 10) as everyone:
        until(lambda: everyone[0].state()[0] == 10)
        files = everyone[0].state()[1]
        with closing(Client(port, buffer=4096)):
            everyone[1].say('42["flood",1500,9000]')
            expected = numbers(1_500, 9_000)
            # In turns: all of them read all the time.
            for start in range(0, len(expected), 1 << 18):
                for client in everyone:
                    client.expect(expected[start : start + (1 << 18)])
            until(lambda: everyone[0].state()[0] == 10)
            assert everyone[0].state()[2][-1] == "transport error"
            until(lambda: everyone[0].state()[1] <= files)


def until(condition: Any) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    assert condition()


@pytest.mark.parametrize("transports", [["polling"], ["websocket"], ["polling", "websocket"]])
def test_the_python_client_talks_by_rsgi(port: int, transports: list[str]) -> None:
    async def scenario() -> None:
        async with python_socketio.AsyncSimpleClient(reconnection=False) as client:
            await client.connect(f"http://127.0.0.1:{port}", transports=transports)
            for data in ("ü", {"bytes": [b"\0\xff", 1]}, "x" * 500_000):
                assert await client.call("mirror", data) == "seen"
                assert await client.receive(5) == ["mirror", data]

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_what_is_no_handshake_is_answered_by_rsgi(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(b"GET /socket.io/?EIO=3&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n")
        assert s.recv(65536).startswith(b"HTTP/1.1 400 ")
        s.sendall(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n"
            b"Origin: http://evil.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert s.recv(65536).startswith(b"HTTP/1.1 403 ")
