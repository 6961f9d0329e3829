"""Every error that a person can make while setting up an app names the offender and the cure.

One row per message: what was done, the class of the error, and words that must be in it.
"""

from __future__ import annotations

import functools
import importlib
import re
import sys
import types
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest

import vial
from vial import Blueprint, Vial
from vial.views import MethodView, View


@pytest.fixture
def app() -> Vial:
    app = Vial("app", static_folder=None)
    app.testing = True
    return app


def says(error: type[Exception], *words: str) -> Any:
    """Expect an error of this class whose message has all of these words."""
    pattern = "(?s)" + "".join(f"(?=.*{re.escape(word)})" for word in words)
    return pytest.raises(error, match=pattern)


def in_view(app: Vial, view: Callable[[], Any]) -> None:
    """Answer a request with this view."""
    app.add_url_rule("/", "the_view", view)
    app.test_client().get("/")


# -- routes ------------------------------------------------------------------------------------


def index() -> str:
    return "index"


def test_two_functions_of_one_endpoint(app: Vial) -> None:
    app.add_url_rule("/a", "home", index)
    with says(AssertionError, "'home'", "test_messages.index", "<lambda>", "endpoint=", "wraps"):
        app.add_url_rule("/b", "home", lambda: "b")


def test_neither_endpoint_nor_view(app: Vial) -> None:
    with says(AssertionError, "add_url_rule()", "'endpoint'", "'view_func'"):
        app.add_url_rule("/a")


def test_methods_that_are_a_string(app: Vial) -> None:
    with says(TypeError, "methods='POST'", "'/a'", "methods=['POST']"):
        app.add_url_rule("/a", "a", index, methods="POST")


@pytest.mark.parametrize("method", ["get", "post", "put", "delete", "patch"])
def test_methods_given_to_a_route_of_one(app: Vial, method: str) -> None:
    with says(TypeError, f"'{method}()'", "'methods'", "'route()'"):
        getattr(app, method)("/a", methods=["GET"])


@pytest.mark.parametrize(
    ("rule", "error", "words"),
    [
        ("a", ValueError, ["must start with a slash"]),
        ("", ValueError, ["must start with a slash"]),
        ("/<int:n", ValueError, ["malformed", "<converter:name>"]),
        ("/<a>/<a>", SyntaxError, ["used twice", "each name once"]),
        ("/<nope:n>", LookupError, ["'nope'", "int", "uuid", "url_map.converters"]),
    ],
)
def test_a_rule_that_cannot_be_read(
    app: Vial, rule: str, error: type[Exception], words: list[str]
) -> None:
    with says(error, f"The rule {rule!r}", "'place'", *words):
        app.add_url_rule(rule, "place", index)


def test_an_option_of_a_rule_that_does_not_exist(app: Vial) -> None:
    with says(TypeError, "'/a'", "'place'", "'method'", "methods"):
        app.add_url_rule("/a", "place", index, method=["POST"])


def test_a_route_without_parentheses(app: Vial) -> None:
    with says(TypeError, "@app.route('/path')", "index", "parentheses"):
        app.route(index)  # type: ignore[arg-type]
    with says(TypeError, "@app.route('/path')"):
        app.get(index)  # type: ignore[arg-type]
    with says(TypeError, "@app.route('/path')"):
        Blueprint("bp", "app").route(index)  # type: ignore[arg-type]


def test_a_view_class_where_its_function_belongs(app: Vial) -> None:
    class Items(MethodView):
        pass

    with says(TypeError, "'items'", "Items", "Items.as_view('items')"):
        app.add_url_rule("/items", "items", Items)  # type: ignore[arg-type]


def test_a_view_class_without_what_it_does(app: Vial) -> None:
    class Empty(View):
        pass

    with says(NotImplementedError, "Empty", "dispatch_request()"):
        in_view(app, Empty.as_view("empty"))


def test_a_method_that_a_view_class_names_but_does_not_have(app: Vial) -> None:
    class Items(MethodView):
        methods = ["GET", "POST"]  # noqa: RUF012

    app.add_url_rule("/", view_func=Items.as_view("items"))
    with says(AssertionError, "'POST'", "Items", "post()", "'methods'"):
        app.test_client().post("/")


