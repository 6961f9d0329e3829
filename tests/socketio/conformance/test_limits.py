"""Bounds that hold whichever server and transport carries the packets."""

from __future__ import annotations

import asyncio
import json
import os
from urllib.parse import urlsplit

import pytest
from socketio_talk import Client, Closed, Network, Polling, Refused, Talk, until_page

pytestmark = pytest.mark.slow  # together, not each

#: maxPayload of the handshake.
LIMIT = 1_000_000
NO_CODE = (None, 1005, 1006)  # granian's RSGI sends none


def event_of(size: int) -> str:
    """An event of so many bytes, counted as Engine.IO counts them."""
    frame = '421["message-with-ack"," "]'
    return frame[2:-2] + "x" * (size - len(frame)) + frame[-2:]


async def test_a_message_of_the_full_size_is_taken(talk: Talk, transport: str) -> None:
    client = await Client.open(talk, transport)
    await client.connect()
    packet = "2" + event_of(LIMIT)
    assert len(packet) == LIMIT - 1  # the 4 of Engine.IO comes before
    await client.send(packet)
    answer = await client.receive()
    assert isinstance(answer, str) and answer.startswith('31[" xxx') and len(answer) > LIMIT - 50
    await client.leave()


async def test_one_byte_more_in_a_post_is_413_and_ends_the_session(talk: Talk) -> None:
    client = await Polling.open(talk)
    await client.post("40")
    assert (await client.post("42" + event_of(LIMIT + 1))).status == 413
    assert (await client.poll()).status == 400


@pytest.mark.websocket
async def test_one_byte_more_in_a_frame_is_1009(talk: Talk) -> None:
    for frame in ("42" + event_of(LIMIT + 1), b"x" * (LIMIT + 1)):
        socket = await talk.websocket()
        await socket.receive()
        await socket.send(frame)
        with pytest.raises(Closed) as closed:
            await socket.receive()
        assert closed.value.args[0] in (1009, *NO_CODE)


@pytest.mark.websocket
async def test_the_size_is_that_of_what_was_compressed(talk: Talk) -> None:
    """A frame of a thousand bytes that becomes a million and one."""
    socket = await talk.websocket(compress=True)
    await socket.receive()
    await socket.send("4" + " " * LIMIT)
    with pytest.raises(Closed) as closed:
        await socket.receive()
    assert closed.value.args[0] in (1009, *NO_CODE)


@pytest.mark.parametrize("origin", ["http://evil.test", "null", "http://sub.127.0.0.1"])
async def test_pages_of_other_sites_are_403_by_every_transport(talk: Talk, origin: str) -> None:
    client = await Polling.open(talk)
    headers = {"origin": origin}
    assert (await talk.http(headers=headers)).status == 403
    assert (await client.post("40", headers=headers)).status == 403
    assert (await talk.http(query=client.query, headers=headers)).status == 403
    if talk.has_websocket:
        with pytest.raises(Refused) as refused:
            await talk.websocket(headers=headers)
        assert refused.value.args in ((403,), ())  # in memory there is no status
    assert (await client.post("40")).text == "ok"


class Deaf:
    """A WebSocket client that joins and then never reads again."""

    def __init__(self, sid: str, writer: asyncio.StreamWriter) -> None:
        self.sid = sid
        self._writer = writer

    @classmethod
    async def open(cls, talk: Network) -> Deaf:
        url = urlsplit(talk.url)
        reader, writer = await asyncio.open_connection(url.hostname, url.port, limit=1024)
        writer.write(
            f"GET {talk.path}?EIO=4&transport=websocket HTTP/1.1\r\nHost: {url.netloc}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        said = await reader.readuntil(b"}")
        sid = json.loads(said[said.index(b"{") :])["sid"]
        mask = os.urandom(4)
        packet = bytes(byte ^ mask[i % 4] for i, byte in enumerate(b"40"))
        writer.write(b"\x81\x82" + mask + packet)
        await reader.readuntil(b'"auth"')
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        return cls(sid, writer)

    def leave(self) -> None:
        self._writer.transport.abort()


@pytest.mark.one_worker
@pytest.mark.slow
@pytest.mark.websocket
async def test_a_client_that_does_not_read_is_dropped_and_the_others_miss_nothing(
    talk: Talk,
) -> None:
    if not isinstance(talk, Network):
        return  # has tests of its own: tests/socketio/test_socketio_limits.py
    deaf = await Deaf.open(talk)
    client = await Client.open(talk, "websocket")
    await client.connect()
    await client.send('2["flood",2000,10000]')
    for number in range(2000):
        packet = await client.receive()
        assert isinstance(packet, str) and packet.startswith(f'2["flood",{number},"xxx')
    await until_page(talk, f"/session/{deaf.sid}", "gone")
    await client.send('21["message-with-ack"]')
    assert await client.receive() == "31[]"
    await client.leave()
    deaf.leave()
