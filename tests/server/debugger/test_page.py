"""What debug mode shows for an exception, by WSGI, ASGI and RSGI."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from cases.entrance_rsgi import Rsgi
from cases.entrances import Answer, Asgi, Wsgi
from markupsafe import Markup

import vial
from vial import Vial, g, request, session
from vial.server.debugger import DebuggedASGI, DebuggedRSGI, DebuggedWSGI

BROWSER = ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
SVG = "<svg onload=alert(1)>"
SCRIPT = "</script><script>alert(1)</script>"
DEBUGGED = {"wsgi": (Wsgi(), DebuggedWSGI), "asgi": (Asgi(), DebuggedASGI)} | {
    "rsgi": (Rsgi(), DebuggedRSGI)
}
Ask = Callable[..., Answer]


@pytest.fixture
def app() -> Vial:
    app = Vial("shop", static_folder=None)
    app.debug = True
    app.secret_key = "the key of this shop"
    return app


@pytest.fixture(params=DEBUGGED)
def ask(app: Vial, request: pytest.FixtureRequest) -> Ask:
    return asking(app, request.param)


@pytest.fixture
def ask_one(app: Vial) -> Ask:
    """For what no gateway has a part in."""
    return asking(app, "asgi")


def asking(app: Vial, gateway: str) -> Ask:
    """Ask the app for a page, as a browser does, through the debugger."""
    entrance, debugged = DEBUGGED[gateway]
    inner = {"wsgi": app.wsgi_app, "asgi": app, "rsgi": app.__rsgi__}[gateway]
    wrapped = debugged(inner, host="127.0.0.1")

    def ask(target: str = "/", method: str = "GET", **options: Any) -> Answer:
        options["headers"] = [BROWSER, *options.get("headers", ())]
        return entrance.ask(wrapped, target, method, **options)

    return ask


class Elements(HTMLParser):
    """The tags of a page, and all the text that a reader sees."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.text += "" if tag in ("b", "mark") else " "

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] and self.tags[-1][0] not in ("script", "style"):
            self.text += data


def read(answer: Answer) -> str:
    assert answer.status == 500 and answer["content-type"] == "text/html; charset=utf-8"
    return re.sub(r"\s+", " ", Elements(answer.text).text)


def test_the_page_shows_the_exception_its_frames_and_the_request(app: Vial, ask: Ask) -> None:
    @app.post("/cart/<int:number>")
    def add(number: int) -> str:
        session["items"] = [number]
        amount = {"apples": 3}
        return str(amount[request.form["what"]])

    form = {"headers": [("Content-Type", "application/x-www-form-urlencoded")]}
    page = read(ask("/cart/7?by=hand", "POST", body=b"what=pears&password=hunter2", **form))
    assert "POST /cart/7" in page and "KeyError 'pears'" in page
    assert 'return str(amount[request.form["what"]])' in page
    assert "number 7" in page and "amount {'apples': 3}" in page
    assert "Rule /cart/<int:number>" in page and "by hand" in page
    assert "what pears password ••••••" in page and "hunter2" not in page
    assert "items <list>" in page
    assert "Traceback (most recent call last): File" in page
    assert "frames of libraries" in page


def test_async_views_sync_views_and_hooks_all_have_their_page(app: Vial, ask: Ask) -> None:
    @app.get("/async")
    async def waits() -> None:
        await asyncio.sleep(0)
        raise LookupError("in the async view")

    @app.get("/fine")
    def fine() -> str:
        return "fine"

    @app.get("/handled")
    def handled() -> None:
        raise KeyError("the first one")

    @app.errorhandler(KeyError)
    def fails(e: KeyError) -> None:
        raise ValueError("in the handler")

    @app.before_request
    def before() -> None:
        if "before" in request.args:
            raise LookupError("in before_request")

    @app.after_request
    def after(response: vial.Response) -> vial.Response:
        if "after" in request.args:
            raise LookupError("in after_request")
        return response

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        if "teardown" in request.args:
            raise LookupError("in teardown_request")

    assert ask("/fine").text == "fine"
    assert "LookupError in the async view" in read(ask("/async"))
    for name in ("before", "after", "teardown"):
        assert f"LookupError in {name}_request" in read(ask(f"/fine?{name}"))
    page = read(ask("/handled"))
    assert "ValueError in the handler" in page
    assert "raised while handling KeyError 'the first one'" in page