def test_a_rule_whose_view_is_missing(app: Vial) -> None:
    app.add_url_rule("/", endpoint="missing")
    with says(KeyError, "'missing'", "view_func=", "@app.endpoint('missing')"):
        app.test_client().get("/")


def test_setup_after_the_first_request(app: Vial) -> None:
    app.test_client().get("/")
    for name, call in {
        "add_url_rule": lambda: app.add_url_rule("/a", "a", index),
        "route": lambda: app.route("/a"),
        "before_request": lambda: app.before_request(index),
        "register_blueprint": lambda: app.register_blueprint(Blueprint("bp", "app")),
        "errorhandler": lambda: app.errorhandler(404),
        "template_filter": lambda: app.template_filter("x"),
    }.items():
        with says(AssertionError, f"'{name}'", "first request", "while the app is set up"):
            call()


# -- what a view returns -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, ["returned None", "without a 'return'", "a string"]),
        (5, ["returned an int", "a string", "a dict or list"]),
        ({1}, ["returned a set"]),
        (("a", 200, {}, 1), ["a tuple of 4 values", "(body, status, headers)"]),
        (("a",), ["a tuple of 1 values"]),
        ((None, 200), ["returned None"]),
    ],
    ids=repr,
)
def test_a_view_that_returns_no_response(app: Vial, value: Any, words: list[str]) -> None:
    with says(TypeError, "'the_view'", *words):
        in_view(app, lambda: value)


def test_a_view_that_returns_a_function_that_is_no_wsgi_application(app: Vial) -> None:
    with says(TypeError, "'the_view'", "builtin_function_or_method", "WSGI"):
        in_view(app, lambda: len)


def test_a_view_that_returns_a_coroutine(app: Vial) -> None:
    async def work() -> str:
        return ""

    with says(TypeError, "'the_view'", "coroutine", "'async def'", "ensure_sync()"):
        in_view(app, lambda: work())


def test_a_handler_that_returns_nothing(app: Vial) -> None:
    app.errorhandler(404)(lambda e: None)
    with says(TypeError, "A handler returned None"):
        app.test_client().get("/none")


@pytest.mark.parametrize("partial", [False, True])
def test_an_after_function_that_returns_nothing(app: Vial, partial: bool) -> None:
    def forgets(response: Any) -> Any:
        pass

    app.after_request(functools.partial(forgets) if partial else forgets)
    with says(TypeError, "after_request function", "forgets", "returned None", "or another one"):
        in_view(app, index)


# -- error handlers ----------------------------------------------------------------------------


@pytest.mark.parametrize("register", ["errorhandler", "app_errorhandler", "register_error_handler"])
@pytest.mark.parametrize(
    ("key", "error", "words"),
    [
        (999, ValueError, ["999", "not the code of an HTTP error", "subclass of HTTPException"]),
        (200, ValueError, ["200", "not the code"]),
        ("404", ValueError, ["'404'", "neither an exception class nor an HTTP error code"]),
        (int, ValueError, ["<class 'int'>", "neither"]),
        (index, ValueError, ["index", "neither"]),
        (KeyError("x"), TypeError, ["KeyError('x')", "is an instance", "classes"]),
    ],
)
def test_a_handler_of_something_that_is_no_error(
    register: str, key: Any, error: type[Exception], words: list[str]
) -> None:
    bp = Blueprint("bp", "app")
    with says(error, *words):
        getattr(bp, register)(*(key, index)[: 2 if register == "register_error_handler" else 1])


# -- blueprints --------------------------------------------------------------------------------


def test_names_of_blueprints(app: Vial) -> None:
    with says(ValueError, "'name'", "empty"):
        Blueprint("", "app")
    with says(ValueError, "'a.b'", "dot"):
        Blueprint("a.b", "app")
    bp = Blueprint("bp", "app")
    with says(ValueError, "endpoint", "'a.b'", "dot"):
        bp.add_url_rule("/", "a.b", index)
    dotted = types.FunctionType(index.__code__, {}, "c.d")
    with says(ValueError, "view_func", "'c.d'", "dot"):
        bp.add_url_rule("/", view_func=dotted)


