"""The order of before, after and teardown functions."""

from __future__ import annotations

from typing import Any

from .harness import Web, same


def hooked(web: Web, owner: Any, name: str) -> None:
    """Register one of everything on an app or blueprint, twice."""

    def after(text: str) -> Any:
        def function(response: Any) -> Any:
            web.note(text, response.status_code)
            response.headers.add("X-After", text)
            return response

        return function

    for n in "12":
        owner.url_value_preprocessor(web.noting(name, "preprocess", n))
        owner.before_request(web.noting(name, "before", n))
        owner.after_request(after(f"{name} after {n}"))
        owner.teardown_request(
            lambda e, n=n: web.note(name, "teardown", n, type(e).__name__)  # type: ignore[misc]
        )


def nested(web: Web) -> Any:
    """An app with a blueprint inside a blueprint, hooks on all of them."""
    app = web.app()
    outer = web.Blueprint("outer", "app", url_prefix="/outer")
    inner = web.Blueprint("inner", "app", url_prefix="/inner")
    for owner, name in ((app, "app"), (outer, "outer"), (inner, "inner")):
        hooked(web, owner, name)
        owner.add_url_rule("/", "index", web.noting(name, "view", returns=name))
        owner.add_url_rule("/fail", "fail", lambda: 1 / 0)
    app.teardown_appcontext(web.noting("appcontext", "1"))
    app.teardown_appcontext(web.noting("appcontext", "2"))
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    return app


@same
def test_hooks_run_outside_in_and_back_inside_out(web: Web) -> None:
    nested(web)
    web.every("/", "/outer/", "/outer/inner/")


@same
def test_hooks_of_requests_that_match_nothing_or_fail(web: Web) -> None:
    nested(web)
    web.every("/none", "/outer/none", "/outer/inner/fail", "/fail")
    web.post("/outer/inner/")
    web.open("/outer/inner/", method="OPTIONS")


@same
def test_a_before_function_answers_in_place_of_the_view(web: Web) -> None:
    app = nested(web)
    app.before_request(lambda: ("early", 202) if "early" in web.request.args else None)
    web.every("/outer/?early", "/none?early", "/outer/inner/")


