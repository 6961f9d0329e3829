"""Workers that share a folder, all on one loop: which client is whose, and who hears what."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from socketio_wire import Polling, WebSocket, http, logged, run, scope, until

from vial import Vial
from vial.socketio import SocketIO, emit, join_room, rooms
from vial.socketio.bus import Seal
from vial.socketio.cluster import ClusterManager
from vial.socketio.forward import RemoteExchange
from vial.socketio.link import LIMIT, Link, pack, unpack
from vial.socketio.mesh import FOLDER_VARIABLE, Mesh, owner_of


class Worker:
    """An app as one worker process would have it."""

    def __init__(self, **options: Any) -> None:
        self.app = Vial("chat", static_folder=None)
        self.app.secret_key = "key"
        self.socketio = SocketIO(self.app, **options)
        self.server = self.socketio.server
        self.ended: list[str] = []
        self.socketio.on("disconnect")(self.ended.append)
        self.socketio.on("echo")(lambda data: data)
        self.socketio.on("join")(join_room)
        self.socketio.on("rooms")(rooms)
        self.socketio.on("tell")(lambda room, data: emit("told", data, to=room))

    @property
    def manager(self) -> ClusterManager:
        manager = self.socketio.async_server.manager
        assert isinstance(manager, ClusterManager)
        return manager


Scenario = Callable[[Worker, Worker, Worker], Awaitable[None]]


@pytest.fixture
def together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Scenario], None]:
    """Run a scenario with three workers that share a folder and know each other."""
    folder = tmp_path / "workers"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))

    def perform(scenario: Scenario) -> None:
        async def main() -> None:
            workers = [Worker() for _ in range(3)]
            for worker in workers:
                await worker.socketio.async_server.join()
            try:
                await scenario(*workers)
            finally:
                for worker in workers:
                    worker.socketio.async_server.dismiss()
                    await worker.socketio.async_server.part()
                await asyncio.sleep(0.01)  # the sessions and the links end
            assert list(folder.glob("*.sock")) == []

        run(main)

    return perform


async def sid_of(client: Polling | WebSocket) -> str:
    """The sid of a client that is in its own room alone."""
    sid: str = (await ask(client, '["rooms"]'))[0][0]
    return sid


async def ask(client: Polling | WebSocket, event: str) -> Any:
    if isinstance(client, Polling):
        assert (await client.post(f"421{event}")).text == "ok"
        answer = (await client.poll()).text
    else:
        await client.send(f"421{event}")
        answer = await client.receive()
    assert answer.startswith("431"), answer
    return json.loads(answer[3:])


# A request that came to another worker


def test_a_client_polls_and_posts_at_any_worker(together: Any) -> None:
    async def scenario(one: Worker, two: Worker, three: Worker) -> None:
        client = await Polling.open(one.app)
        client.app = two.app
        assert await ask(client, '["echo","hello"]') == ["hello"]
        client.app = three.app
        assert await ask(client, '["echo",{"a":[1,null]}]') == [{"a": [1, None]}]
        assert (await client.post("41")).status == 200
        await until(lambda: one.ended)

    together(scenario)


def test_a_websocket_that_came_to_another_worker_is_carried(together: Any) -> None:
    async def scenario(one: Worker, two: Worker, three: Worker) -> None:
        polling = await Polling.open(one.app)
        client = WebSocket(two.app, f"EIO=4&transport=websocket&sid={polling.sid}")
        assert (await client.message())["type"] == "websocket.accept"
        await client.send("2probe")
        assert await client.receive() == "3probe"
        await client.send("5")
        assert await ask(client, '["echo","☃"]') == ["☃"]
        await client.send('451-["echo",{"_placeholder":true,"num":0}]'.replace("1-", "1-1"))
        await client.send(b"\x00\xff")
        assert (await client.receive()).startswith("461-1")
        assert await client.receive() == b"\x00\xff"
        await client.leave()
        await until(lambda: one.ended)
        assert one.ended == ["transport close"] and two.ended == []

    together(scenario)


def test_a_session_that_the_server_ends_closes_the_carried_websocket(together: Any) -> None:
    async def scenario(one: Worker, two: Worker, three: Worker) -> None:
        client = await carried(one, two)
        await client.send("not a packet")
        assert await client.end() == 1002

    together(scenario)


def test_a_worker_that_stops_lets_go_of_what_it_carries(together: Any) -> None:
    async def scenario(one: Worker, two: Worker, three: Worker) -> None:
        client = await carried(one, two)
        two.socketio.async_server.dismiss()
        assert await client.end() == 1012
        await until(lambda: one.ended)

    together(scenario)


async def carried(owner: Worker, other: Worker) -> WebSocket:
    polling = await Polling.open(owner.app)
    client = WebSocket(other.app, f"EIO=4&transport=websocket&sid={polling.sid}")
    assert (await client.message())["type"] == "websocket.accept"
    await client.send("2probe")
    assert await client.receive() == "3probe"
    await client.send("5")
    assert await ask(client, '["echo",1]') == [1]
    return client


def test_a_carried_client_that_does_not_read_slows_its_worker_down(tmp_path: Path) -> None:
    async def scenario() -> None:
        path, read = tmp_path / "link", asyncio.Event()

        async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read.wait()
            await reader.read(-1)
            writer.close()

        async with await asyncio.start_unix_server(other, path):
            link = await Link.open(path)
            note = {"environ": {}, "can_upgrade": True, "body": "whole"}
            exchange = RemoteExchange(link, note, [])
            assert exchange.start("little").done()
            sending = exchange.start(b"x" * 10_000_000)
            await asyncio.sleep(0.01)
            assert not sending.done()
            read.set()
            await until(sending.done)
            link.close()

    run(scenario)


def test_a_poll_whose_client_leaves_ends_at_its_worker(together: Any) -> None:
    async def scenario(one: Worker, two: Worker, three: Worker) -> None:
        client = await Polling.open(one.app)
        left = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            raise AssertionError(message)

        asked = scope("http", client.query, None, method="GET")
        poll = asyncio.ensure_future(two.app(asked, receive, send))
        await asyncio.sleep(0.05)
        assert not poll.done()
        left.set()
        await poll
        await until(lambda: one.ended)

    together(scenario)


def test_a_foreign_page_is_refused_by_the_worker_that_has_the_client(together: Any) -> None:
    async def scenario(one: Worker, two: Worker, three: Worker) -> None:
        client = await Polling.open(one.app)
        client.app = two.app
        refused = await client.post("42[]", headers={"origin": "http://evil.test"})
        assert refused.status == 403
        assert await ask(client, '["echo",1]') == [1]

    together(scenario)


def test_a_body_over_the_limit_is_413_at_any_worker(together: Any) -> None:
    async def scenario(one: Worker, two: Worker, three: Worker) -> None:
        client = await Polling.open(one.app)
        client.app = two.app
        assert (await client.post("4" * 1_000_001)).status == 413
        await until(lambda: one.ended)

    together(scenario)


def test_a_client_of_a_worker_that_has_gone_is_an_unknown_session(together: Any) -> None:
    async def scenario(one: Worker, two: Worker, three: Worker) -> None:
        client = await Polling.open(one.app)
        one.manager.stop()
        client.app = two.app
        reply = await client.poll()
        assert reply.status == 400
        unknown = await http(two.app, query="EIO=4&transport=polling&sid=nobody")
        assert reply.text == unknown.text

    together(scenario)


def test_the_socket_of_a_killed_worker_is_forgotten(together: Any) -> None:
    async def scenario(one: Worker, two: Worker, three: Worker) -> None:
        mesh: Any = two.manager._mesh
        dead = mesh._folder / "0123456789ab.sock"
        listener = await asyncio.start_unix_server(lambda reader, writer: None, dead)
        listener.close()
        assert await mesh.link_to("0123456789ab") is None
        assert not dead.exists()

    together(scenario)


# What is sent


def test_an_event_reaches_the_clients_of_all_workers_once(together: Any) -> None:
    async def scenario(*workers: Worker) -> None:
        clients = [await WebSocket.open(worker.app) for worker in workers]
        workers[0].socketio.emit("news", {"data": b"\x00\xff"})
        for client in clients:
            assert await client.receive() == '451-["news",{"data":{"_placeholder":true,"num":0}}]'
            assert await client.receive() == b"\x00\xff"
        workers[2].socketio.emit("news", "☃")
        for client in clients:
            assert json.loads((await client.receive())[2:]) == ["news", "☃"]

    together(scenario)


def test_a_room_has_clients_of_several_workers(together: Any) -> None:
    async def scenario(*workers: Worker) -> None:
        clients = [await WebSocket.open(worker.app) for worker in workers]
        for client in clients[:2]:
            assert await ask(client, '["join","tea"]') == []
        sid = await sid_of(clients[2])
        workers[2].socketio.emit("first", to="tea")
        workers[2].socketio.emit("second", to=["tea", "coffee"])
        workers[2].socketio.emit("third", skip_sid=sid)
        for client in clients[:2]:
            assert [await client.receive() for _ in range(3)] == [
                '42["first"]',
                '42["second"]',
                '42["third"]',
            ]
        assert await ask(clients[2], '["echo",1]') == [1]  # and nothing else

    together(scenario)


def test_an_event_for_one_client_goes_to_its_worker_only(together: Any) -> None:
    async def scenario(one: Worker, two: Worker, three: Worker) -> None:
        client, other = await WebSocket.open(one.app), await WebSocket.open(three.app)
        sid = await sid_of(client)
        heard: list[Any] = []
        three.manager.take = heard.append  # type: ignore[assignment, method-assign]
        await other.send(f'42["tell","{sid}","psst"]')
        assert await client.receive() == '42["told","psst"]'
        two.socketio.emit("told", "again", to=sid)
        assert await client.receive() == '42["told","again"]'
        assert heard == []

    together(scenario)


def test_an_answer_to_its_own_client_is_told_to_nobody(together: Any) -> None:
    async def scenario(one: Worker, two: Worker, three: Worker) -> None:
        client = await WebSocket.open(one.app)
        sid = await sid_of(client)
        heard: list[Any] = []
        two.manager.take = lambda *note: heard.append(note)  # type: ignore[method-assign]
        one.socketio.emit("told", to=sid)
        assert await client.receive() == '42["told"]'
        one.socketio.emit("all")
        await until(lambda: heard)
        assert len(heard) == 1

    together(scenario)


def test_a_client_cannot_enter_the_private_room_of_another_workers_client(together: Any) -> None:
    async def scenario(one: Worker, two: Worker, three: Worker) -> None:
        client, spy = await WebSocket.open(one.app), await WebSocket.open(two.app)
        sid, spying = await sid_of(client), await sid_of(spy)
        with pytest.raises(ValueError, match="private one of another client"):
            two.server.enter_room(spying, sid)

    together(scenario)


def test_rooms_are_entered_left_and_closed_for_clients_of_other_workers(together: Any) -> None:
    async def scenario(one: Worker, two: Worker, three: Worker) -> None:
        client = await WebSocket.open(one.app)
        sid = await sid_of(client)
        two.server.enter_room(sid, "tea")
        two.server.enter_room(sid, "coffee")
        await until(lambda: len(one.server.rooms(sid)) == 3)
        three.server.leave_room(sid, "tea")
        await until(lambda: set(one.server.rooms(sid)) == {sid, "coffee"})
        two.server.close_room("coffee")
        await until(lambda: one.server.rooms(sid) == [sid])
        with pytest.raises(ValueError, match="is not connected"):
            one.server.enter_room(sid[:-1] + "x", "tea")

    together(scenario)


def test_a_client_of_another_worker_is_disconnected(together: Any) -> None:
    async def scenario(one: Worker, two: Worker, three: Worker) -> None:
        client = await WebSocket.open(one.app)
        two.server.disconnect(await sid_of(client))
        assert await client.receive() == "41"
        await until(lambda: one.ended)
        assert one.ended == ["server disconnect"]

    together(scenario)


def test_a_client_of_another_worker_acknowledges(together: Any) -> None:
    async def scenario(one: Worker, two: Worker, three: Worker) -> None:
        client = await WebSocket.open(one.app)
        sid = await sid_of(client)
        asking = asyncio.ensure_future(two.server.call("question", b"\x01", to=sid, timeout=5))
        asked = await client.receive()
        assert asked.startswith("451-1") and await client.receive() == b"\x01"
        await client.send('461-1[{"_placeholder":true,"num":0},"b"]', b"\x02")
        assert await asking == (b"\x02", "b")
        answers: list[Any] = []
        three.socketio.emit("all", callback=lambda *args: answers.append(args))
        number = (await client.receive())[2]
        await client.send(f"43{number}[7]")
        await until(lambda: answers)
        assert answers == [(7,)]

    together(scenario)


def test_more_attachments_than_clients_may_send_are_asked_with(together: Any) -> None:
    async def scenario(one: Worker, two: Worker, three: Worker) -> None:
        client = await WebSocket.open(one.app)
        two.socketio.emit("many", [b"x"] * 11, callback=lambda: None)
        assert (await client.receive()).startswith("4511-1")
        assert [await client.receive() for _ in range(11)] == [b"x"] * 11

    together(scenario)


def test_an_event_for_this_process_only_is_told_to_nobody(together: Any) -> None:
    async def scenario(one: Worker, two: Worker, three: Worker) -> None:
        mine, other = await WebSocket.open(one.app), await WebSocket.open(two.app)
        one.socketio.emit("local", ignore_queue=True)
        one.socketio.emit("all")
        assert [await mine.receive(), await mine.receive()] == ['42["local"]', '42["all"]']
        assert await other.receive() == '42["all"]'

    together(scenario)


def test_a_worker_that_comes_later_is_known_to_all_when_its_first_client_is(
    together: Any,
) -> None:
    async def scenario(one: Worker, two: Worker, three: Worker) -> None:
        late = Worker()
        client = await WebSocket.open(late.app)  # without a start: by its first request
        one.socketio.emit("news")
        assert await client.receive() == '42["news"]'
        await client.leave()
        await late.socketio.async_server.part()

    together(scenario)


def test_a_link_that_broke_is_made_again(together: Any) -> None:
    async def scenario(one: Worker, two: Worker, three: Worker) -> None:
        client = await WebSocket.open(two.app)
        mesh: Any = one.manager._mesh
        broken = set(mesh._links.values())
        for link in broken:
            link.abort()
        await until(lambda: len(set(mesh._links.values()) - broken) == 2)
        one.socketio.emit("news")
        assert await client.receive() == '42["news"]'

    together(scenario)


def test_a_message_that_no_worker_sends_is_logged_and_the_next_one_taken(
    together: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(one: Worker, two: Worker, three: Worker) -> None:
        client = await WebSocket.open(two.app)
        one.manager._tell({"do": "dance"})
        one.socketio.emit("news")
        assert await client.receive() == '42["news"]'
        assert len(logged(caplog)) == 2  # at two workers
        assert "could not be handled" in caplog.text

    together(scenario)


def test_a_worker_that_reads_nothing_is_let_go_of(
    together: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(one: Worker, two: Worker, three: Worker) -> None:
        monkeypatch.setattr(Link, "waiting", LIMIT)
        one.socketio.emit("news")
        assert "does not take its messages" in caplog.text

    together(scenario)


def test_a_folder_that_others_can_enter_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))

    async def scenario() -> None:
        with pytest.raises(OSError, match=r"only this user can enter \(mode 700\)"):
            await Worker().socketio.async_server.join()

    run(scenario)


# Sids


def test_a_sid_names_its_worker_and_stays_a_secret(together: Any) -> None:
    async def scenario(one: Worker, two: Worker, three: Worker) -> None:
        mesh: Any = one.manager._mesh
        sids = {(await Polling.open(one.app)).sid for _ in range(20)}
        assert {owner_of(sid) for sid in sids} == {mesh.id}
        assert len({sid.partition(".")[2] for sid in sids}) == 20
        assert min(len(sid.partition(".")[2]) for sid in sids) == 20

    together(scenario)


@pytest.mark.parametrize("name", ["tea", "", None, 7, ["tea"], "0123456789ab", "0123456789ab.tea"])
def test_the_name_of_a_room_is_no_sid(name: Any) -> None:
    assert owner_of(name) is None


# Notes


def test_a_note_comes_back_as_it_was() -> None:
    note = {"do": "emit", "room": ["a", 1, None], "skip": ["☃", "\ud800"]}
    parts = ["", "☃ \ud800", b"", b"\x00\xff" * 1000]
    assert unpack(pack(note, parts)) == (note, parts)


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x02{}",
        b"\x00\x00\x00\x07[[],[]]",
        b"\x00\x00\x00\x07[{},[]]more",
        b"\x00\x00\x00\x10[{},[[true,99]]]",
        b"\x00\x00\x00\x10[{},[[false,-1]]",
        b"\x00\x00\x00\x0f[{},[[true,1]]]\xff",
        b"\x00\x0f\x42\x40" + b"[" * 1_000_000,
        pickle.dumps({"do": "emit"}),
    ],
)
def test_what_is_no_note_is_an_error(packed: bytes) -> None:
    with pytest.raises(ValueError):
        unpack(packed)


def test_a_note_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vial.socketio.link.LIMIT", 100)
    with pytest.raises(ValueError, match="are too many for other workers: 100 at most"):
        pack({}, [b"x" * 100])


def test_a_frame_over_the_limit_ends_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data((LIMIT + 1).to_bytes(4, "big") + b"N")
        with pytest.raises(OSError, match="over the limit"):
            await Link(reader, None).receive()  # type: ignore[arg-type]

    run(scenario)


# Seals


def test_a_seal_is_opened_by_the_same_key_and_channel_only() -> None:
    sealed = Seal(["key"], "chat").close(b"note")
    assert Seal(["key"], "chat").open(sealed) == b"note"
    assert Seal(["other"], "chat").open(sealed) is None
    assert Seal(["key"], "other").open(sealed) is None
    assert Seal([b"new", "key"], "chat").open(sealed) == b"note"  # SECRET_KEY_FALLBACKS


def test_every_changed_byte_breaks_a_seal() -> None:
    seal = Seal(["key"], "chat")
    sealed = seal.close(b"note")
    for i in range(len(sealed)):
        changed = bytearray(sealed)
        changed[i] ^= 1
        assert seal.open(bytes(changed)) is None
        assert seal.open(sealed[:i]) is None


@pytest.mark.parametrize("message", [b"", b"vial1", pickle.dumps({}), '{"do":"emit"}', 1, None])
def test_what_is_not_sealed_is_nothing(message: Any) -> None:
    assert Seal(["key"], "chat").open(message) is None


# Options


def test_an_address_that_is_not_redis_is_refused(app: Vial) -> None:
    with pytest.raises(ValueError, match=r"'amqp://host' is not supported.*redis://host:6379/0"):
        SocketIO(app, message_queue="amqp://host")


def test_a_queue_needs_the_package(app: Vial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vial.socketio.cluster.find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=r"needs the package 'redis': pip install 'vial-web\[re"):
        SocketIO(app, message_queue="redis://")


def test_a_queue_needs_a_key(app: Vial) -> None:
    app.secret_key = None
    socketio = SocketIO(app, message_queue="redis://nowhere.test")
    with pytest.raises(RuntimeError, match="set the app's SECRET_KEY, or give SocketIO"):
        socketio.emit("news")


def test_a_process_that_only_sends_says_when_the_queue_cannot_be_reached() -> None:
    socketio = SocketIO(message_queue="redis://user:pass@127.0.0.1:1/0", message_queue_key="key")
    with pytest.raises(OSError, match=r"message queue redis://127\.0\.0\.1:1/0 cannot be reached"):
        socketio.emit("news")


def test_a_process_that_only_sends_cannot_be_answered() -> None:
    socketio = SocketIO(message_queue="redis://127.0.0.1:1", message_queue_key="key")
    with pytest.raises(RuntimeError, match="this process only sends"):
        socketio.emit("news", callback=print)


def test_without_workers_and_queue_nothing_is_shared(app: Vial, socketio: SocketIO) -> None:
    assert not socketio.async_server.manager.is_shared


def test_a_worker_alone_has_a_mesh_of_itself() -> None:
    async def scenario() -> None:
        mesh = Mesh(None, None, None, None)  # type: ignore[arg-type]
        await mesh.start()
        assert mesh.machine is None and not mesh.publish(b"")
        mesh.close()

    run(scenario)
