"""Where a login goes, and where it may come back to."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from login_site import Site

from vial import redirect, url_for
from vial.login import is_safe_next, login_url, make_next_param, safe_next

HOSTILE = [
    "https://evil",
    "//evil",
    "///evil",
    "////evil",
    "/\\evil",
    "\\\\evil",
    "\\/evil",
    "https:evil",
    "https:///evil",
    "javascript:x",
    "data:x",
    "%2f%2fevil",
    "/%09/evil",
    "/\t/evil",
    " https://evil",
    "evil.com@good",
    "good.evil.com",
    # and more of the kind
    "",
    "/%2f/evil",
    "/%2Fevil.com",
    "/%252f/evil",
    "/%5cevil",
    "/%0d%0aSet-Cookie:x",
    "/a\r\nSet-Cookie: x",
    "http://localhost@evil.com/",
    "http://localhost:80@evil.com/",
    "http://localhost.evil.com/",
    "https://localhost/",
    "http:/evil.com",
    "http:localhost/x",
    "HTTP://evil.com",
    "//localhost/",
    "/\u2028/evil",
    "/x ",
    "?next=/x",
    "http://[::1",
    "/" + "x" * 2000,
]
SAFE = [
    "/",
    "/a/b?c=d&e=%2F%2Fevil#f",
    "/a?url=https://example.com",
    "/caf%C3%A9",
    "/café",
    "http://localhost/a",
    "http://localhost",
    "/a%20b",
]


@pytest.mark.parametrize("target", HOSTILE)
def test_a_login_goes_to_its_default_page_where_it_was_sent_elsewhere(target: str) -> None:
    site = Site()
    site.app.add_url_rule(
        "/go", "go", lambda: redirect(safe_next(url_for("page"))), methods=["GET", "POST"]
    )
    client = site.app.test_client()
    assert client.get(f"/go?next={quote(target)}").location == "/page"
    assert client.post("/go", data={"next": target}).location == "/page"
    with client.session_transaction() as planted:
        planted["next"] = target
    assert client.post("/go").location == "/page"


@pytest.mark.parametrize("target", SAFE)
def test_pages_of_the_site_are_gone_back_to(target: str) -> None:
    with Site().app.test_request_context(f"/login?next={quote(target)}"):
        assert is_safe_next(target)
        assert safe_next() == target


def test_the_form_and_the_session_may_say_where() -> None:
    app = Site().app
    with app.test_request_context("/login", method="POST", data={"next": "/form"}) as ctx:
        ctx.session["next"] = "/session"
        assert safe_next() == "/form"
        assert "next" not in ctx.session
        ctx.session["next"] = "/session"
        assert safe_next() == "/form"
    with app.test_request_context("/login") as ctx:
        ctx.session["next"] = "/session"
        assert safe_next("/default") == "/session"
        assert safe_next("/default") == "/default"


def test_urls_of_login_pages() -> None:
    app = Site().app
    app.add_url_rule("/<lang>/enter", "enter", lambda lang: lang)
    app.add_url_rule("/<lang>/x", "x", lambda lang: lang)
    with app.test_request_context("/de/x"):
        assert login_url("enter") == "/de/enter"
        assert login_url("/enter", "http://localhost/x?y=1") == "/enter?next=%2Fx%3Fy%3D1"
        assert login_url("/enter?a=&next=z", "/x", "next") == "/enter?a=&next=%2Fx"
        assert login_url("/enter", "/x", next_field="back") == "/enter?back=%2Fx"
        there = "https://a.b/enter?next=http%3A%2F%2Flocalhost%2Fx"
        assert login_url("https://a.b/enter", "http://localhost/x") == there
        app.config["FORCE_HOST_FOR_REDIRECTS"] = "c.d"
        assert login_url("https://a.b/enter", "https://a.b/x") == "https://c.d/enter?next=%2Fx"
    assert make_next_param("/login", "http://h/x?y#f") == "/x?y"
    assert make_next_param("https://h/login", "http://h/x") == "http://h/x"
