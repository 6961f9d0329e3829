"""Test clients, test contexts and the runner of commands: what tests of programs are made of."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from typing import Any

import click
import pytest
import werkzeug
from werkzeug.test import run_wsgi_app

from .harness import Web, same

SEEN = (
    "REMOTE_ADDR",
    "HTTP_USER_AGENT",
    "HTTP_HOST",
    "SERVER_NAME",
    "SERVER_PORT",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "REQUEST_URI",
    "CONTENT_TYPE",
    "CONTENT_LENGTH",
    "wsgi.url_scheme",
    "own",
)


def mirror(web: Web, **config: Any) -> Any:
    """An app that answers any path with what it was asked."""
    app = web.app(static_folder=None, TESTING=True, **config)

    @app.route("/", defaults={"path": ""}, methods=["GET", "POST", "PUT", "DELETE", "PATCH"])
    @app.route("/<path:path>", methods=["GET", "POST", "PUT", "DELETE", "PATCH"])
    def index(path: str) -> Any:
        r = web.request
        files = [(f.name, f.filename, f.content_type, f.read()) for f in r.files.values()]
        return {
            "asked": [r.method, r.url, path],
            "environ": [repr(r.environ.get(name)) for name in SEEN],
            "headers": sorted(map(str, r.headers.items())),
            "form": list(r.form.items(multi=True)),
            "files": repr(files),
            "json": r.get_json(silent=True),
            "data": r.get_data(as_text=True),
            "authorization": str(r.authorization),
        }

    return app


def asked(web: Web, client: Any, *args: Any, **options: Any) -> None:
    """Note what a mirror saw of a request, or what came of it."""
    try:
        response = client.open(*args, **options)
    except Exception as e:
        web.note(*[cls.__name__ for cls in type(e).__mro__][:2])
    else:
        web.note(response.status, *(response.json or {"": response.text}).items())


@pytest.mark.slow
@same
def test_a_request_is_described_in_every_form(web: Web) -> None:
    app = mirror(web)
    client = app.test_client()
    for args, options in (
        ((), {}),
        (("/a b/ü?x=1&y=%20",), {}),
        (("/p?x=1",), {"query_string": {"y": [2, 3]}}),
        (("/p",), {"query_string": "raw=1&=2"}),
        (("relative",), {}),
        (("",), {}),
        (("http://other.example:81/p?q",), {}),
        (("//other.example/p",), {}),
        (("/p",), {"method": "PATCH", "data": b"raw", "content_type": "text/x"}),
        (("/p",), {"method": "post", "data": {"a": 1, "b": ["x", "y"]}}),
        (("/p",), {"method": "POST", "data": {"f": (BytesIO(b"file"), "f.txt"), "a": "1"}}),
        (("/p",), {"method": "POST", "data": {"f": (BytesIO(b"f"), "f.csv", "text/own")}}),
        (
            ("/p",),
            {
                "method": "POST",
                "data": {"a": "1"},
                "content_type": "multipart/form-data; boundary=x",
            },
        ),
        (
            ("/p",),
            {
                "method": "POST",
                "data": "a=1&b=2",
                "content_type": "application/x-www-form-urlencoded",
            },
        ),
        (("/p",), {"method": "POST", "json": {"ü": [1, None, 1.5]}}),
        (("/p",), {"method": "POST", "json": None}),
        (("/p",), {"method": "POST", "json": [], "content_type": "application/own+json"}),
        (("/p",), {"method": "POST", "json": 1, "data": "x"}),
        (("/p",), {"method": "POST", "input_stream": BytesIO(b"stream"), "content_length": 3}),
        (("/p",), {"headers": {"X-Own": "1", "Host": "h.example"}, "environ_base": {"own": 1}}),
        (
            ("/p",),
            {
                "headers": [("X-A", "1"), ("X-A", "2")],
                "environ_overrides": {"own": 2, "REMOTE_ADDR": "9.9.9.9"},
            },
        ),
        (("/p",), {"auth": ("name", "pass")}),
        (("/p",), {"auth": werkzeug.datastructures.Authorization("bearer", token="t")}),
        (("/p",), {"content_type": "text/plain", "mimetype": "text/x"}),
        (("/p",), {"nothing": 1}),
        (("/p", "http://b.example/root/"), {}),
        (({"own": 5},), {}),
    ):
        asked(web, client, *args, **options)
    for method in ("get", "post", "put", "delete", "patch", "head", "options", "trace"):
        response = getattr(client, method)("/x", query_string={"a": 1})
        web.note(method, response.status, response.text[:60])


@same
def test_a_request_made_elsewhere_is_sent(web: Web) -> None:
    app = mirror(web)
    client = app.test_client()
    client.environ_base["own"] = "base"
    own = web.testing.EnvironBuilder(app, "/b?x=1", method="POST", json={"a": 1})
    plain = werkzeug.test.EnvironBuilder(
        "/w", environ_base={"own": "builder", "REMOTE_ADDR": "1.2.3.4"}
    )
    for made in (
        own,
        plain,
        own.get_environ(),
        plain.get_environ(),
        own.get_request(),
        plain.get_request(),
        web.Request(plain.get_environ()),
        app.test_request_context("/c", data={"d": "1"}).request,
    ):
        asked(web, client, made)
        asked(web, client, made, follow_redirects=True, buffered=True)
        asked(web, client, made, method="PUT")
        web.note(
            type(made).__name__,
            "own" in getattr(made, "environ", made if isinstance(made, dict) else {}),
        )
    own.close()
    with client:
        asked(web, client, plain)
        web.note(web.request.path, plain.environ_base)


@pytest.mark.slow
@same
def test_where_requests_of_tests_go(web: Web) -> None:
    for config in (
        {},
        {"SERVER_NAME": "s.example"},
        {"SERVER_NAME": "s.example:8000", "PREFERRED_URL_SCHEME": "https"},
        {"APPLICATION_ROOT": "/root"},
        {"APPLICATION_ROOT": "/root/", "PREFERRED_URL_SCHEME": "https"},
    ):
        app = mirror(web, **config)
        for path, options in (
            ("/p", {}),
            ("p", {}),
            ("", {}),
            ("/p?a=1", {"query_string": "b=2"}),
            ("/p?a=1", {}),
            ("http://x.example/p?q#f", {}),
            ("https://x.example:81", {}),
            ("/p", {"base_url": "https://b.example:1/r"}),
            ("/p", {"base_url": "/r"}),
            ("/p", {"subdomain": "sub"}),
            ("/p", {"url_scheme": "ws"}),
            ("https://x.example/p", {"subdomain": "sub", "url_scheme": "http"}),
            ("/p", {"base_url": "http://b.example", "subdomain": "sub"}),
            ("/p", {"base_url": "http://b.example", "url_scheme": "https"}),
        ):
            make = app.test_request_context
            if "base_url" in options:
                make = partial(web.testing.EnvironBuilder, app)
            try:
                made = make(path, **options)
            except Exception as e:
                web.note(path, options, type(e).__name__)
                continue
            request = made.get_request() if "base_url" in options else made.request
            web.note(path, options, request.url, request.root_path, request.query_string)
    app = mirror(web)
    for args in (
        ("/", "http://b.example/"),
        ("/", None, "sub"),
        ("/", None, None, "https"),
        ("/", None, None, None, "POST"),
    ):
        builder = web.testing.EnvironBuilder(app, *args)
        web.note(
            builder.base_url,
            builder.method,
            builder.app is app,
            builder.json_dumps({"b": 1, "a": 2}),
        )
        builder.close()


@pytest.mark.slow
@same
def test_redirects_are_followed(web: Web) -> None:
    app = mirror(web)
    again = {"methods": ["GET", "POST", "PUT"]}
    for code in (301, 302, 303, 307, 308):
        app.add_url_rule(
            f"/{code}", str(code), lambda code=code: web.redirect("/to?x=1", code), **again
        )
    app.add_url_rule("/loop", "loop", lambda: web.redirect("/loop"))
    app.add_url_rule("/two", "two", lambda: web.redirect("302"))
    app.add_url_rule("/away", "away", lambda: web.redirect("http://other.example/"))
    app.add_url_rule("/here", "here", lambda: web.redirect("http://localhost/to"))
    app.add_url_rule("/sub", "sub", lambda: web.redirect("http://sub.localhost/to"))
    app.add_url_rule("/none", "none", lambda: web.Response(status=302))
    app.add_url_rule("/fail", "fail", lambda: web.redirect("/error"))
    app.add_url_rule("/error", "error", lambda: 1 / 0)

    @app.route("/cookie")
    def cookie() -> Any:
        response = web.redirect("/to")
        response.set_cookie("given", "1")
        return response

    client = app.test_client()
    methods = ({}, {"method": "POST", "data": {"a": "1"}}, {"method": "PUT", "json": 1})
    paths = ("/loop", "/two", "/away", "/here", "/sub", "/none", "/fail", "/cookie")
    for path in ("/301", "/302", "/303", "/307", "/308", *paths):
        for options in methods[: 1 if path in paths else 3]:
            try:
                response = client.open(path, follow_redirects=True, **options)
            except Exception as e:
                web.note(path, options, type(e).__name__)
                continue
            web.note(path, options, response.status, response.request.method, response.request.url)
            web.note([(r.status_code, r.request.path, r.location) for r in response.history])
            web.note(response.text[:60], response.history and type(response.history) is tuple)
    with client:
        client.get("/two", follow_redirects=True)
        web.note(web.request.path)
        web.note(client.get("/302").location, web.request.path)


URLS = ("/", "/deep/er", "http://other.example/", "http://sub.localhost/", "https://localhost/")
CHOSEN = {"path": "/deep", "domain": "localhost", "max_age": 0, "secure": True}


@pytest.mark.slow
@same
def test_cookies_of_a_client(web: Web) -> None:
    app = web.app()

    @app.route("/", defaults={"path": ""})
    @app.route("/<path:path>")
    def index(path: str) -> Any:
        response = web.make_response(dict(sorted(web.request.cookies.items())))
        for name, value in web.request.args.items():
            key, _, option = name.partition(".")
            response.set_cookie(key, value, **({option: CHOSEN[option]} if option else {}))
        return response

    client = app.test_client()

    def shown(**options: Any) -> list[Any]:
        cookie = client.get_cookie("a", **options)
        if cookie is None:
            return []
        return sorted((vars(cookie) | {"expires": bool(cookie.expires)}).items())

    client.set_cookie("a", "1 ü;")
    web.note(shown(), shown(domain="localhost"), shown(domain="other.example"), shown(path="/x"))
    for options in (
        {"value": "2", "domain": "other.example"},
        {"value": "3", "path": "/deep"},
        {"value": "4", "domain": "sub.localhost", "origin_only": False},
        {"value": "5", "secure": True, "httponly": True, "samesite": "Strict", "max_age": 500},
        {"value": "6", "expires": datetime(2040, 1, 1, tzinfo=UTC)},
        {"value": "7", "max_age": 0},
    ):
        client.set_cookie("a", **options)
        where = {k: v for k, v in options.items() if k in ("domain", "path")}
        web.note(options, shown(), shown(**where))
        web.note([client.get(url).json for url in URLS])
    client.delete_cookie("a", domain="other.example")
    client.delete_cookie("a", path="/deep")
    client.delete_cookie("none")
    web.note([client.get(url).json for url in URLS])
    for asked in ("/?b=1", "/?b.path=2", "/?b.domain=3", "/?b.max_age=4", "/?b.secure=5&c=1", "/"):
        web.note(
            asked,
            client.get(asked).json,
            client.get("/deep").json,
            client.get("https://localhost").json,
        )
    web.note(client.get("/", headers={"Cookie": "own=1"}).json)
    client = app.test_client(use_cookies=False)
    web.note(client.get("/?b=1").json, client.get("/", headers={"Cookie": "own=1"}).json)
    web.attempt(client.get_cookie, "b")
    web.attempt(client.set_cookie, "b", "1")
    web.attempt(client.delete_cookie, "b")


@same
def test_contexts_outlive_requests_in_a_with_block(web: Web) -> None:
    app = web.app(SECRET_KEY="s", TESTING=True)
    app.teardown_request(lambda e: web.note("teardown", repr(e)))
    app.teardown_appcontext(lambda e: web.note("app", repr(e)))

    @app.route("/<name>")
    def index(name: str) -> Any:
        web.g.name = name
        web.session["name"] = name
        web.flash(name)
        return name

    def seen() -> Any:
        if not web.has_request_context():
            return web.has_app_context()
        return web.request.path, web.g.name, web.session["name"], web.request.endpoint

    client = app.test_client()
    client.get("/before")
    web.note(seen())
    with client as entered:
        web.note(entered is client, seen())
        client.get("/a")
        web.note(seen(), web.get_flashed_messages(), web.url_for("index", name="x"))
        client.get("/b")
        web.note(seen())
        web.attempt(client.__enter__)
        other = app.test_client()
        other.get("/other")
        web.note(seen())
        response = client.get("/missing/path")
        web.note(response.status, web.request.path, web.request.endpoint, "name" in web.g)
    web.note(seen())
    with client:
        pass
    with pytest.raises(ZeroDivisionError), client:
        client.get("/a")
        1 / 0
    web.note(seen())
    with app.test_client() as first, app.test_client() as second:
        first.get("/1")
        second.get("/2")
        web.note(seen())
    web.note(seen())
    with app.app_context():
        web.g.outer = 1
        with client:
            client.get("/inner")
            web.note(seen(), "outer" in web.g)
        web.note(seen(), "outer" in web.g)
    client.__enter__()
    client.get("/x")
    client.__exit__(None, None, None)
    web.note(seen(), client.preserve_context)


@same
def test_a_with_block_goes_on_after_a_request_failed(web: Web) -> None:
    app = web.app(TESTING=True)

    @app.route("/<name>")
    def index(name: str) -> Any:
        web.g.name = name
        return web.abort(409) if name == "abort" else {"none": {}}[name]

    with app.test_client() as client:
        for path in ("/none", "/fail", "/missing/path", "/fail", "/abort", "/fail"):
            try:
                web.note(client.get(path).status)
            except KeyError as e:
                web.note(str(e), web.has_request_context(), web.has_app_context())
            else:
                web.note(web.request.path, web.g.get("name"), "name" in web.g)
        with pytest.raises(TypeError):
            client.get("/none", unknown=1)
        web.note(web.has_request_context())
    web.note(web.has_app_context())


@same
def test_sessions_between_requests(web: Web) -> None:
    app = web.app(SECRET_KEY="s")
    app.before_request(web.noting("before"))
    app.teardown_request(lambda e: web.note("teardown", repr(e)))

    @app.route("/")
    def index() -> Any:
        seen = dict(web.session)
        web.session["seen"] = True
        return seen

    client = app.test_client()
    with client.session_transaction() as session:
        web.note(
            type(session).__name__,
            session.new,
            session.modified,
            dict(session),
            web.has_request_context(),
        )
        session["a"] = 1
        web.note(session.modified, session.accessed)
    web.note(client.get("/").json)
    with client.session_transaction() as session:
        web.note(session.new, dict(session))
        session.clear()
    web.note(client.get_cookie("session"), client.get("/").json)
    with client.session_transaction() as session:
        session["list"] = [1]
        session.permanent = True
    web.note(client.get_cookie("session").expires is not None)
    with client.session_transaction() as session:
        session["list"].append(2)
    web.note(client.get("/").json)
    with pytest.raises(ZeroDivisionError), client.session_transaction() as session:
        session["lost"] = 1
        1 / 0
    web.note(client.get("/").json)
    with client.session_transaction("/deep", base_url="http://other.example/root/") as session:
        session["elsewhere"] = 1
    web.note(client.get("/").json, client.get("/", base_url="http://other.example/root/").json)
    with client:
        client.get("/")
        with client.session_transaction() as session:
            session["b"] = 2
            web.note(web.request.path, dict(web.session))
        web.note(sorted(web.session))
        client.get("/")
        web.note(sorted(web.session))
    with app.test_request_context("/x"):
        with client.session_transaction() as session:
            session["c"] = 3
        web.note(web.request.path, client.get("/").json)
    without = app.test_client(use_cookies=False).session_transaction()
    web.attempt(without.__enter__)
    app.secret_key = None
    unsigned = client.session_transaction()
    web.attempt(unsigned.__enter__)

    class Closed(web.sessions.SecureCookieSessionInterface):  # type: ignore[misc, name-defined]
        def open_session(self, app: Any, request: Any) -> Any:
            return None

    app.session_interface = Closed()
    closed = client.session_transaction()
    web.attempt(closed.__enter__)


@pytest.mark.slow
@same
def test_errors_reach_a_test_when_they_should(web: Web) -> None:
    for config in (
        {},
        {"TESTING": True},
        {"DEBUG": True},
        {"TESTING": True, "PROPAGATE_EXCEPTIONS": False},
        {"PROPAGATE_EXCEPTIONS": True},
        {"TRAP_HTTP_EXCEPTIONS": True},
        {"TESTING": True, "TRAP_BAD_REQUEST_ERRORS": True},
        {"DEBUG": True, "TRAP_BAD_REQUEST_ERRORS": False},
    ):
        app = web.app(**config)
        app.add_url_rule("/error", "error", lambda: 1 / 0)
        app.add_url_rule("/abort", "abort", lambda: web.abort(418))
        app.add_url_rule("/key", "key", lambda: web.request.form["none"])
        app.add_url_rule("/none", "none", lambda: None)
        app.errorhandler(500)(
            lambda e: (f"{type(e).__name__} {type(e.original_exception).__name__}", 500)
        )
        web.note(config)
        web.every("/error", "/abort", "/key", "/none", "/missing")
        with app.test_client() as client:
            for path in ("/error", "/abort"):
                try:
                    web.note(client.get(path).status, web.request.path)
                except Exception as e:
                    web.note(type(e).__name__, web.has_request_context())


@same
def test_an_app_has_clients_of_its_own_class(web: Web) -> None:
    app = mirror(web)

    class Client(web.testing.FlaskClient):  # type: ignore[misc, name-defined]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.token = kwargs.pop("token", None)
            super().__init__(*args, **kwargs)
            web.note(len(args), args[0] is app, args[1] is app.response_class, sorted(kwargs))
            self.environ_base["own"] = "class"

        def open(self, *args: Any, **kwargs: Any) -> Any:
            kwargs.setdefault("headers", {})["X-Token"] = self.token
            return super().open(*args, **kwargs)

    class Runner(web.testing.FlaskCliRunner):  # type: ignore[misc, name-defined]
        def __init__(self, app: Any, **kwargs: Any) -> None:
            web.note(sorted(kwargs))
            super().__init__(app, **kwargs)

        def invoke(self, *args: Any, **kwargs: Any) -> Any:
            return super().invoke(*args, **kwargs).exit_code

    web.note(app.test_client_class, app.test_cli_runner_class)
    plain = app.test_client()
    web.note(
        type(plain).__name__, plain.application is app, plain.environ_base, plain.preserve_context
    )
    web.note([cls.__name__ for cls in type(plain).__mro__], plain.response_wrapper.__mro__[-3:])
    web.attempt(app.test_client, token="t")
    app.test_client_class = Client
    app.test_cli_runner_class = Runner
    for options in (
        {},
        {"token": "t"},
        {"use_cookies": False, "token": "x"},
        {"allow_subdomain_redirects": True},
    ):
        client = app.test_client(**options)
        asked(web, client, "/x")
        response = client.get("/y")
        web.note(type(client).__name__, response.json["headers"])
    runner = app.test_cli_runner(echo_stdin=True)
    web.note(runner.app is app, runner.echo_stdin, runner.invoke(args=["none"]))
    with web.Flask("x", root_path="/").test_client() as default:
        web.note(type(default).__name__)


@pytest.mark.slow
@same
def test_answers_that_tests_get(web: Web) -> None:
    app = web.app(TESTING=True)

    class Own(web.Response):  # type: ignore[misc, name-defined]
        default_mimetype = "text/own"

        @property
        def shout(self) -> str:
            return str(self.get_data(as_text=True).upper())

    def stream() -> Any:
        try:
            for i in range(3):
                web.note("made", i)
                yield str(i)
        finally:
            web.note("closed")

    def closing() -> Any:
        response = web.make_response("x")
        response.call_on_close(web.noting("on close"))
        return response

    app.add_url_rule("/text", "text", lambda: ("ü", 201, {"X-Own": "1"}))
    app.add_url_rule("/json", "json", lambda: {"a": [1]})
    app.add_url_rule("/broken", "broken", lambda: ("{", {"Content-Type": "application/json"}))
    app.add_url_rule("/stream", "stream", lambda: stream())
    app.add_url_rule("/closing", "closing", closing)
    app.add_url_rule("/empty", "empty", lambda: ("", 204))
    for cls in (app.response_class, Own):
        app.response_class = cls
        client = app.test_client()
        for path in ("/text", "/json", "/broken", "/stream", "/closing", "/empty", "/none"):
            for options in ({}, {"buffered": True}):
                web.note(path, options)
                response = client.get(path, **options)
                web.note(
                    [
                        c.__name__
                        for c in type(response).__mro__
                        if "Response" in c.__name__ or c is Own
                    ]
                )
                web.note(
                    response.status,
                    response.is_streamed,
                    response.is_sequence,
                    response.content_type,
                )
                web.note(isinstance(response, cls), getattr(response, "shout", None))
                web.note(type(response.request).__name__, response.request.path, response.history)
                web.attempt(lambda response=response: response.json)
                web.attempt(lambda response=response: response.get_json(silent=True))
                web.note(response.text, response.data, response.status_code, response.location)
                response.close()
        with client.get("/closing") as response:
            web.note(response.text)
        stream_response = client.get("/stream")
        web.note(next(stream_response.response), list(stream_response.iter_encoded()))
        stream_response.close()
    web.note(run_wsgi_app(app, app.test_request_context("/text").request.environ)[1])


@same
def test_requests_without_a_client(web: Web) -> None:
    app = web.app(SECRET_KEY="s", TESTING=True)
    app.before_request(web.noting("before"))
    app.after_request(lambda r: web.note("after") or r)
    app.teardown_request(lambda e: web.note("teardown", repr(e)))

    @app.route("/<int:number>", methods=["GET", "POST"])
    def index(number: int) -> Any:
        return {
            "number": number,
            "form": dict(web.request.form),
            "json": web.request.get_json(silent=True),
        }

    for args, options in (
        ((), {}),
        (("/5",), {}),
        (("/5?x=1",), {"method": "POST", "data": {"a": "1"}}),
        (("/5",), {"json": {"b": 2}, "headers": {"X-Own": "1"}}),
        (("/5",), {"query_string": {"x": "ü"}, "environ_base": {"REMOTE_ADDR": "1.1.1.1"}}),
        (("/none",), {}),
        (("/5",), {"method": "DELETE"}),
        (("/5",), {"base_url": "https://b.example/root"}),
        (("/5",), {"nothing": 1}),
        (("/5",), {"environ_overrides": {"REQUEST_METHOD": "PUT"}}),
        (("/", "http://b.example/5/"), {}),
    ):
        web.note(args, options)
        try:
            ctx = app.test_request_context(*args, **options)
        except TypeError as e:
            web.note(type(e).__name__)
            continue
        with ctx:
            r = web.request
            web.note(r.url, r.method, r.endpoint, r.view_args, dict(r.args), dict(r.form))
            web.note(
                r.remote_addr,
                type(r.routing_exception).__name__,
                ctx.request is r._get_current_object(),
            )
            web.note(
                type(web.session._get_current_object()).__name__,
                web.g.get("x"),
                web.current_app.name,
            )
            web.attempt(app.preprocess_request)
            web.attempt(app.dispatch_request)
            web.attempt(lambda: app.full_dispatch_request().get_data())
            web.attempt(lambda: app.process_response(web.make_response("x")).status)
            web.attempt(lambda: app.do_teardown_request())
        web.note(web.has_request_context())
    environ = web.testing.EnvironBuilder(app, "/7").get_environ()
    with app.request_context(environ):
        web.note(web.request.path, web.request.environ is environ)
    ctx = app.test_request_context("/8")
    ctx.push()
    web.note(web.request.view_args)
    ctx.pop()
    with pytest.raises(KeyError), app.test_request_context("/9"):
        raise KeyError("own")


@same
def test_commands_are_run_by_tests(web: Web) -> None:
    app = web.app()

    @app.cli.command("hello")
    @click.argument("name", default="nobody")
    @click.option("--fail/--no-fail")
    @click.pass_context
    def hello(ctx: Any, name: str, fail: bool) -> None:
        click.echo(f"{name} {web.current_app.name} {type(ctx.obj).__name__}")
        click.echo("told", err=True)
        if fail:
            raise KeyError(name)

    @click.command()
    @web.cli.with_appcontext
    def other() -> str:
        click.echo(f"{web.current_app.name} {sys.stdin.read()}")
        return "returned"

    @click.command()
    @click.pass_obj
    def plain(obj: Any) -> None:
        click.echo(f"{type(obj).__name__} {web.has_app_context()}")

    runner = app.test_cli_runner()
    another = web.Flask("another", root_path="/")
    info = web.cli.ScriptInfo(create_app=lambda: another)
    for args, options in (
        ((), {"args": ["hello"]}),
        ((), {"args": "hello 'some body'"}),
        ((), {"args": ["hello", "--fail"]}),
        ((None, ["hello"]), {}),
        ((hello,), {}),
        ((hello, ["me"]), {}),
        ((hello, "me"), {"obj": info}),
        ((other,), {"input": "typed"}),
        ((other,), {"obj": info}),
        ((other,), {"standalone_mode": False}),
        ((plain,), {}),
        ((plain,), {"obj": 5}),
        ((plain,), {"obj": None}),
        ((app.cli, ["hello"]), {"env": {"X": "1"}, "prog_name": "own"}),
        ((hello, ["--none"]), {}),
        ((), {}),
        ((), {"args": []}),
        ((), {"args": ["none"]}),
        ((hello, ["--fail"]), {"catch_exceptions": False}),
    ):
        web.note([type(a).__name__ for a in args], sorted(options))
        try:
            result = runner.invoke(*args, **options)
        except Exception as e:
            web.note("raised", type(e).__name__)
            continue
        web.note(result.exit_code, result.stdout, result.stderr, result.output, result.return_value)
        web.note(type(result.exception).__name__, type(result).__name__)
    with app.app_context():
        web.g.x = 1
        web.note(runner.invoke(args=["hello"]).output, web.g.x)
