from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from types import SimpleNamespace
from typing import Any

import pytest

import vial
import vial.views
from vial import g, request
from vial.views import MethodView, View


@pytest.fixture(params=["flask", "vial"])
def web(request: pytest.FixtureRequest) -> SimpleNamespace:
    """The framework under test, by role: the same case runs on Flask and on Vial."""
    package = importlib.import_module(request.param)
    views = importlib.import_module(f"{request.param}.views")
    return SimpleNamespace(
        App=getattr(package, request.param.title()),
        View=views.View,
        MethodView=views.MethodView,
        methods=views.http_method_funcs,
        request=package.request,
    )


@pytest.fixture
def app(web: SimpleNamespace) -> Any:
    app = web.App(__name__)
    app.testing = True
    return app


def allowed(app: Any, path: str = "/") -> set[str]:
    return set(app.test_client().options(path).allow)


# -- View -------------------------------------------------------------------------------------


def test_a_view_answers_with_the_values_of_the_url(web: SimpleNamespace, app: Any) -> None:
    class Hello(web.View):
        """Greets."""

        def dispatch_request(self, name: str) -> str:
            return f"Hello, {name}!"

    view = Hello.as_view("hello")
    app.add_url_rule("/<name>", view_func=view)
    assert app.test_client().get("/you").text == "Hello, you!"
    assert app.view_functions["hello"] is view
    assert (view.__name__, view.__doc__, view.__module__) == ("hello", "Greets.", __name__)
    assert view.view_class is Hello
    assert view.methods is None
    assert view.provide_automatic_options is None


def test_the_arguments_after_the_name_are_those_of_the_class(
    web: SimpleNamespace, app: Any
) -> None:
    class Page(web.View):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.given = (args, kwargs)

        def dispatch_request(self) -> str:
            return repr(self.given)

    app.add_url_rule("/", view_func=Page.as_view("page", 1, 2, title="t"))
    assert app.test_client().get("/").text == "((1, 2), {'title': 't'})"


@pytest.mark.parametrize(("every", "answers"), [(True, ["1", "1"]), (False, ["1", "2"])])
def test_an_object_is_made_for_each_request_or_for_all(
    web: SimpleNamespace, app: Any, every: bool, answers: list[str]
) -> None:
    class Count(web.View):
        init_every_request = every
        n = 0

        def dispatch_request(self) -> str:
            self.n += 1
            return str(self.n)

    app.add_url_rule("/", view_func=Count.as_view("count"))
    client = app.test_client()
    assert [client.get("/").text, client.get("/").text] == answers


def test_a_class_that_cannot_be_made_fails_at_setup_when_one_object_serves_all(
    web: SimpleNamespace,
) -> None:
    class Page(web.View):
        init_every_request = False

    with pytest.raises(TypeError):
        Page.as_view("page", "unexpected")


def test_the_class_of_a_view_function_may_be_replaced(web: SimpleNamespace, app: Any) -> None:
    class Page(web.View):
        decorators = (lambda view: wraps(view)(lambda **values: view(**values).upper()),)

        def dispatch_request(self) -> str:
            return "page"

    class Fake(web.View):
        def dispatch_request(self) -> str:
            return "fake"

    view = Page.as_view("page")
    app.add_url_rule("/", view_func=view)
    view.view_class = Fake
    assert app.test_client().get("/").text == "FAKE"


def test_the_methods_of_a_view_are_those_it_names(web: SimpleNamespace, app: Any) -> None:
    class Page(web.View):
        methods = ("POST", "PUT")

        def dispatch_request(self) -> str:
            return web.request.method

    app.add_url_rule("/", view_func=Page.as_view("page"))
    client = app.test_client()
    assert client.put("/").text == "PUT"
    assert client.get("/").status_code == 405
    assert allowed(app) == {"POST", "PUT", "OPTIONS"}


def test_a_view_may_answer_options_itself(web: SimpleNamespace, app: Any) -> None:
    class Page(web.View):
        methods = ("GET", "OPTIONS")
        provide_automatic_options = False

        def dispatch_request(self) -> str:
            return f"own {web.request.method}"

    app.add_url_rule("/", view_func=Page.as_view("page"))
    assert app.test_client().options("/").text == "own OPTIONS"


