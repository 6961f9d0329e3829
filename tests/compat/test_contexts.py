"""Contexts: what is active when, whose ``g`` it is, and what the test client keeps."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from .harness import Web, same


def state(web: Web) -> tuple[Any, ...]:
    """What works now."""
    app, request = web.has_app_context(), web.has_request_context()
    name, path = app and web.current_app.name, request and web.request.path
    return app, request, bool(web.current_app), name, path, app and dict(web.g.__dict__)


def simple(web: Web) -> Any:
    app = web.app(SECRET_KEY="k")

    @app.route("/<name>")
    def view(name: str) -> str:
        web.g.name = name
        web.session["name"] = name
        return name

    app.teardown_request(lambda e: web.note("request ends", state(web)))
    return app


@same
def test_what_is_active_in_an_app_context(web: Web) -> None:
    app = simple(web)
    app.teardown_appcontext(lambda e: web.note("app ends", type(e).__name__, web.g.get("x")))
    web.note(state(web))
    with app.app_context() as ctx:
        web.note(state(web), ctx.app is app, web.g is not ctx.g, web.g == ctx.g)
        web.g.x = 1
        with app.app_context():
            web.note(state(web))
        web.note(state(web))
    web.note(state(web))
    try:
        with app.app_context():
            raise ValueError
    except ValueError:
        web.note(state(web))


@same
def test_what_is_active_in_a_request_context(web: Web) -> None:
    app = simple(web)
    with app.test_request_context("/x?a=1", method="POST", data={"b": "2"}) as ctx:
        web.note(state(web), web.request.args["a"], web.request.form["b"])
        web.note(
            web.request.endpoint,
            web.request.view_args,
            ctx.app is app,
            ctx.url_adapter.map is app.url_map,
        )
        web.note(ctx.request is web.request._get_current_object(), ctx.session == web.session)
        web.note(type(web.request.routing_exception).__name__)
        with app.app_context():
            web.g.inner = 1
            web.note(state(web))
        web.note(state(web))
        with app.test_request_context("/y"):
            web.g.y = 1
            web.note(state(web))
        web.note(state(web))
    web.note(state(web))


@same
def test_a_request_inside_an_app_context_shares_its_g(web: Web) -> None:
    app = simple(web)
    app.teardown_appcontext(lambda e: web.note("app ends", dict(web.g.__dict__)))
    with app.app_context():
        web.g.outer = 1
        web.get("/inner")
        web.note(state(web))
        with app.test_request_context("/made"):
            web.note(state(web))
        web.note("still", state(web))


@same
def test_a_request_inside_a_request_of_the_same_app(web: Web) -> None:
    app = simple(web)
    client = app.test_client()

    @app.route("/outer/")
    def outer() -> str:
        web.g.outer = 1
        web.session["outer"] = 1
        inner = client.get("/inner").get_data(as_text=True)
        web.note(state(web), dict(web.session))
        return inner

    web.get("/outer/")


@same
def test_a_request_of_another_app_inside(web: Web) -> None:
    other = web.Flask("other")
    other.add_url_rule("/o", "o", lambda: f"{state(web)}")
    app = simple(web)

    @app.route("/outer/")
    def outer() -> str:
        web.g.outer = 1
        inner = other.test_client().get("/o").get_data(as_text=True)
        with other.app_context():
            web.note(state(web))
            web.attempt(web.url_for, "view", name="x")
        return f"{inner} {state(web)} {web.url_for('view', name='x')}"

    web.get("/outer/")


@same
def test_the_g_of_each_request_is_new(web: Web) -> None:
    app = simple(web)
    app.add_url_rule("/g/", "g", lambda: f"{sorted(web.g)} {'name' in web.g} {web.g.get('name')}")
    web.every("/x", "/g/", "/g/")


@same
def test_methods_of_g(web: Web) -> None:
    app = web.app()
    with app.app_context():
        g = web.g
        web.attempt(lambda: g.none)
        web.note(g.get("none"), g.get("none", 1), g.setdefault("a", []), g.setdefault("a", 2))
        g.b = 2
        web.note("a" in g, "none" in g, sorted(g), g.pop("b"), g.pop("b", 5))
        web.attempt(g.pop, "b")
        del g.a
        web.attempt(lambda: g.a)
        web.attempt(lambda: delattr(g, "a"))


@same
def test_a_g_of_ones_own_class(web: Web) -> None:
    class G:
        answer = 42

    app = web.app()
    app.app_ctx_globals_class = G
    app.add_url_rule("/", "i", lambda: f"{web.g.answer}")
    web.get("/")


@same
def test_the_client_keeps_the_last_context_in_a_with_block(web: Web) -> None:
    app = simple(web)
    client = app.test_client()
    with client:
        client.get("/one")
        web.note(state(web), dict(web.session), web.request.endpoint)
        client.get("/two")
        web.note(state(web), dict(web.session))
        client.post("/none/")
        web.note(web.request.path)
    web.note(state(web))
    client.get("/three")
    web.note(state(web))
    with client:
        web.note(state(web))
        web.attempt(client.__enter__)
    web.note(state(web))


@same
def test_the_client_keeps_the_context_of_a_request_that_failed(web: Web) -> None:
    app = simple(web)

    @app.route("/fail/")
    def fail() -> str:
        web.g.failing = 1
        raise ZeroDivisionError

    with app.test_client() as client:
        web.note(client.get("/fail/").status)
        web.note(state(web))
    app.testing = True
    with app.test_client() as client:
        web.attempt(client.get, "/fail/")
        web.note(state(web))


@same
def test_redirects_are_followed_with_one_context_each(web: Web) -> None:
    app = simple(web)
    app.add_url_rule("/from/", "from", lambda: web.redirect("/to"))
    with app.test_client() as client:
        response = client.get("/from/", follow_redirects=True)
        web.note(response.status, [r.status for r in response.history], response.request.path)
        web.note(state(web))


@same
def test_pushing_and_popping_by_hand(web: Web) -> None:
    app = simple(web)
    ctx = app.app_context()
    ctx.push()
    web.note(state(web))
    ctx.push()
    ctx.pop()
    web.note(state(web))
    ctx.pop()
    web.note(state(web))
    request = app.test_request_context("/x")
    request.push()
    web.note(state(web))
    request.pop(ValueError("given"))
    web.note(state(web))
    app.testing = True
    with pytest.raises(ValueError, match="through"), app.test_request_context("/x"):
        raise ValueError("through")


@same
def test_popping_in_the_wrong_order(web: Web) -> None:
    app = simple(web)
    first, second = app.app_context(), app.app_context()
    first.push()
    second.push()
    second.pop()
    first.pop()
    web.attempt(lambda: web.current_app.name)


@same
def test_hooks_run_by_hand_in_a_request_context(web: Web) -> None:
    app = simple(web)
    app.before_request(lambda: setattr(web.g, "before", 1))
    app.after_request(lambda r: r.headers.add("X-After", "1") or r)
    with app.test_request_context("/x"):
        web.note(app.preprocess_request(), web.g.before)
        rv = app.dispatch_request()
        response = app.process_response(app.make_response(rv))
        web.note(rv, sorted(response.headers), response.status)
    with app.test_request_context("/y"):
        response = app.full_dispatch_request()
        web.note(response.status, response.get_data(), sorted(k for k, _ in response.headers))
    with app.test_request_context("/none/none"):
        web.attempt(app.dispatch_request)
        web.note(app.full_dispatch_request().status)


@same
def test_a_copied_context_in_a_thread(web: Web) -> None:
    app = simple(web)

    @app.route("/thread/")
    def thread() -> str:
        web.g.outer = 1
        web.session["x"] = 1
        found: list[Any] = []

        @web.copy_current_request_context
        def work(n: int) -> None:
            found.append((n, web.request.path, web.session["x"], web.g.get("outer")))

        for target, args in ((work, (1,)), (lambda: found.append(state(web)), ())):
            t = threading.Thread(target=target, args=args)
            t.start()
            t.join()
        return repr(found)

    app.teardown_request_funcs.clear()
    web.get("/thread/")
    web.attempt(web.copy_current_request_context, len)


@same
def test_request_contexts_take_what_the_client_takes(web: Web) -> None:
    app = web.app(SERVER_NAME="example.org", APPLICATION_ROOT="/root", SECRET_KEY="k")
    app.add_url_rule("/x", "x", lambda: "")
    for args, kwargs in (
        ((), {}),
        (("/x?a=1",), {}),
        (("http://other.example:81/x",), {}),
        (("/x",), {"subdomain": "sub", "url_scheme": "https"}),
        (("/x",), {"base_url": "https://base.example/app/"}),
        (("/x",), {"json": {"a": 1}, "method": "PUT", "headers": {"X-A": "1"}}),
        (("/x",), {"query_string": {"q": "ü"}}),
        (("/x",), {"base_url": "http://a", "subdomain": "b"}),
    ):
        try:
            with app.test_request_context(*args, **kwargs):
                r = web.request
                web.note(r.url, r.method, r.endpoint, r.get_json(silent=True), r.headers.get("X-A"))
                web.attempt(web.url_for, "x")
        except AssertionError as e:
            web.note(type(e).__name__)


@same
def test_views_are_called_directly_in_a_request_context(web: Web) -> None:
    app = web.app(SECRET_KEY="k")

    def view() -> Any:
        web.flash("hi")
        return web.jsonify(web.request.args, web.session.get("x"))

    app.add_url_rule("/", "view", view)
    with app.test_request_context("/?a=1"):
        web.session["x"] = 2
        web.note(view().get_json(), app.ensure_sync(view)().get_json())
        web.note(web.get_flashed_messages())


@same
def test_proxies_and_their_objects(web: Web) -> None:
    app = web.app()
    with app.test_request_context("/x"):
        web.note(web.current_app._get_current_object() is app, web.current_app == app)
        web.note(isinstance(web.current_app, web.Flask), isinstance(web.request, web.Request))
        web.note(web.g == web.g._get_current_object(), "x" in web.request.path)
        web.note(web.globals.request_ctx.request.path, web.globals.app_ctx.app is app)
        web.note(web.globals.request_ctx.app is app, web.globals.app_ctx.g == web.g)
    web.attempt(lambda: web.globals.request_ctx.request)
    web.attempt(lambda: web.globals.app_ctx.app)


def current(web: Web) -> list[Any]:
    """What extensions find behind the names of ``flask.globals``."""
    found = []
    for variable in (web.globals._cv_app, web.globals._cv_request):
        ctx = variable.get(None)
        found.append(ctx and ctx.app.name)
        try:
            found.append(variable.get() is ctx)
        except LookupError:
            found.append("LookupError")
    return [*found, bool(web.globals.app_ctx), bool(web.globals.request_ctx)]


@same
def test_the_variables_of_flask_globals(web: Web) -> None:
    app = simple(web)
    web.note(current(web))
    with app.app_context() as outer:
        web.note(current(web), web.globals._cv_app.get() is outer)
        with app.test_request_context("/x") as ctx:
            web.note(current(web), web.globals._cv_request.get() is ctx)
            web.note(web.globals.app_ctx._get_current_object() is outer)
            with app.app_context() as inner:
                web.note(web.globals.app_ctx._get_current_object() is inner)
                web.note(web.globals._cv_request.get() is ctx)
    token = web.globals._cv_app.set(outer)
    web.note(web.current_app.name, web.g == outer.g)
    web.globals._cv_app.reset(token)
    web.note(current(web), repr(web.g), repr(web.request), repr(web.current_app), repr(web.session))


@same
def test_what_belongs_to_an_app_context_is_kept_by_its_identity(web: Web) -> None:
    # As extensions do that have one connection for each app context.
    app = simple(web)
    connections: dict[int, int] = {}

    def connection() -> int:
        ctx = web.globals.app_ctx._get_current_object()
        return connections.setdefault(id(ctx), len(connections))

    @app.teardown_appcontext
    def close(error: Any) -> None:
        ctx = web.globals.app_ctx._get_current_object()
        web.note("closed", connections.pop(id(ctx), None))

    @app.route("/connections/")
    def connect() -> str:
        with app.app_context():
            inner = connection()
        return f"{connection()} {connection()} {inner}"

    web.get("/connections/")
    with app.app_context():
        web.note(connection())
        web.get("/connections/")
        web.note(connection())
    web.note(connections)


@same
def test_the_context_of_an_app_is_handed_to_a_thread(web: Web) -> None:
    app = simple(web)
    app.teardown_appcontext(web.noting("app ends"))

    @app.route("/thread/")
    def begin() -> str:
        web.g.x = 1
        ctx = web.globals.app_ctx._get_current_object()

        def work() -> None:
            with ctx:
                web.note(state(web))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        web.note("goes on")
        return "view"

    web.get("/thread/")


@same
def test_a_request_context_is_pushed_again_elsewhere(web: Web) -> None:
    app = simple(web)
    app.teardown_appcontext(web.noting("app ends"))
    ctx = app.test_request_context("/x")
    with app.app_context():
        with ctx:
            web.note("inside")
        web.note("still")
    with ctx:
        web.note("again", web.request.path)
    with app.app_context(), ctx:
        web.note("and inside")


@same
def test_the_attributes_of_a_request_context(web: Web) -> None:
    app = simple(web)
    environ = web.testing.EnvironBuilder(app, "/x?a=1").get_environ()
    ctx = app.request_context(environ)
    web.note(ctx.app is app, ctx.flashes, [*ctx._after_request_functions])
    web.note(ctx.request.path, ctx.request.url_rule, ctx.request.view_args)
    ctx.push()
    web.note(
        str(ctx.request.url_rule),
        ctx.request.view_args,
        ctx.url_adapter.build("view", {"name": "y"}),
    )
    web.note(web.globals.app_ctx.url_adapter, ctx.session == web.session)
    web.after_this_request(lambda response: response)
    web.flash("message")
    web.note(web.get_flashed_messages(), ctx.flashes, len(ctx._after_request_functions))
    ctx.request.view_args = {"name": "z"}
    web.note(app.full_dispatch_request().get_data())
    ctx.match_request()
    web.note(ctx.request.view_args, app.dispatch_request())
    copied = ctx.copy()
    web.note(copied.request is ctx.request, copied.app is app, dict(copied.session))
    ctx.pop()
    with copied:
        web.note(web.request.view_args, dict(web.session), web.g.get("name"))


@same
def test_an_app_context_has_no_session_and_a_request_can_get_another_one(web: Web) -> None:
    app = web.app(SECRET_KEY="k")
    names = ("session", "request", "flashes", "g", "url_adapter")

    @app.route("/")
    def index() -> Any:
        web.session["old"] = 1
        app_ctx, request_ctx = web.globals.app_ctx, web.globals.request_ctx
        web.note([hasattr(app_ctx, name) for name in names])
        web.note([hasattr(request_ctx, name) for name in names if name != "g"])
        request_ctx._session = web.sessions.SecureCookieSession({"new": 1})
        return {**web.session, **request_ctx.session}

    web.get("/")
    with app.app_context():
        web.note([hasattr(web.globals.app_ctx, name) for name in names])
        web.attempt(lambda: web.request.path)
        web.attempt(lambda: web.session["a"])
    web.attempt(lambda: hasattr(web.request, "path"))
