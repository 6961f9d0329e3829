"""Many requests that work with PostgreSQL, under every server; and a PostgreSQL that dies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from clusters import Cluster, cluster
from gateways.running import COMMANDS, Server, start
from serving import wait_for

pytestmark = [pytest.mark.service, pytest.mark.slow]

SITE = "cases.database_site:app"
AT_ONCE = 200
LANES = ("sync", "async")


@pytest.fixture(scope="module")
def database() -> Iterator[Cluster]:
    with cluster() as running:
        yield running


@pytest.fixture(params=COMMANDS)
def server(
    request: pytest.FixtureRequest,
    database: Cluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Server]:
    monkeypatch.setenv("SQLALCHEMY_DATABASE_URI", database.url)
    running = start(request.param, tmp_path, SITE)
    running.patience = 60  # some have one thread for all
    try:
        yield running
    except BaseException:
        print(running.log)
        raise
    finally:
        running.stop()


def state(server: Server) -> dict[str, Any]:
    answer = server.ask("/state")
    assert answer.status == 200, answer
    return json.loads(answer.body)  # type: ignore[no-any-return]


def visit(server: Server, number: int) -> None:
    """One of all kinds of visitors: those who get their answer, an error, a stream, or leave."""
    lane, kind = LANES[number % 2], number // 2 % 5
    if kind == 0:
        assert server.ask(f"/{lane}/work/{number}?fail=1").status == 500
    elif kind == 1:
        ask = f"GET /{lane}/stream/{number} HTTP/1.1\r\nHost: x\r\n\r\n"
        with server.connect(ask.encode(), server.patience) as client:
            client.recv(100)
    elif kind == 2:
        answer = server.ask(f"/{lane}/stream/{number}")
        assert answer.body.count(b"\n") == 20
    else:
        answer = server.ask(f"/{lane}/work/{number}")
        assert json.loads(answer.body) == {"number": number}


def test_requests_at_once_share_no_session_and_give_all_connections_back(server: Server) -> None:
    assert server.ask("/make").status == 200
    with ThreadPoolExecutor(AT_ONCE) as visitors:
        list(visitors.map(lambda number: visit(server, number), range(AT_ONCE)))
    wait_for("the end of streams", lambda: state(server)["under way"] == 0)
    wait_for("connections that are given back", lambda: state(server)["taken"] == 0)
    wait_for("async ones too", lambda: state(server)["taken async"] == 0)
    assert state(server)["mistakes"] == []
    assert state(server)["entries"] == AT_ONCE * 2 // 5


def test_a_database_that_dies_is_503_and_its_return_is_seen_at_once(
    server: Server, database: Cluster
) -> None:
    assert reads(server) == {200}
    database.kill()
    try:
        assert reads(server) == {503}
        assert "The database does not answer: " in server.log
        assert "Traceback" not in server.log
    finally:
        database.start()
    assert reads(server) == {200}


def test_requests_during_a_restart_of_the_database_are_answered(
    server: Server, database: Cluster
) -> None:
    with ThreadPoolExecutor(1) as meanwhile:
        restart = meanwhile.submit(lambda: (database.kill(), database.start()))
        seen = set[int]()
        while not restart.done():
            seen |= reads(server)
        restart.result()
    assert seen <= {200, 503}
    assert reads(server) == {200}


def reads(server: Server) -> set[int]:
    """How requests are answered that want all connections of the pools at once."""
    with ThreadPoolExecutor(20) as visitors:
        lanes = [f"/{lane}/read" for lane in LANES * 20]
        return {answer.status for answer in visitors.map(server.ask, lanes)}
