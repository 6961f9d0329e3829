"""The Engine.IO protocol, version 4, sentence by sentence: long-polling.

https://socket.io/docs/v4/engine-io-protocol/; the headings are those of the document.
"""

from __future__ import annotations

import asyncio
import json

import pytest
from socketio_talk import PATIENCE, Polling, Talk, until_page

pytestmark = pytest.mark.slow  # together, not each

OPEN = "EIO=4&transport=polling"


# Query parameters


@pytest.mark.parametrize("query", ["transport=polling", "EIO=&transport=polling"])
async def test_a_request_that_names_no_version_is_400(talk: Talk, query: str) -> None:
    assert (await talk.http(query=query)).status == 400


@pytest.mark.parametrize("version", ["abc", "3", "5", "44", "4.0"])
async def test_a_client_of_another_version_is_told_what_is_spoken_here(
    talk: Talk, version: str
) -> None:
    reply = await talk.http(query=f"EIO={version}&transport=polling")
    assert reply.status == 400
    assert reply.headers["content-type"] == "application/json"
    said = json.loads(reply.text)
    assert (said["code"], said["message"]) == (5, "Unsupported protocol version")
    assert "socket.io-client" in said["detail"] and "EIO=4" in said["detail"]


@pytest.mark.parametrize("query", ["EIO=4", "EIO=4&transport=", "EIO=4&transport=abc"])
async def test_a_request_that_names_no_known_transport_is_400(talk: Talk, query: str) -> None:
    reply = await talk.http(query=query)
    assert reply.status == 400
    assert json.loads(reply.text) == {"code": 0, "message": "Transport unknown"}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_only_a_get_opens_a_session(talk: Talk, method: str) -> None:
    reply = await talk.http(method, body="40")
    assert reply.status == 400
    assert json.loads(reply.text) == {"code": 2, "message": "Bad handshake method"}