def test_causes_notes_and_groups_are_shown(app: Vial, ask_one: Ask) -> None:
    @app.get("/")
    def several() -> None:
        problem = OSError("the disk is full")
        problem.add_note("ask for another one")
        inner = ExceptionGroup("inside", [ValueError("second"), KeyError("third")])
        raise ExceptionGroup("many at once", [TypeError("first"), inner]) from problem

    page = read(ask_one())
    assert "ExceptionGroup many at once (2 sub-exceptions)" in page
    assert "exception 1 of 2 in this group TypeError first" in page
    assert "exception 2 of 2 in this group ExceptionGroup inside" in page
    assert "exception 2 of 2 in this group KeyError 'third'" in page
    assert "which was caused by OSError the disk is full ask for another one" in page


def test_clients_that_read_no_html_get_the_traceback_as_text(app: Vial, ask: Ask) -> None:
    @app.get("/")
    def fails() -> None:
        raise LookupError("\x1b[2Jnothing")

    entrance, debugged = DEBUGGED["wsgi"]
    for accept in ([], [("Accept", "*/*")], [("Accept", "application/json, text/html;q=0")]):
        answer = entrance.ask(debugged(app.wsgi_app, host="127.0.0.1"), headers=accept)
        assert answer.status == 500 and answer["content-type"] == "text/plain; charset=utf-8"
        assert answer.text.startswith("Traceback (most recent call last):\n  File ")
        assert answer.text.endswith("LookupError: \\x1b[2Jnothing\n")
        assert "flow.py" not in answer.text  # it begins with the view
    assert ask(method="HEAD").body == b""


def test_nothing_in_an_exception_or_a_request_becomes_markup(app: Vial, ask: Ask) -> None:
    class Evil(str):
        def __html__(self) -> str:
            return SVG

    class Shown:
        def __repr__(self) -> str:
            return Evil(SVG)

    Tagged = type(SVG, (Exception,), {"__module__": SCRIPT})

    @app.get("/", defaults={"path": ""})
    @app.post("/<path:path>")
    def fails(path: str) -> None:
        request.form["x"]
        names = {SVG: 1, "shown": Shown(), "evil": Evil(SCRIPT), "markup": Markup(SVG)}
        error = Tagged(Markup(SVG + SCRIPT))
        error.add_note(SCRIPT)
        names["pattern"] = re.compile(SVG)
        names["listed"] = type(SVG, (list,), {})([SVG])
        exec("raise error", {"error": error}, names)

    form = [("Content-Type", "application/x-www-form-urlencoded"), ("X-Evil", SVG)]
    body = b"x=1&%3Csvg%20onload%3D1%3E=%3Csvg%20onload%3D2%3E"
    answer = ask("/%3Csvg%20onload%3D3%3E?%3Csvg%3E=%3C/script%3E", "POST", headers=form, body=body)
    page = Elements(answer.text)
    tags = [tag for tag, _ in page.tags]
    assert "svg" not in tags and tags.count("script") == 1
    for text in (SVG, SCRIPT, "<svg onload=2>", "/<svg onload=3>"):
        assert text in page.text
    assert not [a for _, attrs in page.tags for a in attrs if a.startswith("on")]


def test_the_page_brings_all_it_needs_and_lets_nothing_else_run(app: Vial, ask_one: Ask) -> None:
    app.add_url_rule("/", "fails", lambda: 1 / 0)
    answer, other = ask_one(), ask_one()
    policy = answer["content-security-policy"]
    (nonce,) = set(re.findall(r"'nonce-([^']+)'", policy))
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy
    assert nonce not in other["content-security-policy"]
    for tag, attributes in Elements(answer.text).tags:
        assert "style" not in attributes and not attributes.get("src")
        if tag in ("script", "style"):
            assert attributes["nonce"] == nonce
        if tag == "link":
            assert attributes["href"] == "data:,"
    assert answer["cache-control"] == "no-store" and answer["x-frame-options"] == "DENY"
    assert answer["cross-origin-resource-policy"] == "same-origin"


def fails_with_secrets() -> None:
    password = "-".join(("a", "local"))
    settings, environ, jar = vial.current_app.config, request.environ, request.cookies
    copied, url = settings["SECRET_KEY"], settings["DATABASE_URL"]
    raise LookupError(f"{copied} {len(password)} {settings is environ is jar is url}")


