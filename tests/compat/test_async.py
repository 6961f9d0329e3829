"""Async views and hooks, beside sync ones."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from .harness import Web, same


@same
def test_async_views_see_the_request(web: Web) -> None:
    app = web.app(SECRET_KEY="k")

    @app.route("/<int:n>", methods=["GET", "POST"])
    async def view(n: int) -> Any:
        await asyncio.sleep(0)
        web.g.n = n
        web.session["n"] = n
        web.flash("async")
        return {"n": n, "url": web.url_for("view", n=2), "form": web.request.form.to_dict()}

    @app.route("/template")
    async def template() -> str:
        return web.render_template_string("{{ request.path }} {{ session.n }}")

    app.teardown_request(lambda e: web.note("teardown", web.g.get("n")))
    web.every("/1", "/template")
    web.post("/3", data={"a": "b"})


@same
def test_async_hooks_run_in_the_same_order(web: Web) -> None:
    app = web.app()
    bp = web.Blueprint("bp", "app", url_prefix="/bp")

    def hook(name: str, rv: Any = None) -> Any:
        async def function(*args: Any) -> Any:
            await asyncio.sleep(0)
            web.note(name, web.request.path)
            return args[0] if name.startswith("after") else rv

        return function

    def view(name: str) -> Any:
        async def function() -> str:
            return name

        return function

    for owner, name in ((app, "app"), (bp, "bp")):
        owner.before_request(web.noting("sync before", name))
        owner.before_request(hook(f"before {name}"))
        owner.after_request(hook(f"after {name}"))
        owner.after_request(lambda r, name=name: web.note("sync after", name) or r)
        owner.teardown_request(hook(f"teardown {name}"))
        owner.add_url_rule("/async", "async", view(name))
        owner.add_url_rule("/sync", "sync", lambda: "sync")
    app.register_blueprint(bp)
    web.every("/async", "/sync", "/bp/async", "/bp/sync", "/none")


@same
def test_async_error_handlers(web: Web) -> None:
    app = web.app()

    @app.errorhandler(KeyError)
    async def handle(e: KeyError) -> Any:
        await asyncio.sleep(0)
        return f"handled {e}", 400

    @app.errorhandler(404)
    async def missing(e: Any) -> Any:
        return "missing", 404

    @app.route("/async")
    async def raising() -> str:
        raise KeyError("async")

    @app.route("/unhandled")
    async def unhandled() -> str:
        raise ValueError

    @app.route("/abort")
    async def aborting() -> str:
        web.abort(404)

    app.add_url_rule("/sync", "sync", lambda: {}["sync"])
    web.every("/async", "/sync", "/none", "/unhandled", "/abort")
    app.testing = True
    web.get("/unhandled")


@same
def test_async_before_functions_answer(web: Web) -> None:
    app = web.app()

    @app.before_request
    async def stop() -> Any:
        return ("stopped", 403) if "stop" in web.request.args else None

    app.add_url_rule("/", "i", lambda: "view")
    web.every("/?stop", "/")


@same
def test_async_after_this_request_and_teardown_of_the_app(web: Web) -> None:
    app = web.app()

    @app.teardown_appcontext
    async def ends(e: Any) -> None:
        web.note("app context", type(e).__name__)

    @app.route("/")
    def index() -> str:
        @web.after_this_request
        async def change(response: Any) -> Any:
            response.headers["X-Async"] = "1"
            return response

        return "i"

    web.get("/")
    with app.app_context():
        web.note("inside")


@same
def test_async_context_processors(web: Web) -> None:
    app = web.app()

    @app.context_processor
    async def values() -> dict[str, Any]:
        return {"x": "async"}

    app.add_url_rule("/", "i", lambda: web.render_template_string("{{ x }}"))
    web.get("/")


@same
def test_async_view_classes(web: Web) -> None:
    class Page(web.views.View):  # type: ignore[misc, name-defined]
        async def dispatch_request(self) -> str:
            return "view"

    class Items(web.views.MethodView):  # type: ignore[misc, name-defined]
        async def get(self) -> str:
            return "async get"

        def post(self) -> str:
            return "sync post"

    app = web.app()
    app.add_url_rule("/view", view_func=Page.as_view("view"))
    app.add_url_rule("/items", view_func=Items.as_view("items"))
    for method in ("GET", "POST", "HEAD", "OPTIONS", "PUT"):
        web.open("/view", method=method)
        web.open("/items", method=method)


@same
def test_async_functions_called_by_sync_code(web: Web) -> None:
    app = web.app()

    async def work(x: int) -> int:
        await asyncio.sleep(0)
        return x + len(web.request.path)

    app.add_url_rule("/", "i", lambda: str(app.ensure_sync(work)(1)))
    app.add_url_rule("/again", "a", lambda: str(app.async_to_sync(work)(1)))
    web.every("/", "/again")
    web.note(app.ensure_sync(len) is len)


@same
def test_async_receivers_of_signals(web: Web) -> None:
    app = web.app()

    async def receiver(sender: Any, **extra: Any) -> None:
        web.note("heard", web.request.path)

    web.hear("request_started", receiver)
    app.add_url_rule("/", "i", lambda: "i")
    web.get("/")


@pytest.mark.parametrize("value", ["sync", "async"])
@same
def test_an_app_with_its_own_ensure_sync(web: Web, value: str) -> None:
    class App(web.Flask):  # type: ignore[misc, name-defined]
        def async_to_sync(self, func: Any) -> Any:
            def call(*args: Any, **kwargs: Any) -> Any:
                web.note("own", func.__name__)
                return asyncio.run(func(*args, **kwargs))

            return call

    app = web.app(cls=App)

    @app.before_request
    async def before() -> None:
        pass

    async def async_view() -> str:
        return "async"

    app.add_url_rule("/", "view", async_view if value == "async" else lambda: "sync")
    web.get("/")


@same
def test_an_async_error_handler_sees_what_is_handled(web: Web) -> None:
    app = web.app()

    @app.errorhandler(ValueError)
    async def log(e: ValueError) -> Any:
        web.note(sys.exc_info()[1] is e)
        app.logger.exception("failed")
        return "logged", 500

    @app.errorhandler(KeyError)
    async def raise_again(e: KeyError) -> Any:
        raise

    @app.errorhandler(LookupError)
    async def raise_another(e: LookupError) -> Any:
        raise TypeError

    def view(name: str) -> Any:
        raise {"value": ValueError, "key": KeyError, "lookup": LookupError}[name]

    app.add_url_rule("/<name>", "view", view)
    web.every("/value", "/key", "/lookup")
