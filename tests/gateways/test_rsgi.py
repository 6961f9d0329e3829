"""RSGI in process, as granian calls an app."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from cases.apps import EACH_PLAN, of_plan, took
from cases.entrance_rsgi import Pieces, Protocol, Rsgi
from cases.entrances import Ask
from cases.gateway_apps import AppCases
from cases.gateway_streams import StreamCases
from cases.gateways import SiteCases
from cases.proxies import ProxyCases
from cases.site import Site, make_site

from vial import Vial, request


@pytest.fixture(scope="module")
def entrance() -> Rsgi:
    return Rsgi()


@pytest.fixture(scope="module", params=EACH_PLAN)
def ask(entrance: Rsgi, request: pytest.FixtureRequest) -> Iterator[Any]:
    site = make_site(of_plan(request.param, Site))
    yield partial(entrance.ask, site)
    assert took(site, request.param)


@pytest.fixture
def app() -> Vial:
    return Vial("rsgi", static_folder=None)


class TestSite(SiteCases):
    # granian leaves out a request header that is not ASCII, and sends ours as UTF-8.
    test_headers_are_latin_1 = None
    test_response_headers_and_cookies_arrive = None


class TestApps(AppCases):
    # RSGI has no root path.
    test_below_a_root_links_lead_back = None
    test_the_root_itself_leads_to_its_slash = None


def test_headers_that_are_no_ascii_leave_as_utf_8(app: Vial) -> None:
    texts = {"X-Latin": "é", "X-Utf8": "é".encode().decode("latin-1")}
    app.get("/")(lambda: ("page", texts))
    answer = serve(app, Ask()).answer
    assert answer["x-latin"] == answer["x-utf8"] == texts["X-Utf8"]


class TestProxies(ProxyCases):
    pass


class TestStreams(StreamCases):
    pass


def serve(app: Vial, ask: Ask, **scope: Any) -> Protocol:
    protocol = Protocol(ask)
    rsgi_scope = Rsgi().rsgi_scope(ask)
    vars(rsgi_scope).update(scope)
    asyncio.run(app.__rsgi__(rsgi_scope, protocol))
    return protocol


def test_a_request_of_http_2_has_its_host_from_the_authority(app: Vial) -> None:
    app.get("/")(lambda: f"{request.host} {request.headers['Host']}")
    ask = Ask(host=None, version="2")
    assert serve(app, ask, authority="h2.example").answer.text == "h2.example h2.example"


class WithAnEmptyFrame(Protocol):
    def __aiter__(self) -> Pieces:
        return Pieces([b"a", b"", b"b", b""])


def test_an_empty_frame_in_a_body_of_http_2_is_no_broken_body(app: Vial) -> None:
    app.delete("/")(lambda: request.get_data())
    ask = Ask(method="DELETE", version="2")
    protocol = WithAnEmptyFrame(ask)
    asyncio.run(app.__rsgi__(Rsgi().rsgi_scope(ask), protocol))
    assert protocol.answer.body == b"ab"


def test_a_client_that_leaves_while_it_is_sent_to_is_no_error(app: Vial) -> None:
    closed: list[bool] = []

    @app.get("/")
    async def view() -> Any:
        async def pieces() -> Any:
            try:
                while True:
                    yield b"piece"
            finally:
                closed.append(True)

        return pieces()

    class Gone(Protocol):
        async def _send_bytes(self, data: bytes) -> None:
            raise RuntimeError("RSGI transport is closed")

    protocol = Gone(Ask())
    asyncio.run(app.__rsgi__(Rsgi().rsgi_scope(Ask()), protocol))
    assert closed == [True]


def test_an_ipv6_client_is_told_without_brackets(app: Vial) -> None:
    app.get("/")(lambda: f"{request.remote_addr} {request.environ['REMOTE_PORT']}")
    assert serve(app, Ask(), client="[::1]:77").answer.text == "::1 77"


def test_the_start_and_the_end_of_a_worker_run_what_is_registered(app: Vial) -> None:
    done: list[str] = []
    app.on_startup(lambda: done.append("start"))

    @app.on_shutdown
    async def end() -> None:
        done.append("end")

    loop = asyncio.new_event_loop()
    app.__rsgi_init__(loop)
    assert done == ["start"]
    app.__rsgi_del__(loop)
    loop.close()
    assert done == ["start", "end"]


def test_middleware_that_only_asgi_servers_call_is_told_at_the_start(app: Vial) -> None:
    inner = app.asgi_app
    app.asgi_app = lambda scope, receive, send: inner(scope, receive, send)  # type: ignore[method-assign]
    loop = asyncio.new_event_loop()
    with pytest.raises(RuntimeError, match="interface asgi"):
        app.__rsgi_init__(loop)
    loop.close()