def test_decorators_apply_in_order_to_a_function_with_the_name_of_the_view(
    web: SimpleNamespace, app: Any
) -> None:
    seen: list[tuple[str, str]] = []

    def around(mark: str) -> Callable[..., Any]:
        def decorate(view: Any) -> Any:
            seen.append((view.__name__, view.__module__))

            @wraps(view)
            def decorated(**values: Any) -> str:
                return mark + view(**values) + mark

            return decorated

        return decorate

    class Page(web.View):
        decorators = (around("-"), around("+"))

        def dispatch_request(self, name: str) -> str:
            return name

    app.add_url_rule("/<name>", view_func=Page.as_view("page"))
    assert app.test_client().get("/x").text == "+-x-+"
    assert seen == [("page", __name__)] * 2
    assert app.view_functions["page"].view_class is Page


def test_a_view_without_dispatch_request_is_not_implemented(web: SimpleNamespace, app: Any) -> None:
    app.add_url_rule("/", view_func=web.View.as_view("empty"))
    with pytest.raises(NotImplementedError):
        app.test_client().get("/")


def test_the_error_for_a_missing_dispatch_request_names_the_class() -> None:
    class Page(View):
        pass

    with pytest.raises(NotImplementedError, match=r"Page must define dispatch_request\(\)"):
        Page().dispatch_request()


# -- MethodView -------------------------------------------------------------------------------


def test_each_http_method_has_its_method(web: SimpleNamespace, app: Any) -> None:
    class Item(web.MethodView):
        def get(self, number: int) -> str:
            return f"got {number}"

        def delete(self, number: int) -> tuple[str, int]:
            return f"deleted {number}", 202

    assert Item.methods == {"GET", "DELETE"}
    app.add_url_rule("/<int:number>", view_func=Item.as_view("item"))
    client = app.test_client()
    assert client.get("/1").text == "got 1"
    answer = client.delete("/2")
    assert (answer.status_code, answer.text) == (202, "deleted 2")
    assert client.post("/1").status_code == 405
    assert allowed(app, "/1") == {"GET", "HEAD", "DELETE", "OPTIONS"}


def test_head_is_answered_by_get_unless_there_is_a_head(web: SimpleNamespace, app: Any) -> None:
    class Plain(web.MethodView):
        def get(self) -> tuple[str, dict[str, str]]:
            return "x", {"X-Method": web.request.method}

    class Own(Plain):
        def head(self) -> tuple[str, dict[str, str]]:
            return "", {"X-Method": "head"}

    app.add_url_rule("/plain", view_func=Plain.as_view("plain"))
    app.add_url_rule("/own", view_func=Own.as_view("own"))
    client = app.test_client()
    assert client.head("/plain").headers["X-Method"] == "HEAD"
    assert client.head("/plain").data == b""
    assert client.head("/own").headers["X-Method"] == "head"
    assert client.get("/own").headers["X-Method"] == "GET"


def test_all_method_names_are_recognized(web: SimpleNamespace) -> None:
    names = ["get", "post", "head", "options", "delete", "put", "trace", "patch"]
    assert web.methods == frozenset(names)
    every = type("Every", (web.MethodView,), {name: lambda self: "" for name in names})
    assert every.methods == {name.upper() for name in names}
    assert type("None_", (web.MethodView,), {}).methods is None


def test_methods_are_inherited_from_views_and_from_plain_classes(
    web: SimpleNamespace, app: Any
) -> None:
    class Readable:
        def get(self) -> str:
            return "read"

    class Writable(web.MethodView):
        methods = ("PURGE",)

        def post(self) -> str:
            return "written"

        def purge(self) -> str:
            return "purged"

    class Both(Readable, Writable):
        def put(self) -> str:
            return "put"

    assert Writable.methods == ("PURGE",)
    assert Both.methods == {"GET", "POST", "PUT", "PURGE"}
    app.add_url_rule("/", view_func=Both.as_view("both"))
    client = app.test_client()
    for method, text in {"GET": "read", "POST": "written", "PURGE": "purged"}.items():
        assert client.open("/", method=method).text == text


def test_a_method_that_is_named_but_missing_is_an_assertion(web: SimpleNamespace, app: Any) -> None:
    class Page(web.MethodView):
        methods = ("GET", "POST")

        def post(self) -> str:
            return "x"

    app.add_url_rule("/", view_func=Page.as_view("page"))
    for method in ("GET", "HEAD"):
        with pytest.raises(AssertionError, match=f"Unimplemented method '{method}'"):
            app.test_client().open("/", method=method)


def test_the_error_for_a_missing_method_names_the_class_and_the_cure() -> None:
    class Page(MethodView):
        methods = ("PATCH",)

    wanted = r"Page must define patch\(\), or leave it out"
    context = vial.Vial("x").test_request_context(method="PATCH")
    with context, pytest.raises(AssertionError, match=wanted):
        Page().dispatch_request()


