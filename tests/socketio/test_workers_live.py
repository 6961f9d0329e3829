"""Real worker processes, the official JavaScript client, and a real Redis."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import redis
from serving import SOON, Served, free_port, serving, wait_for

from vial.socketio import SocketIO

pytestmark = pytest.mark.service
HERE = Path(__file__).parent
KEY = "the key of the program"
REDIS = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")


def node(script: str, *arguments: str) -> dict[str, Any]:
    """What a script of this folder prints at its end."""
    command = ["node", str(HERE / "js" / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("program")
    shutil.copy(HERE / "data" / "many.txt", folder / "main.py")
    return folder


@pytest.fixture(scope="module", params=["alone", "with Redis"])
def queue(request: pytest.FixtureRequest) -> str:
    return "" if request.param == "alone" else REDIS


@pytest.fixture(scope="module", params=[1, 4], ids=["1 worker", "4 workers"])
def servers(request: pytest.FixtureRequest, folder: Path, queue: str) -> Iterator[list[Served]]:
    """One machine with so many workers; where there is a broker, and another machine beside."""
    channel = f"test-{uuid.uuid4()}"
    settings = {"QUEUE": queue, "CHANNEL": channel} if queue else {}
    with ExitStack() as stack:
        started = [
            stack.enter_context(serving(folder, "main.py", "-w", str(request.param), **settings))
        ]
        if queue:
            started.append(stack.enter_context(serving(folder, "main.py", **settings)))
        yield started
        for server in started:
            assert "Traceback" not in server.output, server.output


@pytest.mark.parametrize("transports", ["polling", "websocket", "polling,websocket"])
def test_the_javascript_client_has_a_whole_session(
    npm_client: Path, servers: list[Served], transports: str
) -> None:
    node("session.cjs", str(npm_client), transports, *(server.url for server in servers))


def test_a_killed_worker_takes_only_its_own_clients_along(npm_client: Path, folder: Path) -> None:
    with serving(folder, "main.py", "-w", "4") as server:
        found = node("killed.cjs", str(npm_client), server.url)
    assert found["lost"] > 0 and found["others"] > 0


# A broker of its own, to be stopped


class Broker:
    """A redis-server process."""

    def __init__(self, folder: Path) -> None:
        executable = shutil.which("redis-server")
        if executable is None:
            pytest.fail("these tests need redis-server on PATH; install the package `redis-server`")
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._command = [executable, "--port", str(self.port), "--save", "", "--appendonly", "no"]
        self._folder = folder
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        with redis.Redis.from_url(self.url) as client:
            wait_for("an answer of redis-server", lambda: answers(client))

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = Broker(tmp_path_factory.mktemp("redis"))
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def machines(folder: Path, broker: Broker) -> Iterator[tuple[Served, Served]]:
    """Two machines, the first with two workers."""
    with (
        serving(folder, "main.py", "-w", "2", QUEUE=broker.url) as one,
        serving(folder, "main.py", QUEUE=broker.url) as two,
    ):
        yield one, two


class Poller:
    """A client that polls, a little at a time."""

    def __init__(self, server: Served) -> None:
        self._url = f"{server.url}/socket.io/?EIO=4&transport=polling"
        self._url += f"&sid={json.loads(self._fetch()[1:])['sid']}"
        self._fetch("40")
        self.sid = json.loads(self._fetch()[2:])["sid"]
        self.heard = ""

    def _fetch(self, body: str | None = None) -> str:
        request = Request(self._url, None if body is None else body.encode())
        with urlopen(request, timeout=SOON) as reply:
            return reply.read().decode()  # type: ignore[no-any-return]

    def emit(self, *event: Any) -> None:
        assert self._fetch(f"42{json.dumps(event)}") == "ok"

    def hears(self, text: str) -> None:
        """Poll until there is this text."""
        while text not in self.heard:
            packets = self._fetch().split("\x1e")
            if "2" in packets:
                self._fetch("3")
            self.heard += "\n".join(packets)


@contextmanager
def paused(broker: Broker) -> Iterator[None]:
    broker.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        broker.process.send_signal(signal.SIGCONT)


@contextmanager
def restarted(broker: Broker) -> Iterator[None]:
    broker.stop()
    try:
        yield
    finally:
        broker.start()


@pytest.mark.parametrize("away", [paused, restarted])
def test_without_the_broker_local_clients_go_on_and_delivery_resumes(
    broker: Broker, machines: tuple[Served, Served], away: Any
) -> None:
    one, two = machines
    ada, bob, eve = Poller(one), Poller(one), Poller(two)
    ada.emit("message", f"before {away.__name__}")
    for client in (bob, eve):
        client.hears(f"before {away.__name__}")
    said = one.output.count("cannot be reached"), two.output.count("cannot be reached")
    back = two.output.count("is back after")
    with away(broker):
        wait_for("a line in the logs", lambda: two.output.count("cannot be reached") > said[1])
        wait_for("two lines", lambda: one.output.count("cannot be reached") == said[0] + 2)
        ada.emit("message", f"during {away.__name__}")
        bob.hears(f"during {away.__name__}")
    resumed = time.monotonic()
    wait_for("a line in the log", lambda: two.output.count("is back after") > back, 5)
    wait_for("two lines", lambda: one.output.count("is back after") == said[0] + 2, 5)
    ada.emit("message", f"after {away.__name__}")
    eve.hears(f"after {away.__name__}")
    assert time.monotonic() - resumed < 5
    bob.hears(f"after {away.__name__}")
    # Said once by each worker, and once again when it was over.
    assert one.output.count("cannot be reached") == said[0] + 2
    assert two.output.count("cannot be reached") == said[1] + 1
    assert "Traceback" not in one.output + two.output


def test_another_process_sends(broker: Broker, machines: tuple[Served, Served]) -> None:
    one, two = machines
    ada, eve = Poller(one), Poller(two)
    outside = SocketIO(message_queue=broker.url, message_queue_key=KEY)
    outside.emit("news", {"bytes": b"\x00", "text": "from outside"})
    outside.send("said outside", to=eve.sid)
    outside.server.enter_room(ada.sid, "tea")
    outside.emit("news", "for tea", to="tea")
    outside.close_room("tea")
    outside.emit("news", "for nobody", to="tea")
    outside.server.disconnect(eve.sid)
    ada.hears("from outside")
    ada.hears("for tea")
    eve.hears("41")
    assert "said outside" in eve.heard and "said outside" not in ada.heard
    outside.emit("news", "the last")
    ada.hears("the last")
    assert "for tea" not in eve.heard and "for nobody" not in ada.heard


class Trap:
    """Pickled, it makes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self._file,)


def test_what_the_program_did_not_sign_is_dropped_with_one_line(
    broker: Broker, machines: tuple[Served, Served], tmp_path: Path
) -> None:
    two = machines[1]
    eve = Poller(two)
    trap = tmp_path / "sprung"
    event = {"method": "emit", "event": "message", "data": ["forged"], "namespace": "/"}
    with redis.Redis.from_url(broker.url) as client:
        for message in (pickle.dumps(Trap(trap)), json.dumps(event), pickle.dumps(event)):
            assert client.publish("vial-socketio", message) == 3
    SocketIO(message_queue=broker.url, message_queue_key="other").emit("message", "forged")
    SocketIO(message_queue=broker.url, message_queue_key=KEY).emit("message", "genuine")
    eve.hears("genuine")
    assert "forged" not in eve.heard and not trap.exists()
    assert two.output.count("was dropped") == 1
    assert "Traceback" not in two.output
