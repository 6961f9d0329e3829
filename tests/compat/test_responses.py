"""What views return, and the response objects."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from uuid import UUID

import pytest
from markupsafe import Markup
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response as WerkzeugResponse

from .harness import Web, same


def answering(web: Web, **views: Any) -> None:
    """An app with a view for each value, or for each function the value it returns; ask all."""
    app = web.app(SECRET_KEY="k")
    for name, value in views.items():
        app.add_url_rule(f"/{name}", name, value if callable(value) else lambda v=value: v)
    web.every(*(f"/{name}" for name in views))


@same
def test_bodies(web: Web) -> None:
    answering(
        web,
        text="tëxt",
        empty="",
        bytes=b"\xff\x00",
        bytearray=bytearray(b"array"),
        dict={"b": 1, "a": [None, True, 1.5, "ü"]},
        list=[1, {"x": "<script>"}],
        generator=lambda: (c for c in ("a", "ö", "")),
        iterator=lambda: iter([b"x", "y"]),
        markup=Markup("<b>"),
        werkzeug=lambda: WerkzeugResponse("other class", 201, {"X-A": "b"}),
        none=None,
        number=5,
        set={1, 2},
        object=object(),
    )


@same
def test_tuples(web: Web) -> None:
    answering(
        web,
        status=("b", 201),
        text_status=("b", "418 I am a teapot"),
        http_status=("b", HTTPStatus.ACCEPTED),
        headers=("b", {"X-A": "1", "Content-Type": "text/plain"}),
        pairs=("b", [("X-A", "1"), ("X-A", "2")]),
        many=("b", {"X-A": ["1", "2"], "X-B": ("3",)}),
        object=("b", Headers([("X-A", "1")])),
        three=("b", 202, {"X-A": "1"}),
        three_pairs=("b", 202, [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]),
        dict=({"a": 1}, 201, {"X-A": "1"}),
        list=([1], 201),
        none_status=("b", None),
        none_both=("b", None, None),
        empty_headers=("b", {}),
        response=lambda: (web.Response("r", 200, {"X-A": "0", "X-B": "0"}), 203, {"X-A": "1"}),
        content_type=({"a": 1}, {"Content-Type": "application/problem+json"}),
        generator=lambda: (iter("ab"), 203, {"Content-Type": "text/csv"}),
        none=(None, 204),
        four=("b", 200, {}, 1),
        one=("b",),
        own_status=("b", "299 no number of the standard"),
    )


@same
def test_json_of_a_view(web: Web) -> None:
    answering(
        web,
        types={
            "date": datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC),
            "decimal": Decimal("1.10"),
            "uuid": UUID(int=1),
            "markup": Markup("<b>"),
        },
        jsonify=lambda: web.jsonify(a=1, b=[2]),
        args=lambda: web.jsonify(1, "two"),
        one=lambda: web.jsonify([1]),
        none=lambda: web.jsonify(),
        null=lambda: web.jsonify(None),
        status=lambda: (web.jsonify(a=1), 201),
        both=lambda: web.jsonify(1, a=2),
        unknown={"x": object()},
        keys={2: "b", 1: "a"},
    )


@same
def test_json_settings_of_the_app(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/", "index", lambda: {"b": "ü", "a": [1, 2]})
    web.get("/")
    app.debug = True
    web.get("/")
    app.debug = False
    app.json.compact = False
    app.json.sort_keys = False
    app.json.ensure_ascii = False
    app.json.mimetype = "application/vnd.api+json"
    web.get("/")


@same
def test_a_json_provider_of_ones_own(web: Web) -> None:
    class Provider(web.json.provider.DefaultJSONProvider):  # type: ignore[misc, name-defined]
        def dumps(self, obj: Any, **kwargs: Any) -> str:
            web.note("dumps", sorted(kwargs))
            return super().dumps(obj, **kwargs).replace("1", "one")

        def loads(self, s: Any, **kwargs: Any) -> Any:
            web.note("loads")
            return {"loaded": True}

    app = web.app()
    app.json = Provider(app)
    app.add_url_rule("/", "index", lambda: {"x": 1})
    app.add_url_rule("/in", "in", lambda: web.request.get_json(), methods=["POST"])
    app.add_url_rule("/tojson", "tojson", lambda: web.render_template_string("{{ 1|tojson }}"))
    web.get("/").get_json()
    web.post("/in", json={"a": 2})
    web.get("/tojson")


@same
def test_make_response(web: Web) -> None:
    def cookies() -> Any:
        response = web.make_response("body", 201, {"X-A": "1"})
        response.set_cookie("a", "1", max_age=60, path="/x", httponly=True, samesite="Lax")
        response.set_cookie("b", "2", secure=True, domain="example.org")
        response.delete_cookie("c")
        response.headers["X-B"] = "2"
        return response

    answering(
        web,
        cookies=cookies,
        nothing=lambda: web.make_response(),
        tuple=lambda: web.make_response(("body", 202)),
        response=lambda: web.make_response(web.Response("same")),
        dict=lambda: web.make_response({"a": 1}),
        none=lambda: web.make_response(None),
    )


@same
def test_response_objects_are_read_and_changed(web: Web) -> None:
    def changed(change: Any, *args: Any, **kwargs: Any) -> Any:
        def view() -> Any:
            response = web.Response(*(args or ("body",)), **kwargs)
            change(response)
            return response

        return view

    def noted(r: Any) -> None:
        web.note(r.status, r.status_code, r.mimetype, r.content_type, r.content_length, r.data)
        web.note(r.is_json, r.is_streamed, r.is_sequence, r.mimetype_params, sorted(r.headers))

    answering(
        web,
        noted=changed(noted),
        data=changed(lambda r: setattr(r, "data", "ünew")),
        data_after_headers=changed(
            lambda r: (r.headers, setattr(r, "data", b"longer than it was"))
        ),
        status=changed(lambda r: setattr(r, "status", "499 Own")),
        status_code=changed(lambda r: setattr(r, "status_code", 204)),
        mimetype=changed(lambda r: setattr(r, "mimetype", "text/csv")),
        content_type=changed(lambda r: setattr(r, "content_type", "image/png")),
        deleted=changed(lambda r: r.headers.pop("Content-Type")),
        header=changed(lambda r: r.headers.add("X-A", "1")),
        etag=changed(lambda r: r.add_etag()),
        frozen=changed(lambda r: r.freeze()),
        vary=changed(lambda r: r.vary.update(["Accept", "Cookie"])),
        cache=changed(lambda r: setattr(r.cache_control, "max_age", 5)),
        expires=changed(lambda r: setattr(r, "last_modified", datetime(2024, 1, 1, tzinfo=UTC))),
        location=changed(lambda r: setattr(r, "location", "/x/ü")),
        written=changed(lambda r: r.stream.write("more")),
        chunks=changed(lambda r: None, ["a", "ü", b"c"]),
        one_chunk=changed(lambda r: r.headers, ["ü"]),
        one_chunk_untouched=changed(lambda r: None, ["ü"]),
        empty_list=changed(lambda r: r.headers, []),
        constructed=changed(noted, "x", 201, {"Content-Type": "a/b", "X-A": "1"}, "text/plain"),
        mimetypes=changed(noted, "x", mimetype="application/json"),
        charset=changed(noted, "x", content_type="text/html; charset=latin-1"),
        no_body=changed(noted, None, 204),
        not_modified=changed(lambda r: None, "body", 304),
        closed=changed(lambda r: r.call_on_close(web.noting("closed"))),
        json=changed(lambda r: web.note(r.get_json()), '{"a": 1}', mimetype="application/json"),
    )


@same
def test_repr_and_iteration_of_responses(web: Web) -> None:
    for args in ((), ("text",), (b"bytes",), (["a", "b"],), (iter("ab"),), ("x", 404)):
        response = web.Response(*args)
        web.note(repr(response), response.status)
        web.note(list(response.headers), response.get_data(), response.calculate_content_length())
        web.note(list(response.iter_encoded()))


@same
def test_a_response_class_of_ones_own(web: Web) -> None:
    class Own(web.Response):  # type: ignore[misc, name-defined]
        default_mimetype = "application/xml"
        default_status = 203

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.headers["X-Own"] = "1"

        @classmethod
        def force_type(cls, rv: Any, environ: Any = None) -> Any:
            if isinstance(rv, Decimal):
                rv = cls(f"decimal {rv}")
            return super().force_type(rv, environ)

    class Called(Decimal):
        def __call__(self) -> None:
            raise AssertionError

    app = web.app()
    app.response_class = Own
    views: dict[str, Any] = {
        "text": lambda: "<a/>",
        "dict": lambda: {"a": 1},
        "decimal": lambda: Called("1.5"),
        "error": lambda: web.abort(404),
        "redirect": lambda: web.redirect("/"),
        "other": lambda: WerkzeugResponse("x"),
    }
    for name, view in views.items():
        app.add_url_rule(f"/{name}", name, view)
    web.every(*(f"/{name}" for name in views))
    web.open("/text", method="OPTIONS")


@same
def test_a_response_class_that_changes_how_it_is_sent(web: Web) -> None:
    class Own(web.Response):  # type: ignore[misc, name-defined]
        def get_wsgi_headers(self, environ: Any) -> Any:
            headers = super().get_wsgi_headers(environ)
            headers["X-Path"] = web.request.path
            return headers

        def get_app_iter(self, environ: Any) -> Any:
            return [b"<", *super().get_app_iter(environ), b">"]

        automatically_set_content_length = False

    app = web.app()
    app.response_class = Own
    app.add_url_rule("/", "index", lambda: "body")
    web.get("/")
    web.open("/", method="HEAD")


@same
def test_wsgi_applications_are_views_results(web: Web) -> None:
    def other(environ: Any, start_response: Any) -> Any:
        start_response("299 Own", [("X-Path", environ["PATH_INFO"])])
        return [b"from ", b"wsgi"]

    def wrong(x: int) -> None:
        pass

    app = web.app()
    app.add_url_rule("/fine", "fine", lambda: other)
    app.add_url_rule("/tuple", "tuple", lambda: (other, 201, {"X-A": "1"}))
    app.add_url_rule("/wrong", "wrong", lambda: wrong)
    app.add_url_rule("/class", "class", lambda: dict.fromkeys)
    web.every("/fine", "/tuple", "/wrong", "/class")


@same
def test_redirects(web: Web) -> None:
    answering(
        web,
        plain=lambda: web.redirect("/x"),
        code=lambda: web.redirect("/x?a=1&b=ü", 303),
        external=lambda: web.redirect("https://example.org/ü"),
        cls=lambda: web.redirect("/x", Response=WerkzeugResponse),
        html=lambda: web.redirect("/<script>"),
        relative=lambda: web.redirect("next"),
        wrong=lambda: web.redirect("/x", 200 + 99),
    )


@same
def test_head_has_the_headers_of_get_and_no_body(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/text", "text", lambda: "text")
    app.add_url_rule("/stream", "stream", lambda: iter("stream"))
    app.add_url_rule("/json", "json", lambda: {"a": 1})
    app.add_url_rule("/own", "own", lambda: web.Response("x", headers={"X-A": "1"}))
    for path in ("/text", "/stream", "/json", "/own", "/none"):
        web.open(path, method="HEAD")


@same
def test_closing_a_response_closes_its_iterator(web: Web) -> None:
    class Body:
        def __iter__(self) -> Iterator[bytes]:
            yield b"x"

        def close(self) -> None:
            web.note("closed")

    app = web.app()
    app.add_url_rule("/", "index", lambda: web.Response(Body()))
    app.add_url_rule("/head", "head", lambda: web.Response(Body()))
    web.get("/")
    web.open("/head", method="HEAD")


@same
def test_conditional_responses(web: Web) -> None:
    app = web.app()

    @app.route("/")
    def index() -> Any:
        response = web.make_response("0123456789")
        response.set_etag("abc")
        response.last_modified = datetime(2024, 1, 1, tzinfo=UTC)
        return response.make_conditional(web.request, accept_ranges=True, complete_length=10)

    for headers in (
        {},
        {"If-None-Match": '"abc"'},
        {"If-None-Match": 'W/"abc"'},
        {"If-None-Match": '"other"'},
        {"If-Modified-Since": "Mon, 01 Jan 2024 00:00:00 GMT"},
        {"If-Match": '"other"'},
        {"Range": "bytes=2-4"},
        {"Range": "bytes=-3"},
        {"Range": "bytes=20-"},
        {"Range": "bytes=2-4", "If-Range": '"other"'},
    ):
        web.get("/", headers=headers)


@pytest.mark.parametrize("bad", ["a\nb", "a\rb", "a\r\nSet-Cookie: x=1"])
@same
def test_line_breaks_never_get_into_headers(web: Web, bad: str) -> None:
    answering(
        web,
        header=lambda: web.Response("x", headers={"X-A": bad}),
        tuple=lambda: ("x", {"X-A": bad}),
        type=lambda: web.Response("x", content_type=bad),
        mimetype=lambda: web.Response("x", mimetype=bad),
        redirect=lambda: web.redirect(f"/{bad}"),
    )


@same
def test_a_response_that_becomes_one_of_the_apps_class_keeps_what_it_was(web: Web) -> None:
    class Own(web.Response):  # type: ignore[misc, name-defined]
        default_mimetype = "text/x-own"
        default_status = 299

    app = web.app()
    app.response_class = Own
    for name, make in {
        "text": lambda: web.Response("text"),
        "list": lambda: web.Response(["list"]),
        "json": lambda: ["json"],
        "made": lambda: web.make_response("made"),
    }.items():
        app.add_url_rule(f"/{name}", name, make)
    web.every("/text", "/list", "/json", "/made")


@same
def test_locations_may_have_characters_of_every_language(web: Web) -> None:
    app = web.app()
    views = {
        "redirect": lambda: web.redirect("/日本?q=é"),
        "ok": lambda: ("text", {"Location": "http://日本.test/日"}),
        "content": lambda: ("text", {"Content-Location": "/日本"}),
        "empty": lambda: ("", 204, {"Location": "/日本"}),
    }
    for name, view in views.items():
        app.add_url_rule(f"/{name}", name, view)
    for name in views:
        web.get(f"/{name}")
        web.open(f"/{name}", method="HEAD")
