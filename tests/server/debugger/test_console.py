"""The console of the debugger's page: what it does, and for whom, by WSGI, ASGI and RSGI."""

from __future__ import annotations

import gc
import json
import os
import re
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cases.entrance_rsgi import Rsgi
from cases.entrances import Answer, Asgi, Wsgi
from werkzeug.debug import DebuggedApplication

import vial
from vial import Vial, g, session
from vial.server.debugger import DebuggedASGI, DebuggedRSGI, DebuggedWSGI, core
from vial.server.debugger.console import Console
from vial.server.debugger.guard import Guard, is_same_origin
from vial.server.debugger.pin import TRIES, Pin
from vial.server.debugger.seen import Seen

BROWSER = [("Accept", "text/html")]
URL = core.PATH


class Thing:
    """A value in a frame that can be watched."""


class Browser:
    """A window on one of the gateways: it loads the page and sends what is typed into it."""

    def __init__(self, app: Vial, gateway: str, **options: Any) -> None:
        options.setdefault("host", "127.0.0.1")
        self.entrance: Any
        if gateway == "wsgi":
            self.entrance, self.app = Wsgi(), DebuggedWSGI(app.wsgi_app, **options)
        elif gateway == "asgi":
            self.entrance, self.app = Asgi(), DebuggedASGI(app, **options)
        else:
            self.entrance, self.app = Rsgi(), DebuggedRSGI(app.__rsgi__, **options)
        self.debugger = self.app.debugger
        self.cookie = ""
        self.secret = ""
        self.frames: list[str] = []

    def load(self, target: str = "/", headers: Any = ()) -> str:
        page: str = self.entrance.ask(self.app, target, headers=[*BROWSER, *headers]).text
        self.frames = re.findall(r'data-frame="([^"]+)"', page)
        found = re.search(r'data-secret="([^"]+)"', page)
        self.secret = found[1] if found else ""
        return page

    def send(self, what: Any, without: str = "", **more: str) -> Answer:
        headers = {
            "Origin": "http://localhost",
            "Sec-Fetch-Site": "same-origin",
            "Content-Type": "application/json",
            "X-Vial-Debugger": self.secret,
        }
        if self.cookie:
            headers["Cookie"] = self.cookie
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        headers.pop(without, None)
        body = what if isinstance(what, bytes) else json.dumps(what).encode()
        sent = list(headers.items())
        return self.entrance.ask(self.app, URL, "POST", headers=sent, body=body)  # type: ignore[no-any-return]

    def unlock(self) -> Answer:
        answer = self.send({"pin": self.debugger.pin.text})
        self.cookie = answer["set-cookie"].partition(";")[0]
        return answer

    def type(self, code: str, frame: int = 0) -> Any:
        return json.loads(self.send({"frame": self.frames[frame], "code": code}).body)


@pytest.fixture
def app() -> Vial:
    app = Vial("shop", static_folder=None)
    app.debug = True
    app.secret_key = "the key of this shop"

    @app.get("/")
    def fails() -> None:
        price, thing = 42, Thing()
        assert vial  # for those who type it
        g.user = "ada"
        session["cart"] = [price]
        raise LookupError(thing)

    return app


@pytest.fixture(params=["wsgi", "asgi", "rsgi"])
def browser(app: Vial, request: pytest.FixtureRequest) -> Browser:
    return Browser(app, request.param)


