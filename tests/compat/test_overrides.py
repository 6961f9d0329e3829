"""Apps that replace a step of a request, and middleware around them."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import Map, Rule

from .harness import Web, same

STEPS = (
    "full_dispatch_request",
    "preprocess_request",
    "dispatch_request",
    "make_response",
    "finalize_request",
    "process_response",
    "handle_exception",
    "handle_user_exception",
    "handle_http_exception",
    "raise_routing_exception",
    "make_default_options_response",
    "do_teardown_request",
    "do_teardown_appcontext",
    "log_exception",
    "trap_http_exception",
    "ensure_sync",
    "inject_url_defaults",
    "update_template_context",
)


def busy(web: Web, cls: Any = None) -> Any:
    """An app in which every step has something to do."""
    app = web.app(cls=cls, SECRET_KEY="k")
    app.add_url_rule("/", "index", lambda: web.url_for("index"))
    app.add_url_rule("/page", "page", lambda: web.render_template_string("{{ 1 }}"))
    app.add_url_rule("/fail", "fail", lambda: 1 / 0)
    app.add_url_rule("/key", "key", lambda: {}["key"])
    app.add_url_rule("/abort", "abort", lambda: web.abort(403))
    app.errorhandler(KeyError)(lambda e: ("handled", 400))
    app.errorhandler(403)(lambda e: ("forbidden", 403))
    app.before_request(web.noting("before"))
    app.after_request(lambda r: web.note("after", r.status_code) or r)
    app.teardown_request(lambda e: web.note("teardown", type(e).__name__))
    app.teardown_appcontext(lambda e: web.note("teardown app", type(e).__name__))
    return app


def ask(web: Web) -> None:
    web.every("/", "/page", "/fail", "/key", "/abort", "/none")
    web.open("/", method="OPTIONS")
    web.open("/", method="PUT")


@pytest.mark.parametrize("name", STEPS)
@same
def test_a_step_of_a_subclass_is_called(web: Web, name: str) -> None:
    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        web.note(name, [type(a).__name__ for a in args if name != "ensure_sync"])
        return getattr(web.Flask, name)(self, *args, **kwargs)

    if name in ("ensure_sync", "make_response"):  # how often is the framework's affair
        called = []
        step = lambda self, *a, **k: called.append(1) or getattr(web.Flask, name)(self, *a, **k)  # type: ignore[assignment]  # noqa: E731
    busy(web, type("App", (web.Flask,), {name: step}))
    ask(web)
    if name in ("ensure_sync", "make_response"):
        web.note(bool(called))


@pytest.mark.parametrize("name", STEPS[:9])
@same
def test_a_step_is_set_on_the_app_by_an_extension(web: Web, name: str) -> None:
    app = busy(web)
    web.get("/")
    original = getattr(app, name)

    def step(*args: Any, **kwargs: Any) -> Any:
        web.note("extension", name)
        return original(*args, **kwargs)

    setattr(app, name, step)
    ask(web)
    delattr(app, name)
    web.every("/", "/fail")


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


@same
def test_contexts_of_ones_own(web: Web) -> None:
    class App(web.Flask):  # type: ignore[misc, name-defined]
        def request_context(self, environ: Any) -> Any:
            web.note("request_context", environ["PATH_INFO"])
            return super().request_context(environ)

    app = web.app(cls=App)
    app.add_url_rule("/", "i", lambda: "i")
    with app.test_request_context("/made"):
        web.note(web.request.path)


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
