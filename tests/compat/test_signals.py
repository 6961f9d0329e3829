"""The order of signals, and what they carry."""

from __future__ import annotations

from typing import Any

from .harness import Web, same


def heard_app(web: Web, **options: Any) -> Any:
    app = web.app(SECRET_KEY="k", **options)
    app.add_url_rule("/", "index", web.noting("view", returns="view"))
    app.add_url_rule("/fail", "fail", lambda: 1 / 0)
    app.add_url_rule("/page", "page", lambda: web.render_template_string("{{ x }}", x=1))
    app.add_url_rule("/flash", "flash", lambda: web.flash("m", "c") or "flashed")
    app.before_request(web.noting("before"))
    app.after_request(lambda r: web.note("after") or r)
    app.teardown_request(web.noting("teardown request"))
    app.teardown_appcontext(web.noting("teardown app"))
    web.listen()
    return app


@same
def test_signals_of_requests(web: Web) -> None:
    heard_app(web)
    web.every("/", "/page", "/flash", "/none", "/fail")


@same
def test_signals_of_an_exception_that_comes_out(web: Web) -> None:
    app = heard_app(web)
    app.testing = True
    web.get("/fail")


@same
def test_signals_of_contexts(web: Web) -> None:
    app = heard_app(web)
    with app.app_context():
        web.note("in app context")
        with app.test_request_context("/"):
            web.note("in request context")
        with app.app_context():
            web.note("in second app context")
    with app.test_request_context("/"):
        web.note("in request context alone")
        web.attempt(lambda: app.full_dispatch_request().status)


@same
def test_what_signals_carry(web: Web) -> None:
    app = web.app(SECRET_KEY="k")
    app.add_url_rule("/page", "page", lambda: web.render_template_string("{{ x }}", x=1))
    app.add_url_rule("/flash", "flash", lambda: web.flash("m", "c") or "flashed")
    app.add_url_rule("/fail", "fail", lambda: {}["key"])

    def heard(sender: Any, **extra: Any) -> None:
        shown = {
            "template": lambda t: t.name,
            "context": lambda c: sorted(c),
            "response": lambda r: (r.status, r.get_data()),
        }
        web.note({k: shown.get(k, repr)(v) for k, v in extra.items() if not k.startswith("_")})
        web.note(web.request.path, type(sender).__name__)

    names = ("template_rendered", "before_render_template", "message_flashed")
    for name in (*names, "request_finished", "got_request_exception", "request_tearing_down"):
        web.hear(name, heard)
    web.every("/page", "/flash", "/fail")


@same
def test_a_receiver_for_one_app_does_not_hear_another(web: Web) -> None:
    other = web.app("other")
    other.add_url_rule("/", "i", lambda: "other")
    app = web.app()
    app.add_url_rule("/", "i", lambda: "app")
    web.hear("request_started", web.noting("for other"), other)
    web.get("/")
    web.use(other)
    web.get("/")


@same
def test_receivers_that_fail(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/", "i", lambda: "view")
    app.errorhandler(ZeroDivisionError)(lambda e: "handled")
    app.teardown_request(lambda e: web.note("teardown", type(e).__name__))
    failing = ["request_started"]

    def fail(name: str) -> Any:
        return lambda sender, **extra: 1 / 0 if name in failing else None

    for name in ("request_started", "request_finished", "got_request_exception"):
        web.hear(name, fail(name))
    web.get("/")
    failing[:] = ["request_finished"]
    web.get("/")


@same
def test_a_response_is_changed_by_a_receiver(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/", "i", lambda: "view")

    def change(sender: Any, response: Any, **extra: Any) -> None:
        response.headers["X-Signal"] = "1"
        response.data = b"changed"

    web.hear("request_finished", change)
    web.get("/")


@same
def test_flashes_in_a_template_send_signals_once(web: Web) -> None:
    app = heard_app(web)
    source = "{{ get_flashed_messages() }}"
    with app.test_request_context("/"):
        web.flash("one")
        web.note(web.render_template_string(source))
        web.note(web.render_template_string(source))
