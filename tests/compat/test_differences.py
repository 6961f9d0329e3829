"""Where Vial does otherwise than Flask on purpose, also in Flask mode: both sides, and why."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from .harness import RUNS, Web, transcript


def on_both(case: Callable[[Web], None], folder: Path) -> Any:
    """What a case notes on Flask, and on Vial by both of its paths."""
    flask, vial, by_methods = [transcript(case, web(folder)) for web in RUNS]
    assert vial == by_methods
    return [only(flask), only(vial)]


def only(events: list[Any]) -> list[Any]:
    """The notes of a case, each without its brackets if it has one value."""
    return [event[0] if len(event) == 1 else event for event in events]


def asking(web: Web, app: Any, path: str = "/", **options: Any) -> Any:
    """Make a request without noting its answer; the status, or the class of an exception."""
    try:
        response = app.test_client().open(path, **options)
        text = response.get_data(as_text=True)
        response.close()
    except Exception as e:
        return type(e).__name__
    return response.status_code, text[:40]


def test_all_teardown_functions_run_also_after_one_failed(tmp_path: Path) -> None:
    # The others give back connections and locks, and have nothing to do with the failure.
    def case(web: Web) -> None:
        app = web.app()
        app.add_url_rule("/", "i", lambda: "i")
        app.teardown_request(web.noting("first"))
        app.teardown_request(lambda e: 1 / 0)
        web.note(asking(web, app))

    flask, vial = on_both(case, tmp_path)
    assert flask == ["ZeroDivisionError"]
    assert vial == ["first", "ZeroDivisionError"]


def test_a_streamed_request_is_torn_down_once_and_at_its_end(tmp_path: Path) -> None:
    # A teardown function that closes the database does so before the stream reads from it.
    def case(web: Web) -> None:
        app = web.app()

        def generate() -> Iterator[str]:
            web.note("stream")
            yield "chunk"

        app.add_url_rule("/", "i", lambda: web.stream_with_context(generate()))
        app.teardown_request(web.noting("teardown"))
        app.teardown_appcontext(web.noting("app"))
        asking(web, app)

    flask, vial = on_both(case, tmp_path)
    assert flask == ["teardown", "app", "stream", "teardown", "app"]
    assert vial == ["stream", "teardown", "app"]


def test_the_request_is_still_there_when_its_app_context_ends(tmp_path: Path) -> None:
    # There is one context, and a log line about a failing teardown may name the URL.
    def case(web: Web) -> None:
        app = web.app()
        app.add_url_rule("/", "i", lambda: "i")
        app.teardown_appcontext(lambda e: web.note(web.has_request_context()))
        asking(web, app)

    assert on_both(case, tmp_path) == [[False], [True]]


def test_errors_of_converters_and_session_stores_may_be_handled(tmp_path: Path) -> None:
    # They are errors of the application like any other: a database that is away.
    def case(web: Web) -> None:
        class Broken(web.sessions.SecureCookieSessionInterface):  # type: ignore[misc, name-defined]
            def open_session(self, app: Any, request: Any) -> Any:
                raise ConnectionError

        app = web.app()
        app.session_interface = Broken()
        app.errorhandler(ConnectionError)(lambda e: ("handled", 503))
        app.logger.disabled = True
        app.add_url_rule("/", "i", lambda: "i")
        web.note(asking(web, app)[0])
        app.logger.disabled = False

    flask, vial = on_both(case, tmp_path)
    assert (flask, vial) == ([500], [503])


def test_a_body_made_by_an_async_generator(tmp_path: Path) -> None:
    def case(web: Web) -> None:
        async def generate() -> AsyncIterator[str]:
            yield "async"

        app = web.app(TESTING=True)
        app.add_url_rule("/", "i", lambda: generate())
        web.note(asking(web, app))

    assert on_both(case, tmp_path) == [["TypeError"], [(200, "async")]]


def test_a_context_is_copied_for_async_functions(tmp_path: Path) -> None:
    def case(web: Web) -> None:
        app = web.app(TESTING=True)

        @app.route("/")
        async def index() -> str:
            @web.copy_current_request_context
            async def work() -> str:
                return web.request.path

            return f"{await work()}"

        web.note(asking(web, app))

    assert on_both(case, tmp_path) == [["RuntimeError"], [(200, "/")]]


def test_a_status_line_cannot_be_split(tmp_path: Path) -> None:
    def case(web: Web) -> None:
        app = web.app(TESTING=True)
        app.add_url_rule("/", "i", lambda: ("x", "200 OK\r\nX-Injected: 1"))
        web.note(asking(web, app))

    assert on_both(case, tmp_path) == [[(200, "x")], ["ValueError"]]


def test_a_status_that_is_no_number_of_three_digits_is_refused(tmp_path: Path) -> None:
    # Flask leaves it to the server; granian's process ends on it.
    def case(web: Web) -> None:
        app = web.app(TESTING=True)
        app.add_url_rule("/<status>", "i", lambda status: ("text", status))
        for status in ("none", "99", "1000 much"):
            web.note(asking(web, app, f"/{status}"))

    flask, vial = on_both(case, tmp_path)
    assert flask == [(0, "text"), (99, "text"), (1000, "text")]
    assert vial == ["ValueError"] * 3


def test_a_body_that_is_replaced_has_its_own_length(tmp_path: Path) -> None:
    def case(web: Web) -> None:
        app = web.app()

        @app.route("/")
        def index() -> Any:
            response = web.Response("first")
            response.response = [b"another"]
            return response

        web.note(app.test_client().get("/").headers["Content-Length"])

    assert on_both(case, tmp_path) == [["5"], ["7"]]


def test_json_nested_too_deep_is_a_bad_request(tmp_path: Path) -> None:
    def case(web: Web) -> None:
        app = web.app()
        app.logger.disabled = True
        app.add_url_rule("/", "i", lambda: str(web.request.get_json())[:1], methods=["POST"])
        body = {"data": "[" * 100_000, "content_type": "application/json", "method": "POST"}
        web.note(asking(web, app, **body)[0])
        app.logger.disabled = False

    assert on_both(case, tmp_path) == [[500], [400]]


def test_mistakes_of_setup_are_told_when_they_are_made(tmp_path: Path) -> None:
    def case(web: Web) -> None:
        class Page(web.views.View):  # type: ignore[misc, name-defined]
            pass

        def view() -> str:
            return ""

        app = web.app()
        for mistake in (
            lambda: app.route(view),
            lambda: app.errorhandler("404"),
            lambda: web.Blueprint("bp", "app").app_errorhandler("404"),
            lambda: app.add_url_rule("/", "page", Page),
        ):
            try:
                mistake()
            except Exception as e:
                web.note(type(e).__name__)
            else:
                web.note("no error")

    flask, vial = on_both(case, tmp_path)
    assert flask == ["no error"] * 4
    assert vial == ["TypeError", "ValueError", "ValueError", "TypeError"]


def test_template_decorators_need_no_parentheses(tmp_path: Path) -> None:
    def case(web: Web) -> None:
        app = web.app()

        def shout(text: str) -> str:
            return text.upper()

        web.note(app.template_filter(shout) is shout, "shout" in app.jinja_env.filters)

    assert on_both(case, tmp_path) == [[(False, False)], [(True, True)]]


def test_an_after_function_that_returns_none_is_named(tmp_path: Path) -> None:
    def case(web: Web) -> None:
        app = web.app(TESTING=True)
        app.add_url_rule("/", "i", lambda: "i")

        @app.after_request
        def forgets(response: Any) -> Any:
            pass

        try:
            app.test_client().get("/")
        except Exception as e:
            web.note("forgets" in str(e))

    assert on_both(case, tmp_path) == [[False], [True]]


def test_a_path_cannot_write_lines_of_its_own_into_the_log(tmp_path: Path) -> None:
    def case(web: Web) -> None:
        app = web.app()
        app.add_url_rule("/<name>", "i", lambda name: 1 / 0)
        asking(web, app, "/a%0AERROR: none")

    flask, vial = on_both(case, tmp_path)
    assert flask[0][2] == "Exception on /a\nERROR: none [GET]"
    assert vial[0][2] == r"Exception on /a\nERROR: none [GET]"


def test_a_url_is_built_for_a_host_that_is_not_trusted_unless_it_names_the_host(
    tmp_path: Path,
) -> None:
    # Flask has no URL adapter then, and fails with the AttributeError of None.
    def case(web: Web) -> None:
        for external in (False, True):
            app = web.app(TRUSTED_HOSTS=["example.org"])
            url = partial(web.url_for, "static", filename="x", _external=external)
            app.errorhandler(400)(lambda e, url=url: url())
            app.logger.disabled = True
            web.note(asking(web, app, base_url="http://evil.test"))
            app.logger.disabled = False

    flask, vial = on_both(case, tmp_path)
    assert [status for status, _ in flask] == [500, 500]
    assert vial[0] == (200, "/static/x")
    assert vial[1][0] == 500


def test_a_session_store_is_not_asked_in_a_context_that_uses_no_session(tmp_path: Path) -> None:
    # Commands and tests push contexts for many things, and a store may be far away.
    def case(web: Web) -> None:
        class Store(web.sessions.SecureCookieSessionInterface):  # type: ignore[misc, name-defined]
            def open_session(self, app: Any, request: Any) -> Any:
                web.note("open")
                return super().open_session(app, request)

        app = web.app(SECRET_KEY="key")
        app.session_interface = Store()
        with app.test_request_context():
            web.note("pushed")
            web.note(web.session.get("x"))

    flask, vial = on_both(case, tmp_path)
    assert flask == ["open", "pushed", None]
    assert vial == ["pushed", "open", None]


def test_a_header_that_no_server_can_send_is_refused(tmp_path: Path) -> None:
    # Servers answer 500 then without a word about the view, or drop the connection.
    def case(web: Web) -> None:
        app = web.app(TESTING=True)
        app.add_url_rule("/", "i", lambda: ("text", {"X-Title": "日本"}))
        web.note(asking(web, app))

    assert on_both(case, tmp_path) == [[(200, "text")], ["ValueError"]]
