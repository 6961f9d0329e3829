"""Flask-Talisman: https, security headers and a content security policy with nonces."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask, Response, render_template_string, session
from flask_talisman import ALLOW_FROM, Talisman

SECURE = "https://localhost"


def make(**options: Any) -> tuple[Flask, Talisman]:
    app = Flask(__name__)
    app.secret_key = "k"
    talisman = Talisman(app, **options)
    app.add_url_rule("/", "index", lambda: "index")
    return app, talisman


def test_plain_http_is_sent_to_https(assert_fast: Any, over_asgi: Any) -> None:
    app, _ = make()
    response = app.test_client().get("/?a=b")
    assert (response.status_code, response.location) == (302, "https://localhost/?a=b")
    assert app.test_client().get("/", base_url=SECURE).text == "index"
    assert app.test_client().get("/", headers={"X-Forwarded-Proto": "https"}).text == "index"
    assert over_asgi(app, "/", scheme="https").text == "index"
    assert over_asgi(app, "/").status == 302
    assert_fast(app)


def test_every_answer_has_the_headers(over_asgi: Any) -> None:
    app, _ = make()
    for path in ("/", "/none"):
        headers = app.test_client().get(path, base_url=SECURE).headers
        assert headers["Strict-Transport-Security"] == "max-age=31556926; includeSubDomains"
        assert headers["X-Frame-Options"] == "SAMEORIGIN"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == "default-src 'self'; object-src 'none'"
        assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert over_asgi(app, "/", scheme="https")["x-frame-options"] == "SAMEORIGIN"


def test_a_script_with_the_nonce_of_its_answer_is_allowed() -> None:
    policy = {"default-src": "'self'", "script-src": "'self'"}
    app, _ = make(content_security_policy=policy, content_security_policy_nonce_in=["script-src"])
    source = "<script nonce='{{ csp_nonce() }}'>1</script>"
    app.add_url_rule("/page", "page", lambda: render_template_string(source))
    seen = set()
    for _ in range(2):
        response = app.test_client().get("/page", base_url=SECURE)
        (nonce,) = re.findall("nonce='(.+)'", response.text)
        assert f"script-src 'self' 'nonce-{nonce}'" in response.headers["Content-Security-Policy"]
        seen.add(nonce)
    assert len(seen) == 2


def test_one_view_may_differ() -> None:
    app, talisman = make()

    @app.route("/embedded")
    @talisman(
        frame_options=ALLOW_FROM,
        frame_options_allow_from="*",
        content_security_policy=False,
        force_https=False,
    )
    def embedded() -> str:
        return "embedded"

    response = app.test_client().get("/embedded")
    assert (response.status_code, response.headers["X-Frame-Options"]) == (200, "ALLOW-FROM *")
    assert "Content-Security-Policy" not in response.headers
    assert app.test_client().get("/").status_code == 302


def test_session_cookies_are_for_https_only() -> None:
    app, _ = make(session_cookie_samesite="Strict")

    @app.route("/login")
    def login() -> Response:
        session["user"] = "ada"
        return Response("ok")

    cookie = app.test_client().get("/login", base_url=SECURE).headers["Set-Cookie"]
    assert {"Secure", "HttpOnly", "SameSite=Strict"} <= set(cookie.split("; "))


def test_the_headers_can_be_chosen() -> None:
    app, _ = make(
        force_https_permanent=True,
        strict_transport_security_preload=True,
        strict_transport_security_max_age=60,
        frame_options="DENY",
        referrer_policy="no-referrer",
        permissions_policy={"geolocation": "()"},
        content_security_policy={"default-src": ["'self'", "cdn.example"]},
        content_security_policy_report_only=True,
        content_security_policy_report_uri="/csp",
    )
    assert app.test_client().get("/").status_code == 301
    headers = app.test_client().get("/", base_url=SECURE).headers
    assert headers["Strict-Transport-Security"] == "max-age=60; includeSubDomains; preload"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Permissions-Policy"] == "geolocation=()"
    policy = headers["Content-Security-Policy-Report-Only"]
    assert policy == "default-src 'self' cdn.example; report-uri /csp"
    assert "Content-Security-Policy" not in headers


def test_plain_http_is_served_while_debugging() -> None:
    app, _ = make()
    app.debug = True
    assert app.test_client().get("/").text == "index"