def test_two_blueprints_of_one_name(app: Vial) -> None:
    bp = Blueprint("shop", "app")
    app.register_blueprint(bp)
    with says(ValueError, "'shop'", "this blueprint", "name="):
        app.register_blueprint(bp)
    with says(ValueError, "'shop'", "another blueprint", "name="):
        app.register_blueprint(Blueprint("shop", "app"))


def test_a_blueprint_in_itself(app: Vial) -> None:
    bp = Blueprint("shop", "app")
    with says(ValueError, "'shop'", "itself"):
        bp.register_blueprint(bp)


def test_a_blueprint_changed_after_it_was_registered(app: Vial) -> None:
    bp = Blueprint("shop", "app")
    app.register_blueprint(bp)
    with says(AssertionError, "'add_url_rule'", "'shop'", "register the blueprint last"):
        bp.add_url_rule("/", "i", index)


def test_a_prefix_without_a_slash(app: Vial) -> None:
    bp = Blueprint("shop", "app", url_prefix="shop")
    bp.add_url_rule("/cart", "cart", index)
    with says(ValueError, "'shop/cart'", "'shop.cart'", "starts with '/'"):
        app.register_blueprint(bp)


# -- contexts and keys -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "use",
    [
        lambda: vial.current_app.name,
        lambda: vial.g.x,
        lambda: vial.url_for("x"),
        lambda: vial.render_template("x.html"),
        lambda: vial.render_template_string("x"),
        lambda: vial.jsonify(1),
        lambda: vial.make_response("x"),
        lambda: vial.send_file("x"),
        lambda: vial.get_template_attribute("x", "y"),
    ],
)
def test_what_needs_an_app(use: Callable[[], Any]) -> None:
    with says(RuntimeError, "outside of application context", "with app.app_context()", "app.cli"):
        use()


@pytest.mark.parametrize(
    "use",
    [
        lambda: vial.request.path,
        lambda: vial.session["x"],
        lambda: vial.session.get("x"),
        lambda: vial.flash("x"),
        lambda: vial.get_flashed_messages(),
        lambda: vial.send_file("x"),
    ],
)
@pytest.mark.parametrize("in_app", [True, False])
def test_what_needs_a_request(app: Vial, use: Callable[[], Any], in_app: bool) -> None:
    if not in_app:
        with says(RuntimeError, "outside of"):
            use()
        return
    with (
        app.app_context(),
        says(RuntimeError, "outside of request context", "test_request_context()", "test client"),
    ):
        use()


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("after_this_request", lambda: vial.after_this_request(lambda r: r)),
        ("copy_current_request_context", lambda: vial.copy_current_request_context(index)),
        ("stream_with_context", lambda: vial.stream_with_context(iter("ab"))),
    ],
)
def test_functions_for_the_time_of_a_request(name: str, use: Callable[[], Any]) -> None:
    with says(RuntimeError, f"'{name}'", "while a request is handled"):
        use()


@pytest.mark.parametrize(
    "write",
    [
        lambda: vial.session.update(a=1),
        lambda: vial.session.__setitem__("a", 1),
        lambda: vial.session.setdefault("a", 1),
        lambda: vial.session.clear(),
        lambda: setattr(vial.session, "permanent", True),
        lambda: vial.flash("x"),
    ],
)
def test_a_session_without_a_secret_key(app: Vial, write: Callable[[], Any]) -> None:
    with app.test_request_context(), says(RuntimeError, "secret key", "SECRET_KEY", "token_hex"):
        write()


def test_a_session_cookie_that_browsers_refuse(app: Vial) -> None:
    app.config.update(SECRET_KEY="k", SESSION_COOKIE_SAMESITE="None", SESSION_COOKIE_SECURE=False)
    with says(RuntimeError, "SameSite=None", "SESSION_COOKIE_SECURE", "'Lax'"):
        in_view(app, lambda: vial.session.update(a=1) or "x")


