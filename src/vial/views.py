"""Views as classes: :class:`View`, and :class:`MethodView` with a method for each HTTP method."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import wraps
from typing import Any, ClassVar

from . import typing as vt
from .callables import is_async
from .globals import current_app, request
from .plans import awaitable

http_method_funcs = frozenset(["get", "post", "head", "options", "delete", "put", "trace", "patch"])


class View:
    """A view whose code is :meth:`dispatch_request`, registered as ``Name.as_view("endpoint")``.

    ::

        class Hello(View):
            init_every_request = False

            def dispatch_request(self, name):
                return f"Hello, {name}!"

        app.add_url_rule("/hello/<name>", view_func=Hello.as_view("hello"))
    """

    #: The HTTP methods of its routes; ``None`` for those of ``add_url_rule``.
    methods: ClassVar[Collection[str] | None] = None

    #: Whether OPTIONS is answered by the app; ``None`` for what ``add_url_rule`` does.
    provide_automatic_options: ClassVar[bool | None] = None

    #: Applied to the view function in this order, so the first is next to it. A decorator that
    #: makes a plain function of an async view is given a plain one that waits.
    decorators: ClassVar[list[Callable[..., Any]]] = []

    #: Make an object for each request. ``False`` keeps one for all: faster, but what belongs to a
    #: request then goes into ``g``, not on ``self``. Flask 2.2.
    init_every_request: ClassVar[bool] = True

    def dispatch_request(self) -> vt.ResponseReturnValue:
        """Answer the request; gets the URL's values as keyword arguments. May be async."""
        raise NotImplementedError(
            f"{type(self).__name__} must define dispatch_request(): it is what the view does."
        )

    @classmethod
    def as_view(cls, name: str, *class_args: Any, **class_kwargs: Any) -> vt.RouteCallable:
        """Make a view function; the arguments after its name are those of the class.

        The function is ``async`` where the class is. Its ``view_class`` may be replaced.
        """
        make: Callable[[], Any]
        if cls.init_every_request:

            def make() -> Any:
                return view.view_class(*class_args, **class_kwargs)
        else:
            only = cls(*class_args, **class_kwargs)

            def make() -> Any:
                return only

        view: Any = cls._function(make)
        if cls.decorators:
            view.__name__ = name
            view.__module__ = cls.__module__
            for decorator in cls.decorators:
                view = _decorate(view, decorator)
        view.view_class = cls
        view.__name__ = name
        view.__doc__ = cls.__doc__
        view.__module__ = cls.__module__
        view.methods = cls.methods
        view.provide_automatic_options = cls.provide_automatic_options
        return view  # type: ignore[no-any-return]

    @classmethod
    def _function(cls, make: Callable[[], Any]) -> Callable[..., Any]:
        entry = cls._async_entry()
        if entry is None:
            return lambda **kwargs: make().dispatch_request(**kwargs)

        async def view(**kwargs: Any) -> Any:
            return await getattr(make(), entry)(**kwargs)

        return view

    @classmethod
    def _async_entry(cls) -> str | None:
        """The coroutine method that answers a request; ``None`` for a class that has none."""
        return "dispatch_request" if is_async(cls.dispatch_request) else None


def _decorate(view: Any, decorator: Callable[..., Any]) -> Any:
    decorated = decorator(view)
    if not is_async(view) or is_async(decorated):
        return decorated

    @wraps(view)
    def waiting(**kwargs: Any) -> Any:
        return current_app.ensure_sync(view)(**kwargs)

    return decorator(waiting)


class MethodView(View):
    """A view with a method for each HTTP method: ``get`` answers GET, and HEAD without ``head``.

    ::

        class Counter(MethodView):
            def get(self):
                return str(session.get("counter", 0))

            def post(self):
                session["counter"] = session.get("counter", 0) + 1
                return redirect(url_for("counter"))

        app.add_url_rule("/counter", view_func=Counter.as_view("counter"))

    :attr:`methods` follows from the methods that there are. They may be async, and mixed: then the
    sync ones run in the worker pool.
    """

    _async_methods: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "methods" not in cls.__dict__:
            methods = {key.upper() for key in http_method_funcs if hasattr(cls, key)}
            for base in cls.__bases__:
                methods.update(getattr(base, "methods", None) or ())
            if methods:
                cls.methods = methods
        names = http_method_funcs.union(map(str.lower, cls.methods or ()))
        cls._async_methods = frozenset(n for n in names if is_async(getattr(cls, n, len)))

    def dispatch_request(self, **kwargs: Any) -> vt.ResponseReturnValue:
        """Call the method for the request and return what it does, also where it is async."""
        function, waits = self._function_for_request()
        if waits:
            function = current_app.ensure_sync(function)
        return function(**kwargs)  # type: ignore[no-any-return]

    async def _dispatch_async(self, **kwargs: Any) -> vt.ResponseReturnValue:
        function, waits = self._function_for_request()
        if not waits:
            function = awaitable(function)
        return await function(**kwargs)  # type: ignore[no-any-return]

    def _function_for_request(self) -> tuple[Callable[..., Any], bool]:
        name = request.method.lower()
        function = getattr(self, name, None)
        if function is None and name == "head":
            name = "get"
            function = getattr(self, name, None)
        if function is None:
            raise AssertionError(
                f"Unimplemented method {request.method!r}: {type(self).__name__} must define"
                f" {name}(), or leave it out of 'methods'."
            )
        return function, name in self._async_methods

    @classmethod
    def _async_entry(cls) -> str | None:
        # An overridden dispatch_request() expects the inherited one to return a response.
        if cls._async_methods and cls.dispatch_request is MethodView.dispatch_request:
            return "_dispatch_async"
        return super()._async_entry()
