"""Views as classes."""

from __future__ import annotations

from typing import Any

from .harness import Web, same


@same
def test_a_view_class(web: Web) -> None:
    class Hello(web.views.View):  # type: ignore[misc, name-defined]
        """Says hello."""

        methods = ["GET", "POST"]  # noqa: RUF012

        def __init__(self, greeting: str = "hello") -> None:
            self.greeting = greeting
            web.note("made")

        def dispatch_request(self, name: str) -> str:
            return f"{self.greeting} {name} {web.request.method}"

    app = web.app()
    view = Hello.as_view("hello", greeting="hi")
    web.note(view.__name__, view.__doc__, view.methods, view.view_class is Hello)
    app.add_url_rule("/<name>", view_func=view)
    web.every("/a", "/b")
    web.post("/c")
    web.open("/d", method="PUT")
    web.open("/d", method="OPTIONS")


@same
def test_a_method_view(web: Web) -> None:
    class Base(web.views.MethodView):  # type: ignore[misc, name-defined]
        def get(self, n: int = 0) -> str:
            return f"get {n}"

        def propfind(self) -> str:
            return "propfind"

    class Items(Base):
        init_every_request = False

        def post(self) -> Any:
            return "made", 201

        def delete(self, n: int) -> str:
            return f"deleted {n}"

    app = web.app()
    view = Items.as_view("items")
    web.note(sorted(view.methods), sorted(Base.methods), view.provide_automatic_options)
    app.add_url_rule("/items", view_func=view, methods=["GET", "POST"])
    app.add_url_rule("/items/<int:n>", view_func=view, methods=["GET", "DELETE"])
    app.add_url_rule("/base", view_func=Base.as_view("base"))
    for method in ("GET", "HEAD", "POST", "DELETE", "PUT", "OPTIONS", "PROPFIND"):
        for path in ("/items", "/items/5", "/base"):
            web.open(path, method=method)


@same
def test_methods_that_are_named_but_missing(web: Web) -> None:
    class Odd(web.views.MethodView):  # type: ignore[misc, name-defined]
        methods = ["GET", "POST"]  # noqa: RUF012

        def get(self) -> str:
            return "get"

    app = web.app()
    app.add_url_rule("/", view_func=Odd.as_view("odd"))
    web.get("/")
    web.post("/")


@same
def test_decorators_of_a_view_class(web: Web) -> None:
    def tag(name: str) -> Any:
        def decorator(f: Any) -> Any:
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                web.note("decorator", name)
                return f(*args, **kwargs)

            return wrapper

        return decorator

    class Decorated(web.views.View):  # type: ignore[misc, name-defined]
        decorators = [tag("inner"), tag("outer")]  # noqa: RUF012
        provide_automatic_options = False

        def dispatch_request(self) -> str:
            return "view"

    app = web.app()
    app.add_url_rule("/", view_func=Decorated.as_view("decorated"))
    web.get("/")
    web.open("/", method="OPTIONS")


@same
def test_the_class_of_a_view_is_replaced(web: Web) -> None:
    class One(web.views.View):  # type: ignore[misc, name-defined]
        def dispatch_request(self) -> str:
            return "one"

    class Two(One):
        def dispatch_request(self) -> str:
            return "two"

    app = web.app()
    view = One.as_view("v")
    app.add_url_rule("/", view_func=view)
    web.get("/")
    view.view_class = Two
    web.get("/")


@same
def test_inherited_methods_and_mixins(web: Web) -> None:
    class Mixin:
        def put(self) -> str:
            return "put"

    class Both(Mixin, web.views.MethodView):  # type: ignore[misc, name-defined]
        def get(self) -> str:
            return "get"

        def head(self) -> Any:
            return "", 204

    app = web.app()
    app.add_url_rule("/", view_func=Both.as_view("both"))
    web.note(sorted(Both.methods))
    for method in ("GET", "HEAD", "PUT", "POST", "OPTIONS"):
        web.open("/", method=method)


@same
def test_a_method_view_on_a_blueprint_with_hooks(web: Web) -> None:
    class Page(web.views.MethodView):  # type: ignore[misc, name-defined]
        def get(self) -> str:
            return web.url_for(".page")

    app = web.app()
    bp = web.Blueprint("bp", "app", url_prefix="/bp")
    bp.add_url_rule("/page", view_func=Page.as_view("page"))
    bp.before_request(web.noting("before"))
    app.register_blueprint(bp)
    web.get("/bp/page")


@same
def test_a_method_view_whose_methods_leave_out_an_async_one(web: Web) -> None:
    class Page(web.views.MethodView):  # type: ignore[misc, name-defined]
        methods = ("GET",)

        async def head(self) -> Any:
            return "", 202

        def get(self) -> str:
            return "get"

    app = web.app()
    app.add_url_rule("/", view_func=Page.as_view("page"))
    web.open("/", method="HEAD")
    web.get("/")
