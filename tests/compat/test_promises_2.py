"""Promises of Flask's documentation: requests, responses, files, sessions, JSON and templates."""

from __future__ import annotations

import decimal
import hashlib
import io
import re
from collections import namedtuple
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar
from uuid import UUID

from jinja2 import DictLoader
from markupsafe import Markup
from werkzeug.datastructures import Headers, WWWAuthenticate
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Response as WerkzeugResponse

from .harness import Web, same

Pair = namedtuple("Pair", "body status")


@same
def test_a_view_returns_anything_that_has_a_meaning(web: Web) -> None:
    def wsgi(environ: Any, start_response: Any) -> list[bytes]:
        start_response("201 Yes", [("X-Path", environ["PATH_INFO"]), ("Content-Type", "text/q")])
        return [b"wsgi"]

    values = (
        *("é", b"\xff", bytearray(b"x"), Markup("<b>"), {}, [], [("a", 1)], 5, 1.5, True, {1}),
        *(object(), int, wsgi, Pair("x", 201), (), ("x",), ("x", "299 Custom"), ("x", "404")),
        *(("x", HTTPStatus.ACCEPTED), ("x", {"X-A": ["1", "2"]}), ("x", [("X-A", "1")] * 2)),
        *(("x", None), ("x", None, {"X-A": 5}), ("x", 201, None), ("x", 1, 2, 3), (None, 201)),
        *(("x", Headers([("Set-Cookie", "a=b")])), ({"a": 1}, 201), ([1], {"Content-Type": "a/b"})),
        *((("x", 1), 2), NotFound(), NotFound, (NotFound(), 200), ("", 204), ("body", 304)),
        *((web.Response("q", 202, {"X-A": "b"}), 203, {"X-A": "c"}), WerkzeugResponse("w", 203)),
    )
    app = web.app()
    app.logger.disabled = True
    app.add_url_rule("/<int:n>", "i", lambda n: values[n])
    web.every(*(f"/{n}" for n in range(len(values))))
    app.logger.disabled = False


@same
def test_abort_and_redirect_take_everything_that_they_document(web: Web) -> None:
    class Teapot(HTTPException):
        code = 499

    app = web.app()
    app.aborter.mapping[499] = Teapot
    authenticate = WWWAuthenticate("basic", {"realm": "x"})
    for args, options in (
        *(((code,), {}) for code in (418, 499, 999, 200, "404", "text", None)),
        ((404,), {"description": "<d>"}),
        ((401,), {"www_authenticate": authenticate}),
        ((405, ["GET", "PUT"]), {}),
        ((416, 10), {}),
        ((429,), {"retry_after": 5}),
        ((404,), {"response": web.Response("own", 404)}),
        ((web.Response("own", 299),), {}),
    ):
        app = web.app()
        app.aborter.mapping[499] = Teapot
        app.logger.disabled = True
        app.add_url_rule("/", "i", lambda args=args, options=options: web.abort(*args, **options))
        web.get("/")
        app.logger.disabled = False
    with app.app_context():
        for location in ("/x?é=ü y#z", "/<script>", "relative"):
            web.attempt(lambda location=location: web.redirect(location).get_data(True))
        web.attempt(lambda: web.redirect("/", 404).status)


@same
def test_files_are_sent_from_every_kind_of_argument(web: Web) -> None:
    web.file("d/a.txt", "hello world")
    web.file("d/ü.txt", "u")
    web.file("d/x.tar.gz", b"gz")
    web.file("d/none", "")
    app = web.app()
    app.logger.disabled = True
    files: tuple[Any, ...] = (
        *(("d/a.txt", options) for options in (
            {"as_attachment": True}, {"download_name": "x.json"}, {"etag": False},
            {"etag": "own"}, {"conditional": False}, {"max_age": 5}, {"max_age": 0},
            {"max_age": lambda name: len(name)}, {"max_age": lambda name: None},
            {"last_modified": datetime(2020, 1, 2, tzinfo=UTC)}, {"last_modified": 16e8},
            {"as_attachment": True, "download_name": "nämé “x”;.txt"},
        )),
        *((path, {}) for path in (Path("d/ü.txt"), "d/x.tar.gz", "d/none", "d/missing", "d")),
        *((content, {"mimetype": "text/q"}) for content in (b"bytes", "text")),
        (b"data", {}), (b"data", {"download_name": "x.csv"}), (b"data", {"as_attachment": True}),
        (b"data", {"mimetype": "text/q", "max_age": lambda name: 7 if name is None else 8}),
    )  # fmt: skip

    @app.route("/<int:n>")
    def index(n: int) -> Any:
        what, options = files[n]
        if isinstance(what, bytes):
            what = io.BytesIO(what)
        elif what == "text":
            what = io.StringIO(what)
        return web.send_file(what, **options)

    web.every(*(f"/{n}" for n in range(len(files))))
    for value in ("0-3", "-3", "5-", "100-", "0-1,3-4", "x", "3-1"):
        web.every("/0", "/17", headers={"Range": f"bytes={value}"})
    web.every("/0", "/3", "/4", "/17", headers={"If-None-Match": '"own"', "Range": "bytes=1-"})
    app.logger.disabled = False


