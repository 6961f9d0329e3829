"""Requests and responses: what they build and when, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
import werkzeug.wrappers
from werkzeug.datastructures import Headers
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.test import EnvironBuilder, run_wsgi_app

from vial import Request, Response, Vial, request
from vial.flask_mode import Flask


def made(*args: Any, **kwargs: Any) -> Request:
    """A request outside of any app."""
    return Request(EnvironBuilder(*args, **kwargs).get_environ())


def sent(response: Any, method: str = "GET") -> tuple[str, dict[str, str], bytes]:
    body, status, headers = run_wsgi_app(response, EnvironBuilder(method=method).get_environ())
    return status, dict(headers), b"".join(body)


# -- Request ------------------------------------------------------------------------------------


def test_a_request_is_werkzeugs() -> None:
    assert isinstance(made(), werkzeug.wrappers.Request)
    assert isinstance(Response(), werkzeug.wrappers.Response)


def test_a_new_request_holds_its_environ_and_nothing_else() -> None:
    req = made("/a?b=c")
    assert set(vars(req)) == {"environ"}
    assert req.environ["werkzeug.request"] is req


def test_an_attribute_is_computed_once() -> None:
    req = made("/a?b=c", headers={"Cookie": "x=1"})
    for name in ("args", "headers", "cookies", "form", "files", "path", "method"):
        assert getattr(req, name) is getattr(req, name)
        assert name in vars(req)


ATTRIBUTES = """
    method scheme server root_path path query_string remote_addr args url base_url full_path
    host host_url script_root url_root is_secure cookies accept_mimetypes access_route
    content_type mimetype content_length