def test_secrets_are_masked_wherever_they_appear(app: Vial, ask: Ask) -> None:
    app.config["DATABASE_URL"] = "postgresql://me:swordfish@db/shop"
    app.add_url_rule("/", "fails", fails_with_secrets)
    credentials = "dTpyYWJiaXQtaG9sZQ=="
    headers = [("Cookie", "session=abcdefgh; theme=darkness"), ("X-Api-Key", "tttttt")]
    headers.append(("Authorization", f"Basic {credentials}"))
    page = ask("/?token=uuuuuu", headers=headers).text
    secrets = ["the key of this shop", "swordfish", "abcdefgh", "tttttt", "uuuuuu", "a-local"]
    assert [s for s in [*secrets, credentials, "rabbit-hole", "darkness"] if s in page] == []
    assert "postgresql://me:••••••@db/shop" in page


def test_values_that_misbehave_cost_their_own_line_only(app: Vial, ask_one: Ask) -> None:
    class Raises:
        def __repr__(self) -> str:
            raise SystemExit

    class Long(list):  # type: ignore[type-arg]
        pass

    @app.get("/")
    def fails() -> None:
        raises, after = Raises(), "is still there"
        long, huge, deep = Long(range(10**6)), 10**5000, []
        for _ in range(10**4):
            deep = [deep]  # a repr of all would end in a RecursionError
        raise LookupError(after, bool(raises or long or huge))

    answer = ask_one()
    page = read(answer)
    assert "raises <" in page and "Raises whose repr raises SystemExit>" in page
    assert "after 'is still there'" in page and "… and 999980 more]" in page
    assert "huge <int of 16610 bits>" in page and "deep [[[[[[…" in page
    assert len(answer.body) < 200_000


def test_an_exception_whose_text_cannot_be_told_has_a_page(app: Vial, ask_one: Ask) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    @app.get("/")
    def fails() -> None:
        raise Mute

    assert "__str__ raises ValueError" in read(ask_one())