def test_code_runs_in_the_frame_after_the_pin(browser: Browser) -> None:
    browser.load()
    assert browser.type("price + 1") == {"error": "pin"}
    answer = browser.unlock()
    assert answer.status == 200
    cookie = answer["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and f"Path={URL}" in cookie
    assert browser.type("price + 1") == {"text": "43", "more": False}
    assert browser.type("price = 7; print(price)\nprice + 1")["text"] == "7\n8"
    assert browser.type("_ * 2")["text"] == "16"


def test_the_request_and_the_app_are_there(browser: Browser, app: Vial) -> None:
    ended: list[str] = []
    app.teardown_appcontext(lambda e: ended.append(g.get("user")))
    browser.load("/?x=1")
    browser.unlock()
    names = "from vial import request, g, current_app, session, url_for\n"
    code = "(request.args['x'], g.user, current_app.name, session['cart'], url_for('fails'))"
    assert browser.type(names + code)["text"] == "('1', 'ada', 'shop', [42], '/')"
    assert ended == ["ada", "ada"]  # of the view, of the code; whatever it took is given back


def test_a_statement_may_have_several_lines_and_errors_are_told(browser: Browser) -> None:
    browser.load()
    browser.unlock()
    assert browser.type("for i in range(2):") == {"text": "", "more": True}
    assert browser.type("for i in range(2):\n  print(i)")["more"]
    assert browser.type("for i in range(2):\n  print(i)\n")["text"] == "0\n1\n"
    assert "SyntaxError" in browser.type("1 +* 2")["text"]
    text = browser.type("1 / 0")["text"]
    assert text.startswith("Traceback") and text.endswith("ZeroDivisionError: division by zero\n")
    assert "console.py" not in text
    assert "SystemExit" in browser.type("raise SystemExit")["text"]
    assert len(browser.type("'x' * 10**7")["text"]) < 110_000
    assert len(browser.type("print('x' * 10**6)")["text"]) < 110_000
    assert browser.type("'\\0'")["text"] == "'\\x00'"


def test_nobody_but_the_page_on_this_machine_gets_an_answer(browser: Browser) -> None:
    browser.load()
    browser.unlock()
    command = {"frame": browser.frames[0], "code": "price"}
    assert browser.send(command).status == 200
    refused = [
        browser.send(command, without="X-Vial-Debugger"),
        browser.send(command, X_Vial_Debugger="guess"),
        browser.send(command, X_Vial_Debugger="ü"),
        browser.send(command, Origin="http://evil.example"),
        browser.send(command, Origin="null"),
        browser.send(command, Sec_Fetch_Site="same-site"),
        browser.send(command, Sec_Fetch_Site="cross-site"),
        browser.send(command, X_Forwarded_For="127.0.0.1"),
        browser.send(command, Forwarded="for=127.0.0.1"),
        browser.send(command, Via="1.1 proxy"),
        browser.entrance.ask(browser.app, URL),
    ]
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "x@localhost"):
        headers = [("X-Vial-Debugger", browser.secret), ("Origin", f"http://{host}")]
        body = json.dumps(command).encode()
        options: Any = {"headers": headers, "body": body, "host": host}
        refused.append(browser.entrance.ask(browser.app, URL, "POST", **options))
    assert [a.status for a in refused if a.status not in (400, 404)] == []
    assert not any(b"42" in a.body for a in refused)


def test_a_browser_without_fetch_metadata_shows_its_origin(browser: Browser) -> None:
    browser.load()
    assert browser.send({"pin": "1"}, without="Sec-Fetch-Site").status == 403
    assert browser.send({"pin": "1"}, without="Origin").status == 403
    headers = [("X-Vial-Debugger", browser.secret)]
    answer = browser.entrance.ask(browser.app, URL, "POST", headers=headers, body=b'{"pin": "1"}')
    assert answer.status == 404


def test_ten_wrong_pins_lock_the_console_for_the_right_one_too(browser: Browser) -> None:
    browser.load()
    browser.unlock()
    for left in range(TRIES - 1, 0, -1):
        answer = browser.send({"pin": "000-000-00x"})
        assert (answer.status, json.loads(answer.body)) == (403, {"error": "wrong", "left": left})
    assert json.loads(browser.send({"pin": ""}).body) == {"error": "locked"}
    assert json.loads(browser.send({"pin": browser.debugger.pin.text}).body) == {"error": "locked"}
    assert browser.type("price") == {"error": "locked"}  # with the cookie of before


def test_requests_at_once_have_no_more_tries() -> None:
    pin = Pin()
    right = threading.Event()
    with ThreadPoolExecutor(32) as pool:
        for _ in range(500):
            pool.submit(lambda: pin.matches("nine") and right.set())
    assert pin.wrong == TRIES and not pin.matches(pin.text) and not right.is_set()


def test_pins_are_random_and_forgive_nothing() -> None:
    pins = {Pin().text for _ in range(200)}
    assert len(pins) == 200 and all(re.fullmatch(r"\d{3}-\d{3}-\d{3}", p) for p in pins)
    pin = Pin()
    assert not pin.matches("x") and pin.matches(pin.text.replace("-", " ")) and pin.wrong == 1
    assert not pin.matches("") and not pin.matches(pin.text[:-1]) and not pin.matches("٣")


