"""Apps that replace a step of a request, and middleware around them."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import Map, Rule

from .by_asgi import everywhere
from .harness import Web, same

#: Methods that an app may override, by what they are for.
STEPS = {
    "contexts": "request_context app_context",
    "the request": "full_dispatch_request preprocess_request dispatch_request make_response"
    " finalize_request process_response do_teardown_request do_teardown_appcontext",
    "errors": "handle_exception handle_user_exception handle_http_exception log_exception"
    " raise_routing_exception trap_http_exception should_ignore_error _find_error_handler",
    "URLs and files": "make_default_options_response create_url_adapter inject_url_defaults url_for"
    " handle_url_build_error redirect send_static_file get_send_file_max_age open_resource",
    "templates": "update_template_context create_jinja_environment create_global_jinja_loader"
    " select_jinja_autoescape iter_blueprints",
    "the entrance": "wsgi_app ensure_sync",
}
#: How often these are called is the framework's affair.
SELDOM = ("ensure_sync", "make_response", "create_url_adapter", "_find_error_handler")


def busy(web: Web, cls: Any = None) -> Any:
    """An app in which every step has something to do."""
    web.file("static/a.txt", "static")
    web.file("templates/page.html", "{{ 1 }}{{ '<' }}")
    app = web.app(cls=cls, SECRET_KEY="k")
    app.add_url_rule("/", "index", lambda: web.url_for("index"))
    app.add_url_rule("/page", "page", lambda: web.render_template("page.html"))
    app.add_url_rule("/fail", "fail", lambda: 1 / 0)
    app.add_url_rule("/key", "key", lambda: {}["key"])
    app.add_url_rule("/abort", "abort", lambda: web.abort(403))
    app.add_url_rule("/away", "away", lambda: web.redirect(web.url_for("nowhere")))
    app.add_url_rule("/read", "read", lambda: read(app))
    app.url_build_error_handlers.append(lambda *args: "/built")
    app.errorhandler(KeyError)(lambda e: ("handled", 400))
    app.errorhandler(403)(lambda e: ("forbidden", 403))
    app.before_request(web.noting("before"))
    app.after_request(lambda r: web.note("after", r.status_code) or r)
    app.teardown_request(lambda e: web.note("teardown", type(e).__name__))
    app.teardown_appcontext(lambda e: web.note("teardown app", type(e).__name__))
    return app


def read(app: Any) -> bytes:
    with app.open_resource("static/a.txt") as file:
        return bytes(file.read())


def ask(web: Web) -> None:
    web.every("/", "/page", "/fail", "/key", "/abort", "/none")
    web.open("/", method="OPTIONS")
    web.open("/", method="PUT")


def ask_all(web: Web) -> None:
    ask(web)
    web.every("/away", "/read", "/static/a.txt")


def stepping(web: Web, name: str, original: Any, called: list[str]) -> Any:
    """A step that notes that it was called, and what it was given."""

    def step(*args: Any, **kwargs: Any) -> Any:
        called.append(name)
        if name not in SELDOM:
            web.note(name, [type(a).__name__ for a in args])
        return original(*args, **kwargs)

    return step


def subclass(web: Web, names: list[str], called: list[str]) -> Any:
    # A lambda is bound to the app, whatever the step is.
    steps = {name: stepping(web, name, getattr(web.Flask, name), called) for name in names}
    bound = {n: lambda self, *a, _s=s, **k: _s(self, *a, **k) for n, s in steps.items()}
    return type("Flask", (web.Flask,), bound)


@pytest.mark.parametrize("kind", STEPS)
@everywhere
def test_steps_of_a_subclass_are_called(web: Web, kind: str) -> None:
    called: list[str] = []
    app = busy(web, subclass(web, STEPS[kind].split(), called))
    ask_all(web)
    web.note(sorted({*called}))
    with app.test_request_context("/"):
        web.note(web.request.path)


@pytest.mark.parametrize("kind", STEPS)
@everywhere
def test_steps_are_set_on_the_app_by_an_extension(web: Web, kind: str) -> None:
    called: list[str] = []
    app = busy(web)
    web.get("/")
    for name in STEPS[kind].split():
        setattr(app, name, stepping(web, name, getattr(app, name), called))
    ask_all(web)
    web.note(sorted({*called}))
    for name in STEPS[kind].split():
        delattr(app, name)
    called.clear()
    web.every("/", "/fail")
    web.note(called)


@pytest.mark.slow
@same
def test_one_step_alone_is_called(web: Web) -> None:
    for name in " ".join(STEPS.values()).split():
        called: list[str] = []
        busy(web, subclass(web, [name], called))
        web.get("/fail")
        web.open("/", method="OPTIONS")
        web.note(name, sorted({*called}))


@same
def test_dispatch_request_as_extensions_write_it(web: Web) -> None:
    class App(web.Flask):  # type: ignore[misc, name-defined]
        def dispatch_request(self) -> Any:
            req = web.globals.request_ctx.request
            if req.routing_exception is not None:
                self.raise_routing_exception(req)
            rule = req.url_rule
            if getattr(rule, "provide_automatic_options", False) and req.method == "OPTIONS":
                return self.make_default_options_response()
            view = self.view_functions[rule.endpoint]
            return self.ensure_sync(partial(view, **req.view_args))()

    busy(web, App)
    ask(web)


@same
def test_handlers_as_rest_extensions_write_them(web: Web) -> None:
    app = busy(web)
    original = app.handle_user_exception, app.handle_exception

    def route_errors(handler: Any, e: Exception) -> Any:
        if web.request.path == "/fail":
            return web.make_response({"error": type(e).__name__}, 500)
        if isinstance(e, HTTPException):
            return web.jsonify(error=e.code), e.code
        return handler(e)

    app.handle_user_exception = partial(route_errors, original[0])
    app.handle_exception = partial(route_errors, original[1])
    ask(web)


@same
def test_make_response_turns_anything_into_a_response(web: Web) -> None:
    class App(web.Flask):  # type: ignore[misc, name-defined]
        def make_response(self, rv: Any) -> Any:
            if rv is None:
                return self.response_class(status=204)
            if isinstance(rv, int):
                rv = str(rv)
            return super().make_response(rv)

    app = web.app(cls=App)
    app.add_url_rule("/none", "none", lambda: None)
    app.add_url_rule("/int", "int", lambda: 5)
    app.add_url_rule("/made", "made", lambda: web.make_response(6))
    app.add_url_rule("/text", "text", lambda: "text")
    web.every("/none", "/int", "/made", "/text", "/other")


@same
def test_process_response_replaces_the_response(web: Web) -> None:
    class App(web.Flask):  # type: ignore[misc, name-defined]
        def process_response(self, response: Any) -> Any:
            response = super().process_response(response)
            return self.response_class(b"<" + response.get_data() + b">", response.status_code)

    busy(web, App)
    web.every("/", "/none", "/fail")


@same
def test_preprocess_request_answers(web: Web) -> None:
    class App(web.Flask):  # type: ignore[misc, name-defined]
        def preprocess_request(self) -> Any:
            if "stop" in web.request.args:
                return "stopped"
            return super().preprocess_request()

    busy(web, App)
    web.every("/?stop", "/none?stop", "/")


@same
def test_handle_exception_answers_everything(web: Web) -> None:
    class App(web.Flask):  # type: ignore[misc, name-defined]
        def handle_exception(self, e: Exception) -> Any:
            return self.finalize_request(("own page", 500), from_error_handler=True)

    busy(web, App)
    web.get("/fail")


@same
def test_create_url_adapter_of_ones_own(web: Web) -> None:
    class App(web.Flask):  # type: ignore[misc, name-defined]
        def create_url_adapter(self, request: Any) -> Any:
            adapter = super().create_url_adapter(request)
            if request is not None and request.headers.get("X-Script"):
                adapter.script_name = "/own/"
            if request is not None:
                web.note("adapter", request.path)
            return adapter

    app = web.app(cls=App)
    app.add_url_rule("/", "i", lambda: web.url_for("i"))
    app.add_url_rule("/x/", "x", lambda: web.url_for("x", _external=True))
    web.every("/", "/x", headers={"X-Script": "1"})
    web.get("/")


@same
def test_rules_and_maps_of_ones_own(web: Web) -> None:
    class OwnRule(Rule):
        def __init__(self, string: str, **options: Any) -> None:
            super().__init__(f"/own{string}", **options)

    class App(web.Flask):  # type: ignore[misc, name-defined]
        url_rule_class = OwnRule
        url_map_class = Map

    app = web.app(cls=App)
    app.add_url_rule("/x", "x", lambda: web.url_for("x"))
    web.every("/x", "/own/x")
    app.url_map.add(Rule("/late", endpoint="x"))
    web.get("/late")


@same
def test_middleware_wraps_wsgi_app(web: Web) -> None:
    app = busy(web)

    class Middleware:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __call__(self, environ: Any, start_response: Any) -> Any:
            web.note("middleware", environ["PATH_INFO"])
            environ["SCRIPT_NAME"] = "/mounted"

            def start(status: str, headers: Any, exc_info: Any = None) -> Any:
                return start_response(status, [*headers, ("X-Middleware", "1")], exc_info)

            return self.inner(environ, start)

    app.wsgi_app = Middleware(app.wsgi_app)
    web.every("/", "/fail", "/none")
    web.note(type(app.wsgi_app).__name__)


@same
def test_wsgi_app_of_a_subclass(web: Web) -> None:
    class App(web.Flask):  # type: ignore[misc, name-defined]
        def wsgi_app(self, environ: Any, start_response: Any) -> Any:
            web.note("wsgi_app", environ["PATH_INFO"])
            return super().wsgi_app(environ, start_response)

    busy(web, App)
    web.every("/", "/fail")


@everywhere
def test_an_app_is_called_in_its_own_way(web: Web) -> None:
    class App(web.Flask):  # type: ignore[misc, name-defined]
        def __call__(self, environ: Any, start_response: Any) -> Any:
            web.note("called", environ["PATH_INFO"])
            environ["HTTP_X_SEEN"] = "seen"
            return super().__call__(environ, start_response)

    app = busy(web, App)
    app.add_url_rule("/seen", "seen", lambda: web.request.headers["X-Seen"])
    web.every("/", "/fail", "/seen")
    wrapped = app.wsgi_app
    app.wsgi_app = lambda environ, start: web.note("wrapped") or wrapped(environ, start)
    web.get("/seen")


def own_contexts(web: Web) -> Any:
    """An app class whose contexts tell what happens to them."""

    class RequestContext(web.ctx.RequestContext):  # type: ignore[misc, name-defined]
        def push(self) -> None:
            web.note("push")
            super().push()

        def pop(self, *args: Any) -> None:
            web.note("pop", [type(arg).__name__ for arg in args])
            super().pop(*args)

        def match_request(self) -> None:
            web.note("match", self.request.path)
            super().match_request()

    class AppContext(web.ctx.AppContext):  # type: ignore[misc, name-defined]
        def push(self) -> None:
            web.note("push app")
            super().push()

        def pop(self, *args: Any) -> None:
            web.note("pop app", [type(arg).__name__ for arg in args])
            super().pop(*args)

    class App(web.Flask):  # type: ignore[misc, name-defined]
        def request_context(self, environ: Any) -> Any:
            return RequestContext(self, environ)

        def app_context(self) -> Any:
            return AppContext(self)

    return App


@everywhere
def test_contexts_of_ones_own(web: Web) -> None:
    app = busy(web, own_contexts(web))
    app.add_url_rule("/names", "names", lambda: f"{names()}")

    def names() -> list[str]:
        proxies = web.globals.request_ctx, web.globals.app_ctx
        copied = web.globals.request_ctx.copy()
        objects = [*(proxy._get_current_object() for proxy in proxies), copied]
        return [type(ctx).__name__ for ctx in objects]

    web.every("/names", "/fail", "/none")
    app.testing = True
    web.get("/fail")
    with app.test_request_context("/made"):
        web.note(web.request.path, web.globals.app_ctx.app is app)


@same
def test_contexts_of_ones_own_are_kept_by_the_client(web: Web) -> None:
    app = busy(web, own_contexts(web))
    app.add_url_rule("/g", "g", lambda: setattr(web.g, "x", 1) or "g")
    with app.test_client() as client:
        client.get("/g")
        web.note(web.request.path, web.g.x)
    web.note(web.has_app_context())
    with app.app_context():
        web.get("/")


@everywhere
def test_what_a_context_is_given_before_it_is_pushed(web: Web) -> None:
    class Request(web.Request):  # type: ignore[misc, name-defined]
        tenant: Any = None

    class App(web.Flask):  # type: ignore[misc, name-defined]
        def request_context(self, environ: Any) -> Any:
            environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix("/tenant")
            ctx = super().request_context(environ)
            ctx.request = Request(environ)
            ctx.request.tenant = "t"
            return ctx

        def app_context(self) -> Any:
            ctx = super().app_context()
            ctx.g.database = "db"
            return ctx

    app = web.app(cls=App)

    @app.route("/<name>")
    def view(name: str) -> str:
        with app.app_context():
            inner = web.g.database
        return f"{name} {web.request.tenant} {web.request.endpoint} {web.g.database} {inner}"

    web.every("/a", "/tenant/b", "/tenant/none/none")
    with app.test_request_context("/tenant/a"):
        web.note(web.g.database, web.request.view_args)


@everywhere
def test_a_context_that_matches_in_its_own_way(web: Web) -> None:
    class Context(web.ctx.RequestContext):  # type: ignore[misc, name-defined]
        def match_request(self) -> None:
            rule = next(r for r in self.app.url_map.iter_rules() if r.endpoint == "view")
            self.request.url_rule, self.request.view_args = rule, {"name": "own"}

    class App(web.Flask):  # type: ignore[misc, name-defined]
        def request_context(self, environ: Any) -> Any:
            return Context(self, environ)

    blueprint = web.Blueprint("b", "b")
    blueprint.before_request(web.noting("of the blueprint"))
    app = web.app(cls=App)
    app.register_blueprint(blueprint)
    app.add_url_rule("/view/<name>", "view", lambda name: f"{name} {web.request.endpoint}")
    web.every("/none", "/view/x")


@same
def test_parts_of_the_app_are_made_by_methods(web: Web) -> None:
    class Aborter(web.Flask.aborter_class):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.mapping[777] = NotFound

    class Config(web.Config):  # type: ignore[misc, name-defined]
        extra = "config"

    class App(web.Flask):  # type: ignore[misc, name-defined]
        aborter_class = Aborter
        config_class = Config
        test_client_class = type("Client", (web.testing.FlaskClient,), {"own": "client"})

        def auto_find_instance_path(self) -> str:
            return "/instance"

        def redirect(self, location: str, code: int = 302) -> Any:
            return super().redirect(f"/own{location}", code)

        def url_for(self, /, endpoint: str, **values: Any) -> str:
            return "/made/" + endpoint

        def send_static_file(self, filename: str) -> Any:
            return f"static {filename}"

    app = web.app(cls=App)
    app.add_url_rule("/abort", "abort", lambda: web.abort(777))
    app.add_url_rule("/redirect", "redirect", lambda: web.redirect("/x"))
    app.add_url_rule("/url", "url", lambda: web.url_for("x"))
    app.add_url_rule("/t", "t", lambda: web.render_template_string("{{ url_for('x') }}"))
    web.note(app.config.extra, app.test_client().own, app.instance_path)
    web.every("/abort", "/redirect", "/url", "/t", "/static/a.txt")


@same
def test_errors_are_logged_in_ones_own_way(web: Web) -> None:
    class App(web.Flask):  # type: ignore[misc, name-defined]
        def log_exception(self, exc_info: Any) -> None:
            web.note("own log", exc_info[0].__name__, web.request.path)

    busy(web, App)
    web.get("/fail")


def own_response(web: Web, name: str) -> Any:
    """A response class that overrides a step of sending, and looks at its request there."""
    base = web.Response

    def get_wsgi_headers(self: Any, environ: Any) -> Any:
        headers = base.get_wsgi_headers(self, environ)
        headers["X-Seen"] = f"{web.request.path} {web.g.get('seen')} {web.session.get('n')}"
        return headers

    def get_app_iter(self: Any, environ: Any) -> Any:
        web.note("app iter", web.request.path)
        pieces = base.get_app_iter(self, environ)
        sized = "Content-Length" in self.headers or web.request.method == "HEAD"
        return pieces if sized else [b"<", *pieces, b">"]

    def get_wsgi_response(self: Any, environ: Any) -> Any:
        body, _, headers = base.get_wsgi_response(self, environ)
        return body, "299 UNKNOWN", [*headers, ("X-Seen", web.request.path)]

    def __call__(self: Any, environ: Any, start_response: Any) -> Any:
        web.note("call", web.request.path)
        if "other" not in web.request.args:
            return base.__call__(self, environ, start_response)
        start_response("298 UNKNOWN", [("Content-Type", "text/plain"), ("Content-Length", "5")])
        return [b"other"]

    members = {name: locals()[name], "automatically_set_content_length": name != "get_app_iter"}
    return type("Response", (base,), members)


@pytest.mark.parametrize("where", ["of the app", "of a view"])
@pytest.mark.parametrize(
    "name", ["get_wsgi_headers", "get_app_iter", "get_wsgi_response", "__call__"]
)
@everywhere
def test_a_response_class_of_ones_own_sees_its_request(web: Web, name: str, where: str) -> None:
    cls = own_response(web, name)
    of_app = where == "of the app"
    app = web.app(cls=type("App", (web.Flask,), {"response_class": cls} if of_app else {}))
    app.secret_key = "k"

    def view(body: Any) -> Any:
        web.g.seen, web.session["n"] = "seen", 1
        return cls(body)

    app.add_url_rule("/text", "text", lambda: view("text"))
    app.add_url_rule("/stream", "stream", lambda: view(letter for letter in "ab"))
    if of_app:  # what another class does is called before the end of its request
        app.teardown_request(web.noting("the end"))
    web.every("/text", "/stream", "/text?other", "/none")
    web.open("/text", method="HEAD")


@everywhere
def test_class_attributes_name_the_classes_of_an_app(web: Web) -> None:
    class Request(web.Request):  # type: ignore[misc, name-defined]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            web.note("a request", self.path)

        def on_json_loading_failed(self, e: Any) -> Any:
            return "no JSON"

    class Response(web.Response):  # type: ignore[misc, name-defined]
        default_mimetype = "text/plain"
        default_status = 201

    class Globals(web.ctx._AppCtxGlobals):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            web.note("a g")

    class Sessions(web.sessions.SecureCookieSessionInterface):  # type: ignore[misc, name-defined]
        def open_session(self, app: Any, request: Any) -> Any:
            web.note("a session", request.path)
            return super().open_session(app, request)

    class Provider(web.json.provider.DefaultJSONProvider):  # type: ignore[misc, name-defined]
        def dumps(self, obj: Any, **kwargs: Any) -> str:
            return super().dumps({"own": obj}, **kwargs)

    class OwnRule(Rule):
        def __init__(self, string: str, **options: Any) -> None:
            super().__init__(f"/own{string}", **options)

    class OwnMap(Map):
        default_converters = {**Map.default_converters, "own": Map.default_converters["int"]}  # noqa: RUF012

    class Environment(web.templating.Environment):  # type: ignore[misc, name-defined]
        def __init__(self, app: Any, **options: Any) -> None:
            web.note("an environment", sorted(options))
            super().__init__(app, **options)

    class App(web.Flask):  # type: ignore[misc, name-defined]
        request_class = Request
        response_class = Response
        app_ctx_globals_class = Globals
        session_interface = Sessions()
        json_provider_class = Provider
        url_rule_class = OwnRule
        url_map_class = OwnMap
        jinja_environment = Environment
        jinja_options = {"variable_start_string": "[[", "variable_end_string": "]]"}  # noqa: RUF012
        default_config = {**web.Flask.default_config, "OWN": 1}  # noqa: RUF012
        test_cli_runner_class = type(
            "Runner", (web.testing.FlaskCliRunner,), {"invoke": lambda self, *args: args}
        )

    app = web.app(cls=App)
    app.add_url_rule("/<own:x>", "x", lambda x: f"{x!r} {web.url_for('x', x=2)}")
    app.add_url_rule("/t", "t", lambda: web.render_template_string("[[ 1 ]]{{ 2 }}"))
    app.add_url_rule("/json", "json", lambda: [web.request.get_json()], methods=["POST"])
    app.add_url_rule("/made", "made", lambda: web.make_response())
    web.every("/own/1", "/1", "/own/t", "/own/made", "/own/x")
    web.post("/own/json", data="{", content_type="application/json")
    web.note(app.config["OWN"], app.test_cli_runner().invoke("command"))


@everywhere
def test_an_extension_replaces_parts_of_a_running_app(web: Web) -> None:
    class Sessions(web.sessions.SecureCookieSessionInterface):  # type: ignore[misc, name-defined]
        def open_session(self, app: Any, request: Any) -> Any:
            web.note("a session", request.path)
            return super().open_session(app, request)

    def view() -> Any:
        names = [type(web.request._get_current_object()), type(web.g._get_current_object())]
        return [name.__name__ for name in names]

    app = web.app(SECRET_KEY="k")
    app.add_url_rule("/", "i", view)
    app.add_url_rule("/abort", "abort", lambda: web.abort(1000))
    web.every("/", "/abort")
    app.session_interface = Sessions()
    app.request_class = type("Request", (web.Request,), {})
    app.response_class = type("Response", (web.Response,), {"default_mimetype": "text/plain"})
    app.app_ctx_globals_class = type("Globals", (), {})
    app.json.compact = False
    app.aborter = lambda code: web.make_response(f"code {code}")
    web.every("/", "/abort", "/none")