def test_contexts_left_in_the_wrong_order(app: Vial) -> None:
    outer, inner = app.app_context(), app.test_request_context("/inner")
    with outer, inner, says(AssertionError, "Popped wrong context", "AppContext", "/inner"):
        outer.pop()


# -- URLs, templates, files --------------------------------------------------------------------


def test_a_url_without_a_server_name(app: Vial) -> None:
    app.add_url_rule("/", "i", index)
    with app.app_context(), says(RuntimeError, "SERVER_NAME", "APPLICATION_ROOT", "PREFERRED"):
        vial.url_for("i")


def test_a_scheme_for_a_url_that_is_not_external(app: Vial) -> None:
    with app.test_request_context(), says(ValueError, "'_scheme'", "'_external' must be True"):
        vial.url_for("i", _scheme="https", _external=False)


def test_a_url_of_an_endpoint_that_does_not_exist(app: Vial) -> None:
    app.add_url_rule("/", "index", index)
    with app.test_request_context(), says(Exception, "'indx'", "Did you mean 'index'"):
        vial.url_for("indx")


def test_a_redirect_to_another_site(app: Vial) -> None:
    with app.test_request_context(), says(ValueError, "'https://x.org'", "external=True"):
        vial.redirect("https://x.org")


def test_a_template_that_is_not_there(tmp_path: Any) -> None:
    app = Vial("app", root_path=str(tmp_path))
    with app.app_context(), says(Exception, "'x.html'", str(tmp_path / "templates")):
        vial.render_template("x.html")
    app = Vial("app", template_folder=None)
    with app.app_context(), says(Exception, "'x.html'", "neither the app nor a blueprint has one"):
        vial.render_template("x.html")


def test_static_files_without_a_folder(app: Vial) -> None:
    with app.test_request_context(), says(RuntimeError, "'static_folder'", "<Vial 'app'>"):
        app.send_static_file("x")


def test_a_file_without_a_type(app: Vial) -> None:
    with app.test_request_context(), says(TypeError, "download_name", "mimetype"):
        vial.send_file(BytesIO(b""))


def test_a_resource_opened_for_writing(app: Vial) -> None:
    with says(ValueError, "mode 'w'", "rb"):
        app.open_resource("x", "w")


# -- the app -----------------------------------------------------------------------------------


def test_a_relative_instance_path() -> None:
    with says(ValueError, "instance_path='here'", "os.path.join"):
        Vial("app", instance_path="here")


@pytest.mark.parametrize("options", [{"static_host": "x"}, {"host_matching": True}])
def test_host_matching_and_the_host_of_static_files(options: dict[str, Any]) -> None:
    with says(AssertionError, "'static_host'", "'host_matching=True'"):
        Vial("app", **options)


@pytest.fixture
def namespace_package(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "nothing_inside").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("nothing_inside")
    yield "nothing_inside"
    sys.modules.pop("nothing_inside", None)


def test_an_import_name_without_a_folder(namespace_package: str) -> None:
    with says(RuntimeError, "'nothing_inside'", "root_path="):
        Vial(namespace_package)


def test_what_cannot_be_json(app: Vial) -> None:
    with app.app_context():
        with says(TypeError, "object", "not JSON serializable"):
            vial.jsonify(object())
        with says(TypeError, "args", "kwargs"):
            vial.jsonify(1, a=2)


def test_a_header_that_cannot_be_sent(app: Vial) -> None:
    with says(ValueError, "'X-A'", "'a\\x00b'", "control characters"):
        in_view(app, lambda: ("x", {"X-A": "a\x00b"}))


def test_a_status_that_cannot_be_sent(app: Vial) -> None:
    with says(ValueError, "status", "'200 a\\nb'"):
        in_view(app, lambda: ("x", "200 a\nb"))


def test_http_errors_that_do_not_exist(app: Vial) -> None:
    with app.app_context(), says(LookupError, "299"):
        vial.abort(299)
