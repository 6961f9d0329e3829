"""HTTP/2 on the servers that speak it: the same site, the same cases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import h2.exceptions
import pytest
from cases.entrances import Ask
from cases.gateways import LARGE
from cases.site import LANES

from .http2 import Http2, ask_by_http2
from .running import ServedSiteCases, Server, with_site

pytestmark = pytest.mark.service


@pytest.fixture(scope="module", params=["granian-asgi", "granian-rsgi", "vial"])
def server(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Server]:
    with with_site(request.param, tmp_path_factory.mktemp("http2")) as server:
        yield server


@pytest.fixture(scope="module")
def ask(server: Server) -> Any:
    return partial(ask_by_http2, server)


@pytest.fixture(params=LANES)
def lane(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestSite(ServedSiteCases):
    """All of them."""


def test_a_body_that_no_header_announces_is_read(ask: Any, lane: str) -> None:
    answer = ask(f"{lane}/data", "POST", chunks=[b"one", b"two"])
    assert answer.text.startswith("[6,")


def test_a_body_that_is_reset_midway_reaches_no_view_as_whole(
    server: Server, ask: Any, lane: str
) -> None:
    key = f"reset{lane[1:]}"
    with Http2(server) as client:
        client.begin(Ask(f"{lane}/whole/{key}", "POST", announced="10"), end=False)
        client.send(b"part")
        client.connection.reset_stream(1)
        client.flush()
        assert ask("/sync/hello").text == "Hello"
    assert ask(f"/seen/{key}").text.strip() in ('{"seen":null}', '{"seen":"error 400"}')


def test_a_body_above_the_limit_is_413(ask: Any, lane: str) -> None:
    assert ask(f"{lane}/data", "POST", body=LARGE * 3).status == 413
    assert ask(f"{lane}/data", "POST", chunks=[LARGE] * 3).status == 413


def test_a_stream_is_closed_when_its_client_resets_it(server: Server, ask: Any, lane: str) -> None:
    key = f"endless{lane[1:]}"
    with Http2(server) as client:
        client.begin(Ask(f"{lane}/endless/{key}"), end=True)
        client.until(lambda: len(client.answer.chunks) > 3)
        with suppress(h2.exceptions.StreamClosedError):  # the server was sooner
            client.connection.reset_stream(1)
        client.flush()
        for _ in range(500):
            if "closed" in ask(f"/seen/{key}").text:
                break
        else:
            raise AssertionError("the generator was not closed")