@pytest.mark.slow
def test_hostile_exceptions_are_answered_by_page_or_text(
    app: Vial, ask_one: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    class Hostile:
        def __hash__(self) -> int:
            raise OSError

        __bool__ = __hash__  # type: ignore[assignment]

    @app.get("/<name>")
    def fails(name: str) -> None:
        error: Exception = ValueError("\udcff\x07 and\x9b31m")
        if name == "chain":
            for number in range(3000):
                outer = KeyError(number)
                outer.__cause__, error = error, outer
        elif name == "cycle":
            error.__cause__ = KeyError()
            error.__cause__.__context__ = error
        elif name == "notes":
            error.__notes__ = [1, None, "a note"]
        elif name == "group":
            for _ in range(500):
                error = ExceptionGroup("in", [error])
        elif name == "hidden":
            __traceback_hide__ = Hostile()
        raise error

    for name in ("chain", "cycle", "notes", "group", "hidden", "plain"):
        answer = ask_one(f"/{name}")
        assert answer.status == 500 and len(answer.body) < 400_000, name
        assert answer["content-type"].startswith("text/")
    printed = capsys.readouterr().err
    assert "\\udcff\\x07 and\\x9b31m" in printed
    assert not set(printed) & {"\udcff", "\x07", "\x9b"}


@pytest.mark.slow
def test_thousands_of_frames_and_causes_are_bounded(app: Vial, ask_one: Ask) -> None:
    def deeper(n: int) -> int:
        return deeper(n + 1) + 1

    app.add_url_rule("/", "deep", lambda: deeper(0))

    @app.get("/chain")
    def chain() -> None:
        error: Exception = ValueError("the first")
        for number in range(100):
            try:
                raise KeyError(number) from error
            except KeyError as e:
                error = e
        raise error

    page = ask_one()
    assert "frames in the middle are left out" in read(page) and len(page.body) < 600_000
    assert read(ask_one("/chain")).count("which was caused by") < 25


@pytest.mark.slow
def test_a_repr_that_never_ends_is_left_out_and_ended(app: Vial, ask_one: Ask) -> None:
    running: list[int] = []

    class Endless:
        def __repr__(self) -> str:
            while True:
                running.append(1)
                if len(running) > 1000:
                    running.clear()

    @app.get("/")
    def fails() -> None:
        before, endless, after = 1, Endless(), 2
        raise LookupError((before, after) if endless else "")

    page = read(ask_one())
    assert "before 1 endless <left out: its repr takes too long> after 2" in page


# Templates


@pytest.fixture
def templates(app: Vial, tmp_path: Path) -> Path:
    app.root_path = str(tmp_path)
    app.jinja_loader = None
    folder = tmp_path / "templates"
    folder.mkdir()
    app.template_folder = str(folder)
    vars(app).pop("jinja_loader", None)
    return folder


FILES = {
    "base.html": "<html>\n{% block body %}{% endblock %}\n</html>",
    "child.html": '{% extends "base.html" %}\n{% block body %}\n{{ cart.total.sum }}{% endblock %}',
    "parts.html": "{% macro price(x) %}\n\n{{ x / 0 }}\n{% endmacro %}",
    "uses.html": '{% import "parts.html" as parts %}\n{{ parts.price(3) }}',
    "includes.html": 'one\ntwo\n{% include "child.html" %}',
    "broken.html": "fine\n{% if %}\n",
    "lost.html": '\n{% include "nowhere.html" %}',
}


def test_errors_in_templates_point_at_their_lines(app: Vial, ask_one: Ask, templates: Path) -> None:
    for name, text in FILES.items():
        (templates / name).write_text(text)
    app.add_url_rule("/<name>", "show", lambda name: vial.render_template(name, cart={}))
    app.add_url_rule("/", "text", lambda: vial.render_template_string("a\n{{ nobody.name }}"))

    def first(name: str) -> str:
        return read(ask_one(f"/{name}")).split("most recent call first", 1)[1]

    assert re.search(r"child\.html:3 .*3 \{\{ cart\.total\.sum \}\}", first("child.html"))
    assert "cart {}" in first("child.html")
    assert re.search(r"parts\.html:3 .*3 \{\{ x / 0 \}\}.*uses\.html:2", first("uses.html"))
    assert re.search(r"child\.html:3 .*includes\.html:3 ", first("includes.html"))
    assert re.search(r"broken\.html:2 .*2 \{% if %\}", first("broken.html"))
    lost = read(ask_one("/lost.html"))
    assert re.search(r"lost\.html:2 .*2 \{% include", lost)
    assert f"The template 'nowhere.html' was not found. Looked in: {templates}" in lost
    assert re.search(r"<template>:2 1 a 2 \{\{ nobody\.name \}\}", first(""))


def test_a_module_that_does_not_compile_is_shown_with_its_line(
    app: Vial, ask_one: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_module_of_a_test.py").write_text("x = 1\ndef f(:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)

    @app.get("/")
    def fails() -> None:
        import broken_module_of_a_test  # noqa: F401

    page = read(ask_one())
    assert "SyntaxError invalid syntax" in page
    assert "not compiled broken_module_of_a_test.py:2 1 x = 1 2 def f(: 3 pass" in page


# Where there is no page


def test_http_errors_and_handled_ones_are_answered_by_the_app(app: Vial, ask: Ask) -> None:
    @app.get("/")
    def handled() -> None:
        raise ValueError

    @app.errorhandler(ValueError)
    def answer(e: ValueError) -> tuple[str, int]:
        return "handled", 418

    assert (ask().status, ask().text) == (418, "handled")
    assert ask("/nowhere").status == 404


def test_an_answer_that_has_begun_is_cut_short(app: Vial, ask: Ask) -> None:
    @app.get("/")
    def stream() -> Any:
        yield "begun"
        raise LookupError("in the stream")

    with pytest.raises(LookupError, match="in the stream"):
        ask()


def test_a_stream_that_fails_before_its_first_chunk_has_a_page_where_nothing_was_sent(
    app: Vial,
) -> None:
    @app.get("/")
    def stream() -> Any:
        raise LookupError("at once")
        yield ""

    started: list[Any] = []
    environ = Wsgi().bare_environ("GET")
    body = b"".join(DebuggedWSGI(app.wsgi_app)(environ, lambda *args: started.append(args)))
    assert body.endswith(b"LookupError: at once\n")
    assert [(status, len(rest)) for status, *rest in started] == [
        ("200 OK", 1),
        ("500 Internal Server Error", 2),
    ]
    assert started[1][2][0] is LookupError


def test_websockets_and_the_lifespan_pass_through(app: Vial) -> None:
    heard: list[str] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        heard.append(scope["type"])

    for kind in ("websocket", "lifespan"):
        asyncio.run(DebuggedASGI(inner)({"type": kind}, None, None))  # type: ignore[arg-type]
    assert heard == ["websocket", "lifespan"]


def test_the_context_is_over_when_the_page_is_made_and_g_is_gone(app: Vial, ask: Ask) -> None:
    ended: list[Any] = []
    app.teardown_appcontext(lambda e: ended.append((g.get("user"), type(e))))

    @app.get("/")
    def fails() -> None:
        g.user = "ada"
        raise LookupError

    ask()
    assert ended == [("ada", LookupError)]