@same
def test_no_path_leads_out_of_a_directory(web: Web) -> None:
    web.file("d/a.txt", "hello")
    web.file("secret.txt", "secret")
    app = web.app(static_folder="d")
    names = ("a.txt", "../secret.txt", "/etc/passwd", "none", ".", "", "a\0b", "..\\secret.txt")
    app.add_url_rule("/<int:n>", "i", lambda n: web.send_from_directory("d", names[n]))
    path = PurePosixPath("a.txt")
    app.add_url_rule("/path", "path", lambda: web.send_from_directory(Path("d"), path))
    app.add_url_rule("/no", "no", lambda: web.send_from_directory("/no-such", "a.txt"))
    web.every(*(f"/{n}" for n in range(len(names))), "/path", "/no")
    web.every("/d/a.txt", "/d/../secret.txt", "/d/%2e%2e/secret.txt", "/d/", "/d/a.txt/")


@same
def test_an_interface_decides_everything_about_its_session(web: Web) -> None:
    class Noting(web.sessions.SecureCookieSession):  # type: ignore[misc, name-defined]
        def __init__(self, initial: Any = None) -> None:
            super().__init__(initial)
            web.note("made", initial)

    class Interface(web.sessions.SecureCookieSessionInterface):  # type: ignore[misc, name-defined]
        salt = "another"
        digest_method = staticmethod(hashlib.sha256)
        key_derivation = "django-concat"
        session_class = Noting

        def should_set_cookie(self, app: Any, session: Any) -> bool:
            web.note("should", session.modified, session.permanent)
            return True

        def get_cookie_name(self, app: Any) -> str:
            return "own"

        def get_cookie_path(self, app: Any) -> str:
            return "/path"

        def get_expiration_time(self, app: Any, session: Any) -> Any:
            return datetime(2040, 1, 1, tzinfo=UTC)

    app = web.app(SECRET_KEY="key")
    app.session_interface = Interface()
    app.add_url_rule("/path/set", "set", lambda: str(web.session.setdefault("a", 5)))
    app.add_url_rule("/path/clear", "clear", lambda: str(web.session.clear()))
    web.every("/path/set", "/path/set", "/path/clear", "/path/none")


@same
def test_a_session_knows_how_it_was_used(web: Web) -> None:
    uses: Any = (
        lambda s: s.get("b"), lambda s: s["a"], lambda s: "a" in s, len, lambda s: s.pop("b", 0),
        lambda s: s.setdefault("a", 1), lambda s: s.update({}), lambda s: s["b"], bool, repr,
        lambda s: setattr(s, "permanent", True), lambda s: s.permanent, lambda s: s.new, list,
        lambda s: s.__delitem__("a"), lambda s: s.clear(), lambda s: s.popitem(), lambda s: s | {},
    )  # fmt: skip
    for use in uses:
        for cls in (web.sessions.SecureCookieSession, web.sessions.NullSession):
            session = cls({"a": 1})
            web.attempt(use, session)
            web.note(session.new, session.modified, session.accessed, dict(session))


@same
def test_json_writes_what_python_has_and_nothing_else(web: Web) -> None:
    class Html:
        def __html__(self) -> str:
            return "<b>"

    values = (
        datetime(2020, 1, 2, 3), datetime(2020, 1, 2, tzinfo=UTC), datetime(2020, 1, 2).date(),
        datetime(2020, 1, 2).time(), timedelta(1), decimal.Decimal("1.10"), UUID(int=5), Html(),
        Markup("<i>"), {1}, b"x", float("nan"), (1, 2), {"b": 1, "a": "é<>&'"}, {2: 1, 1: 2},
        {1: 1, "a": 2}, {None: 1}, {(1,): 2}, 2**70, "\u2028", iter([1]), Html, Path("x"),
    )  # fmt: skip
    app = web.app()
    for app.json.ensure_ascii, app.json.sort_keys in ((True, True), (False, False)):
        for value in values:
            web.attempt(app.json.dumps, value)
    web.attempt(app.json.dumps, {"b": {1}}, default=sorted, indent=1, separators=("~", ";"))
    web.attempt(app.json.loads, b"[1.1]", parse_float=decimal.Decimal)
    for debug, compact in ((True, None), (True, True), (False, None), (False, False)):
        app.debug, app.json.compact, app.json.mimetype = debug, compact, "application/x+json"
        with app.test_request_context():
            for args, options in (((), {}), ((1, 2), {}), ((), {"b": 1, "a": [1]}), ((None,), {})):
                response = web.jsonify(*args, **options)
                web.note(response.data, response.headers.to_wsgi_list())
            web.attempt(web.jsonify, 1, a=2)


