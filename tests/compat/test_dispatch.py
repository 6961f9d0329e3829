"""What is called for a request when a hook, or a program at run time, changed what it matched."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.exceptions import Gone
from werkzeug.routing import Map, MapAdapter, Rule

from .by_asgi import everywhere
from .harness import Web, same


def app_with_blueprint(web: Web) -> Any:
    """Views of the app and of a blueprint, whose hooks tell that they were called."""
    blueprint = web.Blueprint("b", "b")
    blueprint.before_request(web.noting("before of b"))
    blueprint.after_request(lambda response: web.note("after of b") or response)
    blueprint.teardown_request(web.noting("teardown of b"))
    blueprint.errorhandler(ZeroDivisionError)(lambda e: "handled by b")
    blueprint.add_url_rule("/b/<x>", "view", lambda x: f"b {x}", methods=["GET", "POST"])
    blueprint.add_url_rule("/fails/<x>", "fails", lambda x: 1 / 0)
    app = web.app()
    app.register_blueprint(blueprint)
    app.add_url_rule("/a/<x>", "a", lambda x: f"a {x}")
    app.after_request(lambda r: web.note(web.request.endpoint, web.request.view_args) or r)
    return app


@everywhere
def test_a_hook_gives_a_request_another_rule(web: Web) -> None:
    app = app_with_blueprint(web)
    rules = {rule.endpoint: rule for rule in app.url_map.iter_rules()}

    @app.before_request
    def change() -> Any:
        to = web.request.args.get("to")
        if to is not None:
            web.request.url_rule, web.request.view_args = rules[to], {"x": "changed"}
            web.request.routing_exception = None
        return "answered" if "stop" in web.request.args else None

    web.every("/a/1", "/b/1", "/a/1?to=b.view", "/b/1?to=a", "/none?to=b.view", "/none?to=a")
    web.every("/a/1?to=b.fails", "/b/1?to=a&stop", "/a/1?to=b.view&stop")
    web.open("/a/1?to=b.view", method="OPTIONS")
    web.post("/b/1?to=a")


@everywhere
def test_a_hook_gives_an_async_view_the_place_of_a_sync_one(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/sync", "sync", lambda: "sync")

    @app.route("/async", endpoint="async")
    async def view() -> str:
        return "async"

    rules = {rule.endpoint: rule for rule in app.url_map.iter_rules()}

    @app.before_request
    def change() -> None:
        if "to" in web.request.args:
            web.request.url_rule = rules[web.request.args["to"]]

    web.every("/sync?to=async", "/async?to=sync", "/sync", "/async")


@everywhere
def test_a_hook_decides_whether_a_request_has_a_rule(web: Web) -> None:
    app = web.app(SECRET_KEY="k")
    app.add_url_rule("/", "i", lambda: "i")

    @app.before_request
    def change() -> None:
        if "gone" in web.request.args:
            web.request.routing_exception = Gone()

    web.every("/", "/?gone", "/none?gone", "/none")


@everywhere
def test_a_hook_replaces_a_view_and_adds_hooks_for_the_request_that_it_runs_in(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/", "i", lambda: "first")

    @app.before_request
    def change() -> None:
        if "change" in web.request.environ["QUERY_STRING"]:
            app.view_functions["i"] = lambda: "second"
            functions = app.after_request_funcs.setdefault(None, [])
            functions.append(lambda response: web.note("late") or response)

    web.every("/", "/?change", "/")


@pytest.mark.parametrize("runs", [False, True])
@same
def test_another_map_takes_the_place_of_an_apps_own(web: Web, runs: bool) -> None:
    app = web.app()
    app.add_url_rule("/", "i", lambda: web.url_for("i"))
    if runs:
        web.get("/")
    app.url_map = Map([Rule("/new", endpoint="i")])
    web.every("/", "/new", "/late")
    app.url_map.add(Rule("/late", endpoint="i"))
    web.every("/new", "/late")
    web.note(isinstance(app.url_map, Map), type(app.url_map).__name__)


@same
def test_a_map_has_adapters_of_its_own(web: Web) -> None:
    class Adapter(MapAdapter):
        def match(self, *args: Any, **kwargs: Any) -> Any:
            web.note("match")
            return super().match(*args, **kwargs)

        def build(self, *args: Any, **kwargs: Any) -> str:
            return "/own" + super().build(*args, **kwargs)

    class OwnMap(Map):
        def bind_to_environ(self, *args: Any, **kwargs: Any) -> MapAdapter:
            adapter = super().bind_to_environ(*args, **kwargs)
            adapter.__class__ = Adapter
            return adapter

    app = web.app(cls=type("App", (web.Flask,), {"url_map_class": OwnMap}))
    app.add_url_rule("/", "i", lambda: web.url_for("i"))
    web.every("/", "/none")


@same
def test_rules_are_edited_while_the_app_runs(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/a", "a", lambda **values: f"a {values}")
    app.add_url_rule("/b/<int:x>", "b", lambda **values: f"b {values}")
    app.add_url_rule("/c", "c", lambda **values: f"c {values}", defaults={"x": 1})
    web.every("/a", "/b/1", "/c")
    a, b, c = (next(app.url_map.iter_rules(name)) for name in "abc")
    a.methods.add("PATCH")
    b.methods = {"GET", "PATCH"}
    c.defaults["x"] = 2
    a.endpoint = "b"
    for path in ("/a", "/b/1", "/c", "/b/x"):
        web.open(path, method="PATCH")
        web.open(path, method="PUT")
        web.get(path)
    a.provide_automatic_options = False
    web.open("/a", method="OPTIONS")
