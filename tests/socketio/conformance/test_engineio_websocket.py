"""The Engine.IO protocol, version 4, sentence by sentence: WebSocket, and the way there.

https://socket.io/docs/v4/engine-io-protocol/; the headings are those of the document.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from socketio_talk import PATIENCE, Closed, Polling, Refused, Socket, Talk, until_page

pytestmark = [pytest.mark.websocket, pytest.mark.slow]  # together, not each

#: Of a close frame; granian's RSGI sends none.
NO_CODE = (None, 1005, 1006)


async def opened(talk: Talk) -> Socket:
    """A WebSocket that has joined a namespace."""
    socket = await talk.websocket()
    assert str(await socket.receive()).startswith("0{")
    await socket.send("40")
    assert str(await socket.receive()).startswith("40{")
    assert await socket.receive() == '42["auth",{}]'
    return socket


async def close_code(socket: Socket) -> int | None:
    """The code with which the server closes, whatever it sends before."""
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                await socket.receive()
    except Closed as e:
        return e.args[0]  # type: ignore[no-any-return]


async def upgraded(client: Polling) -> Socket:
    socket: Socket = await client.upgrading()
    await socket.send("2probe")
    assert await socket.receive() == "3probe"
    await socket.send("5")
    return socket


async def is_echoed(socket: Socket, text: str) -> bool:
    """Whether the WebSocket carries messages both ways."""
    await socket.send("40", f'42["message","{text}"]')
    got: list[Any] = []
    while f'42["message-back","{text}"]' not in got:
        got.append(await socket.receive())
    return True


# WebSocket


@pytest.mark.parametrize(
    "query",
    [
        "transport=websocket",
        "EIO=abc&transport=websocket",
        "EIO=3&transport=websocket",
        "EIO=4",
        "EIO=4&transport=abc",
        "EIO=4&transport=polling",
        "EIO=4&transport=websocket&sid=unknown",
    ],
)
async def test_a_websocket_without_the_right_parameters_is_refused(talk: Talk, query: str) -> None:
    with pytest.raises(Refused):
        await talk.websocket(query)


async def test_a_handshake_has_what_the_client_needs_and_no_more(talk: Talk) -> None:
    socket = await talk.websocket()
    frame = str(await socket.receive())
    handshake = json.loads(frame[1:])
    assert frame[0] == "0" and isinstance(handshake.pop("sid"), str)
    assert handshake == {
        "upgrades": [],
        "pingInterval": 25000,
        "pingTimeout": 20000,
        "maxPayload": 1_000_000,
    }
    await socket.leave()


async def test_each_packet_is_a_frame_of_its_own(talk: Talk) -> None:
    socket = await opened(talk)
    await socket.send('421["count",3]')
    frames = [await socket.receive() for _ in range(4)]
    assert frames == ['42["number",0]', '42["number",1]', '42["number",2]', "431[]"]
    await socket.send('421["message-with-ack"]\x1e422["message-with-ack"]')
    assert await close_code(socket) in (1000, 1002, *NO_CODE)  # one packet, and none that is valid


async def test_bytes_are_sent_as_they_are(talk: Talk) -> None:
    socket = await opened(talk)
    await socket.send('451-["message",{"_placeholder":true,"num":0}]', b"\x01\x02\x03\x04")
    assert await socket.receive() == '451-["message-back",{"_placeholder":true,"num":0}]'
    assert await socket.receive() == b"\x01\x02\x03\x04"
    await socket.leave()


async def test_text_is_utf_8(talk: Talk) -> None:
    socket = await opened(talk)
    await socket.send('421["message-with-ack","€ü😀"]')
    assert json.loads(str(await socket.receive())[3:]) == ["€ü😀"]
    await socket.leave()


async def test_a_session_of_a_websocket_has_no_second_one(talk: Talk) -> None:
    socket = await talk.websocket()
    sid = json.loads(str(await socket.receive())[1:])["sid"]
    with pytest.raises(Refused):
        await talk.websocket(f"EIO=4&transport=websocket&sid={sid}")
    assert (await talk.http(query=f"EIO=4&transport=polling&sid={sid}")).status == 400
    assert await is_echoed(socket, "still here")
    await socket.leave()


@pytest.mark.parametrize(
    "frame", ["", "abc", "9", "b!!!!", "bAQID", "0{}", "2", "2probe", "3probe", "5", "6", "1bye"]
)
async def test_what_is_no_packet_of_a_client_closes_the_session(talk: Talk, frame: str) -> None:
    socket = await opened(talk)
    await socket.send(frame)
    assert await close_code(socket) in (1002, *NO_CODE)


# Packets: close


async def test_a_client_can_close(talk: Talk) -> None:
    socket = await opened(talk)
    await socket.send("1")
    assert await close_code(socket) in (1000, *NO_CODE)


@pytest.mark.one_worker
async def test_the_end_of_the_websocket_is_the_end_of_the_session(talk: Talk) -> None:
    socket = await talk.websocket()
    sid = json.loads(str(await socket.receive())[1:])["sid"]
    assert await talk.page(f"/session/{sid}") == "here"
    await socket.leave()
    await until_page(talk, f"/session/{sid}", "gone")


# Heartbeat


@pytest.mark.slow
@pytest.mark.heartbeat("pinged")
async def test_the_server_pings_and_the_client_answers(talk: Talk) -> None:
    socket = await opened(talk)
    for _ in range(3):
        assert await socket.receive() == "2"
        await socket.send("3")
    await socket.leave()


@pytest.mark.one_worker
@pytest.mark.slow
@pytest.mark.heartbeat("quick")
async def test_a_client_that_does_not_answer_a_ping_is_gone(talk: Talk) -> None:
    socket = await talk.websocket()
    await socket.receive()
    await socket.send("40")
    sid = json.loads(str(await socket.receive())[2:])["sid"]
    assert await close_code(socket) in (1000, *NO_CODE)
    await until_page(talk, "/ended", f"{sid} ping timeout")
    assert (await talk.page("/ended")).count(sid) == 1


@pytest.mark.slow
@pytest.mark.heartbeat("pinged")
async def test_answers_that_nobody_asked_for_bring_no_more_pings(talk: Talk) -> None:
    socket = await opened(talk)
    await socket.send(*["3"] * 50)
    assert await socket.receive() == "2"
    await socket.send(*["3"] * 50)  # one of them answers
    assert await socket.receive() == "2"
    await socket.leave()


@pytest.mark.slow
@pytest.mark.heartbeat("pinged")
async def test_the_heartbeat_goes_on_after_an_upgrade(talk: Talk) -> None:
    client = await Polling.open(talk)
    socket = await upgraded(client)
    await socket.send("40")
    got: list[Any] = []
    while got.count("2") < 3:
        got.append(await socket.receive())
        if got[-1] == "2":
            await socket.send("3")
    await socket.leave()


# Upgrade


async def test_a_session_moves_to_a_websocket(talk: Talk) -> None:
    client = await Polling.open(talk)
    socket = await client.upgrading()
    await socket.send("2probe")
    assert await socket.receive() == "3probe"
    reply = await client.poll()
    assert (reply.status, reply.text) == (200, "6")
    await socket.send("5")
    assert await is_echoed(socket, "moved")
    await socket.leave()


@pytest.mark.one_worker
async def test_a_get_that_waits_is_ended_with_a_noop(talk: Talk) -> None:
    client = await Polling.open(talk)
    poll = asyncio.ensure_future(client.poll())
    await until_page(talk, f"/session/{client.sid}", "polling")
    socket = await upgraded(client)
    reply = await poll
    assert (reply.status, reply.text) == (200, "6")
    assert await is_echoed(socket, "moved")
    await socket.leave()


async def test_after_an_upgrade_requests_are_400_and_the_websocket_lives_on(talk: Talk) -> None:
    client = await Polling.open(talk)
    socket = await upgraded(client)
    assert await is_echoed(socket, "moved")
    assert (await client.poll()).status == 400
    assert (await client.post("40")).status == 400
    with pytest.raises(Refused):
        await client.upgrading()
    await socket.send('42["message","alive"]')
    assert await socket.receive() == '42["message-back","alive"]'
    await socket.leave()


async def test_a_get_that_comes_with_the_upgrade_is_400(talk: Talk) -> None:
    client = await Polling.open(talk)
    socket = await client.upgrading()
    await socket.send("2probe", "5")
    reply = await client.poll()
    assert reply.status == 400 or reply.text == "6"  # it came before the probe was read
    assert (await client.poll()).status == 400
    await socket.leave()


async def test_a_second_websocket_during_the_upgrade_is_refused(talk: Talk) -> None:
    client = await Polling.open(talk)
    socket = await client.upgrading()
    await socket.send("2probe")
    assert await socket.receive() == "3probe"
    with pytest.raises(Refused):
        await client.upgrading()
    await socket.send("5")
    assert await is_echoed(socket, "moved")
    await socket.leave()


async def test_messages_during_an_upgrade_are_kept_and_keep_their_order(talk: Talk) -> None:
    client = await Polling.open(talk)
    await client.post("40")
    assert (await client.poll()).text.startswith("40{")
    socket = await client.upgrading()
    await client.post('42["message",0]')
    await socket.send("2probe")
    assert await socket.receive() == "3probe"
    for number in (1, 2, 3):
        assert (await client.post(f'42["message",{number}]')).text == "ok"
    got = (await client.poll()).text.split("\x1e")
    await socket.send("5", '42["message",4]', '42["message",5]')
    while '42["message-back",5]' not in got:
        got.append(str(await socket.receive()))
    messages = [text for text in got if text.startswith('42["message-back"')]
    assert messages == [f'42["message-back",{n}]' for n in range(6)]
    await socket.leave()


@pytest.mark.parametrize(
    "frames",
    [
        ["4hello"],
        ["5"],
        ["3probe"],
        ["2"],
        ["2prob"],
        [b"2probe"],
        ["2probe", "4hello"],
        ["2probe", "2probe"],
        ["2probe", "6"],
        ["2probe", b"5"],
    ],
)
async def test_a_session_goes_on_polling_after_an_upgrade_that_failed(
    talk: Talk, frames: list[str | bytes]
) -> None:
    client = await Polling.open(talk)
    socket = await client.upgrading()
    await socket.send(*frames)
    await close_code(socket)
    await _goes_on_polling(client)


@pytest.mark.parametrize("frames", [[], ["2probe"]])
async def test_a_session_goes_on_polling_when_the_websocket_is_left(
    talk: Talk, frames: list[str]
) -> None:
    client = await Polling.open(talk)
    socket = await client.upgrading()
    for frame in frames:
        await socket.send(frame)
        assert await socket.receive() == "3probe"
    await socket.leave()
    await _goes_on_polling(client)


async def _goes_on_polling(client: Polling) -> None:
    assert (await client.post("40", '421["message-with-ack"]')).text == "ok"
    got: list[str] = []
    while "431[]" not in got:
        reply = await client.poll()
        assert reply.status == 200
        got += reply.text.split("\x1e")
    socket = await upgraded(client)  # it may try again
    await socket.send('42["message","moved"]')
    assert await socket.receive() == '42["message-back","moved"]'
    await socket.leave()
