"""What does a client that is connected and silent cost, and what becomes of it in the long run?

    benchmarks/idle_connections.py [--clients 10000] [--chatting 0] [--seconds 30] [--only vial]

Each server in turn holds `--clients` Socket.IO connections by WebSocket, which answer its pings;
with `--chatting` some of them say something once a second to the ten at their table. The memory is
that of the server's processes, before and with the clients, and at intervals while it holds them.
A connection that is lost and a message that does not arrive are counted.

`ulimit -n` must allow a file for each client, here and in the server.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import select
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from fanout import PEERS
from serving import CLIENT_CORE, Peer, chosen, started, text_frame, upgrade

#: Clients that hear what one of them says.
TABLE = 10
WORDS = '"a line of a chat"'
HEARD = f'42["chat",{WORDS}]'.encode()
PING = b"\x81\x012"


class Sample(NamedTuple):
    """The state of a server some seconds after its last client came."""

    after: float
    memory: int  # bytes
    lost: int
    told: int  # messages that should have arrived
    heard: int


class Crowd:
    """Clients on one thread."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._buffer = bytearray(1 << 16)
        self.lost = self.told = self.heard = 0

    def join(self, port: int, table: int | None) -> None:
        """One more client, at a table if it is to chat."""
        s = socket.create_connection(("127.0.0.1", port), timeout=30)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.sendall(upgrade("/socket.io/?EIO=4&transport=websocket"))
        self._until(s, b"pingTimeout")
        s.sendall(text_frame(b"40"))
        self._until(s, b'"sid"')
        if table is not None:
            s.sendall(text_frame(f'42["join",{table}]'.encode()))
        s.setblocking(False)
        self._sockets[s.fileno()] = s
        self._poll.register(s.fileno(), select.EPOLLIN)

    def _until(self, s: socket.socket, mark: bytes) -> None:
        got = b""
        while mark not in got:
            piece = s.recv(4096)
            if not piece:
                raise SystemExit(f"The server closed, after {got!r}")
            got += piece

    def live(self, seconds: float, chatting: int) -> None:
        """Answer pings; each of those who chat says something once a second."""
        end = time.monotonic() + seconds
        speakers = list(self._sockets.values())[:chatting]
        begin, said = time.monotonic(), 0
        while (now := time.monotonic()) < end:
            due = min(int((now - begin) * chatting), int(seconds * chatting))
            for number in range(said, due):
                self._tell(speakers[number % chatting], number % chatting // TABLE + 1)
            said = max(said, due)
            self._listen(min(0.01 if chatting else 1.0, end - now))
        while self.heard < self.told and time.monotonic() < end + 5:  # what is under way
            self._listen(0.2)

    def _tell(self, s: socket.socket, table: int) -> None:
        with suppress(OSError):  # it is counted where it is noticed
            s.sendall(text_frame(f'42["tell",{table},{WORDS}]'.encode()))
            self.told += TABLE

    def _listen(self, seconds: float) -> None:
        for number, _ in self._poll.poll(max(seconds, 0)):
            s = self._sockets[number]
            try:
                size = s.recv_into(self._buffer)
            except OSError:
                size = 0
            if size == 0:
                self._poll.unregister(number)
                self.lost += 1
                continue
            got = bytes(self._buffer[:size])
            self.heard += got.count(HEARD)
            for _ in range(got.count(PING)):
                s.sendall(text_frame(b"3"))

    def close(self) -> None:
        for s in self._sockets.values():
            s.close()
        self._poll.close()


def memory_of(process: int) -> int:
    """Bytes that a process and its children hold for themselves (``Private`` of smaps_rollup)."""
    rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
    lines = [line.split() for line in rollup.splitlines() if line.startswith("Private_")]
    own = sum(int(words[1]) * 1024 for words in lines)
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return own + sum(memory_of(int(child)) for child in children)


def measure(peer: Peer, args: argparse.Namespace) -> tuple[int, list[Sample]]:
    """Bytes before the first client, and samples while it holds them all."""
    with started(peer) as (port, process):
        crowd = Crowd()
        crowd.join(port, None)  # what is made once for all
        before = memory_of(process)
        for number in range(args.clients):
            crowd.join(port, number // TABLE + 1 if number < args.chatting else None)
            if number % 500 == 499:
                crowd.live(0, 0)
        begin = time.monotonic()
        samples = [Sample(0, memory_of(process), crowd.lost, 0, 0)]
        while (after := time.monotonic() - begin) < args.seconds:
            crowd.live(min(args.every, args.seconds - after), args.chatting)
            found = (memory_of(process), crowd.lost, crowd.told, crowd.heard)
            samples.append(Sample(time.monotonic() - begin, *found))
        crowd.close()
    return before, samples


def report(peer: Peer, clients: int, before: int, samples: list[Sample]) -> None:
    each = (samples[0].memory - before) / clients / 1024
    print(f"\n{peer.title}: {each:.1f} KiB for each of {clients:,} clients\n")
    print("| after s | MiB | lost | told | heard |\n|---|---|---|---|---|")
    for s in samples:
        memory = f"{s.memory / 2**20:.1f}"
        print(f"| {s.after:.0f} | {memory} | {s.lost} | {s.told:,} | {s.heard:,} |", flush=True)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clients", type=int, default=10_000)
    parser.add_argument("--chatting", type=int, default=0, help="of them; a multiple of ten")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--every", type=float, default=10.0, help="seconds between samples")
    parser.add_argument("--only", default="vial,python-socketio,node", help="see fanout.py")
    parser.add_argument("--json", type=Path, help="write the samples to this file")
    args = parser.parse_args()
    if args.chatting % TABLE or args.chatting > args.clients:
        parser.error(f"--chatting {args.chatting} is no multiple of {TABLE} up to --clients")
    return args


def main() -> None:
    args = options()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, args.clients + 1000)), hard))
    with suppress(AttributeError, OSError):
        os.sched_setaffinity(0, {CLIENT_CORE})
    found = {}
    for name, peer in chosen(PEERS, args.only).items():
        before, samples = measure(peer, args)
        report(peer, args.clients, before, samples)
        found[name] = {"before": before, "samples": [s._asdict() for s in samples]}
    if args.json is not None:
        args.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