@same
def test_tags_are_registered_in_an_order_and_once(web: Web) -> None:
    class Point(web.json.tag.JSONTag):  # type: ignore[misc, name-defined]
        key = " p"

        def check(self, value: Any) -> bool:
            return isinstance(value, complex)

        def to_json(self, value: Any) -> Any:
            return self.serializer.tag((value.real, value.imag))

        def to_python(self, value: Any) -> complex:
            return complex(*value)

    class Keyless(Point):
        key = ""

    serializer = web.json.tag.TaggedJSONSerializer()

    def order() -> None:
        web.note([type(tag).__name__ for tag in serializer.order], list(serializer.tags))

    for value in ({" t": 1}, {" di": 1}, {" p": 1, "q": 2}, {1: 2}, [1, (2,)], (Markup("<b>"),)):
        web.attempt(lambda value=value: serializer.loads(serializer.dumps(value)))
        web.note(serializer.dumps(value))
    serializer.register(Point, index=0)
    order()
    web.attempt(serializer.register, Point)
    serializer.register(Point, force=True)
    serializer.register(Keyless, index=-2)
    order()
    web.note(serializer.dumps({"x": 1j}), serializer.loads('{"x":{" p":{" t":[1,2]}}}'))
    web.note(serializer.untag({" none": 1}))


@same
def test_json_that_is_no_json_is_told_by_what_was_asked_for(web: Web) -> None:
    calls: Any = (
        lambda: web.request.json, lambda: web.request.get_json(silent=True),
        lambda: web.request.get_json(force=True), lambda: web.request.get_json(True, True),
        lambda: (web.request.get_json(silent=True), web.request.get_json()),
        lambda: (web.request.get_json(cache=False), web.request.get_data()),
        lambda: (web.request.is_json, web.request.mimetype, web.request.mimetype_params),
    )  # fmt: skip
    bodies = (
        ("application/json", b'{"a": "\xc3\xa9"}'), ("application/json", b"{"),
        ("application/json", b""), ("text/plain", b"[1]"), (None, b"[1]"), ("a/x+json", b"null"),
        ("application/json", b"\xff"), ("application/json;charset=latin-1", b'"\xe9"'),
    )  # fmt: skip
    for debug in (False, True):
        app = web.app(DEBUG=debug)
        app.add_url_rule("/<int:n>", "i", lambda n: repr(calls[n]()), methods=["POST"])
        for n in range(len(calls)):
            for content_type, body in bodies:
                web.post(f"/{n}", data=body, content_type=content_type)


@same
def test_processors_of_templates_lose_to_arguments_and_win_over_the_standard(web: Web) -> None:
    web.file("templates/both.html", "app")
    web.file("bp/both.html", "blueprint")
    web.file("bp/only.html", "{{ p }}")
    app = web.app()
    bp = web.Blueprint("bp", "app", url_prefix="/bp", template_folder="bp", root_path=web.folder)
    for register, name, values in (
        (app.context_processor, "first", {"a": 1, "g": "own", "p": "app"}),
        (app.context_processor, "second", {"a": 2, "request": "own"}),
        (bp.context_processor, "blueprint", {"a": 3, "p": "bp"}),
        (bp.app_context_processor, "for all", {"a": 4, "z": 4}),
    ):
        register(web.noting(name, returns=values))
    source = "{{ a }} {{ g is string }} {{ request is string }} {{ p }} {{ z }} {{ config.DEBUG }}"
    app.add_url_rule("/", "i", lambda: web.render_template_string(source))
    options: Any = {"a": "mine", "g": 0, "request": 0, "config": {"DEBUG": "mine"}}
    app.add_url_rule("/args", "args", lambda: web.render_template_string(source, **options))
    bp.add_url_rule("/", "i", lambda: web.render_template_string(source))
    bp.add_url_rule("/<name>", "file", lambda name: web.render_template(name))
    app.register_blueprint(bp)
    web.every("/", "/args", "/bp/", "/bp/both.html", "/bp/only.html")


