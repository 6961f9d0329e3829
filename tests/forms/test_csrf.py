"""Requests that other sites make a visitor's browser send: refused before a view runs."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from cases.entrances import Answer, Asgi, Wsgi

from vial import Blueprint, Vial, render_template_string, request, send_file, stream_template_string
from vial.flask_mode import Flask
from vial.forms import CSRFError, CSRFProtect
from vial.forms.csrf import generate_csrf, same_origin
from vial.views import MethodView

from .conftest import made, protected

Sends = Callable[..., Answer]
UNSAFE = ["POST", "PUT", "PATCH", "DELETE"]


# What browsers say.


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": "same-origin, cross-site"},
        {"Sec-Fetch-Site": "?"},
        {"Sec-Fetch-Site": ""},
        {"Origin": "null"},
        {"Origin": "http://localhost:81"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://evil.example, http://localhost"},
        {"Origin": "http://localhost@evil.example"},
    ],
    ids=str,
)
def test_what_a_foreign_page_sends_is_refused_even_with_a_token(
    app: Vial, sends: Sends, headers: dict[str, str]
) -> None:
    answer = sends(app, token=True, headers=headers)
    assert answer.status == 400
    assert "<p>The request came from a page of another site.</p>" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        # A page whose Referrer-Policy is no-referrer sends a form so.
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Origin": "http://localhost"},
        {"Origin": "https://localhost"},  # a proxy took the TLS off
    ],
    ids=str,
)
def test_what_an_own_page_sends_needs_no_token(
    app: Vial, sends: Sends, headers: dict[str, str]
) -> None:
    assert sends(app, headers=headers).text == "done"


@pytest.mark.parametrize("method", UNSAFE)
def test_without_such_headers_each_unsafe_method_needs_a_token(
    both: Vial, sends: Sends, method: str
) -> None:
    refused = sends(both, method)
    assert refused.status == 400 and "The CSRF token is missing." in refused.text
    # A body of DELETE has no meaning, but it may have one.
    assert sends(made(type(both)), method, header=True).text == "done"
    assert sends(made(type(both)), method, token=True).text == "done"


def test_safe_methods_are_not_looked_at(both: Vial, sends: Sends) -> None:
    assert sends(both, "GET", headers={"Sec-Fetch-Site": "cross-site"}).text == "done"


def test_in_flask_mode_it_is_always_the_token(flask_app: Vial, sends: Sends) -> None:
    own = {"Sec-Fetch-Site": "same-origin"}
    assert "The CSRF token is missing." in sends(flask_app, headers=own).text
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"}
    assert sends(made(Flask), token=True, headers=foreign).text == "done"


def test_the_setting_makes_apps_of_flask_mode_ask_the_browser(sends: Sends) -> None:
    app = made(Flask)
    app.config["WTF_CSRF_CHECK_ORIGIN"] = True
    assert sends(app, headers={"Sec-Fetch-Site": "same-origin"}).text == "done"
    app = made(Vial)
    app.config["WTF_CSRF_CHECK_ORIGIN"] = False
    assert sends(app, headers={"Sec-Fetch-Site": "same-origin"}).status == 400


def test_behind_tls_a_page_without_tls_is_another_site(app: Vial, sends: Sends) -> None:
    answer = sends(app, headers={"Origin": "http://localhost"}, scheme="https")
    assert answer.status == 400


def test_a_believed_proxy_tells_the_scheme_and_the_host(sends: Sends) -> None:
    told = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example"}
    for origin, status in (("https://shop.example", 200), ("http://shop.example", 400)):
        app = made(Vial)
        app.config["TRUSTED_PROXIES"] = 1
        assert sends(app, headers={"Origin": origin, **told}).status == status
    # Anyone can send those headers.
    assert sends(made(Vial), headers={"Origin": "https://shop.example", **told}).status == 400


@pytest.mark.parametrize("site", ["cross-site", "same-site", None])
@pytest.mark.parametrize("setting", ["https://a.example:8443", ["https://A.example:8443"]])
def test_origins_that_are_named_may_send_requests(
    app: Vial, sends: Sends, site: str | None, setting: Any
) -> None:
    app.config["WTF_CSRF_TRUSTED_ORIGINS"] = setting
    fetch = {"Sec-Fetch-Site": site} if site else {}
    headers = {"Origin": "https://a.example:8443", **fetch}
    assert sends(app, headers=headers).text == "done"
    app = made(Vial)
    app.config["WTF_CSRF_TRUSTED_ORIGINS"] = setting
    assert sends(app, headers={"Origin": "https://a.example", **fetch}).status == 400


@pytest.mark.parametrize("wrong", ["a.example", "*", "https://a.example/", "https://", "//a", ""])
def test_a_trusted_origin_that_is_none_is_an_error_at_the_start(app: Vial, wrong: str) -> None:
    app.config["WTF_CSRF_TRUSTED_ORIGINS"] = [wrong]
    with pytest.raises(ValueError, match=r"has '.*', which is no origin. Write it as browsers do"):
        CSRFProtect(app)


def test_the_log_says_what_to_set(app: Vial, caplog: pytest.LogCaptureFixture) -> None:
    protected(app)
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "http://a.example\x1b"}
    app.test_client().post("/", headers=headers)
    (line,) = caplog.messages
    assert line == (
        "A request to '/' of a page of 'http://a.example\\x1b' was refused. If it may send such"
        " requests, name it in WTF_CSRF_TRUSTED_ORIGINS."
    )


# Where the token is.


def test_the_token_may_have_the_prefix_of_its_form(both: Vial) -> None:
    protected(both)
    client = both.test_client()
    good = client.get("/token").text
    assert client.post("/", data={"first-csrf_token": good}).text == "done"
    assert client.post("/", headers={"X-CSRF-Token": good}).text == "done"
    assert client.post("/", json={}, headers={"X-CSRFToken": good}).text == "done"


def test_the_token_is_not_looked_for_in_the_url_nor_in_cookies(both: Vial) -> None:
    protected(both)
    client = both.test_client()
    good = client.get("/token").text
    client.set_cookie("csrf_token", good)
    assert client.post(f"/?csrf_token={good}", json={"csrf_token": good}).status_code == 400


def test_a_route_that_reads_its_body_itself_has_the_token_in_a_header(app: Vial) -> None:
    protected(app)

    @app.post("/stream", stream=True)
    def stream() -> bytes:
        return request.stream.read()  # type: ignore[no-any-return]

    client = app.test_client()
    good = client.get("/token").text
    assert client.post("/stream", data=b"x", headers={"X-CSRFToken": good}).data == b"x"
    form = {"csrf_token": good}
    assert "The CSRF token is missing." in client.post("/stream", data=form).text


def test_names_of_fields_headers_and_methods_can_be_set(both: Vial) -> None:
    both.config.update(
        WTF_CSRF_FIELD_NAME="proof", WTF_CSRF_HEADERS=["X-Proof"], WTF_CSRF_METHODS=["put"]
    )
    protected(both)
    client = both.test_client()
    good = client.get("/token").text
    assert client.post("/").text == "done"
    assert client.put("/", data={"csrf_token": good}).status_code == 400
    assert client.put("/", headers={"X-CSRFToken": good}).status_code == 400
    assert client.put("/", data={"proof": good}).text == "done"
    assert client.put("/", headers={"X-Proof": good}).text == "done"


# Which requests are checked.


def test_what_matches_no_route_is_404_or_405(both: Vial) -> None:
    protected(both)
    client = both.test_client()
    assert client.post("/nowhere").status_code == 404
    assert client.post("/token").status_code == 405


def test_views_are_exempt_also_below_their_decorators(both: Vial) -> None:
    from functools import wraps

    csrf = protected(both)

    def decorated(view: Any) -> Any:
        @wraps(view)
        def wrapper() -> Any:
            return view()

        return wrapper

    class View(MethodView):
        def post(self) -> str:
            return "class"

    both.post("/a")(csrf.exempt(named("a")))
    both.post("/b")(decorated(csrf.exempt(named("b"))))
    both.post("/c")(csrf.exempt(decorated(named("c"))))
    both.add_url_rule("/d", view_func=csrf.exempt(View.as_view("d")))
    both.add_url_rule("/e", view_func=csrf.exempt(View).as_view("e"))
    both.post("/f")(named("f"))
    csrf.exempt(f"{__name__}.f")
    both.post("/g")(named("g"))
    csrf._exempt_views.add(f"{__name__}.g")  # as guides for the original say

    class Unhashable:
        __name__ = "h"
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            return self is other

        def __call__(self) -> str:
            return "object"

    both.post("/h")(csrf.exempt(Unhashable()))
    both.post("/a2", endpoint="a2")(named("a"))  # of the same name, and not exempt
    client = both.test_client()
    paths = ("/a", "/b", "/c", "/d", "/e", "/f", "/g", "/h", "/a2", "/")
    assert [client.post(path).status_code for path in paths] == [200] * 8 + [400] * 2


def named(name: str) -> Callable[[], str]:
    def view() -> str:
        return name

    view.__name__ = name
    return view


def test_a_blueprint_is_exempt_without_those_within(both: Vial) -> None:
    csrf = protected(both)
    outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)
    outer.post("/outer")(named("o"))
    inner.post("/inner")(named("i"))
    outer.register_blueprint(inner)
    both.register_blueprint(outer)
    assert csrf.exempt(outer) is outer
    client = both.test_client()
    assert [client.post(path).status_code for path in ("/outer", "/inner")] == [200, 400]


def test_an_app_may_check_where_it_likes(both: Vial) -> None:
    both.config["WTF_CSRF_CHECK_DEFAULT"] = False
    csrf = protected(both)

    @both.post("/checked")
    def checked() -> str:
        csrf.protect()
        return "checked"

    @both.post("/exempt")
    @csrf.exempt
    def exempt() -> str:
        csrf.protect(apply_exemptions=True)
        return "exempt"

    client = both.test_client()
    assert client.post("/").text == "done"
    assert client.post("/checked").status_code == 400
    good = client.get("/token").text
    assert client.post("/checked", data={"csrf_token": good}).text == "checked"
    assert client.post("/exempt").text == "exempt"
    both.config.update(WTF_CSRF_CHECK_DEFAULT=True, WTF_CSRF_ENABLED=False)
    assert client.post("/").text == "done"


def test_one_object_protects_several_apps() -> None:
    csrf = CSRFProtect()
    for name in ("one", "two"):
        app = Vial(name, static_folder=None)
        app.secret_key = name
        csrf.init_app(app)
        app.post("/")(named(name))
        assert app.extensions["csrf"] is csrf
        assert app.test_client().post("/").status_code == 400


def test_websockets_have_a_check_of_their_own(app: Vial) -> None:
    protected(app)

    @app.websocket("/ws")
    async def talk() -> None:
        from vial import websocket

        await websocket.send("open")

    with app.test_client().websocket("/ws") as socket:
        assert socket.receive() == "open"


# What a refused request gets.


def test_a_handler_gets_the_reason(both: Vial, sends: Sends) -> None:
    @both.errorhandler(CSRFError)
    def refused(error: CSRFError) -> tuple[str, int]:
        return f"no: {error.description}", 403

    answer = sends(both, token="bad")
    assert (answer.status, answer.text[:30]) == (403, "no: The CSRF token is invalid.")


def test_advice_is_for_people_and_flask_mode_has_the_words_of_the_original(
    app: Vial, flask_app: Vial
) -> None:
    protected(flask_app)
    assert "<p>The CSRF token is missing.</p>" in flask_app.test_client().post("/").text
    protected(app)
    text = app.test_client().post("/").text
    assert "is missing. Load the page again and send it once more.</p>" in text


def test_a_subclass_may_answer_by_itself(both: Vial) -> None:
    class Own(CSRFProtect):
        def _error_response(self, reason: str) -> Any:
            raise CSRFError("own: " + reason)

    Own(both)
    both.post("/")(named("x"))
    assert "<p>own: The CSRF token is missing." in both.test_client().post("/").text


def test_a_refused_view_did_not_run_and_the_session_stays(both: Vial) -> None:
    ran = []
    CSRFProtect(both)
    both.post("/")(lambda: ran.append(1) or "x")
    answer = both.test_client().post("/", data={"csrf_token": "x"})
    assert (answer.status_code, ran, answer.headers.getlist("Set-Cookie")) == (400, [], [])


def test_a_form_that_is_too_large_or_broken_says_so(app: Vial) -> None:
    protected(app)
    client = app.test_client()
    assert client.post("/", data={f"f{i}": "" for i in range(10_000)}).status_code == 413
    assert client.post("/", data={"f": "x" * 1_000_000}).status_code == 413
    assert client.post("/", data=b"x", content_type="multipart/form-data").status_code == 400


# Referrers, in Flask mode.


def test_over_https_the_original_wants_a_referrer_of_its_own(flask_app: Vial) -> None:
    protected(flask_app)
    client = flask_app.test_client()
    base = {"base_url": "https://localhost"}
    good = {"X-CSRFToken": client.get("/token", **base).text}

    def text(**headers: str) -> str:
        return str(client.post("/", headers=good | headers, **base).text)

    assert "The referrer header is missing." in text()
    assert "The referrer does not match the host." in text(Referer="http://localhost/")
    assert "The referrer does not match the host." in text(Referer="https://localhost:1/")
    assert "The referrer does not match the host." in text(Referer="https://[")
    assert text(Referer="https://localhost/page") == "done"
    flask_app.config["WTF_CSRF_SSL_STRICT"] = False
    assert text() == "done"


def test_the_same_origin_is_scheme_host_and_port() -> None:
    assert same_origin("https://a.example/x", "https://A.example/y")
    for other in (
        "http://a.example/",
        "https://a.example:1/",
        "https://b.a.example",
        "x",
        "https://[",
    ):
        assert not same_origin("https://a.example/x", other)


# In templates.


def test_templates_have_the_token(both: Vial) -> None:
    protected(both)

    @both.get("/page")
    def page() -> str:
        text = "{% macro f() %}{{ csrf_token() }}{% endmacro %}{{ f() }} {{ csrf_meta_tag() }}"
        return render_template_string(text + "{{ csrf_meta_tag('<n>') }}")

    client = both.test_client()
    token, _, tags = client.get("/page").text.partition(" ")
    assert tags == (
        f'<meta name="csrf-token" content="{token}"><meta name="&lt;n&gt;" content="{token}">'
    )
    assert client.post("/", data={"csrf_token": token}).text == "done"


@pytest.mark.parametrize("entrance", [Wsgi(), Asgi()], ids=lambda e: e.name)
@pytest.mark.parametrize("is_async", [False, True])
def test_a_streamed_template_has_a_token_that_is_good(
    app: Vial, entrance: Any, is_async: bool
) -> None:
    protected(app, is_async)

    def page() -> Any:
        return stream_template_string("{% for i in range(9) %}<p>{% endfor %}:{{ csrf_token() }}")

    async def waiting() -> Any:
        return page()

    app.get("/page")(waiting if is_async else page)
    answer = entrance.ask(app, "/page")
    cookie = answer["set-cookie"].partition(";")[0]
    headers = [("Cookie", cookie), ("X-CSRFToken", answer.text.partition(":")[2])]
    assert entrance.ask(app, "/", "POST", headers=headers).text == "done"


def test_pages_that_are_not_streamed_start_no_session(both: Vial) -> None:
    protected(both)
    both.get("/file")(lambda: send_file(BytesIO(b"<p>"), "text/html"))
    both.get("/text", endpoint="text")(lambda: ((c for c in "ab"), {"Content-Type": "text/plain"}))
    client = both.test_client()
    assert "Set-Cookie" not in client.get("/").headers
    assert "Set-Cookie" not in client.get("/nowhere").headers
    assert "Set-Cookie" not in client.get("/text").headers
    assert "Set-Cookie" not in client.get("/file").headers


def test_an_app_without_a_secret_key_says_what_is_missing() -> None:
    app = Vial("forms", static_folder=None)
    CSRFProtect(app)
    app.get("/")(generate_csrf)
    app.get("/stream", endpoint="stream")(lambda: (c for c in "ab"))
    app.config["TESTING"] = True
    with pytest.raises(RuntimeError, match="no secret key was set"):
        app.test_client().get("/")
    assert app.test_client().get("/stream").text == "ab"


def test_beside_a_loop_the_check_takes_no_thread(app: Vial) -> None:
    from threading import get_ident

    seen: list[int] = []

    class Own(CSRFProtect):
        def protect(self, apply_exemptions: bool = False) -> None:
            seen.append(get_ident())

    Own(app)

    @app.post("/")
    async def index() -> str:
        seen.append(get_ident())
        return "done"

    assert Asgi().ask(app, "/", "POST").text == "done"
    assert seen == [get_ident()] * 2


@pytest.mark.slow  # loads it
def test_socketio_has_a_check_of_its_own(app: Vial) -> None:
    from vial.socketio import SocketIO

    CSRFProtect(app)
    SocketIO(app)
    client = app.test_client()
    path = "/socket.io/?EIO=4&transport=polling"
    sid = client.get(path).text.partition('"sid":"')[2].partition('"')[0]
    assert client.post(f"{path}&sid={sid}", data="40").text.lower() == "ok"
    foreign = {"Origin": "http://evil.example"}
    assert client.post(f"{path}&sid={sid}", data="40", headers=foreign).status_code == 403