@same
def test_a_before_function_may_answer_with_anything_but_none(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/", "index", lambda: "view")
    answers: list[Any] = ["", {}, [], ("", 204), b"bytes", None, web.Response("r")]
    app.before_request(lambda: answers.pop())
    for _ in range(7):
        web.get("/")


@same
def test_before_functions_fail_like_views(web: Web) -> None:
    app = nested(web)

    @app.before_request
    def fail() -> Any:
        if web.request.args.get("what") == "abort":
            web.abort(403)
        raise ValueError("before")

    app.errorhandler(ValueError)(lambda e: (f"handled {e}", 418))
    web.every("/?what=abort", "/outer/")


@same
def test_an_after_function_replaces_the_response(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/", "index", lambda: "view")

    @app.after_request
    def first(response: Any) -> Any:
        web.note(response.get_data())
        return response

    @app.after_request
    def second(response: Any) -> Any:
        return web.Response("another", status=201)

    web.get("/")


@same
def test_an_after_function_that_fails(web: Web) -> None:
    app = nested(web)
    app.errorhandler(ZeroDivisionError)(lambda e: "never asked")

    @app.after_request
    def fail(response: Any) -> Any:
        raise ZeroDivisionError

    web.every("/", "/outer/", "/none")


@same
def test_an_after_function_that_fails_while_an_error_is_handled(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/", "index", lambda: 1 / 0)

    app.after_request(web.noting("not reached"))

    @app.after_request
    def fail(response: Any) -> Any:
        raise KeyError("after")

    web.get("/")


@same
def test_functions_of_after_this_request_run_first(web: Web) -> None:
    app = nested(web)

    @app.get("/this")
    def this() -> str:
        for n in "ab":

            @web.after_this_request
            def change(response: Any, n: str = n) -> Any:
                web.note("this", n)
                response.set_cookie(n, n)
                return response

        return "this"

    web.every("/this", "/")


@same
def test_after_this_request_from_hooks(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/", "index", lambda: "view")

    def add(text: str) -> None:
        @web.after_this_request
        def change(response: Any) -> Any:
            web.note(text)
            if text == "before":
                add("inside")
            return response

    app.before_request(lambda: add("before"))
    app.after_request(lambda r: add("after") or r)
    web.get("/")
    web.attempt(add, "outside")


@same
def test_teardown_sees_the_error_and_the_request(web: Web) -> None:
    app = web.app()

    @app.teardown_request
    def request_ends(e: BaseException | None) -> None:
        web.note("request", type(e).__name__, web.request.path, web.g.get("x"))

    @app.teardown_appcontext
    def context_ends(e: BaseException | None) -> None:
        web.note("app", type(e).__name__, web.g.get("x"), web.current_app.name)

    def view(error: type[Exception] | None = None) -> str:
        web.g.x = "set"
        if error:
            raise error
        return "view"

    app.add_url_rule("/ok", "ok", view)
    app.add_url_rule("/fail", "fail", lambda: view(ValueError))
    app.add_url_rule("/handled", "handled", lambda: view(KeyError))
    app.add_url_rule("/abort", "abort", lambda: web.abort(404))
    app.errorhandler(KeyError)(lambda e: "handled")
    web.every("/ok", "/fail", "/handled", "/abort", "/none")
    app.config["TESTING"] = True
    web.get("/fail")


@same
def test_teardown_runs_after_a_keyboard_interrupt(web: Web) -> None:
    app = web.app()

    def stop() -> str:
        raise KeyboardInterrupt

    app.add_url_rule("/", "index", stop)
    app.errorhandler(Exception)(lambda e: "never")
    app.teardown_request(lambda e: web.note("request", type(e).__name__))
    app.teardown_appcontext(lambda e: web.note("app", type(e).__name__))
    try:
        web.get("/")
    except KeyboardInterrupt:
        web.note("interrupted")


@same
def test_a_teardown_function_that_fails_reaches_the_server(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/", "index", lambda: "view")

    @app.teardown_request
    def fail(e: BaseException | None) -> None:
        raise ValueError

    app.teardown_appcontext(web.noting("app"))
    web.get("/")
    app.teardown_request_funcs[None].clear()
    web.get("/")


@same
def test_should_ignore_error_hides_an_error_from_teardown(web: Web) -> None:
    class App(web.Flask):  # type: ignore[misc, name-defined]
        def should_ignore_error(self, error: BaseException | None) -> bool:
            return isinstance(error, ValueError)

    def fail(error: type[Exception]) -> Any:
        raise error

    app = web.app(cls=App)
    app.add_url_rule("/v", "v", lambda: fail(ValueError))
    app.add_url_rule("/k", "k", lambda: fail(KeyError))
    app.teardown_request(lambda e: web.note("request", type(e).__name__))
    app.teardown_appcontext(lambda e: web.note("app", type(e).__name__))
    web.every("/v", "/k")


@same
def test_registries_take_functions_from_extensions(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/", "index", lambda: "view")
    app.before_request_funcs.setdefault(None, []).append(web.noting("setdefault"))
    app.before_request_funcs[None].insert(0, web.noting("first"))
    app.after_request_funcs[None] = [lambda r: web.note("after") or r]
    app.teardown_request_funcs.setdefault(None, []).append(web.noting("teardown"))
    app.teardown_appcontext_funcs.append(web.noting("app"))
    web.get("/")
    app.before_request_funcs[None].pop()
    app.view_functions["index"] = lambda: "replaced"
    app.after_request_funcs[None][:] = []
    web.get("/")
    app.before_request_funcs = {None: [web.noting("new dict")]}
    web.get("/")


@same
def test_setup_methods_are_refused_after_the_first_request(web: Web) -> None:
    app = web.app()
    bp = web.Blueprint("bp", "app")
    app.add_url_rule("/", "index", lambda: "view")
    app.register_blueprint(bp)
    web.attempt(bp.add_url_rule, "/x", "x", lambda: "")
    web.get("/")
    for attempt in (
        lambda: app.add_url_rule("/late", "late", lambda: ""),
        lambda: app.before_request(lambda: None),
        lambda: app.errorhandler(404)(lambda e: ""),
        lambda: app.register_blueprint(web.Blueprint("late", "app")),
        lambda: app.template_filter()(len),
        lambda: app.teardown_appcontext(len),
        lambda: app.context_processor(dict),
        lambda: app.get("/late")(len),
    ):
        web.attempt(attempt)


@same
def test_a_hook_registered_for_a_blueprint_by_name(web: Web) -> None:
    app = web.app()
    bp = web.Blueprint("bp", "app")
    bp.add_url_rule("/bp", "view", lambda: "bp")
    app.add_url_rule("/", "index", lambda: "index")
    app.before_request_funcs.setdefault("bp", []).append(web.noting("early"))
    app.register_blueprint(bp)
    app.before_request_funcs["bp"].append(web.noting("late"))
    web.every("/", "/bp")


@same
def test_hooks_of_static_files(web: Web) -> None:
    nested(web)
    web.file("static/a.txt", "a")
    web.get("/static/a.txt")


@same
def test_url_value_preprocessors_see_what_was_made_of_the_request(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/<x>", "i", lambda **values: values)

    def started(sender: Any, **extra: Any) -> None:
        web.request.view_args = {"from": "receiver"}

    web.hear("request_started", started)

    @app.url_value_preprocessor
    def first(endpoint: Any, values: Any) -> None:
        web.note(endpoint, values)
        web.request.view_args = {"from": "first"}

    @app.url_value_preprocessor
    def second(endpoint: Any, values: Any) -> None:
        web.note(endpoint, values)

    web.every("/x", "/x/none")


@same
def test_setup_is_over_when_the_first_request_starts(web: Web) -> None:
    app = web.app()

    def started(sender: Any, **extra: Any) -> None:
        web.attempt(app.add_url_rule, "/late", view_func=started)
        raise ValueError

    web.hear("request_started", started)
    web.get("/none")
    web.attempt(app.before_request, started)