@same
def test_the_environment_of_templates_is_made_by_the_app(web: Web) -> None:
    class Environment(web.templating.Environment):  # type: ignore[misc, name-defined]
        def __init__(self, app: Any, **options: Any) -> None:
            web.note(sorted(options))
            super().__init__(app, **options)

    class Mine(web.Flask):  # type: ignore[misc, name-defined]
        jinja_environment = Environment
        jinja_options: ClassVar = {"trim_blocks": True, "extensions": ["jinja2.ext.do"]}

        def create_global_jinja_loader(self) -> Any:
            return DictLoader({"a.txt": "{% do [] %}\n{{ '<' }}{{ made }}", "a.html": "{{ '<' }}"})

        def create_jinja_environment(self) -> Any:
            environment = super().create_jinja_environment()
            environment.globals["made"] = 1
            return environment

        def select_jinja_autoescape(self, filename: str | None) -> bool:
            return filename is not None and filename.endswith(".txt")

    app = web.app(cls=Mine)
    with app.app_context():
        for names in ("a.txt", "a.html", ["none", "a.html"], [], ["none"], "none", None, 5):
            web.attempt(web.render_template, names)
        template = app.jinja_env.get_template("a.txt")
        web.note(web.render_template(template), web.render_template(["none", template]))
        web.attempt(lambda: [*web.stream_template(["none", "a.txt"])])
        web.attempt(web.get_template_attribute, "a.txt", "none")
    for settings in ({"DEBUG": True}, {"TEMPLATES_AUTO_RELOAD": True}, {}):
        web.note(web.app(**settings).jinja_env.auto_reload)


@same
def test_headers_of_cookies_are_what_was_asked_for(web: Web) -> None:
    app = web.app(MAX_COOKIE_SIZE=200)
    with app.app_context():
        for name, value, options in (
            ("a", 'v "q; é', {"max_age": timedelta(1), "domain": "ex.org", "samesite": "lax"}),
            ("a", "v", {"secure": True, "httponly": True, "partitioned": True, "path": "/p"}),
            ("a", "v", {"expires": 17e8, "path": None}),
            ("a", "v", {"samesite": "x"}),
            ("a b", "v", {}),
            ("", "v", {}),
            ("ä", "v\r\nX: y", {}),
        ):
            response = web.Response()
            web.attempt(response.set_cookie, name, value, **options)
            lines = response.headers.getlist("Set-Cookie")
            web.note([re.sub("Expires=[^;]+", "Expires=…", line) for line in lines])
        response.delete_cookie("a", "/p", "ex.org", True, True, "Strict", True)
        web.note(response.headers.getlist("Set-Cookie"), response.max_cookie_size)
    web.note(web.Response().max_cookie_size)


@same
def test_views_of_classes_take_their_settings_from_the_nearest_class(web: Web) -> None:
    class Base(web.views.MethodView):  # type: ignore[misc, name-defined]
        def get(self) -> str:
            return "get"

        def options(self) -> str:
            return "own options"

    class More(Base):
        def delete(self) -> str:
            return "delete"

    class Fixed(More):
        methods = ("GET", "patch")
        provide_automatic_options = False

    class Head(Base):
        init_every_request = False

        def head(self) -> Any:
            return "", 204

    class Both(Fixed, Head):
        pass

    class Nothing(web.views.View):  # type: ignore[misc, name-defined]
        pass

    app = web.app()
    app.logger.disabled = True
    classes = (Base, More, Fixed, Head, Both, Nothing)
    for cls in classes:
        web.note(cls.__name__, sorted(cls.methods or ()), cls.provide_automatic_options)
        app.add_url_rule(f"/{cls.__name__}", view_func=cls.as_view(cls.__name__))
    for cls in classes:
        for method in ("GET", "HEAD", "OPTIONS", "DELETE", "PATCH", "OTHER"):
            web.open(f"/{cls.__name__}", method=method)
    app.logger.disabled = False


@same
def test_the_methods_that_requests_are_matched_by(web: Web) -> None:
    def view() -> str:
        return str(web.request.method)

    view.methods, view.required_methods = ["PUT"], ["LOCK"]  # type: ignore[attr-defined]
    app = web.app()
    app.add_url_rule("/view", "view", view)
    app.add_url_rule("/rule", "rule", view, methods=["get", "post"])
    app.add_url_rule("/none", "none", lambda: "none", methods=[])
    app.add_url_rule("/head", "head", lambda: "head", methods=["HEAD"])
    app.add_url_rule("/own", "own", lambda: "own", methods=["OPTIONS"])
    for path in ("/view", "/rule", "/none", "/head", "/own"):
        for method in ("GET", "HEAD", "POST", "PUT", "LOCK", "OPTIONS"):
            web.open(path, method=method)
    web.note(sorted((r.rule, sorted(r.methods)) for r in app.url_map.iter_rules()))


@same
def test_a_request_made_of_an_environ_needs_no_context(web: Web) -> None:
    app = web.app(MAX_CONTENT_LENGTH=3, TRUSTED_HOSTS=["other"])
    environ = EnvironBuilder("/x?a=1", method="POST", json=[1, 2, 3]).get_environ()
    request = app.request_class(environ)
    web.note(request.max_content_length, request.endpoint, request.blueprint, request.blueprints)
    web.note(request.url, request.get_json(), request.url_rule, request.view_args)
    web.attempt(lambda: app.request_class({**environ, "CONTENT_TYPE": "text/x"}).json)
