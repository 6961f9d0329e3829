"""Errors: who handles them, what is logged, what the client and the caller get."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.exceptions import (
    BadRequest,
    Forbidden,
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    NotFound,
    Unauthorized,
)
from werkzeug.routing import BaseConverter

from .harness import Web, same


class Base(Exception):
    pass


class Child(Base):
    pass


def failing(error: Any) -> Any:
    def view() -> Any:
        raise error

    return view


def app_raising(web: Web, *errors: Any, **config: Any) -> Any:
    """An app whose view at ``/0`` raises the first error, and so on."""
    app = web.app(**config)
    for n, error in enumerate(errors):
        app.add_url_rule(f"/{n}", f"view{n}", failing(error))
    return app


@same
def test_the_nearest_class_of_an_exception_is_handled(web: Web) -> None:
    app = app_raising(web, Child("c"), Base("b"), ValueError("v"), KeyError("k"))
    app.errorhandler(Base)(lambda e: (f"base {e}", 410))
    app.errorhandler(Child)(lambda e: (f"child {e}", 411))
    app.errorhandler(Exception)(lambda e: (f"any {type(e).__name__}", 412))
    web.every("/0", "/1", "/2", "/3", "/none")


@same
def test_codes_classes_and_instances_of_http_errors(web: Web) -> None:
    app = app_raising(web, NotFound("gone?"), Forbidden(), BadRequest("bad"), Unauthorized())
    app.errorhandler(404)(lambda e: (f"404 {e.description}", 404))
    app.errorhandler(Forbidden)(lambda e: (f"class {e.code}", 403))
    app.errorhandler(HTTPException)(lambda e: (f"http {e.name}", e.code))
    web.every("/0", "/1", "/2", "/3", "/none")
    web.post("/0")


@same
def test_a_code_comes_before_a_class_and_a_blueprint_before_the_app(web: Web) -> None:
    app = app_raising(web, NotFound())
    bp = web.Blueprint("bp", "app", url_prefix="/bp")
    bp.add_url_rule("/404", "a", failing(NotFound()))
    bp.add_url_rule("/403", "b", failing(Forbidden()))
    bp.add_url_rule("/500", "c", failing(Child()))
    bp.errorhandler(HTTPException)(lambda e: ("bp http", e.code))
    bp.errorhandler(Exception)(lambda e: ("bp any", 500))
    bp.errorhandler(403)(lambda e: ("bp 403", 403))
    app.errorhandler(404)(lambda e: ("app 404", 404))
    app.errorhandler(Child)(lambda e: ("app child", 500))
    app.register_blueprint(bp)
    web.every("/0", "/bp/404", "/bp/403", "/bp/500", "/bp/none")


@same
def test_app_errorhandler_of_a_blueprint_is_for_everything(web: Web) -> None:
    app = app_raising(web, Child())
    bp = web.Blueprint("bp", "app")
    bp.app_errorhandler(404)(lambda e: ("from bp", 404))
    bp.app_errorhandler(Base)(lambda e: ("base from bp", 500))
    app.register_blueprint(bp)
    web.every("/0", "/none")


@same
def test_nested_blueprints_handle_inside_out(web: Web) -> None:
    app = web.app()
    outer, inner = web.Blueprint("outer", "app"), web.Blueprint("inner", "app")
    inner.add_url_rule("/a", "a", failing(Forbidden()))
    inner.add_url_rule("/b", "b", failing(NotFound()))
    inner.add_url_rule("/c", "c", failing(BadRequest()))
    inner.errorhandler(403)(lambda e: ("inner", 403))
    outer.errorhandler(403)(lambda e: ("outer", 403))
    outer.errorhandler(404)(lambda e: ("outer", 404))
    app.errorhandler(400)(lambda e: ("app", 400))
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    web.every("/a", "/b", "/c")


@same
def test_an_unhandled_exception_is_a_500_and_logged(web: Web) -> None:
    app_raising(web, Child("secret"), InternalServerError("own words"))
    web.listen("got_request_exception")
    web.every("/0?x=1", "/1")
    web.open("/0", method="HEAD")


@same
def test_a_handler_of_500_gets_the_original_exception(web: Web) -> None:
    app = app_raising(web, Child("secret"), InternalServerError(), Base("b"))

    @app.errorhandler(500)
    def handle(e: Any) -> Any:
        return f"{type(e).__name__} {e.original_exception!r}", 500

    app.errorhandler(Base)(lambda e: ("base", 200))
    web.every("/0", "/1", "/2")


@same
def test_a_handler_of_internal_server_error_by_class(web: Web) -> None:
    app = app_raising(web, Child("secret"), InternalServerError())
    app.errorhandler(InternalServerError)(lambda e: (repr(e.original_exception), 500))
    web.every("/0", "/1")


@same
def test_a_handler_of_http_exception_sees_unhandled_ones_too(web: Web) -> None:
    app = app_raising(web, Child("secret"))
    app.errorhandler(HTTPException)(lambda e: (f"{e.code} {e.name}", e.code))
    web.every("/0", "/none")


@same
def test_a_handler_that_fails_is_a_500(web: Web) -> None:
    app = app_raising(web, NotFound(), Child(), Forbidden())

    @app.errorhandler(404)
    def handle_404(e: Any) -> Any:
        raise KeyError("in handler of 404")

    @app.errorhandler(Child)
    def handle_child(e: Any) -> Any:
        raise e

    @app.errorhandler(403)
    def handle_403(e: Any) -> Any:
        web.abort(404)

    web.every("/0", "/1", "/2")


@same
def test_a_handler_of_500_that_fails_comes_out(web: Web) -> None:
    app = app_raising(web, Child())

    @app.errorhandler(500)
    def handle(e: Any) -> Any:
        raise KeyError("in handler of 500")

    app.teardown_request(lambda e: web.note("teardown", type(e).__name__))
    web.get("/0")


@same
def test_handlers_return_anything_that_views_return(web: Web) -> None:
    app = app_raising(web, NotFound(), Forbidden(), BadRequest(), Unauthorized(), Child())
    app.errorhandler(404)(lambda e: {"error": "json"})
    app.errorhandler(403)(lambda e: e)
    app.errorhandler(400)(lambda e: (e, 418))
    app.errorhandler(401)(lambda e: e.get_response())
    app.errorhandler(Child)(lambda e: NotFound("as another"))
    web.every("/0", "/1", "/2", "/3", "/4")


@pytest.mark.parametrize("value", [None, True, False])
@pytest.mark.parametrize("mode", ["TESTING", "DEBUG", None])
@same
def test_propagate_exceptions(web: Web, value: bool | None, mode: str | None) -> None:
    app = app_raising(web, Child("c"), NotFound())
    app.config["PROPAGATE_EXCEPTIONS"] = value
    if mode:
        app.config[mode] = True
    app.teardown_request(lambda e: web.note("teardown", type(e).__name__))
    app.errorhandler(500)(lambda e: ("500 handler", 500))
    web.listen("got_request_exception")
    web.every("/0", "/1")


@pytest.mark.parametrize("value", [None, True, False])
@pytest.mark.parametrize("debug", [True, False])
@same
def test_trap_bad_request_errors(web: Web, value: bool | None, debug: bool) -> None:
    app = app_raising(web, BadRequest("b"), NotFound(), DEBUG=debug)
    app.config["TRAP_BAD_REQUEST_ERRORS"] = value
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.add_url_rule("/key", "key", lambda: web.request.form["missing"])
    web.every("/0", "/1", "/key")
    app.config["TESTING"] = app.config["PROPAGATE_EXCEPTIONS"] = True
    web.every("/0", "/key")


@same
def test_trap_http_exceptions(web: Web) -> None:
    app = app_raising(web, NotFound("n"), Forbidden(), TRAP_HTTP_EXCEPTIONS=True)
    app.errorhandler(403)(lambda e: ("handled", 403))
    web.every("/0", "/1", "/none")
    app.config["TESTING"] = True
    web.every("/0", "/1")


@pytest.mark.parametrize("handled", [True, False])
@same
def test_abort_takes_codes_words_and_responses(web: Web, handled: bool) -> None:
    app = web.app()
    if handled:
        app.errorhandler(HTTPException)(lambda e: ("handled", 200))
    arguments: dict[str, Any] = {
        "code": lambda: web.abort(404),
        "words": lambda: web.abort(400, "own words <b>"),
        "keyword": lambda: web.abort(401, description="d"),
        "response": lambda: web.abort(web.Response("as is", status=201)),
        "made": lambda: web.abort(web.make_response("made", 202)),
        "with": lambda: web.abort(403, response=web.Response("in place", 200)),
        "unknown": lambda: web.abort(299),
        "redirect": lambda: web.abort(web.redirect("/x")),
        "method": lambda: web.abort(405, valid_methods=["GET"]),
    }
    for name, view in arguments.items():
        app.add_url_rule(f"/{name}", name, view)
    web.every(*(f"/{name}" for name in arguments))


@same
def test_http_errors_bring_their_headers(web: Web) -> None:
    class Teapot(HTTPException):
        code = 418
        description = "short and <stout>"

        def get_headers(self, *args: Any) -> Any:
            return [*super().get_headers(*args), ("X-Tea", "green")]

    class Own(HTTPException):
        code = 409

        def get_response(self, *args: Any) -> Any:
            return web.Response("own response", 499)

    class Asking(HTTPException):
        code = 410

        def get_body(self, environ: Any = None, scope: Any = None) -> str:
            return f"path {environ['PATH_INFO']}"

    app_raising(
        web, Teapot(), Own(), MethodNotAllowed(["GET", "PUT"]), Asking(), HTTPException("no code")
    )
    web.every("/0", "/1", "/2", "/3", "/4")


@same
def test_own_codes_are_handled_by_class(web: Web) -> None:
    class Insufficient(HTTPException):
        code = 507
        description = "no space"

    app = app_raising(web, Insufficient())
    app.register_error_handler(Insufficient, lambda e: (f"handled {e.description}", 507))
    web.get("/0")
    web.attempt(app.register_error_handler, 507, lambda e: "")
    web.attempt(app.register_error_handler, 999, lambda e: "")
    web.attempt(app.register_error_handler, Insufficient(), lambda e: "")
    web.attempt(app.register_error_handler, "404", lambda e: "")
    web.attempt(app.register_error_handler, int, lambda e: "")


@same
def test_returning_an_exception_is_an_answer(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/", "index", lambda: NotFound("returned"))
    app.errorhandler(404)(lambda e: "never")
    web.get("/")


@same
def test_redirects_of_the_router_are_not_handled(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/x/", "x", lambda: "x")
    app.errorhandler(HTTPException)(lambda e: "never")
    web.get("/x")


@same
def test_the_next_request_is_unharmed(web: Web) -> None:
    app = app_raising(web, Child())
    app.add_url_rule("/fine", "fine", lambda: f"{web.g.get('x')}")
    app.before_request(lambda: setattr(web.g, "x", web.g.get("x", 0) + 1))
    for _ in range(3):
        web.every("/0", "/fine")


@same
def test_missing_keys_say_which_in_debug_mode_only(web: Web) -> None:
    app = web.app(PROPAGATE_EXCEPTIONS=False, TRAP_BAD_REQUEST_ERRORS=False)
    app.add_url_rule("/form", "form", lambda: web.request.form["a"], methods=["POST"])
    app.add_url_rule("/args", "args", lambda: web.request.args["b"])
    web.post("/form")
    web.get("/args")
    app.config["DEBUG"] = True
    web.post("/form")
    web.get("/args")


@same
def test_debug_mode_explains_a_form_without_enctype(web: Web) -> None:
    app = web.app(DEBUG=True)

    def view() -> Any:
        try:
            return web.request.files["upload"].filename
        except KeyError as e:
            return f"{type(e).__name__} {'name.txt' in str(e)} {'multipart/form-data' in str(e)}"

    app.add_url_rule("/", "index", view, methods=["POST"])
    web.post("/", data={"upload": "name.txt"})
    web.post("/", data={"other": "x"})


@same
def test_the_page_of_an_http_error_is_read_once_and_has_no_body_for_head(web: Web) -> None:
    app = app_raising(web, NotFound(), Forbidden("own words"), Unauthorized())

    @app.after_request
    def after(response: Any) -> Any:
        web.note(response.is_streamed, response.is_sequence, response.content_length)
        if "read" in web.request.args:
            web.note(response.get_data(), response.is_streamed)
        return response

    for path in ("/0", "/1", "/2", "/none", "/0?read", "/1?read", "/2?read"):
        web.get(path)
        web.open(path, method="HEAD")


@same
def test_hooks_are_not_called_for_a_url_whose_matching_fails(web: Web) -> None:
    class Broken(BaseConverter):
        def to_python(self, value: str) -> str:
            raise RuntimeError(value)

    app = web.app()
    app.url_map.converters["broken"] = Broken
    app.add_url_rule("/<broken:x>", "i", lambda x: "i")
    app.url_value_preprocessor(web.noting("preprocess"))
    app.before_request(web.noting("before"))
    app.after_request(lambda r: web.note("after", r.status_code) or r)
    app.teardown_request(lambda e: web.note("teardown", type(e).__name__))
    web.every("/x", "/", "/x")