"""


def test_werkzeugs_attributes_have_werkzeugs_values() -> None:
    builder = EnvironBuilder(
        "/pä th/x?a=1&a=2&ü",
        "https://user.example:8443/röot",
        method="PUT",
        data={"f": (BytesIO(b"x"), "n.txt"), "b": "2"},
        headers={"Accept": "text/html", "Cookie": "c=1", "X-Forwarded-For": "1.2.3.4"},
    )
    environ = builder.get_environ()
    body = environ["wsgi.input"].read()
    theirs = werkzeug.wrappers.Request({**environ, "wsgi.input": BytesIO(body)})
    ours = Request({**environ, "wsgi.input": BytesIO(body)})
    for name in ATTRIBUTES.split():
        assert getattr(ours, name) == getattr(theirs, name), name
    assert list(ours.headers) == list(theirs.headers)
    assert ours.form == theirs.form
    assert ours.files.keys() == theirs.files.keys()
    ours.close()
    theirs.close()


@pytest.mark.parametrize(
    ("key", "value", "attribute", "expected"),
    [
        ("SERVER_PORT", "", "server", ("localhost", None)),
        ("SERVER_PORT", "socket", "server", ("localhost", None)),
        ("SERVER_NAME", None, "server", None),
        ("REQUEST_METHOD", "get", "method", "GET"),
        ("PATH_INFO", "", "path", "/"),
        ("PATH_INFO", None, "path", "/"),
        ("PATH_INFO", "//a", "path", "/a"),
        ("PATH_INFO", "/\xff", "path", "/\ufffd"),
        ("SCRIPT_NAME", "/a/", "root_path", "/a"),
        ("SCRIPT_NAME", None, "root_path", ""),
        ("QUERY_STRING", None, "query_string", b""),
        ("REMOTE_ADDR", None, "remote_addr", None),
        ("wsgi.url_scheme", None, "scheme", "http"),
    ],
)
def test_odd_environs(key: str, value: str | None, attribute: str, expected: Any) -> None:
    environ = EnvironBuilder().get_environ()
    environ.pop(key, None)
    if value is not None:
        environ[key] = value
    assert getattr(Request(environ), attribute) == expected


def test_a_shallow_request_does_not_read_its_body() -> None:
    environ = EnvironBuilder(method="POST", data=b"x").get_environ()
    req = Request(environ, shallow=True)
    assert "werkzeug.request" not in environ
    with pytest.raises(RuntimeError, match="shallow=True"):
        req.get_data()


def test_a_request_knows_where_it_was_routed() -> None:
    app = Vial("app", static_folder=None)
    app.add_url_rule("/<int:n>", "shop.cart.show", lambda n: str(n))
    with app.test_request_context("/5"):
        assert (request.endpoint, request.blueprint) == ("shop.cart.show", "shop.cart")
        assert request.blueprints == ["shop.cart", "shop"]
        assert request.view_args == {"n": 5}
    assert (made().endpoint, made().blueprint, made().blueprints) == (None, None, [])


# -- limits -------------------------------------------------------------------------------------


def limited(**config: Any) -> Vial:
    app = Vial("app", static_folder=None)
    app.config.update(config)
    app.add_url_rule("/", "form", lambda: str(len(request.form)), methods=["POST"])
    app.add_url_rule("/args", "args", lambda: str(len(request.args)))
    app.add_url_rule("/data", "data", lambda: str(len(request.data)), methods=["POST"])
    app.add_url_rule("/json", "json", lambda: {"got": request.get_json()}, methods=["POST"])
    return app


def test_a_body_over_the_limit_is_413_and_one_at_it_is_read() -> None:
    client = limited(MAX_CONTENT_LENGTH=10).test_client()
    assert client.post("/data", data=b"x" * 10).text == "10"
    assert client.post("/data", data=b"x" * 11).status_code == 413


def test_bodies_are_limited_by_default_but_not_in_flask_mode() -> None:
    assert Vial("app").config["MAX_CONTENT_LENGTH"] == 16 * 1024 * 1024
    assert Flask("app").config["MAX_CONTENT_LENGTH"] is None


@pytest.mark.parametrize("kind", ["urlencoded", "multipart"])
def test_too_many_form_fields_are_413_however_they_are_sent(kind: str) -> None:
    client = limited(MAX_FORM_FIELDS=20, MAX_FORM_PARTS=20).test_client()
    options = {"multipart": {"content_type": "multipart/form-data"}}.get(kind, {})
    for count, status in ((20, 200), (21, 413)):
        data = {f"f{n}": "x" for n in range(count)}
        assert client.post("/", data=data, **options).status_code == status


def test_too_many_query_parameters_are_413() -> None:
    client = limited(MAX_FORM_FIELDS=20).test_client()
    assert client.get("/args?" + "a&" * 19).status_code == 200
    assert client.get("/args?" + "a&" * 21).status_code == 413
    assert client.get("/args?" + "a;" * 99).text == "1"


def test_flask_mode_bounds_neither() -> None:
    app = Flask("app", static_folder=None)
    app.add_url_rule("/", "form", lambda: str(len(request.form)), methods=["POST"])
    assert app.test_client().post("/", data={f"f{n}": "x" for n in range(2000)}).text == "2000"


@pytest.mark.parametrize("kind", ["urlencoded", "multipart"])
def test_a_form_field_over_the_memory_limit_is_413(kind: str) -> None:
    client = limited(MAX_FORM_MEMORY_SIZE=1000).test_client()
    options = {"multipart": {"content_type": "multipart/form-data"}}.get(kind, {})
    assert client.post("/", data={"a": "x" * 500}, **options).status_code == 200
    assert client.post("/", data={"a": "x" * 1001}, **options).status_code == 413


def test_one_request_may_change_its_limits_before_it_reads() -> None:
    app = limited(MAX_CONTENT_LENGTH=10)

    @app.before_request
    def raise_limit() -> None:
        request.max_content_length = 20

    assert app.test_client().post("/data", data=b"x" * 20).text == "20"
    assert app.test_client().post("/data", data=b"x" * 21).status_code == 413


@pytest.mark.parametrize(
    "length", ["-1", "+5", "5_0", "0x5", " 5", "5,5", "5 5", "\u0665", "9" * 19]
)
def test_a_content_length_that_is_no_number_of_bytes_is_a_bad_request(length: str) -> None:
    environ = EnvironBuilder(method="POST", data=b"12345").get_environ()
    environ["CONTENT_LENGTH"] = length
    with pytest.raises(BadRequest):
        Request(environ).get_data()


def test_a_body_shorter_than_announced_is_a_bad_request() -> None:
    environ = EnvironBuilder(method="POST", data=b"12345").get_environ()
    environ["CONTENT_LENGTH"] = "6"
    with pytest.raises(BadRequest):
        Request(environ).get_data()


@pytest.mark.parametrize("depth", [100, 100_000])
@pytest.mark.parametrize("pair", ["[]", ('{"a":', "}")])
def test_json_as_deep_as_you_like_is_read_or_a_bad_request(depth: int, pair: Any) -> None:
    body = pair[0] * depth + ("1" if pair[0] != "[" else "") + pair[1] * depth
    answer = limited().test_client().post("/json", data=body, content_type="application/json")
    assert answer.status_code == (200 if depth == 100 else 400)


def test_numbers_too_long_to_convert_are_a_bad_request() -> None:
    client = limited().test_client()
    answer = client.post("/json", data="9" * 5000, content_type="application/json")
    assert answer.status_code == 400


def test_json_errors_show_the_parsers_words_in_debug_mode_only() -> None:
    app = limited(PROPAGATE_EXCEPTIONS=False)
    send = {"data": "{", "content_type": "application/json"}
    assert "Expecting" not in app.test_client().post("/json", **send).text
    app.config.update(DEBUG=True, TRAP_BAD_REQUEST_ERRORS=False)
    assert "Expecting" in app.test_client().post("/json", **send).text


def test_a_limit_needs_no_app() -> None:
    req = made(method="POST", data=b"x" * 50)
    req.max_content_length = 10
    with pytest.raises(RequestEntityTooLarge):
        req.get_data()


# -- Response -----------------------------------------------------------------------------------


def test_a_plain_response_builds_no_headers_to_be_sent() -> None:
    response = Response("hello")
    assert sent(response) == (
        "200 OK",
        {"Content-Type": "text/html; charset=utf-8", "Content-Length": "5"},
        b"hello",
    )
    assert response._headers is None


CHANGES: dict[str, Callable[[Any], Any]] = {
    "nothing": lambda r: None,
    "read": lambda r: r.headers,
    "added": lambda r: r.headers.add("X-A", "1"),
    "cookie": lambda r: r.set_cookie("a", "1"),
    "status": lambda r: setattr(r, "status_code", 404),
    "status text": lambda r: setattr(r, "status", "299 Own"),
    "no content": lambda r: setattr(r, "status_code", 204),
    "not modified": lambda r: setattr(r, "status_code", 304),
    "data": lambda r: setattr(r, "data", "länger"),
    "data and headers": lambda r: (r.headers, setattr(r, "data", "x")),
    "mimetype": lambda r: setattr(r, "mimetype", "text/plain"),
    "json": lambda r: setattr(r, "content_type", "application/json"),
    "no type": lambda r: r.headers.remove("Content-Type"),
    "length": lambda r: setattr(r, "content_length", 4),
    "location": lambda r: setattr(r, "location", "/ü"),
    "etag": lambda r: r.add_etag(),
    "frozen": lambda r: r.freeze(),
    "replaced headers": lambda r: setattr(r, "headers", Headers([("X-Only", "1")])),
    "closing": lambda r: r.call_on_close(lambda: None),
}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_response_is_sent_as_werkzeug_sends_it(change: str, method: str) -> None:
    ours, theirs = Response("body"), werkzeug.wrappers.Response("body", mimetype="text/html")
    for response in (ours, theirs):
        CHANGES[change](response)
    assert sent(ours, method) == sent(theirs, method)


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("text",),
        (b"bytes",),
        (bytearray(b"array"),),
        (["a", b"b"],),
        ("x", 201),
        ("x", "299 Own"),
        ("x", "404"),
        ("x", 200, {"X-A": "1", "Content-Type": "a/b"}),
        ("x", 200, [("X-A", "1"), ("X-A", "2")]),
        ("x", 200, None, "text/csv"),
        ("x", 200, {"Content-Type": "a/b"}, "text/csv"),
        ("x", 200, None, None, "text/csv; charset=latin-1"),
        ("x", 200, None, "image/png"),
        ("x", 200, {"Content-Length": "9"}),
    ],
    ids=repr,
)
def test_a_response_is_made_as_werkzeug_makes_it(args: tuple[Any, ...]) -> None:
    class Theirs(werkzeug.wrappers.Response):
        default_mimetype = "text/html"

    ours, theirs = Response(*args), Theirs(*args)
    assert list(ours.headers) == list(theirs.headers)
    for name in ("status", "status_code", "mimetype", "content_type", "content_length"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert ours.get_data() == theirs.get_data()
    assert repr(ours) == repr(theirs).replace("Theirs", "Response")


@pytest.mark.parametrize(
    ("body", "length"),
    [([b"a", b"bc"], "3"), (["ü"], "2"), ([], "0"), (iter(["a"]), None), ((b"a",), "1")],
)
def test_a_body_that_was_replaced_is_sent_with_its_own_length(body: Any, length: Any) -> None:
    response = Response("the one before")
    response.response = body
    assert sent(response)[1].get("Content-Length") == length


SPLITS = ["a\nb", "a\rb", "a\r\nSet-Cookie: x=1", "a\x00b", "a\x7fb"]


@pytest.mark.parametrize(
    "sink",
    [
        lambda bad: Response("x", headers={"X-A": bad}),
        lambda bad: Response("x", headers=[("X-A", bad)]),
        lambda bad: Response("x", headers={f"X-{bad}": "1"}),
        lambda bad: Response("x", mimetype=bad),
        lambda bad: Response("x", content_type=bad),
        lambda bad: Response("x", status=f"200 {bad}"),
        lambda bad: _changed(lambda r: r.headers.set("X-A", bad)),
        lambda bad: _changed(lambda r: r.headers.add_header("X-A", "x", y=bad)),
        lambda bad: _changed(lambda r: setattr(r, "location", bad)),
        lambda bad: _changed(lambda r: setattr(r, "status", f"200 {bad}")),
        lambda bad: _changed(lambda r: r.set_cookie("a", "b", path=bad)),
        lambda bad: _changed(lambda r: r.set_cookie("a", bad)),
    ],
)
def test_t23_nothing_gets_into_a_header_that_would_end_it(sink: Callable[[str], Any]) -> None:
    for bad in SPLITS:
        try:
            status, headers, _ = sent(sink(bad))
        except ValueError:
            continue
        lines = [status, *headers, *headers.values()]
        assert not any(c in line for line in lines for c in "\r\n\x00\x7f"), bad


@pytest.mark.parametrize("status", [0, 99, 1000, "x", "0 none", "1000 much"])
def test_a_status_that_no_server_can_send_is_refused(status: Any) -> None:
    class Foreign(werkzeug.wrappers.Response):
        default_mimetype = "text/plain"

    for make in (
        lambda: Response("x", status),
        lambda: Response.force_type(Foreign("x", status)),
        lambda: _changed(lambda r: setattr(r, "status", str(status))),
    ):
        with pytest.raises(ValueError, match="three digits"):
            make()
    assert Response("x", 599).status_code == 599


@pytest.mark.parametrize("value", ["Basic \x80", "Basic ////", "Basic =", "Basic AP8="])
def test_t86_credentials_that_cannot_be_read_are_none(value: str) -> None:
    assert Request({"HTTP_AUTHORIZATION": value}).authorization is None
    assert Request({}).authorization is None
    assert Request({"HTTP_AUTHORIZATION": "Basic YTpi"}).authorization.password == "b"  # type: ignore[union-attr]


def _changed(change: Callable[[Any], Any]) -> Response:
    response = Response("x")
    change(response)
    return response


def test_an_error_about_a_header_names_it() -> None:
    response = Response("x")
    response.headers._list.append(("X-A", "a\nb"))  # past Werkzeug's own check
    with pytest.raises(ValueError, match="header 'X-A' cannot be sent with the value"):
        sent(response)


def test_a_cookie_over_the_limit_of_the_config_is_warned_of() -> None:
    app = Vial("app")
    app.config["MAX_COOKIE_SIZE"] = 50
    with app.app_context(), pytest.warns(UserWarning, match="'big' cookie is too large"):
        Response().set_cookie("big", "x" * 60)


def test_a_subclass_sends_with_its_own_methods() -> None:
    class Own(Response):
        default_status = 203
        default_mimetype = "text/plain"

        def get_app_iter(self, environ: Any) -> Any:
            return [b"own"]

    assert sent(Own("x"))[::2] == ("203 NON AUTHORITATIVE INFORMATION", b"own")
    assert Own("x").mimetype == "text/plain"


def test_a_response_class_of_werkzeugs_is_enough_for_an_app() -> None:
    app = Flask("app", static_folder=None)
    app.response_class = werkzeug.wrappers.Response  # type: ignore[assignment]
    app.add_url_rule("/", "i", lambda: ("text", 201, {"X-A": "1"}))
    app.add_url_rule("/json", "json", lambda: {"a": 1})
    client = app.test_client()
    answer = client.get("/")
    assert (answer.status_code, answer.text, answer.headers["X-A"]) == (201, "text", "1")
    assert json.loads(client.get("/json").text) == {"a": 1}
    assert client.get("/none").status_code == 404


def test_json_of_a_response_is_read_by_the_apps_provider() -> None:
    app = Vial("app")
    with app.app_context():
        assert app.json.response(a=1).get_json() == {"a": 1}
    assert Response("[1]", mimetype="application/json").get_json() == [1]
    assert Response("x").get_json(silent=True) is None
