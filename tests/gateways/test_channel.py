"""The limits of one WebSocket, and waiting for its server, without one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from vial import Vial
from vial.gateways import watch
from vial.gateways.channel import AsgiChannel
from vial.gateways.disconnected import Disconnected
from vial.gateways.held import Hold
from vial.gateways.watch import watch_of

#: Seconds that anything may take on a busy machine.
SOON = 20.0


class Server:
    """An ASGI server with a client that reads when it is told to."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.calls = 0

    async def receive(self) -> Any:
        self.calls += 1
        return await self.events.get()

    async def send(self, event: dict[str, Any]) -> None:
        if event["type"] == "websocket.send":
            await self.reads.wait()
        self.sent.append(event)

    def texts(self) -> list[str]:
        return [event["text"] for event in self.sent if "text" in event]

    def close(self) -> tuple[int, str]:
        event = self.sent[-1]
        assert event["type"] == "websocket.close"
        return event["code"], event["reason"]


Test = Callable[[AsgiChannel, Server], Awaitable[None]]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "INTERVAL", 0.01)


def run(test: Test, **config: Any) -> None:
    async def with_channel() -> None:
        app, server = Vial("channel", static_folder=None), Server()
        app.config.update({f"WEBSOCKET_{name}": value for name, value in config.items()})
        channel = AsgiChannel(app, {"type": "websocket", "path": "/"}, server.receive, server.send)
        server.events.put_nowait({"type": "websocket.connect"})
        await channel.begin()
        await channel.accept(None, [])
        async with asyncio.timeout(SOON):
            await test(channel, server)
        watch_of(channel.loop).remove(channel)
        await channel.finish()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(with_channel())


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def test_a_send_that_the_client_does_not_take_ends_in_time() -> None:
    async def test(channel: AsgiChannel, server: Server) -> None:
        await channel.outgoing.send("taken")
        await until(server.texts)
        server.reads.clear()
        await channel.outgoing.send("not taken")  # it is on its way
        with pytest.raises(Disconnected, match="does not read"):
            await channel.outgoing.send("next")
        await until(lambda: len(server.sent) == 3)
        assert server.close() == (1008, "the client does not read")
        with pytest.raises(Disconnected):
            await channel.outgoing.send("late")

    run(test, SEND_TIMEOUT=0.05)


def test_a_client_that_is_slow_but_reads_is_waited_for() -> None:
    async def test(channel: AsgiChannel, server: Server) -> None:
        for number in range(5):
            server.reads.clear()
            sending = asyncio.ensure_future(channel.outgoing.send(str(number)))
            await asyncio.sleep(0.03)
            server.reads.set()
            await sending
        await until(lambda: server.texts() == [str(number) for number in range(5)])

    run(test, SEND_TIMEOUT=SOON)


def test_without_a_limit_a_client_may_take_its_time() -> None:
    async def test(channel: AsgiChannel, server: Server) -> None:
        server.reads.clear()
        await channel.outgoing.send("on its way")
        sending = asyncio.ensure_future(channel.outgoing.send("x"))
        await asyncio.sleep(0.1)
        assert not sending.done()
        server.reads.set()
        await sending

    run(test, SEND_TIMEOUT=None)


def test_more_than_may_wait_to_be_sent_drops_the_client() -> None:
    async def test(channel: AsgiChannel, server: Server) -> None:
        server.reads.clear()
        await channel.outgoing.send("on its way")
        sending = [asyncio.ensure_future(channel.outgoing.send("x" * 10)) for _ in range(11)]
        await asyncio.sleep(0.01)
        assert not any(task.done() for task in sending)  # 110 bytes wait
        with pytest.raises(Disconnected, match="too much is waiting"):
            await channel.outgoing.send("y" * 10)
        results = await asyncio.gather(*sending, return_exceptions=True)
        assert all(isinstance(result, Disconnected) for result in results)
        await until(lambda: server.sent[-1]["type"] == "websocket.close")
        assert server.close() == (1008, "too much is waiting to be sent")

    run(test, SEND_QUEUE=110)


def test_one_message_may_be_larger_than_what_may_wait() -> None:
    async def test(channel: AsgiChannel, server: Server) -> None:
        server.reads.clear()
        sending = [asyncio.ensure_future(channel.outgoing.send("x" * 100)) for _ in range(2)]
        await asyncio.sleep(0.01)
        server.reads.set()
        await asyncio.gather(*sending)

    run(test, SEND_QUEUE=10)


def test_messages_leave_in_the_order_of_the_calls_though_some_are_cancelled() -> None:
    async def test(channel: AsgiChannel, server: Server) -> None:
        server.reads.clear()
        sending = [asyncio.ensure_future(channel.outgoing.send(str(n))) for n in range(6)]
        await asyncio.sleep(0.01)
        sending[2].cancel()
        await asyncio.sleep(0.01)
        server.reads.set()
        await asyncio.gather(*sending, return_exceptions=True)
        await channel.outgoing.send("last")
        await until(lambda: server.texts() == ["0", "1", "3", "4", "5", "last"])

    run(test)


def test_a_turn_that_comes_with_a_cancellation_goes_to_the_next() -> None:
    async def test(channel: AsgiChannel, server: Server) -> None:
        await channel.outgoing.turn()
        waiting = [asyncio.ensure_future(channel.outgoing.send(str(n))) for n in range(2)]
        await asyncio.sleep(0)
        channel.outgoing.next()
        waiting[0].cancel()
        await asyncio.wait(waiting)
        assert waiting[0].cancelled()
        await until(lambda: server.texts() == ["1"])

    run(test)