def test_the_pin_is_on_the_terminal_and_not_from_the_environment(
    app: Vial, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WERKZEUG_DEBUG_PIN", "123-456-789")
    browser = Browser(app, "wsgi")
    page = browser.load()
    assert capsys.readouterr().out == f" * Debugger PIN: {browser.debugger.pin.text}\n"
    assert browser.debugger.pin.text not in page and browser.debugger.pin.text != "123-456-789"


def test_commands_that_make_no_sense_are_refused(browser: Browser) -> None:
    browser.load()
    browser.unlock()
    for what in (b"", b"{", b"[]", {"pin": 1}, {"frame": 1, "code": "1"}, b"x" * 70_000):
        assert browser.send(what).status == 400
    for frame in (
        "",
        "x.0",
        browser.frames[0].replace(".", ".9"),
        browser.frames[0].replace(".", ".-"),
    ):
        answer = browser.send({"frame": frame, "code": "1"})
        assert (answer.status, json.loads(answer.body)) == (410, {"error": "gone"})


def test_what_is_kept_is_bounded_and_let_go(app: Vial, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = Browser(app, "asgi")
    things: list[Any] = []

    @app.get("/watched")
    def watched() -> None:
        thing = Thing()
        things.append(weakref.ref(thing))
        raise LookupError(thing)

    browser.load("/watched")
    frames = browser.frames
    gc.collect()
    assert things[0]() is not None
    for _ in range(core.KEPT):
        browser.load()
    gc.collect()
    assert things[0]() is None
    browser.unlock()
    assert browser.type("price")["text"] == "42"
    browser.frames = frames
    assert browser.type("thing") == {"error": "gone"}
    browser.load("/watched")
    monkeypatch.setattr(core, "KEPT_SECONDS", 0)
    assert browser.type("thing") == {"error": "gone"}
    gc.collect()
    assert things[1]() is None


@pytest.mark.parametrize("why", ["host", "proxy", "name", "evalex", "text"])
def test_nothing_is_kept_for_those_who_have_no_console(app: Vial, why: str) -> None:
    options: Any = {"host": "0.0.0.0"} if why == "host" else {}
    browser = Browser(app, "asgi", evalex=why != "evalex", **options)
    if why == "name":
        ask: Any = {"host": "shop.example", "headers": BROWSER}
    else:
        ask = {"headers": [] if why == "text" else BROWSER}
        ask["headers"] = ask["headers"] + [("Via", "x")] * (why == "proxy")
    page = browser.entrance.ask(browser.app, "/", **ask).text
    assert "LookupError" in page and "data-secret" not in page and "data-frame" not in page
    assert browser.debugger._secret not in page
    assert not browser.debugger._kept


def test_there_are_no_assets_that_tell_of_the_debugger(browser: Browser, app: Vial) -> None:
    app.add_url_rule("/fine", "fine", lambda: "fine")
    for query in ("cmd=resource&f=style.css", "cmd=resource&f=debugger.js", "cmd=printpin"):
        assert browser.entrance.ask(browser.app, f"/fine?__debugger__=yes&{query}").text == "fine"
        assert browser.entrance.ask(browser.app, f"/no?__debugger__=yes&{query}").status == 404
    assert browser.entrance.ask(browser.app, "/console").status == 404
    for method in ("GET", "POST", "HEAD", "OPTIONS"):
        assert browser.entrance.ask(browser.app, URL, method).status == 404


# Guard


def seen(peer: str | None = "127.0.0.1", host: str = "localhost:5000", **headers: str) -> Seen:
    sent = Seen("POST", URL, peer=peer)
    sent.headers["Host"] = host
    for name, value in headers.items():
        sent.headers[name.replace("_", "-")] = value
    return sent


def test_who_has_a_console() -> None:
    for host in ("127.0.0.1", "localhost", "::1", "127.1.2.3"):
        guard = Guard(host)
        for peer in ("127.0.0.1", "::1", "127.9.9.9", "::ffff:127.0.0.1"):
            assert guard.why_not(seen(peer)) is None
    for name in ("localhost", "LOCALHOST:1", "shop.localhost", "127.0.0.1:80", "[::1]:80"):
        assert Guard("127.0.0.1").why_not(seen(host=name)) is None


@pytest.mark.parametrize("host", [None, "", "0.0.0.0", "::", "192.168.1.4", "shop.example"])
def test_a_server_that_others_reach_has_no_console(host: str | None) -> None:
    why = Guard(host).why_not(seen())
    assert why is not None and ("other machines" in why or "not known" in why)


@pytest.mark.parametrize("peer", [None, "", "192.168.1.4", "::", "10.0.0.1", "localhost.x", "x"])
def test_other_machines_have_no_console(peer: str | None) -> None:
    assert Guard("127.0.0.1").why_not(seen(peer)) == "you are on another machine"


@pytest.mark.parametrize(
    "host", ["", "shop.example", "127.0.0.2", "[::2]", "localhost.", "localhost:x", "a b", "/", "["]
)
def test_other_names_have_no_console(host: str) -> None:
    assert "Host" in str(Guard("127.0.0.1").why_not(seen(host=host)))
    twice = seen()
    twice.headers.add("Host", "localhost")
    assert "Host" in str(Guard("127.0.0.1").why_not(twice))


@pytest.mark.parametrize(
    "name", ["Forwarded", "VIA", "X-Real-IP", "X-Forwarded-Host", "x-forwarded-port", "X-Forwarded"]
)
def test_what_came_through_a_proxy_has_no_console(name: str) -> None:
    assert "proxy" in str(Guard("127.0.0.1").why_not(seen(**{name: ""})))


@pytest.mark.parametrize("gateway", ["wsgi", "asgi", "rsgi"])
def test_a_proxy_that_the_program_believes_opens_no_console(app: Vial, gateway: str) -> None:
    app.config["TRUSTED_PROXIES"] = 1
    browser = Browser(app, gateway)
    browser.load()
    assert browser.secret
    for headers in ({"X-Forwarded-For": "127.0.0.1"}, {"X-Forwarded-Host": "localhost"}):
        page = browser.load(headers=list(headers.items()))
        assert browser.secret == "" and "through a proxy" in page


def test_origins_are_compared_as_a_whole() -> None:
    assert is_same_origin(seen(Origin="http://localhost:5000"))
    for origin in ("http://localhost", "https://localhost:5000", "http://localhost:50000", "null"):
        assert not is_same_origin(seen(Origin=origin))
        assert not is_same_origin(seen(Origin=origin, Sec_Fetch_Site="same-origin"))
    assert not is_same_origin(seen(Sec_Fetch_Site="none"))


def test_production_and_other_servers_have_no_console(
    app: Vial, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guard = Guard("127.0.0.1")
    monkeypatch.setenv("VIAL_ENV", "Production")
    assert guard.why_never() == "VIAL_ENV is 'production'"
    Browser(app, "asgi")
    assert "Debugger pages without a console; VIAL_ENV is" in capsys.readouterr().out
    monkeypatch.setenv("VIAL_ENV", "development")
    assert guard.why_never() is None
    monkeypatch.setenv("SERVER_SOFTWARE", "gunicorn/23.0")
    assert guard.why_never() == "gunicorn is no development server"
    monkeypatch.delenv("SERVER_SOFTWARE")
    for name in ("uvicorn.protocols.http", "hypercorn.run", "waitress.task", "granian.server.mp"):
        names: dict[str, Any] = {"__name__": name, "guard": guard}
        exec("why = guard.why_never()", names)
        assert names["why"] == f"{name.partition('.')[0]} is no development server"
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert guard.why_never() == "the server has several processes"


def test_a_console_without_a_request_runs_too() -> None:
    console = Console({"x": 1}, {"y": 2}, None)
    assert console.run("x + y").text == "3"
    assert console.run("[x + y for _ in 'ab']").text == "[3, 3]"
    assert console.run("\0").text.startswith("Traceback") or "null byte" in console.run("\0").text


# Werkzeug's own


def test_werkzeugs_debugger_works_around_an_app_as_around_flasks(app: Vial) -> None:
    app.wsgi_app = DebuggedApplication(app.wsgi_app, evalex=True, pin_security=False)
    page = Wsgi().ask(app, headers=BROWSER)
    assert page.status == 500
    (secret,) = re.findall(r'SECRET = "(\w+)"', page.text)
    frame = re.findall(r'id="frame-(\d+)"', page.text)[-1]
    code = "price,vial.request.path,g.user,vial.current_app.name"
    target = f"/?__debugger__=yes&cmd={code}&frm={frame}&s={secret}"
    for entrance in (Wsgi(), Asgi()):
        text = re.sub("<[^>]+>", "", entrance.ask(app, target).text)
        assert "(42, &#39;/&#39;, &#39;ada&#39;, &#39;shop&#39;)" in text
