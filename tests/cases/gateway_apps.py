"""What every gateway must do alike with apps that a test makes, in process."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextvars import ContextVar
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest
from werkzeug.datastructures import Headers

from vial import (
    Response,
    Vial,
    copy_current_request_context,
    g,
    redirect,
    request,
    session,
    url_for,
)

from .apps import WithApp, as_async_iterator, view_raising, view_returning
from .entrances import Entrance
from .gateways import URLENCODED

SINKS: dict[str, Callable[[str], Any]] = {
    "name": lambda text: ("body", {text: "value"}),
    "value": lambda text: ("body", {"X-Name": text}),
    "type": lambda text: Response("body", content_type=f"text/html{text}"),
    "mimetype": lambda text: Response("body", mimetype=f"text/html{text}"),
    "status": lambda text: Response("body", status=f"200 {text}"),
    "cookie name": lambda text: with_cookie(text, "value"),
    "cookie domain": lambda text: with_cookie("name", "value", domain=text),
    "location": lambda text: redirect(f"/{text}"),
    "past the setters": lambda text: Response("body", headers=unchecked("X-Name", text)),
}


#: How a view may read a body.
KINDS = ("data", "form", "json", "stream")
NO_HOSTS = ["", "a/b", "a?x", "a#x", "a@b", "a\\b", "a b", "[::1", "[1]"]
NO_HOSTS += ["a:99999", "a:0", "a:08", "caf\xe9", "a,b"]


def with_cookie(name: str, value: str, **options: Any) -> Response:
    response = Response("body")
    response.set_cookie(name, value, **options)
    return response


def unchecked(name: str, value: str) -> Headers:
    headers = Headers()
    headers._list.append((name, value))
    return headers


class AppCases(WithApp):
    """Errors, hosts, paths, headers, bodies and contexts."""

    # Errors.

    def test_a_crash_is_logged_once_and_harms_no_other_request(
        self, entrance: Entrance, app: Vial, lane: Any, ends: list[Any], caplog: Any
    ) -> None:
        app.get("/ok")(lane(view_returning("fine")))
        app.get("/crash")(lane(view_raising(ZeroDivisionError("boom"))))
        assert entrance.ask(app, "/crash?x=1").status == 500
        (record,) = caplog.records
        assert record.getMessage() == "Exception on /crash [GET]"
        assert record.exc_info[1].args == ("boom",)
        assert entrance.ask(app, "/ok").text == "fine"
        assert [type(end) for end in ends] == [ZeroDivisionError, type(None)]

    def test_a_crash_is_raised_where_the_config_says_so(
        self, entrance: Entrance, app: Vial, lane: Any, ends: list[Any]
    ) -> None:
        app.config["PROPAGATE_EXCEPTIONS"] = True
        app.get("/")(lane(view_raising(ZeroDivisionError())))
        with pytest.raises(ZeroDivisionError):
            entrance.ask(app)
        assert len(ends) == 1

    def test_a_failing_before_function_spares_the_view_and_not_the_rest(
        self, entrance: Entrance, app: Vial, lane: Any, ends: list[Any], caplog: Any
    ) -> None:
        calls: list[str] = []
        app.before_request(lane(view_raising(ZeroDivisionError())))
        app.get("/")(lane(lambda: calls.append("view") or "view"))
        app.after_request(lane(lambda response: calls.append("after") or response))
        assert entrance.ask(app).status == 500
        assert calls == ["after"] and len(ends) == 1

    def test_a_failing_after_function_is_500(
        self, entrance: Entrance, app: Vial, lane: Any, ends: list[Any], caplog: Any
    ) -> None:
        app.get("/")(lane(view_returning("view")))

        def fail(response: Response) -> Response:
            raise ZeroDivisionError

        app.after_request(lane(fail))
        assert entrance.ask(app).status == 500
        assert len(ends) == 1

    def test_a_failing_teardown_function_spares_the_others_and_reaches_the_server(
        self, entrance: Entrance, app: Vial, lane: Any
    ) -> None:
        calls: list[str] = []
        app.get("/")(lane(view_returning("view")))

        def fail(error: Any) -> None:
            calls.append("failing")
            raise ZeroDivisionError

        app.teardown_request(lane(lambda error: calls.append("last")))
        app.teardown_request(lane(fail))
        app.teardown_appcontext(lane(lambda error: calls.append("app")))
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                entrance.ask(app)
        assert calls == ["failing", "last", "app"] * 2

    def test_a_failing_error_handler_is_500(
        self, entrance: Entrance, app: Vial, lane: Any, ends: list[Any], caplog: Any
    ) -> None:
        def fail(error: Any) -> Any:
            raise ZeroDivisionError

        app.errorhandler(404)(lane(fail))
        assert entrance.ask(app, "/nowhere").status == 500
        assert len(ends) == 1

    def test_what_is_no_exception_passes_through_and_leaves_nothing(
        self, entrance: Entrance, app: Vial, lane: Any, ends: list[Any]
    ) -> None:
        errors = [SystemExit(3), KeyboardInterrupt(), GeneratorExit()]
        app.get("/<int:n>", endpoint="exit")(lane(lambda n: view_raising(errors[n])()))
        app.get("/ok")(lane(view_returning("fine")))
        for n, error in enumerate(errors):
            with pytest.raises(type(error)):
                entrance.ask(app, f"/{n}")
            assert [type(end) for end in ends] == [type(error)]
            assert entrance.ask(app, "/ok").text == "fine"
            ends.clear()

    def test_what_would_end_a_coroutine_is_500(
        self, entrance: Entrance, app: Vial, lane: Any, ends: list[Any], caplog: Any
    ) -> None:
        for error in (StopIteration, StopAsyncIteration):
            app.get(f"/{error.__name__}", endpoint=error.__name__)(lane(view_raising(error())))
        for error in (StopIteration, StopAsyncIteration):
            assert entrance.ask(app, f"/{error.__name__}").status == 500
        assert len(ends) == 2

    def test_a_view_that_returns_nothing_is_named(
        self, entrance: Entrance, app: Vial, lane: Any, caplog: Any
    ) -> None:
        app.get("/", endpoint="home")(lane(view_returning(None)))
        assert entrance.ask(app).status == 500
        assert "'home'" in str(caplog.records[0].exc_info[1])

    # Hosts.

    def test_a_host_that_is_none_is_400_and_moves_no_path(
        self, entrance: Entrance, app: Vial
    ) -> None:
        paths: list[str] = []
        app.before_request(lambda: paths.append(request.path))
        app.get("/page")(view_returning("page"))
        hosts = [host for host in NO_HOSTS if host.isascii() or entrance.name != "rsgi"]
        for host in hosts:
            assert entrance.ask(app, "/page", host=host).status == 400, host
        assert paths == ["/page"] * len(hosts)

    def test_two_hosts_are_400(self, entrance: Entrance, app: Vial) -> None:
        app.get("/")(view_returning("page"))
        for first, second in (("good.example", "evil.example"), ("", "good.example")):
            headers = [("Host", first), ("Host", second)]
            assert entrance.ask(app, host=None, headers=headers).status == 400

    def test_a_host_may_have_a_port_or_be_absent(self, entrance: Entrance, app: Vial) -> None:
        app.get("/")(view_returning("page"))
        for host in ("example.com", "a:80", "127.0.0.1:5000", "[::1]:80", None):
            assert entrance.ask(app, host=host).status == 200, host

    def test_http_1_0_may_say_that_there_is_no_host_by_an_empty_one(
        self, entrance: Entrance, app: Vial
    ) -> None:
        app.get("/")(lambda: request.host)
        for version in ("1.0", "1"):
            assert entrance.ask(app, host="", version=version).text == "127.0.0.1"
        assert entrance.ask(app, host="", version="1.1").status == 400

    # Paths.

    def test_below_a_root_links_lead_back(self, entrance: Entrance, app: Vial) -> None:
        app.get("/page", endpoint="page")(
            lambda: [request.root_path, request.path, url_for("page")]
        )
        for root, text in (("/root", "/root"), ("/caf%C3%A9", "/café")):
            answer = entrance.ask(app, "/page", root=root)
            assert json.loads(answer.body) == [text, "/page", f"{text}/page"]

    def test_the_root_itself_leads_to_its_slash(self, entrance: Entrance, app: Vial) -> None:
        app.get("/")(lambda: request.path)
        answer = entrance.ask(app, "", root="/root")
        assert (answer.status, answer["location"]) == (308, "http://localhost/root/")
        assert entrance.ask(app, "/", root="/root").text == "/"

    def test_an_underscore_is_no_hyphen(self, entrance: Entrance, app: Vial) -> None:
        if entrance.name == "wsgi":
            pytest.skip("a WSGI server has mixed them up before the app sees them")
        app.get("/")(lambda: str(request.headers.get("X-Forwarded-For")))
        assert entrance.ask(app, headers=[("X_Forwarded_For", "6.6.6.6")]).text == "None"

    # Response headers.

    def test_a_control_character_never_leaves(
        self, entrance: Entrance, app: Vial, lane: Any, caplog: Any
    ) -> None:
        app.get("/<sink>/<mark>")(
            lane(lambda sink, mark: SINKS[sink](f"a{mark}Set-Cookie: evil=1"))
        )
        for sink, mark in product(SINKS, ("%0D%0A", "%0A", "%0D", "%00", "%0B")):
            path = f"/{quote(sink)}/{mark}"
            error = self.refused(lambda path=path: entrance.ask(app, path).status, caplog)
            assert isinstance(error, ValueError), path
            assert "Set-Cookie" in str(error) or "newline" in str(error), path

    def refused(self, ask: Callable[[], int], caplog: Any) -> Any:
        """The error that was logged, or raised to the server, which has sent nothing yet."""
        caplog.clear()
        try:
            status = ask()
        except ValueError as error:
            return error
        assert status == 500
        (record,) = caplog.records
        return record.exc_info[1]

    def test_a_header_that_cannot_be_sent_is_named(
        self, entrance: Entrance, app: Vial, lane: Any
    ) -> None:
        app.get("/")(lane(lambda: ("body", {"X-Title": "日本"})))
        with pytest.raises(ValueError, match=r"X-Title.*日本"):
            entrance.ask(app)

    def test_a_bytearray_is_a_body(self, entrance: Entrance, app: Vial, lane: Any) -> None:
        app.get("/<int:named>")(
            lane(lambda named: (bytearray(b"body"), {"X-Name": "1"} if named else {}))
        )
        assert entrance.ask(app, "/0").body == entrance.ask(app, "/1").body == b"body"

    # The end of a response.

    def test_what_waits_for_the_end_is_called_once(
        self, entrance: Entrance, app: Vial, lane: Any
    ) -> None:
        calls: list[str] = []

        def view(kind: str) -> Response:
            bodies = {"stream": iter(["a"]), "async stream": as_async_iterator(["a"])}
            response = Response(bodies.get(kind, "a"), 204 if kind == "204" else 200)
            if kind == "headers":
                response.headers["X-A"] = "1"
            response.call_on_close(lambda: calls.append("closed"))
            return response

        app.get("/<kind>")(lane(view))
        kinds = ("plain", "headers", "stream", "async%20stream", "204")
        for kind, method in product(kinds, ("GET", "HEAD")):
            entrance.ask(app, f"/{kind}", method)
            assert calls == ["closed"], (kind, method)
            calls.clear()

    # Bodies.

    @pytest.fixture
    def saw(self, app: Vial, lane: Any) -> list[Any]:
        """What the view of ``/`` saw of the body; it is noted only where reading succeeded."""
        saw: list[Any] = []

        def view() -> str:
            kind = request.args.get("as")
            if kind == "form":
                saw.append(request.form.to_dict())
            elif kind == "json":
                saw.append(request.get_json(force=True))
            elif kind == "stream":
                saw.append(b"".join(iter(lambda: request.stream.read(1000), b"")))
            else:
                saw.append(request.get_data())
            return "read"

        app.post("/")(lane(view))
        return saw

    def test_a_chunked_body_is_put_together(
        self, entrance: Entrance, app: Vial, saw: list[Any]
    ) -> None:
        for size in (0, 1, 600_000):
            chunks = [b"ab" * size, b"c", b"d" * size]
            assert entrance.ask(app, method="POST", chunks=chunks).status == 200
            assert saw.pop() == b"".join(chunks)

    def test_a_body_shorter_than_announced_is_400(
        self, entrance: Entrance, app: Vial, saw: list[Any]
    ) -> None:
        app.config["MAX_FORM_MEMORY_SIZE"] = None
        for kind, body in product(KINDS, (b"", b"[1]", b"x" * 700_000)):
            options: Any = {"headers": [URLENCODED], "body": body, "announced": "1000000"}
            answer = entrance.ask(app, f"/?as={kind}", "POST", cut=True, **options)
            assert (answer.status, saw) == (400, []), (kind, len(body))

    def test_a_chunked_body_that_is_cut_off_is_400(
        self, entrance: Entrance, app: Vial, saw: list[Any]
    ) -> None:
        options: Any = {"headers": [URLENCODED], "chunks": [b"[1", b"]"], "cut": True}
        for kind, limit in product(KINDS, (1000, None)):
            app.config["MAX_CONTENT_LENGTH"] = limit
            assert entrance.ask(app, f"/?as={kind}", "POST", **options).status == 400, kind
        assert saw == []

    def test_a_length_that_is_no_number_is_400(
        self, entrance: Entrance, app: Vial, saw: list[Any]
    ) -> None:
        lengths = ["-1", "+5", "5_0", "0x5", "5,5", "5 5", "1" * 19]
        for length in lengths + ["\u0665"] * (entrance.name != "rsgi"):  # it is left out there
            wire = length.encode().decode("latin-1")
            answer = entrance.ask(app, method="POST", body=b"12345", announced=wire)
            assert (answer.status, saw) == (400, []), length

    def test_a_short_body_that_no_view_reads_is_nobodys_error(
        self, entrance: Entrance, app: Vial, lane: Any
    ) -> None:
        app.post("/unread")(lane(view_returning("not read")))
        answer = entrance.ask(app, "/unread", "POST", body=b"x", announced="9", cut=True)
        assert answer.text == "not read"

    def test_too_many_parameters_are_413_whatever_hooks_read(
        self, entrance: Entrance, app: Vial, lane: Any
    ) -> None:
        read: list[Any] = []
        app.config["MAX_FORM_FIELDS"] = 2
        app.get("/")(lane(lambda: request.args["a"]))
        app.errorhandler(413)(lane(lambda e: (f"{len(request.args)} read", 413)))
        app.after_request(lane(lambda response: read.append([*request.args]) or response))
        app.teardown_request(lane(lambda error: read.append([*request.args])))
        assert entrance.ask(app, "/?a=1&b=2").status == 200
        answer = entrance.ask(app, "/?a=1&b=2&c=3")
        assert (answer.status, answer.text) == (413, "0 read")
        assert read == [["a", "b"], ["a", "b"], [], []]

    def test_one_request_has_a_limit_of_its_own(
        self, entrance: Entrance, app: Vial, lane: Any
    ) -> None:
        app.config["MAX_CONTENT_LENGTH"] = 10

        def view() -> str:
            request.max_content_length = int(request.args["limit"])
            return str(len(request.get_data()))

        app.post("/", endpoint="lane")(lane(view))
        app.post("/sync")(view)
        sent: list[dict[str, Any]] = [{"body": b"12345"}, {"chunks": [b"123", b"45"]}]
        for options in sent:
            for path, limit, status in (("/", 4, 413), ("/", 5, 200), ("/sync", 20, 200)):
                assert (
                    entrance.ask(app, f"{path}?limit={limit}", "POST", **options).status == status
                )
        for options in ({"body": b"123456789012"}, {"chunks": [b"1234", b"56789", b"012"]}):
            assert entrance.ask(app, "/sync?limit=12", "POST", **options).text == "12"
            assert entrance.ask(app, "/sync?limit=11", "POST", **options).status == 413

    # Contexts.

    def test_hooks_and_view_share_context_variables(
        self, entrance: Entrance, app: Vial, lane: Any
    ) -> None:
        var: ContextVar[str] = ContextVar("var")
        app.before_request(lambda: var.set("from before") and None)
        app.get("/")(lane(lambda: f"{var.get()}{var.set('from view') and ''}"))

        async def after(response: Response) -> Response:
            response.headers["X-Var"] = var.get()
            return response

        app.after_request(after)
        answer = entrance.ask(app)
        assert (answer.text, answer["x-var"]) == ("from before", "from view")

    def test_g_is_new_for_each_request(self, entrance: Entrance, app: Vial, lane: Any) -> None:
        app.before_request(lambda: g.setdefault("seen", []).append(request.path))
        app.get("/<name>")(lane(lambda name: g.seen))
        answers = [entrance.ask(app, f"/{name}").body for name in "ab"]
        assert [json.loads(body) for body in answers] == [["/a"], ["/b"]]

    def test_work_handed_to_a_thread_sees_the_request(
        self, entrance: Entrance, app: Vial, lane: Any
    ) -> None:
        def view() -> Any:
            @copy_current_request_context
            def work() -> None:
                seen.append(request.path)

            seen: list[str] = []
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            return seen

        app.get("/page")(lane(view))
        assert json.loads(entrance.ask(app, "/page").body) == ["/page"]

    def test_the_session_is_saved_after_sync_and_async_views(
        self, entrance: Entrance, app: Vial, lane: Any
    ) -> None:
        app.get("/set", endpoint="set")(lane(lambda: session.update(name="é") or "set"))
        app.get("/get", endpoint="get")(lane(lambda: session["name"]))
        cookie = entrance.ask(app, "/set")["set-cookie"].partition(";")[0]
        assert entrance.ask(app, "/get", headers=[("Cookie", cookie)]).text == "é"
