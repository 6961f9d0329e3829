"""Servers under load, one after another: each on one core, the client on another.

The client keeps a number of connections busy: each asks again as soon as it was answered. Rounds
of all servers are interleaved, so a machine that is busy for a while slows all of them alike, and
medians are quoted as ratios to the first one.
"""

from __future__ import annotations

import argparse
import base64
import importlib.util
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

HERE = Path(__file__).parent
SERVER_CORE, CLIENT_CORE = 0, 1


class Peer(NamedTuple):
    """A server to measure."""

    title: str
    #: Words of the command after the interpreter; "{port}" is filled in.
    command: str
    #: The module that it needs; for a command of its own, ``None``.
    module: str | None = None


def on_granian(interface: str, name: str) -> str:
    options = f"--interface {interface} --port {{port}} --workers 1 --log-level error"
    return f"-m granian {options} async_peers:app_{name}"


class Result(NamedTuple):
    """Answers a second, and milliseconds from asking to the answer."""

    rate: float
    p50: float
    p99: float


def request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n".encode()


def upgrade(path: str) -> bytes:
    key = base64.b64encode(b"benchmark-client").decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def text_frame(text: bytes) -> bytes:
    """A masked frame with less than 126 bytes (RFC 6455 §5.2); the mask is zero."""
    return bytes([0x81, 0x80 | len(text)]) + bytes(4) + text


class Load:
    """Connections that ask the same thing again and again."""

    def __init__(self, port: int, clients: int, ask: bytes, first: bytes = b"") -> None:
        self._ask = ask
        self._sockets = {}
        for _ in range(clients):
            client = socket.create_connection(("127.0.0.1", port), timeout=10)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if first:
                client.sendall(first)
                read_head(client)
            self._sockets[client.fileno()] = client
        self._size = self._learn(next(iter(self._sockets.values())))

    def _learn(self, client: socket.socket) -> int:
        """The size of an answer, which is the same each time."""
        client.sendall(self._ask)
        client.settimeout(5)
        answer = client.recv(65536)
        client.settimeout(0.2)
        with suppress(TimeoutError):
            while more := client.recv(65536):
                answer += more
        if answer.startswith(b"HTTP/") and b" 200 " not in answer[:20]:
            raise SystemExit(f"The server answered {answer[:200]!r}")
        return len(answer)

    def run(self, seconds: float) -> Result:
        poll = select.epoll()
        asked: dict[int, float] = {}
        left: dict[int, int] = {}
        took: list[float] = []
        for fd, client in self._sockets.items():
            client.setblocking(False)
            poll.register(fd, select.EPOLLIN)
        began = time.perf_counter()
        for fd, client in self._sockets.items():
            asked[fd], left[fd] = time.perf_counter(), self._size
            client.send(self._ask)
        while (now := time.perf_counter()) < began + seconds:
            for fd, _ in poll.poll(1):
                client = self._sockets[fd]
                left[fd] -= len(client.recv(65536)) or sys.exit("The server closed a connection.")
                if left[fd] > 0:
                    continue
                now = time.perf_counter()
                took.append(now - asked[fd])
                asked[fd], left[fd] = now, self._size
                client.send(self._ask)
        poll.close()
        cuts = quantiles(took, n=100)
        return Result(len(took) / (now - began), cuts[49] * 1000, cuts[98] * 1000)

    def close(self) -> None:
        for client in self._sockets.values():
            client.close()


def read_head(client: socket.socket) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        data = client.recv(4096)
        head += data
        if not data or (len(head) > 12 and b" 101 " not in head[:20]):
            raise SystemExit(f"The server refused the WebSocket: {head[:200]!r}")


@contextmanager
def running(peer: Peer, pause: float) -> Iterator[int]:
    with started(peer, pause) as (port, _):
        yield port


@contextmanager
def started(peer: Peer, pause: float = 0.0) -> Iterator[tuple[int, int]]:
    """A running server: its port, and the id of its process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = peer.command.format(port=port).split()
    program = [] if words[0] == "node" else [sys.executable]
    command = [*pinned(SERVER_CORE), *program, *words]
    process = subprocess.Popen(
        command,
        cwd=HERE,
        env=os.environ | {"BENCH_PAUSE": str(pause), "PYTHONWARNINGS": "ignore"},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(port, process)
        yield port, process.pid
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def pinned(core: int) -> list[str]:
    several = (os.cpu_count() or 1) > 1 and shutil.which("taskset")
    return ["taskset", "-c", str(core)] if several else []


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.05)
    raise SystemExit(f"{process.args!r} does not answer.")


def options(text: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=text.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--only", help="peers by name, separated by commas")
    parser.add_argument("--json", type=Path, help="write the medians to this file")
    return parser


def chosen(peers: dict[str, Peer], only: str | None) -> dict[str, Peer]:
    """Those that were asked for and are installed; what is left out is said."""
    names = list(peers) if only is None else only.split(",")
    for name in names:
        if name not in peers:
            raise SystemExit(f"{name} is not one of {', '.join(peers)}")
    found = {}
    for name in names:
        module = peers[name].module
        if module == "node" and shutil.which("node") is None:
            print(f"{name}: left out, node is not installed", file=sys.stderr)
        elif module not in (None, "node") and importlib.util.find_spec(str(module)) is None:
            print(f"{name}: left out, {module} is not installed", file=sys.stderr)
        else:
            found[name] = peers[name]
    return found


def compare(
    args: argparse.Namespace,
    peers: dict[str, Peer],
    ask: bytes,
    first: bytes = b"",
    pause: float = 0.0,
) -> dict[str, Result]:
    """Measure all peers, round by round; the median of each."""
    with suppress(AttributeError, OSError):
        os.sched_setaffinity(0, {CLIENT_CORE})
    results: dict[str, list[Result]] = {name: [] for name in peers}
    for _ in range(args.rounds):
        for name, peer in peers.items():
            with running(peer, pause) as port:
                load = Load(port, args.clients, ask, first)
                load.run(args.seconds / 3)  # warm
                results[name].append(load.run(args.seconds))
                load.close()
    return {
        name: Result(*(median(r[i] for r in rounds) for i in range(3)))
        for name, rounds in results.items()
    }


def report(title: str, peers: dict[str, Peer], results: dict[str, Result]) -> None:
    reference = next(iter(results.values())).rate
    print(f"\n| {title:<32} | answers/s | ratio | p50 ms | p99 ms |\n|---|---|---|---|---|")
    for name, r in results.items():
        ratio = f"{r.rate / reference:.2f}"
        print(f"| {peers[name].title:<32} | {r.rate:,.0f} | {ratio} | {r.p50:.2f} | {r.p99:.2f} |")


def save(path: Path | None, results: dict[str, dict[str, Result]]) -> None:
    if path is not None:
        plain = {case: {n: r._asdict() for n, r in rows.items()} for case, rows in results.items()}
        path.write_text(json.dumps(plain, indent=1))
