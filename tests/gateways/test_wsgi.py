"""WSGI in process, through ``wsgiref.validate``."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from cases.apps import EACH_PLAN, of_plan, took
from cases.entrances import Answer, Wsgi
from cases.gateway_apps import AppCases
from cases.gateway_streams import StreamCases
from cases.gateways import SiteCases
from cases.proxies import ProxyCases
from cases.site import Site, make_site

from vial import Vial, request


@pytest.fixture(scope="module")
def entrance() -> Wsgi:
    return Wsgi()


@pytest.fixture(scope="module", params=EACH_PLAN)
def ask(entrance: Wsgi, request: pytest.FixtureRequest) -> Iterator[Any]:
    site = make_site(of_plan(request.param, Site))
    yield partial(entrance.ask, site)
    assert took(site, request.param)


class TestSite(SiteCases):
    pass


class TestApps(AppCases):
    pass


class TestProxies(ProxyCases):
    pass


class TestStreams(StreamCases):
    pass


@pytest.fixture
def app() -> Vial:
    app = Vial("wsgi", static_folder=None)
    app.add_url_rule("/", "length", lambda: str(len(request.get_data())), methods=["POST"])
    return app


def post(app: Vial, environ: dict[str, Any], **options: Any) -> Answer:
    return Wsgi().ask(app, method="POST", environ=environ, **options)


GRANIAN = {"SERVER_SOFTWARE": "Granian"}


def test_a_chunked_body_is_refused_where_the_server_hides_that_it_was_cut(app: Vial) -> None:
    answer = post(app, GRANIAN, chunks=[b"abc"])
    assert answer.status == 411 and "Content-Length" in answer.text


def test_a_chunked_body_is_refused_where_the_server_does_not_tell_its_end(app: Vial) -> None:
    assert post(app, {"wsgi.input_terminated": False}, chunks=[b"abc"]).status == 411


def test_what_a_server_raises_for_broken_chunks_is_400(app: Vial) -> None:
    class BadChunk(Exception):
        pass

    class Input(io.BytesIO):
        def readinto(self, buffer: Any) -> int:
            raise BadChunk

        def read(self, size: int | None = -1) -> bytes:
            raise BadChunk

    for limit in (None, 100):
        app.config["MAX_CONTENT_LENGTH"] = limit
        assert post(app, {"wsgi.input": Input()}, chunks=[b"abc"]).status == 400


def test_a_chunked_body_is_trusted_on_demand(app: Vial) -> None:
    app.config["TRUST_CHUNKED_BODIES"] = True
    assert post(app, GRANIAN, chunks=[b"abc"]).text == "3"


def test_a_body_with_a_length_is_checked_where_the_server_does_not(app: Vial) -> None:
    assert post(app, GRANIAN, body=b"abc").text == "3"
    assert post(app, GRANIAN, body=b"abc", announced="4", cut=True).status == 400


def test_without_a_length_or_a_promised_end_there_is_no_body(app: Vial) -> None:
    unread = io.BytesIO(b"the next request")
    environ = Wsgi().bare_environ("POST")
    del environ["wsgi.input_terminated"]
    for length in ({}, {"CONTENT_LENGTH": ""}):
        environ |= {"wsgi.input": unread, **length}
        assert b"".join(app(environ, lambda status, headers: None)) == b"0"
    assert unread.tell() == 0


def test_a_body_ends_at_its_length_though_more_follows(app: Vial) -> None:
    environ = Wsgi().bare_environ("POST") | {
        "wsgi.input": io.BytesIO(b"12345GET /"),
        "CONTENT_LENGTH": "5",
    }
    assert b"".join(app(environ, lambda status, headers: None)) == b"5"


def test_async_views_share_one_loop_that_lives_on() -> None:
    app = Vial("wsgi", static_folder=None)
    tasks: list[asyncio.Task[str]] = []

    async def work() -> str:
        await asyncio.sleep(0.01)
        return "done after its request"

    @app.get("/start")
    async def start() -> str:
        tasks.append(asyncio.create_task(work()))
        return "started"

    @app.get("/wait")
    async def wait() -> str:
        return await tasks[0]

    assert Wsgi().ask(app, "/start").text == "started"
    assert Wsgi().ask(app, "/wait").text == "done after its request"


def test_a_view_may_ask_its_own_app(app: Vial) -> None:
    app.add_url_rule("/outer", "outer", lambda: [app.test_client().get("/in").text, request.path])
    app.add_url_rule("/in", "in", lambda: request.path)
    assert json.loads(Wsgi().ask(app, "/outer").body) == ["/in", "/outer"]


def test_middleware_may_wrap_the_entrance(app: Vial) -> None:
    inner = app.wsgi_app
    app.wsgi_app = lambda environ, start: inner(environ | {"PATH_INFO": "/"}, start)  # type: ignore[method-assign]
    assert Wsgi().ask(app, "/elsewhere", "POST", body=b"abc").text == "3"