@pytest.mark.parametrize("missing", ["EIO=4&", "transport=polling&"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_parameters_are_mandatory_in_every_request(
    talk: Talk, missing: str, method: str
) -> None:
    client = await Polling.open(talk)
    query = client.query.replace(missing, "")
    assert (await talk.http(method, query, "40")).status == 400
    assert (await client.post("40")).text == "ok"  # the session lives on


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_a_session_is_reached_by_get_and_post_only(talk: Talk, method: str) -> None:
    client = await Polling.open(talk)
    assert (await talk.http(method, client.query, "40")).status == 400
    assert (await client.post("40")).text == "ok"


async def test_a_websocket_transport_without_a_websocket_is_400(talk: Talk) -> None:
    reply = await talk.http(query="EIO=4&transport=websocket")
    assert (reply.status, json.loads(reply.text)["code"]) in ((400, 3), (400, 0))


# Sending data, receiving data


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unknown_session_is_400(talk: Talk, method: str) -> None:
    reply = await talk.http(method, f"{OPEN}&sid=unknown", "40")
    assert reply.status == 400
    assert json.loads(reply.text) == {"code": 1, "message": "Session ID unknown"}


async def test_a_post_is_answered_with_ok(talk: Talk) -> None:
    client = await Polling.open(talk)
    reply = await client.post("40")
    assert (reply.status, reply.text) == (200, "ok")


@pytest.mark.one_worker
async def test_a_get_is_answered_when_there_is_something(talk: Talk) -> None:
    client = await Polling.open(talk)
    poll = asyncio.ensure_future(client.poll())
    await until_page(talk, f"/session/{client.sid}", "polling")
    assert not poll.done()
    await client.post("40")
    reply = await poll
    assert reply.status == 200 and reply.text.startswith("40{")
    assert reply.headers["content-type"].lower() == "text/plain; charset=utf-8"
    assert reply.headers["cache-control"] == "no-store"


async def test_what_was_buffered_comes_in_one_answer_and_in_order(talk: Talk) -> None:
    client = await Polling.open(talk)
    await client.post("40", '421["count",5]')
    got: list[str] = []
    while "431[]" not in got:
        reply = await client.poll()
        assert reply.status == 200
        got += reply.text.split("\x1e")
    assert got[0].startswith("40{") and got[1:] == [
        '42["auth",{}]',
        *(f'42["number",{n}]' for n in range(5)),
        "431[]",
    ]


async def test_a_second_get_is_400_and_closes_the_session(talk: Talk) -> None:
    client = await Polling.open(talk)
    one, two = sorted(await asyncio.gather(client.poll(), client.poll()))
    assert (one.status, one.text) == (200, "1")
    assert two.status == 400
    assert (await client.poll()).status == 400


@pytest.mark.one_worker
async def test_a_second_post_is_400_and_closes_the_session(talk: Talk) -> None:
    await talk.page("/shut")
    client = await Polling.open(talk)
    first = asyncio.ensure_future(client.post("40/slow,"))
    try:
        await until_page(talk, "/waiting", "1")
        assert (await client.post("40")).status == 400
        assert (await client.poll()).status == 400
    finally:
        await talk.page("/open")
        await first


@pytest.mark.one_worker
@pytest.mark.websocket  # WSGI does not tell that a client has left
async def test_a_cancelled_get_closes_the_session(talk: Talk) -> None:
    client = await Polling.open(talk)
    poll = asyncio.ensure_future(client.poll())
    await until_page(talk, f"/session/{client.sid}", "polling")
    poll.cancel()
    await until_page(talk, f"/session/{client.sid}", "gone")
    assert (await client.poll()).status == 400


# Handshake


async def test_a_handshake_has_what_the_client_needs_and_no_more(talk: Talk) -> None:
    client = await Polling.open(talk)
    assert client.opened.pop("sid") == client.sid and isinstance(client.sid, str)
    assert client.opened == {
        "upgrades": ["websocket"] if talk.has_websocket else [],
        "pingInterval": 25000,
        "pingTimeout": 20000,
        "maxPayload": 1_000_000,
    }


@pytest.mark.heartbeat("quick")
async def test_times_of_less_than_a_second_are_told_exactly(talk: Talk) -> None:
    opened = (await Polling.open(talk)).opened
    assert (opened["pingInterval"], opened["pingTimeout"]) == (300, 1200)


async def test_no_two_sessions_have_the_same_id(talk: Talk) -> None:
    clients = [await Polling.open(talk) for _ in range(20)]
    assert len({client.sid for client in clients}) == 20
    for client in clients:
        await client.post("1")


async def test_a_parameter_against_caches_is_ignored(talk: Talk) -> None:
    reply = await talk.http(query=f"{OPEN}&t=N8hyd6w")
    assert reply.status == 200 and reply.text.startswith("0{")


# Heartbeat


@pytest.mark.slow
@pytest.mark.heartbeat("pinged")
async def test_the_server_pings_and_the_client_answers(talk: Talk) -> None:
    client = await Polling.open(talk)
    await client.post("40")
    got: list[str] = []
    while got.count("2") < 3:
        reply = await client.poll()
        assert reply.status == 200
        got += reply.text.split("\x1e")
        if "2" in reply.text.split("\x1e"):
            assert (await client.post("3")).text == "ok"
    assert got[0].startswith("40{")
    await client.post("1")


@pytest.mark.slow
@pytest.mark.heartbeat("quick")
async def test_a_ping_comes_after_the_interval_and_not_before(talk: Talk) -> None:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    client = await Polling.open(talk)
    assert (await client.poll()).text == "2"
    assert loop.time() - begin >= 0.29


@pytest.mark.slow
@pytest.mark.heartbeat("quick")
async def test_a_client_that_does_not_answer_a_ping_is_gone(talk: Talk) -> None:
    client = await Polling.open(talk)
    assert (await client.poll()).text == "2"
    reply = await client.poll()
    assert (reply.status, reply.text) in ((200, "1"), (400, reply.text))
    assert (await client.poll()).status == 400


@pytest.mark.slow
@pytest.mark.heartbeat("quick")
async def test_a_client_that_never_polls_is_gone_too(talk: Talk) -> None:
    client = await Polling.open(talk)
    async with asyncio.timeout(PATIENCE):
        while (await client.post("3")).status != 400:  # answers no ping, as none was taken
            await asyncio.sleep(0.05)
    assert (await client.poll()).status == 400


@pytest.mark.one_worker
@pytest.mark.slow
@pytest.mark.heartbeat("quick")
async def test_the_end_by_a_ping_that_was_not_answered_is_handled_once(talk: Talk) -> None:
    client = await Polling.open(talk)
    await client.post("40")
    sid = json.loads((await client.poll()).text.split("\x1e")[0][2:])["sid"]
    await until_page(talk, "/ended", f"{sid} ping timeout")
    assert (await client.poll()).status == 400
    assert (await talk.page("/ended")).count(sid) == 1


@pytest.mark.parametrize("packet", ["2", "2probe", "0", "5", "6", "3probe", "0{}", "1bye"])
async def test_packets_that_no_polling_client_sends_close_the_session(
    talk: Talk, packet: str
) -> None:
    client = await Polling.open(talk)
    assert (await client.post(packet)).status == 400
    assert (await client.poll()).status == 400


# Packet encoding


async def test_packets_are_parted_by_the_record_separator(talk: Talk) -> None:
    client = await Polling.open(talk)
    reply = await client.post("40", '421["message-with-ack","one"]', "3", '422["message-with-ack"]')
    assert (reply.status, reply.text) == (200, "ok")
    got: list[str] = []
    while len(got) < 4:
        got += (await client.poll()).text.split("\x1e")
    assert got[1:] == ['42["auth",{}]', '431["one"]', "432[]"]


async def test_bytes_are_base64_with_a_b_in_both_directions(talk: Talk) -> None:
    client = await Polling.open(talk)
    event = '451-["message",{"_placeholder":true,"num":0}]'
    await client.post("40", '42["message","text"]', event, "bAQIDBA==")
    got: list[str] = []
    while len(got) < 5:
        got += (await client.poll()).text.split("\x1e")
    assert got[2:] == [
        '42["message-back","text"]',
        '451-["message-back",{"_placeholder":true,"num":0}]',
        "bAQIDBA==",
    ]


async def test_text_is_utf_8(talk: Talk) -> None:
    client = await Polling.open(talk)
    await client.post("40")
    await client.poll()
    await client.post('421["message-with-ack","€ü😀"]')
    got: list[str] = []
    while not got or not got[-1].startswith("431"):
        got += (await client.poll()).text.split("\x1e")
    assert json.loads(got[-1][3:]) == ["€ü😀"]


async def test_a_separator_in_a_message_parts_nothing(talk: Talk) -> None:
    client = await Polling.open(talk)
    await client.post("40")
    await client.poll()
    await client.post('421["message-with-ack","a\\u001eb"]')
    got: list[str] = []
    while not got or not got[-1].startswith("431"):
        got += (await client.poll()).text.split("\x1e")
    assert json.loads(got[-1][3:]) == ["a\x1eb"]


INVALID = ["", "abc", "9", "-1", " 4", "b!!!!", "bAQ=", "bAQIDBA", "4\x1e", "\x1e", "4\x1eabc"]


@pytest.mark.parametrize("body", INVALID)
async def test_what_is_no_payload_is_400_and_closes_the_session(talk: Talk, body: str) -> None:
    client = await Polling.open(talk)
    reply = await client.post(body)
    assert reply.status == 400
    assert json.loads(reply.text)["code"] == 3
    assert (await client.poll()).status == 400


@pytest.mark.parametrize("body", [b"\xff\xfe", b"4\x00\xff", b"b\x80\x81"])
async def test_a_body_that_is_no_text_is_400_and_closes_the_session(
    talk: Talk, body: bytes
) -> None:
    client = await Polling.open(talk)
    assert (await talk.http("POST", client.query, body)).status == 400
    assert (await client.poll()).status == 400


async def test_a_body_that_says_it_is_binary_is_400_and_closes_the_session(talk: Talk) -> None:
    client = await Polling.open(talk)
    headers = {"content-type": "application/octet-stream"}
    reply = await talk.http("POST", client.query, b"\x04\x01", headers)
    assert reply.status == 400
    assert (await client.poll()).status == 400


@pytest.mark.one_worker
async def test_nothing_of_a_payload_with_a_bad_packet_is_handled(talk: Talk) -> None:
    await talk.page("/shut")
    client = await Polling.open(talk)
    assert (await client.post("40/slow,", "abc")).status == 400
    assert await talk.page("/waiting") == "0"


# Packets: close


@pytest.mark.one_worker
async def test_a_client_can_close_and_its_get_is_answered_with_a_noop(talk: Talk) -> None:
    client = await Polling.open(talk)
    poll = asyncio.ensure_future(client.poll())
    await until_page(talk, f"/session/{client.sid}", "polling")
    assert (await client.post("1")).text == "ok"
    reply = await poll
    assert (reply.status, reply.text) == (200, "6")
    assert (await client.poll()).status == 400
    assert (await client.post("40")).status == 400
