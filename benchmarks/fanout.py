"""What does it cost to send one message to everyone in a chat, beside other Socket.IO servers?

All servers run one after another in one run, in interleaved rounds, the server on one core and the
clients on another. The clients are bare WebSockets in one process: they connect, one after another
says something, and everyone gets it. Two questions:

- **messages a second**: as soon as a message has arrived everywhere the next one is said, with some
  under way at a time; and the processor time that the server took for each, which hardly depends
  on what else the machine does;
- **latency**: messages are said at a fixed pace, and the time from then to each arrival is taken.

    benchmarks/fanout.py [--seconds 3] [--rounds 5] [--clients 300] [--only vial,node]

Node's socket.io is found through NODE_PATH.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

from serving import CLIENT_CORE, Peer, chosen, options, started, text_frame, upgrade

#: A granian worker, as ``vial serve`` starts it.
GRANIAN = (
    "-m granian --port {port} --log-level error --runtime-mode mt --backlog 4096"
    " --backpressure 20000 --factory"
)
PEERS = {
    "vial": Peer("Vial, RSGI", f"{GRANIAN} --interface rsgi chat_peers:vial"),
    "vial-sync": Peer("Vial, RSGI, sync", f"{GRANIAN} --interface rsgi chat_peers:vial_sync"),
    "vial-asgi": Peer("Vial, ASGI", f"{GRANIAN} --interface asgi chat_peers:vial"),
    "python-socketio": Peer(
        "python-socketio, ASGI",
        f"{GRANIAN} --interface asgi chat_peers:python_socketio",
        "socketio",
    ),
    "flask-socketio": Peer(
        "Flask-SocketIO, threads", "chat_peers.py flask_socketio {port}", "flask_socketio"
    ),
    "node": Peer("Node's socket.io", "node chat.js {port}", "node"),
}
WINDOW = 16  # messages under way
PACE = 20.0  # messages said in a second, for the latency


class Result(NamedTuple):
    """Messages that arrived in a second; microseconds of the server's processor for each;
    milliseconds from saying to arrival."""

    rate: float
    cpu: float
    p50: float
    p99: float


def message(now: float) -> bytes:
    """A line of a chat: 106 bytes as a Socket.IO packet, whenever it is said."""
    text = f"{now:017.6f}" + "x" * 63
    return f'["chat",{{"user":"ada","text":"{text}"}}]'.encode()


STAMP = len('42["chat",{"user":"ada","text":"')
FRAME = len(message(0.0)) + 2 + 2  # with "42", and the head of a WebSocket frame


class Clients:
    """Many WebSockets that have joined the chat."""

    def __init__(self, port: int, number: int) -> None:
        self.poll = select.epoll()
        self.sockets = [self._open(port) for _ in range(number)]
        self.by_number = {s.fileno(): s for s in self.sockets}
        for s in self.sockets:
            s.setblocking(False)
            self.poll.register(s.fileno(), select.EPOLLIN)
        self.buffer = bytearray(1 << 18)
        self.received = 0  # bytes
        self.said = 0
        self.lost = 0

    def _open(self, port: int) -> socket.socket:
        s = socket.create_connection(("127.0.0.1", port), timeout=20)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.sendall(upgrade("/socket.io/?EIO=4&transport=websocket"))
        self._until(s, b"pingTimeout")
        s.sendall(text_frame(b"40"))
        self._until(s, b'"sid"')
        return s

    def _until(self, s: socket.socket, mark: bytes) -> None:
        got = b""
        while mark not in got:
            piece = s.recv(4096)
            if not piece:
                raise ConnectionError(f"the server closed, after {got!r}")
            got += piece

    def say(self) -> None:
        """One of them says something."""
        speaker = self.sockets[self.said % len(self.sockets)]
        speaker.sendall(text_frame(b"42" + message(time.monotonic()).replace(b"chat", b"say", 1)))
        self.said += 1

    def wait(self, seconds: float) -> Iterator[memoryview]:
        """What arrives, in pieces, until nothing more is there or the time is over."""
        view = memoryview(self.buffer)
        for number, _ in self.poll.poll(max(seconds, 0)):
            try:
                size = self.by_number[number].recv_into(self.buffer)
            except BlockingIOError:
                continue
            if size == 0:
                self.poll.unregister(number)
                self.lost += 1
            self.received += size
            yield view[:size]

    @property
    def under_way(self) -> float:
        """Messages that are said and have not arrived everywhere."""
        return self.said - self.received / FRAME / len(self.sockets)

    def settle(self) -> None:
        """Let everything arrive that was said."""
        deadline = time.monotonic() + 10
        while self.under_way > 0.01 and time.monotonic() < deadline:
            for _ in self.wait(0.1):
                pass
        if self.under_way > 0.01:
            raise RuntimeError(f"{self.under_way:.2f} messages never arrived")
        self.said = self.received = 0

    def close(self) -> None:
        for s in self.sockets:
            s.close()
        self.poll.close()


def rate(clients: Clients, seconds: float) -> tuple[float, float]:
    """Messages that arrive while :data:`WINDOW` are under way, and the seconds that it took."""
    clients.settle()
    begin = time.monotonic()
    end = begin + seconds
    while time.monotonic() < end:
        while clients.under_way < WINDOW - 0.5:
            clients.say()
        for _ in clients.wait(1):
            pass
    took = time.monotonic() - begin
    arrived = clients.received / FRAME
    clients.settle()
    return arrived, took


def latencies(clients: Clients, seconds: float) -> list[float]:
    """Seconds from saying to each arrival, at :data:`PACE`."""
    clients.settle()
    found: list[float] = []
    begin = time.monotonic()
    for number in range(int(seconds * PACE)):
        due = begin + number / PACE
        while (left := due - time.monotonic()) > 0:
            take(clients, left, found)
        clients.say()
    while clients.under_way > 0.01 and time.monotonic() < begin + seconds + 10:
        take(clients, 0.05, found)
    clients.settle()
    return found


def take(clients: Clients, seconds: float, found: list[float]) -> None:
    for piece in clients.wait(seconds):
        now = time.monotonic()
        for start in range(0, len(piece) - FRAME + 1, FRAME):
            stamp = bytes(piece[start + 2 + STAMP : start + 2 + STAMP + 17])
            with suppress(ValueError):  # a ping moved everything by three bytes
                found.append(now - float(stamp))


def cpu_of(process: int) -> float:
    """Seconds of processor time that a process and its children have taken so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return seconds + sum(cpu_of(int(child)) for child in children)


