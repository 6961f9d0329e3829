"""The app object: entrances, what is compiled from its registries, hosts, defaults."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.routing import Map, Rule
from werkzeug.test import EnvironBuilder, run_wsgi_app

from vial import Blueprint, Vial, abort, redirect, request, url_for
from vial.flask_mode import Flask
from vial.sessions import SecureCookieSessionInterface


@pytest.fixture
def app() -> Vial:
    app = Vial("app", static_folder=None)
    app.add_url_rule("/", "index", lambda: "index")
    return app


def ask(app: Vial, path: str = "/", **options: Any) -> Any:
    return app.test_client().open(path, buffered=True, **options)


# -- entrances ---------------------------------------------------------------------------------


def test_one_object_is_called_as_wsgi_asgi_3_and_asgi_2(app: Vial) -> None:
    calls: list[Any] = []
    app.wsgi_app = lambda environ, start_response: calls.append((environ, start_response))  # type: ignore[assignment, method-assign]
    app.asgi_app = lambda scope, receive, send: calls.append((scope, receive, send))  # type: ignore[assignment, method-assign, return-value]
    app("environ", "start_response")
    app("scope", "receive", "send")
    app("scope")("receive", "send")
    assert calls == [("environ", "start_response"), *[("scope", "receive", "send")] * 2]


def test_an_app_that_nobody_refers_to_is_freed() -> None:
    app = Vial("app")
    app.add_url_rule("/", "index", lambda: "index")
    ask(app)
    gone = weakref.ref(app)
    del app
    gc.collect()
    assert gone() is None


def test_two_apps_in_one_process_do_not_mix(app: Vial) -> None:
    other = Vial("other", static_folder=None)
    other.add_url_rule("/", "index", lambda: f"other {url_for('index')}")
    other.before_request(lambda: None)
    assert [ask(a).text for a in (app, other, app)] == ["index", "other /", "index"]


# -- compiling ---------------------------------------------------------------------------------


def test_the_same_plan_serves_every_request(app: Vial) -> None:
    ask(app)
    ask(app)
    plan = app._plans["index"]
    ask(app)
    assert app._plans["index"] is plan


@pytest.mark.parametrize(
    "change",
    [
        lambda app, f: app.before_request_funcs.setdefault(None, []).append(f),
        lambda app, f: app.before_request_funcs[None].insert(0, f),
        lambda app, f: app.before_request_funcs[None].extend([f]),
        lambda app, f: app.before_request_funcs.update({None: [f]}),
        lambda app, f: app.before_request_funcs.__setitem__(None, [f]),
        lambda app, f: app.before_request_funcs[None].__iadd__([f]),
        lambda app, f: app.before_request_funcs[None].__setitem__(slice(None), [f]),
        lambda app, f: setattr(app, "before_request_funcs", {None: [f]}),
        lambda app, f: app.url_value_preprocessors[None].append(f),
        lambda app, f: app.after_request_funcs[None].append(f),
        lambda app, f: app.teardown_request_funcs[None].append(f),
        lambda app, f: app.teardown_appcontext_funcs.append(f),
        lambda app, f: setattr(app, "teardown_appcontext_funcs", [f]),
        lambda app, f: app.view_functions.__setitem__("index", f),
        lambda app, f: app.view_functions.update(index=f),
        lambda app, f: app.view_functions.__ior__({"index": f}),
        lambda app, f: setattr(app, "view_functions", {"index": f}),
    ],
)
def test_what_an_extension_writes_into_a_registry_takes_effect(
    app: Vial, change: Callable[[Vial, Any], None]
) -> None:
    called: list[Any] = []

    def function(*args: Any) -> Any:
        called.append(args)
        return args[0] if args and hasattr(args[0], "headers") else None

    app.testing = False
    ask(app)
    change(app, function)
    ask(app)
    ask(app)
    assert len(called) == 2


def test_a_list_that_was_assigned_is_watched_as_well(app: Vial) -> None:
    called: list[str] = []
    app.before_request_funcs[None] = []
    ask(app)
    app.before_request_funcs[None].append(lambda: called.append("late"))
    ask(app)
    app.before_request_funcs[None].clear()
    ask(app)
    assert called == ["late"]


def test_a_function_that_is_removed_is_not_called_again(app: Vial) -> None:
    called: list[str] = []
    function = lambda: called.append("x")  # noqa: E731
    app.before_request(function)
    ask(app)
    app.before_request_funcs[None].remove(function)
    ask(app)
    del app.before_request_funcs[None]
    ask(app)
    assert called == ["x"]


def test_rules_that_are_added_to_the_map_later_are_matched_and_built(app: Vial) -> None:
    app.add_url_rule("/urls", "urls", lambda: url_for("late", n=1))
    assert ask(app, "/late/1").status_code == 404
    app.url_map.add(Rule("/late/<int:n>", endpoint="late"))
    app.view_functions["late"] = lambda n: f"late {n}"
    assert ask(app, "/late/1").text == "late 1"
    assert ask(app, "/urls").text == "/late/1"


def test_a_map_class_that_knows_nothing_of_vial_is_used(app: Vial) -> None:
    class Own(Vial):
        url_map_class = Map

    app = Own("app", static_folder=None)
    assert isinstance(app.url_map, Map)
    assert ask(app).status_code == 404
    app.url_map.add(Rule("/", endpoint="late"))
    app.view_functions["late"] = lambda: "late"
    assert ask(app).text == "late"


def test_a_session_interface_that_is_set_later_takes_effect(app: Vial) -> None:
    app.secret_key = "k"
    opened: list[str] = []

    class Own(SecureCookieSessionInterface):
        def open_session(self, app: Any, request: Any) -> Any:
            opened.append(request.path)
            return super().open_session(app, request)

    ask(app)
    app.session_interface = Own()
    ask(app)
    assert opened == ["/"]


def test_error_handlers_that_are_written_into_the_registry_take_effect(app: Vial) -> None:
    assert ask(app, "/none").status_code == 404
    app.error_handler_spec[None][404] = {}
    handlers = app.error_handler_spec[None][404]
    from werkzeug.exceptions import NotFound

    handlers[NotFound] = lambda e: "handled"
    assert ask(app, "/none").text == "handled"


# -- what is overridden ------------------------------------------------------------------------


def test_an_app_class_that_overrides_nothing_takes_the_short_path(app: Vial) -> None:
    class Own(Vial):
        extra = 1

    own = Own("app", static_folder=None)
    own.add_url_rule("/", "index", lambda: "index")
    ask(own)
    ask(own)
    assert not own._plans["index"].compatible


def test_an_overridden_request_context_is_used_where_the_app_makes_one() -> None:
    class Own(Vial):
        def request_context(self, environ: Any) -> Any:
            environ["own"] = "own"
            return super().request_context(environ)

    with Own("app").test_request_context("/"):
        assert request.environ["own"] == "own"


# -- hosts (T-24) ------------------------------------------------------------------------------

BAD_HOSTS = ["", "a/b", "a?x", "a#x", "a@b", "a\\b", "a b", "[::1", "a:99999", "é", "a:b", "a,b"]
GOOD_HOSTS = ["localhost", "a.example", "a_b.example:8080", "127.0.0.1", "[::1]:5000", "A.b"]


def with_host(app: Vial, host: str | None, path: str = "/") -> tuple[str, str]:
    builder = EnvironBuilder(path)
    environ = builder.get_environ()
    environ.pop("HTTP_HOST")
    if host is not None:
        environ["HTTP_HOST"] = host
    body, status, _ = run_wsgi_app(app, environ)
    return status, b"".join(body).decode()


@pytest.fixture
def hosts() -> Vial:
    app = Vial("app", static_folder=None)
    app.add_url_rule("/<path:p>", "path", lambda p: f"{request.path} {url_for('path', p=p)}")
    return app


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_t24_a_host_header_that_is_no_host_is_a_bad_request(hosts: Vial, host: str) -> None:
    for _ in range(2):
        assert with_host(hosts, host, "/a//b")[0] == "400 BAD REQUEST"


@pytest.mark.parametrize("host", [*GOOD_HOSTS, None])
def test_t24_the_path_does_not_depend_on_the_host(hosts: Vial, host: str | None) -> None:
    for _ in range(2):
        assert with_host(hosts, host, "/a/b") == ("200 OK", "/a/b /a/b")


def test_t24_a_bad_host_is_refused_before_any_hook_needs_it(hosts: Vial) -> None:
    seen: list[Any] = []
    hosts.errorhandler(400)(lambda e: seen.append(e.code) or ("handled", 400))
    hosts.before_request(lambda: seen.append(type(request.routing_exception).__name__))
    assert with_host(hosts, "a/b") == ("400 BAD REQUEST", "handled")
    assert seen == ["BadRequest", 400]


def test_hosts_that_a_client_makes_up_fill_no_memory(app: Vial) -> None:
    for n in range(1100):
        assert with_host(app, f"host{n}.example")[0] == "200 OK"
    assert len(app._known_hosts) <= 1000
    assert with_host(app, "a/b")[0] == "400 BAD REQUEST"


def test_trusted_hosts_are_asked_on_every_request(app: Vial) -> None:
    app.config["TRUSTED_HOSTS"] = ["good.example"]
    for _ in range(2):
        assert with_host(app, "good.example")[0] == "200 OK"
        assert with_host(app, "evil.example")[0] == "400 BAD REQUEST"
        assert with_host(app, "good.example.evil")[0] == "400 BAD REQUEST"


@pytest.mark.parametrize("path", ["//evil.com/..", "//evil.com//", "/\\evil.com", "//evil.com"])
@pytest.mark.parametrize("cls", [Vial, Flask])
def test_t22_a_redirect_of_the_router_stays_on_the_site(cls: Any, path: str) -> None:
    app = cls("app")
    app.add_url_rule("/<path:p>/", "branch", lambda p: p)
    app.add_url_rule("/<p>/x/", "x", lambda p: p)
    app.add_url_rule("/evil.com/", "evil", lambda: "on this site")
    answer = ask(app, environ_overrides={"PATH_INFO": path})
    assert answer.status_code in (200, 308, 404)
    location = answer.headers.get("Location", "http://localhost/")
    assert location.startswith("http://localhost/")
    assert not location.startswith("http://localhost//")


# -- defaults of Vial --------------------------------------------------------------------------


@pytest.fixture
def every_kind(tmp_path: Any) -> Vial:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "a.txt").write_text("a")
    app = Vial("app", root_path=str(tmp_path))

    def wsgi(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return [b"wsgi"]

    views: dict[str, Callable[[], Any]] = {
        "text": lambda: "text",
        "json": lambda: {"a": 1},
        "tuple": lambda: ("t", 201, {"X-A": "1"}),
        "stream": lambda: iter("ab"),
        "redirect": lambda: redirect("/"),
        "abort": lambda: abort(403),
        "fail": lambda: 1 / 0,
        "wsgi": lambda: wsgi,
        "response": lambda: app.response_class("x", headers={"A": "b"}),
    }
    for name, view in views.items():
        app.add_url_rule(f"/{name}", name, view)
    return app


KINDS = "text json tuple stream redirect abort fail wsgi response none static/a.txt static/none"


@pytest.mark.parametrize("path", KINDS.split())
def test_every_answer_forbids_to_guess_its_type(every_kind: Vial, path: str) -> None:
    for method in ("GET", "HEAD", "OPTIONS", "DELETE"):
        answer = ask(every_kind, f"/{path}", method=method)
        assert answer.headers.getlist("X-Content-Type-Options") == ["nosniff"], method


def test_a_bad_host_gets_the_header_as_well(every_kind: Vial) -> None:
    body, _, headers = run_wsgi_app(
        every_kind, EnvironBuilder(headers={"Host": "a/b"}).get_environ()
    )
    b"".join(body)
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_what_the_view_says_about_its_type_wins(app: Vial) -> None:
    header = {"X-Content-Type-Options": "own"}
    app.add_url_rule("/own", "own", lambda: ("own", header))
    assert ask(app, "/own").headers.getlist("X-Content-Type-Options") == ["own"]


def test_nosniff_is_off_when_the_config_says_so_and_in_flask_mode() -> None:
    app = Vial("app", static_folder=None)
    app.config["NOSNIFF"] = False
    assert "X-Content-Type-Options" not in ask(app).headers
    assert "X-Content-Type-Options" not in ask(Flask("app")).headers


def test_flask_mode_changes_nothing_but_defaults() -> None:
    names = {name for name in vars(Flask) if not name.startswith("__")}
    assert names == {"default_config"}


# -- small things ------------------------------------------------------------------------------


def test_a_blueprint_registered_after_the_first_request_is_refused(app: Vial) -> None:
    ask(app)
    with pytest.raises(AssertionError, match="register_blueprint"):
        app.register_blueprint(Blueprint("late", "app"))


def test_a_wrapper_around_the_wsgi_app_sees_every_request(app: Vial) -> None:
    seen: list[str] = []
    inner = app.wsgi_app

    def middleware(environ: Any, start_response: Any) -> Any:
        seen.append(environ["PATH_INFO"])
        return inner(environ, start_response)

    app.wsgi_app = middleware  # type: ignore[assignment, method-assign]
    ask(app)
    ask(app, "/none")
    assert seen == ["/", "/none"]


def test_a_relative_instance_path_is_refused_and_an_absolute_one_kept(tmp_path: Any) -> None:
    assert Vial("app", instance_path=str(tmp_path)).instance_path == str(tmp_path)
    with pytest.raises(ValueError, match="instance_path='here' is relative"):
        Vial("app", instance_path="here")
