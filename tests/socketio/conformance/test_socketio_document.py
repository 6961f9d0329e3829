"""The Socket.IO protocol, version 5, sentence by sentence, over both transports.

https://socket.io/docs/v4/socket-io-protocol/; the headings are those of the document.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from socketio_talk import Client, Closed, Talk, until_page

pytestmark = pytest.mark.slow  # together, not each


async def joined(talk: Talk, transport: str, namespace: str = "") -> Client:
    client = await Client.open(talk, transport)
    await client.connect(namespace)
    return client


async def next_of(client: Client, start: str) -> str:
    """The next packet that begins so, whatever comes before."""
    while True:
        packet = await client.receive()
        if isinstance(packet, str) and packet.startswith(start):
            return packet


async def is_alive(client: Client, namespace: str = "") -> bool:
    prefix = namespace and f"{namespace},"
    await client.send(f'2{prefix}99["message-with-ack","alive"]')
    return await next_of(client, f"3{prefix}99") == f'3{prefix}99["alive"]'


# Connection to a namespace


@pytest.mark.parametrize(
    ("packet", "prefix", "auth"),
    [
        ("0", "", "{}"),
        ('0{"token":"123"}', "", '{"token":"123"}'),
        ("0/custom,", "/custom,", "{}"),
        ("0/custom", "/custom,", "{}"),
        ("0/custom?token=abc,", "/custom,", "{}"),
        ('0/custom,{"token":"abc"}', "/custom,", '{"token":"abc"}'),
        ("0/,", "", "{}"),
    ],
)
async def test_a_connect_is_answered_with_a_session_id_before_anything_else(
    talk: Talk, transport: str, packet: str, prefix: str, auth: str
) -> None:
    client = await Client.open(talk, transport)
    await client.send(packet)
    answer = str(await client.receive())
    assert answer.startswith(f"0{prefix}")
    said = json.loads(answer[1 + len(prefix) :])
    assert list(said) == ["sid"] and isinstance(said["sid"], str)
    assert await client.receive() == f'2{prefix}["auth",{auth}]'
    await client.leave()


async def test_the_session_id_differs_between_namespaces_and_from_that_of_the_transport(
    talk: Talk, transport: str
) -> None:
    client = await Client.open(talk, transport)
    one, two = await client.connect(), await client.connect("/custom")
    assert len({client.sid, one, two}) == 3
    await client.leave()


@pytest.mark.parametrize(
    ("packet", "answer"),
    [
        ("0/random", '4/random,{"message":"Invalid namespace"}'),
        ("0/random,", '4/random,{"message":"Invalid namespace"}'),
        ('0/random,{"token":"1"}', '4/random,{"message":"Invalid namespace"}'),
        ("0/refused,", '4/refused,{"message":"Not authorized"}'),
    ],
)
async def test_a_connect_that_is_not_allowed_is_answered_with_an_error(
    talk: Talk, transport: str, packet: str, answer: str
) -> None:
    client = await Client.open(talk, transport)
    await client.send(packet)
    assert await client.receive() == answer
    await client.connect()  # another namespace is
    await client.leave()


@pytest.mark.parametrize(
    "packet",
    [
        '2["message"]',
        '20["message"]',
        "30[]",
        "1",
        '451-["x"]',
        "4abc",
        "9",
        '2/custom,["message"]',
    ],
)
async def test_a_client_that_does_not_connect_first_is_cut_off_at_once(
    talk: Talk, transport: str, packet: str
) -> None:
    client = await Client.open(talk, transport)
    await client.send(packet)
    await client.ended()


async def test_bytes_before_a_connect_cut_the_client_off(talk: Talk, transport: str) -> None:
    client = await Client.open(talk, transport)
    await client.send(b"\x01")
    await client.ended()


@pytest.mark.parametrize("packet", ['2/custom,["message"]', "3/custom,1[]", "1/custom,"])
async def test_so_is_one_that_uses_a_namespace_it_has_not_joined(
    talk: Talk, transport: str, packet: str
) -> None:
    client = await joined(talk, transport)
    await client.send(packet)
    await client.ended()


async def test_so_is_one_that_connects_twice(talk: Talk, transport: str) -> None:
    client = await joined(talk, transport)
    await client.send("0")
    await client.ended()


@pytest.mark.slow
@pytest.mark.heartbeat("quick")
async def test_so_is_one_that_never_connects(talk: Talk, transport: str) -> None:
    client = await Client.open(talk, transport)
    await client.ended()


@pytest.mark.slow
@pytest.mark.heartbeat("quick")
async def test_a_connect_that_was_refused_is_none(talk: Talk, transport: str) -> None:
    client = await Client.open(talk, transport)
    await client.send("0/refused,")
    await client.ended()


@pytest.mark.slow
@pytest.mark.heartbeat("pinged")
async def test_one_that_has_connected_stays(talk: Talk, transport: str) -> None:
    client = await joined(talk, transport)
    loop = asyncio.get_running_loop()
    end = loop.time() + 1.5
    while loop.time() < end:
        assert await is_alive(client)
    await client.leave()


async def test_a_client_is_in_several_namespaces_at_the_same_time(
    talk: Talk, transport: str
) -> None:
    client = await Client.open(talk, transport)
    await client.connect()
    await client.connect("/custom")
    await client.send('2["message","here"]', '2/custom,["message","there"]')
    got = {await client.receive(), await client.receive()}
    assert got == {'2["message-back","here"]', '2/custom,["message-back","there"]'}
    await client.leave()


# Sending and receiving data


@pytest.mark.parametrize("namespace", ["", "/custom,"])
async def test_events_go_both_ways(talk: Talk, transport: str, namespace: str) -> None:
    client = await joined(talk, transport, namespace.strip(","))
    payload = '1,"2",{"3":[true]},null,1.5,[],""'
    await client.send(f'2{namespace}["message",{payload}]')
    assert await client.receive() == f'2{namespace}["message-back",{payload}]'
    await client.leave()


@pytest.mark.parametrize("payload", ["", "[]", "{}", '{"a":1}', '"message"', "1", "null", "true"])
async def test_the_payload_of_an_event_is_a_list_that_is_not_empty(
    talk: Talk, transport: str, payload: str
) -> None:
    client = await joined(talk, transport)
    await client.send(f"2{payload}")
    await client.ended()


@pytest.mark.parametrize("namespace", ["", "/custom,"])
async def test_binary_events_go_both_ways(talk: Talk, transport: str, namespace: str) -> None:
    client = await joined(talk, transport, namespace.strip(","))
    holes = '{"_placeholder":true,"num":0},[{"a":{"_placeholder":true,"num":1}}]'
    await client.send(f'52-{namespace}["message",{holes}]', b"\x01\x02\x03", b"")
    assert await client.receive() == f'52-{namespace}["message-back",{holes}]'
    assert [await client.receive(), await client.receive()] == [b"\x01\x02\x03", b""]
    await client.leave()


async def test_attachments_are_told_apart_by_their_numbers(talk: Talk, transport: str) -> None:
    client = await joined(talk, transport)
    holes = [{"_placeholder": True, "num": number} for number in (1, 0, 1)]
    await client.send("52-" + json.dumps(["message", *holes]), b"zero", b"one")
    assert str(await client.receive()).startswith('53-["message-back"')
    assert [await client.receive() for _ in range(3)] == [b"one", b"zero", b"one"]
    await client.leave()


async def test_a_placeholder_of_an_event_without_attachments_is_data(
    talk: Talk, transport: str
) -> None:
    client = await joined(talk, transport)
    await client.send('2["message",{"_placeholder":true,"num":0}]')
    assert await client.receive() == '2["message-back",{"_placeholder":true,"num":0}]'
    await client.leave()


BAD_ATTACHMENTS: list[list[str | bytes]] = [
    [b"\x01"],  # that belongs to nothing
    ['51-["message",{"_placeholder":true,"num":0}]', '2["message"]'],
    ['51-["message",{"_placeholder":true,"num":1}]', b"\x01"],
    ['51-["message",{"_placeholder":true,"num":-1}]', b"\x01"],
    ['51-["message",{"_placeholder":true,"num":"0"}]', b"\x01"],
    ['51-["message",{"_placeholder":true,"num":null}]', b"\x01"],
    ['5["message"]'],
    ['5-["message"]'],
    ['511-["message"]'],
    ['599999999999-["message"]'],
    ['5-1-["message"]'],
    ['51-{"message":1}', b"\x01"],
    ["51-[]", b"\x01"],
]


@pytest.mark.parametrize("packets", BAD_ATTACHMENTS)
async def test_attachments_that_do_not_fit_close_the_connection(
    talk: Talk, transport: str, packets: list[str | bytes]
) -> None:
    client = await joined(talk, transport)
    await client.send(*packets)
    await client.ended()


# Acknowledgement


@pytest.mark.parametrize("id", ["0", "1", "12", "456", "9007199254740991"])
@pytest.mark.parametrize("namespace", ["", "/custom,"])
async def test_an_event_with_an_id_is_acknowledged_with_the_same_id(
    talk: Talk, transport: str, namespace: str, id: str
) -> None:
    client = await joined(talk, transport, namespace.strip(","))
    await client.send(f'2{namespace}{id}["message-with-ack",1,"2",{{"3":[false]}}]')
    assert await client.receive() == f'3{namespace}{id}[1,"2",{{"3":[false]}}]'
    await client.leave()


async def test_an_acknowledgement_may_be_empty(talk: Talk, transport: str) -> None:
    client = await joined(talk, transport)
    await client.send('212["message-with-ack"]')
    assert await client.receive() == "312[]"
    await client.leave()


async def test_an_event_without_an_id_is_not_acknowledged(talk: Talk, transport: str) -> None:
    client = await joined(talk, transport)
    await client.send('2["message-with-ack","silent"]', '21["message-with-ack","loud"]')
    assert await client.receive() == '31["loud"]'
    await client.leave()


@pytest.mark.parametrize("namespace", ["", "/custom,"])
async def test_an_acknowledgement_may_be_binary(talk: Talk, transport: str, namespace: str) -> None:
    client = await joined(talk, transport, namespace.strip(","))
    holes = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'
    await client.send(f'52-{namespace}789["message-with-ack",{holes}]', b"\x01\x02", b"\x03")
    assert await client.receive() == f"62-{namespace}789[{holes}]"
    assert [await client.receive(), await client.receive()] == [b"\x01\x02", b"\x03"]
    await client.leave()


@pytest.mark.parametrize("namespace", ["", "/custom,"])
async def test_the_server_asks_and_the_client_answers(
    talk: Talk, transport: str, namespace: str
) -> None:
    client = await joined(talk, transport, namespace.strip(","))
    for number in (1, 2):
        await client.send(f'2{namespace}["ask",{number}]')
        question = str(await client.receive())
        assert question.startswith(f"2{namespace}") and question.endswith(f'["question",{number}]')
        id = question[1 + len(namespace) : question.index("[")]
        assert id.isdigit()
        await client.send(f'3{namespace}{id}["yes",{number}]')
        assert await client.receive() == f'2{namespace}["answered","yes",{number}]'
    await client.leave()


async def test_the_answer_may_be_binary(talk: Talk, transport: str) -> None:
    client = await joined(talk, transport)
    await client.send('2["ask"]')
    question = str(await client.receive())
    id = question[1 : question.index("[")]
    await client.send(f'61-{id}[{{"_placeholder":true,"num":0}}]', b"\x07")
    assert await client.receive() == '51-["answered",{"_placeholder":true,"num":0}]'
    assert await client.receive() == b"\x07"
    await client.leave()


async def test_an_answer_counts_once_and_one_that_nobody_waits_for_not_at_all(
    talk: Talk, transport: str
) -> None:
    client = await joined(talk, transport)
    await client.send('2["ask"]')
    question = str(await client.receive())
    id = question[1 : question.index("[")]
    await client.send(f"3{id}[1]", f"3{id}[2]", "3777[3]")
    assert await client.receive() == '2["answered",1]'
    assert await is_alive(client)
    await client.leave()


@pytest.mark.parametrize("packet", ["3", "31", "3[]", '31{"a":1}', '31"x"', "30[]", "31null"])
async def test_what_is_no_acknowledgement_closes_the_connection(
    talk: Talk, transport: str, packet: str
) -> None:
    client = await joined(talk, transport)
    await client.send(packet)
    await client.ended()


# Disconnection from a namespace


async def test_a_client_may_leave_a_namespace_and_stay_in_another(
    talk: Talk, transport: str
) -> None:
    client = await Client.open(talk, transport)
    await client.connect()
    await client.connect("/custom")
    await client.send("1/custom,", '2["message","to the main namespace"]')
    assert await client.receive() == '2["message-back","to the main namespace"]'
    await client.send('2/custom,1["message-with-ack"]')  # nobody is there to hear it
    assert await is_alive(client)
    await client.leave()


async def test_a_client_may_leave_its_only_namespace_and_come_back(
    talk: Talk, transport: str
) -> None:
    client = await Client.open(talk, transport)
    first = await client.connect()
    await client.send("1")
    second = await client.connect()
    assert first != second
    assert await is_alive(client)
    await client.leave()


@pytest.mark.slow
@pytest.mark.heartbeat("pinged")
async def test_the_connection_lives_on_without_a_namespace(talk: Talk, transport: str) -> None:
    client = await joined(talk, transport)
    await client.send("1")
    ended = asyncio.ensure_future(client.ended())  # answers pings
    await asyncio.wait({ended}, timeout=0.8)
    assert not ended.done()
    ended.cancel()
    await asyncio.wait({ended})


@pytest.mark.one_worker
async def test_the_server_may_send_a_client_away_from_one_namespace(
    talk: Talk, transport: str
) -> None:
    client = await Client.open(talk, transport)
    await client.connect()
    sid = await client.connect("/custom")
    await client.send('2/custom,["kick"]')
    assert await client.receive() == "1/custom,"
    await until_page(talk, "/ended", f"{sid} server disconnect")
    await client.send('2/custom,["message","late"]', "1/custom,")
    assert await is_alive(client)
    await client.connect("/custom")
    await client.leave()


@pytest.mark.one_worker
async def test_a_client_that_is_gone_has_left_all_its_namespaces(
    talk: Talk, transport: str
) -> None:
    client = await Client.open(talk, transport)
    sids = [await client.connect(), await client.connect("/custom")]
    await client.leave()
    for sid in sids:
        ended = await until_page(talk, "/ended", sid)
    assert [ended.count(sid) for sid in sids] == [1, 1]


# Packet encoding


BAD_PACKETS = [
    "",
    "abc",
    "9",
    "7[]",
    '2abc["message-with-ack",1]',
    '2["message"',
    "2[" * 9000,
    '2/custom["message"]',
    "2" * 200,
    '41{"message":"only servers say that"}',
    '4{"message":"only servers say that"}',
    '1{"message":"nothing follows"}',
    '2["connect"]',
    '2["disconnect","client disconnect"]',
    '2[1,"no name"]',
    '20-["message"]',
    '2²["message"]',
]


@pytest.mark.parametrize("packet", BAD_PACKETS)
async def test_what_is_no_packet_of_a_client_closes_the_connection(
    talk: Talk, transport: str, packet: str
) -> None:
    client = await joined(talk, transport)
    await client.send(packet)
    await client.ended()


async def test_the_sample_session_of_the_document(talk: Talk, transport: str) -> None:
    client = await Client.open(talk, transport)
    await client.send("0")
    assert str(await client.receive()).startswith('0{"sid":"')
    assert await client.receive() == '2["auth",{}]'
    await client.send('2["message","hey","Jude"]')
    assert await client.receive() == '2["message-back","hey","Jude"]'
    await client.send("0/custom,")
    assert str(await client.receive()).startswith('0/custom,{"sid":"')
    assert await client.receive() == '2/custom,["auth",{}]'
    await client.send('51-/custom,1["message-with-ack",{"_placeholder":true,"num":0}]', b"\x01")
    assert await client.receive() == '61-/custom,1[{"_placeholder":true,"num":0}]'
    assert await client.receive() == b"\x01"
    await client.leave()
    with pytest.raises(Closed):
        await _read_on(client)


async def _read_on(client: Client) -> Any:
    while True:
        await client.receive()