def test_dispatch_request_may_be_wrapped_by_a_subclass(web: SimpleNamespace, app: Any) -> None:
    class Loud(web.MethodView):
        def dispatch_request(self, **values: Any) -> str:
            return super().dispatch_request(**values).upper()

        def get(self, name: str) -> str:
            return name

    app.add_url_rule("/<name>", view_func=Loud.as_view("loud"))
    assert app.test_client().get("/x").text == "X"


# -- async views (Flask needs asgiref for them; here they are known as async at setup) ----------


def thread_name() -> str:
    return threading.current_thread().name


class AsyncPage(View):
    async def dispatch_request(self, name: str) -> str:
        await asyncio.sleep(0)
        return f"{name} in {thread_name()}"


class Mixed(MethodView):
    def get(self, name: str) -> str:
        return f"{request.method} {name} in {thread_name()}"

    async def post(self, name: str) -> str:
        await asyncio.sleep(0)
        return f"{request.method} {name} in {thread_name()}"


class Wrapped(Mixed):
    """A plain dispatch_request() sees responses, also those of async methods."""

    def dispatch_request(self, **values: Any) -> Any:
        return str(super().dispatch_request(**values)).upper()


class SyncPage(MethodView):
    def get(self, name: str) -> str:
        return name


@pytest.mark.parametrize(
    ("view_class", "is_async"),
    [(AsyncPage, True), (Mixed, True), (Wrapped, False), (SyncPage, False), (View, False)],
)
@pytest.mark.parametrize("every", [True, False])
def test_a_view_function_is_async_where_its_class_is(
    view_class: Any, is_async: bool, every: bool
) -> None:
    view = type("V", (view_class,), {"init_every_request": every}).as_view("v")
    assert iscoroutinefunction(view) is is_async


def async_app(view: Any) -> Any:
    app = vial.Vial(__name__)
    app.testing = True
    app.add_url_rule("/<name>", view_func=view)
    return app


def test_an_async_view_answers_through_threads() -> None:
    client = async_app(AsyncPage.as_view("page")).test_client()
    assert client.get("/x").text == "x in vial-loop"


def test_sync_and_async_methods_mix_and_the_sync_ones_keep_off_the_loop() -> None:
    client = async_app(Mixed.as_view("mixed")).test_client()
    assert client.post("/x").text == "POST x in vial-loop"
    assert client.get("/x").text.startswith("GET x in vial-worker-")


def test_a_plain_dispatch_request_gets_the_responses_of_async_methods() -> None:
    client = async_app(Wrapped.as_view("wrapped")).test_client()
    assert client.post("/x").text == "POST X IN VIAL-LOOP"
    assert client.get("/x").text == f"GET X IN {thread_name().upper()}"


def test_on_a_loop_an_async_method_runs_right_there() -> None:
    app = async_app(Mixed.as_view("mixed"))
    view = app.view_functions["mixed"]
    with app.test_request_context(method="POST"):
        assert asyncio.run(view(name="x")) == f"POST x in {thread_name()}"
    with app.test_request_context(method="GET"):
        assert asyncio.run(view(name="x")).startswith("GET x in vial-worker-")


def test_an_async_method_of_another_name_is_awaited_too() -> None:
    class Cache(MethodView):
        methods = ("PURGE",)

        async def purge(self, name: str) -> str:
            return f"purged {name}"

    client = async_app(Cache.as_view("cache")).test_client()
    assert client.open("/x", method="PURGE").text == "purged x"


def test_a_plain_decorator_of_an_async_view_gets_responses() -> None:
    def shout(view: Any) -> Any:
        @wraps(view)
        def decorated(**values: Any) -> Any:
            g.name = view.__name__
            return f"{g.name} {view(**values).upper()}"

        return decorated

    page = type("Page", (AsyncPage,), {"decorators": [shout, shout]})
    client = async_app(page.as_view("page")).test_client()
    assert client.get("/x").text == "page PAGE X IN VIAL-LOOP"


def test_an_async_decorator_of_an_async_view_awaits_it() -> None:
    def shout(view: Any) -> Any:
        @wraps(view)
        async def decorated(**values: Any) -> Any:
            return (await view(**values)).upper()

        return decorated

    page = type("Page", (AsyncPage,), {"decorators": [shout, lambda view: view]})
    view = page.as_view("page")
    assert iscoroutinefunction(view)
    assert async_app(view).test_client().get("/x").text == "X IN VIAL-LOOP"