def measure(peer: Peer, clients: int, seconds: float) -> Result:
    with started(peer) as (port, process):
        joined = Clients(port, clients)
        rate(joined, min(seconds, 0.5))  # warm
        before = cpu_of(process)
        arrived, took = rate(joined, seconds)
        cpu = cpu_of(process) - before
        found = latencies(joined, seconds)
        joined.close()
    if joined.lost:
        raise SystemExit(f"{peer.title} closed {joined.lost} connections")
    cuts = quantiles(found, n=100)
    return Result(arrived / took, cpu / arrived * 1e6, cuts[49] * 1000, cuts[98] * 1000)


def compare(args: argparse.Namespace, peers: dict[str, Peer]) -> dict[str, Result]:
    """Measure all peers, round by round; the median of each."""
    with suppress(AttributeError, OSError):
        os.sched_setaffinity(0, {CLIENT_CORE})
    results: dict[str, list[Result]] = {name: [] for name in peers}
    for _ in range(args.rounds):
        for name, peer in peers.items():
            results[name].append(measure(peer, args.clients, args.seconds))
    return {
        name: Result(*(median(values) for values in zip(*rounds, strict=True)))
        for name, rounds in results.items()
    }


def report(peers: dict[str, Peer], results: dict[str, Result], clients: int) -> None:
    reference = next(iter(results.values())).rate
    print(f"\n{clients} clients; {PACE:g} messages said in a second for the latency\n")
    print("| Fan-out | messages/s | ratio | CPU µs | p50 ms | p99 ms |\n|---|---|---|---|---|---|")
    for name, r in results.items():
        figures = f"{r.rate:,.0f} | {r.rate / reference:.2f} | {r.cpu:.1f}"
        print(f"| {peers[name].title:<24} | {figures} | {r.p50:.2f} | {r.p99:.2f} |")


def main() -> None:
    parser = options(__doc__ or "")
    parser.set_defaults(clients=300)
    args = parser.parse_args()
    peers = chosen(PEERS, args.only)
    results = compare(args, peers)
    report(peers, results, args.clients)
    if args.json is not None:
        plain = {"Fan-out": {name: result._asdict() for name, result in results.items()}}
        args.json.write_text(json.dumps(plain, indent=1))


if __name__ == "__main__":
    main()