def test_a_client_that_says_nothing_for_too_long_is_dropped_if_that_is_configured() -> None:
    async def test(channel: AsgiChannel, server: Server) -> None:
        with pytest.raises(Disconnected, match="nothing was heard for too long"):
            await channel.incoming.receive()
        await until(lambda: server.sent[-1]["type"] == "websocket.close")
        assert server.close()[0] == 1008

    run(test, IDLE_TIMEOUT=0.05)


def test_a_client_that_is_heard_is_not_idle() -> None:
    async def test(channel: AsgiChannel, server: Server) -> None:
        for _ in range(10):
            channel.loop.call_later(
                0.02, server.events.put_nowait, {"type": "websocket.receive", "text": "x"}
            )
            assert await channel.incoming.receive() == "x"

    run(test, IDLE_TIMEOUT=SOON)


def test_by_default_a_client_may_be_silent() -> None:
    async def test(channel: AsgiChannel, server: Server) -> None:
        await asyncio.sleep(0.1)
        assert channel.error is None

    run(test)


def test_no_more_is_received_ahead_than_there_is_room_for() -> None:
    async def test(channel: AsgiChannel, server: Server) -> None:
        for number in range(10):
            server.events.put_nowait({"type": "websocket.receive", "text": str(number)})
        await until(lambda: channel.incoming.is_full)
        await asyncio.sleep(0.05)
        assert server.events.qsize() == 7
        assert [await channel.incoming.receive() for _ in range(10)] == [*map(str, range(10))]

    run(test, RECEIVE_QUEUE=3)


def test_what_is_received_ahead_is_no_longer_than_a_message_may_be() -> None:
    async def test(channel: AsgiChannel, server: Server) -> None:
        for _ in range(5):
            server.events.put_nowait({"type": "websocket.receive", "bytes": b"x" * 60})
        await until(lambda: channel.incoming.is_full)
        await asyncio.sleep(0.05)
        assert server.events.qsize() == 3

    run(test, MAX_MESSAGE_SIZE=100)


def test_a_full_queue_that_nobody_reads_drops_the_client() -> None:
    async def test(channel: AsgiChannel, server: Server) -> None:
        for _ in range(5):
            server.events.put_nowait({"type": "websocket.receive", "text": "x"})
        await until(lambda: channel.error is not None)
        await until(lambda: server.sent[-1]["type"] == "websocket.close")
        assert server.close() == (1008, "nobody reads what is sent")

    run(test, RECEIVE_QUEUE=2, UNREAD_TIMEOUT=0.05)


def test_looking_ahead_asks_the_server_once() -> None:
    async def test(channel: AsgiChannel, server: Server) -> None:
        await until(lambda: server.calls == 2)
        for _ in range(50):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(channel.incoming.receive(), 0.001)
        assert server.calls == 2
        call = channel.incoming._ahead
        assert len(call._callbacks) <= 3
        server.events.put_nowait({"type": "websocket.receive", "text": "x"})
        assert await channel.incoming.receive() == "x"

    run(test)


def test_a_close_waits_for_what_is_under_way() -> None:
    async def test(channel: AsgiChannel, server: Server) -> None:
        server.reads.clear()
        sending = asyncio.ensure_future(channel.outgoing.send("x"))
        await asyncio.sleep(0.01)
        closing = asyncio.ensure_future(channel.close(4000, "bye"))
        await asyncio.sleep(0.01)
        server.reads.set()
        await asyncio.gather(sending, closing)
        assert server.texts() == ["x"]
        assert server.close() == (4000, "bye")

    run(test)


# -- waiting for a call that is not to be cancelled -----------------------------------------------


def test_a_call_goes_on_when_who_waits_for_it_is_cancelled() -> None:
    async def wait() -> None:
        call = asyncio.get_running_loop().create_future()

        async def waiter() -> Any:
            return await Hold(call)

        for _ in range(3):
            task = asyncio.ensure_future(waiter())
            await asyncio.sleep(0)
            task.cancel("enough")
            with pytest.raises(asyncio.CancelledError):
                await task
        assert not call.cancelled()
        assert call._callbacks is None or call._callbacks == []
        call.set_result("there")
        assert await waiter() == "there"

    asyncio.run(wait())


def test_a_result_that_comes_with_a_cancellation_is_kept() -> None:
    async def wait() -> None:
        call = asyncio.get_running_loop().create_future()

        async def waiter() -> Any:
            return await Hold(call)

        task = asyncio.ensure_future(waiter())
        await asyncio.sleep(0)
        call.set_result("there")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await waiter() == "there"

    asyncio.run(wait())


def test_a_task_that_was_cancelled_before_it_waits_does_not_wait() -> None:
    async def wait() -> None:
        call = asyncio.get_running_loop().create_future()

        async def waiter() -> None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await Hold(call)

        with pytest.raises(asyncio.CancelledError):
            await asyncio.ensure_future(waiter())

    asyncio.run(wait())


def test_errors_of_the_call_arrive_and_who_waits_can_be_sent_away() -> None:
    async def wait() -> None:
        loop = asyncio.get_running_loop()
        failing = loop.create_future()
        loop.call_soon(failing.set_exception, OSError("broken"))
        with pytest.raises(OSError, match="broken"):
            await Hold(failing)
        hold = Hold(loop.create_future())
        loop.call_soon(hold.send_away, ValueError("away"))
        with pytest.raises(ValueError, match="away"):
            await hold

    asyncio.run(wait())
