"""What apps and blueprints have in common: routes, hooks, handlers, folders."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, TypeVar

from werkzeug.exceptions import HTTPException, default_exceptions

from ..lazy import lazy
from ..packages import get_root_path
from ..rendering import default_context

if TYPE_CHECKING:
    from jinja2.loaders import BaseLoader

    from .. import typing as vt
    from ..cli import AppGroup

F = TypeVar("F", bound=Callable[..., Any])

_sentinel = object()


def setupmethod(f: F) -> F:
    """Refuse to run once the app has handled a request: other workers would not see the change."""
    name = f.__name__

    def wrapper(self: Scaffold, *args: Any, **kwargs: Any) -> Any:
        self._check_setup_finished(name)
        return f(self, *args, **kwargs)

    return update_wrapper(wrapper, f)  # type: ignore[return-value]


class Scaffold:
    """Registers functions under ``None`` (the app, or this blueprint) or a blueprint's name.

    The registries are public dicts, named and shaped as Flask's.
    """

    name: str
    _static_folder: str | None = None
    _static_url_path: str | None = None

    def __init__(
        self,
        import_name: str,
        static_folder: str | os.PathLike[str] | None = None,
        static_url_path: str | None = None,
        template_folder: str | os.PathLike[str] | None = None,
        root_path: str | None = None,
    ) -> None:
        #: The name of the package or module that this object belongs to.
        self.import_name = import_name
        self.static_folder = static_folder
        self.static_url_path = static_url_path
        #: The path to the templates folder, relative to :attr:`root_path`.
        self.template_folder = template_folder
        #: Absolute path of the package on the filesystem; where relative folders start.
        self.root_path = get_root_path(import_name) if root_path is None else root_path
        self._make_registries()
        # Of blueprints too: there it wins over the app's own processors, as in Flask.
        self.template_context_processors[None].append(default_context)

    def _make_registries(self) -> None:
        lists: Callable[[], Any] = lambda: defaultdict(list)  # noqa: E731
        self.view_functions: dict[str, Callable[..., Any]] = {}
        self.error_handler_spec: Any = defaultdict(lambda: defaultdict(dict))
        self.before_request_funcs = lists()
        self.after_request_funcs = lists()
        self.teardown_request_funcs = lists()
        self.before_websocket_funcs = lists()
        self.after_websocket_funcs = lists()
        self.teardown_websocket_funcs = lists()
        self.template_context_processors = lists()
        self.url_value_preprocessors = lists()
        self.url_default_functions = lists()

    @lazy
    def cli(self) -> AppGroup:
        """The Click group for commands of this object; the ``vial`` command includes them."""
        from ..cli import AppGroup

        group = AppGroup()
        group.name = self.name
        return group

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def _check_setup_finished(self, f_name: str) -> None:
        raise NotImplementedError

    @property
    def static_folder(self) -> str | None:
        """Absolute path of the static folder; ``None`` where there is none."""
        if self._static_folder is None:
            return None
        return os.path.join(self.root_path, self._static_folder)

    @static_folder.setter
    def static_folder(self, value: str | os.PathLike[str] | None) -> None:
        self._static_folder = None if value is None else os.fspath(value).rstrip(r"\/")

    @property
    def has_static_folder(self) -> bool:
        """Whether a static folder is set."""
        return self.static_folder is not None

    @property
    def static_url_path(self) -> str | None:
        """The URL prefix of the static files; by default ``/`` and the folder's name."""
        if self._static_url_path is not None:
            return self._static_url_path
        if self.static_folder is not None:
            return f"/{os.path.basename(self.static_folder)}".rstrip("/")
        return None

    @static_url_path.setter
    def static_url_path(self, value: str | None) -> None:
        self._static_url_path = None if value is None else value.rstrip("/")

    @lazy
    def jinja_loader(self) -> BaseLoader | None:
        """The Jinja loader of :attr:`template_folder`."""
        if self.template_folder is None:
            return None
        from jinja2 import FileSystemLoader

        return FileSystemLoader(os.path.join(self.root_path, self.template_folder))

    def _method_route(
        self, method: str, rule: str, options: dict[str, Any]
    ) -> Callable[[vt.T_route], vt.T_route]:
        if "methods" in options:
            raise TypeError(
                f"'{method.lower()}()' takes no 'methods': it is a route for {method}."
                " Use 'route()' to name several methods."
            )
        return self.route(rule, methods=[method], **options)

    def get(self, rule: str, **options: Any) -> Callable[[vt.T_route], vt.T_route]:
        """:meth:`route` for GET (and HEAD)."""
        return self._method_route("GET", rule, options)

    def post(self, rule: str, **options: Any) -> Callable[[vt.T_route], vt.T_route]:
        """:meth:`route` for POST."""
        return self._method_route("POST", rule, options)

    def put(self, rule: str, **options: Any) -> Callable[[vt.T_route], vt.T_route]:
        """:meth:`route` for PUT."""
        return self._method_route("PUT", rule, options)

    def delete(self, rule: str, **options: Any) -> Callable[[vt.T_route], vt.T_route]:
        """:meth:`route` for DELETE."""
        return self._method_route("DELETE", rule, options)

    def patch(self, rule: str, **options: Any) -> Callable[[vt.T_route], vt.T_route]:
        """:meth:`route` for PATCH."""
        return self._method_route("PATCH", rule, options)

    @setupmethod
    def route(self, rule: str, **options: Any) -> Callable[[vt.T_route], vt.T_route]:
        """Decorate a view: call it for requests whose URL matches ``rule``.

        The options are those of :meth:`add_url_rule`; ``endpoint`` is by default the function's
        name.
        """
        if callable(rule):
            raise TypeError(
                f"A route needs the rule of its URLs, as in @app.route('/path'); it was given"
                f" {rule!r}. Were the parentheses forgotten?"
            )

        def decorator(f: vt.T_route) -> vt.T_route:
            endpoint = options.pop("endpoint", None)
            self.add_url_rule(rule, endpoint, f, **options)
            return f

        return decorator

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: vt.RouteCallable | None = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        raise NotImplementedError

    def websocket(self, rule: str, **options: Any) -> Callable[[F], F]:
        """Decorate a view for WebSockets whose URL matches ``rule``: it talks to the client by
        :data:`vial.websocket` for as long as it runs.

        An async view runs on the server's loop, a sync one in a thread of its own. It needs a
        server that speaks ASGI or RSGI; ``vial run`` and ``vial serve`` do.
        """
        if callable(rule):
            raise TypeError(
                "A WebSocket needs the rule of its URLs, as in @app.websocket('/path'); it was"
                f" given {rule!r}. Were the parentheses forgotten?"
            )

        def decorator(f: F) -> F:
            self.add_websocket(rule, options.pop("endpoint", None), f, **options)
            return f

        return decorator

    def add_websocket(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        **options: Any,
    ) -> None:
        """:meth:`websocket` as a plain call; the options are those of :meth:`add_url_rule`."""
        if "methods" in options:
            raise TypeError("A WebSocket takes no 'methods': its handshake is always a GET.")
        self.add_url_rule(
            rule, endpoint, view_func, False, methods=["GET"], websocket=True, **options
        )

    @setupmethod
    def endpoint(self, endpoint: str) -> Callable[[F], F]:
        """Decorate the view of an endpoint whose rule was added without one."""

        def decorator(f: F) -> F:
            self.view_functions[endpoint] = f
            return f

        return decorator

    @setupmethod
    def before_request(self, f: vt.T_before_request) -> vt.T_before_request:
        """Call ``f()`` before each request; what it returns, if anything, is the response."""
        self.before_request_funcs.setdefault(None, []).append(f)
        return f

    @setupmethod
    def after_request(self, f: vt.T_after_request) -> vt.T_after_request:
        """Call ``f(response)`` after each request; it returns the response to send."""
        self.after_request_funcs.setdefault(None, []).append(f)
        return f

    @setupmethod
    def teardown_request(self, f: vt.T_teardown) -> vt.T_teardown:
        """Call ``f(exc)`` when the request ends, also after an error."""
        self.teardown_request_funcs.setdefault(None, []).append(f)
        return f

    @setupmethod
    def before_websocket(self, f: vt.T_before_request) -> vt.T_before_request:
        """Call ``f()`` before each WebSocket; what it returns, if anything, refuses it: an answer
        by HTTP to the handshake."""
        self.before_websocket_funcs.setdefault(None, []).append(f)
        return f

    @setupmethod
    def after_websocket(self, f: F) -> F:
        """Call ``f(response)`` after the view of each WebSocket: with the answer of one that was
        refused, which it may replace, and else with ``None``."""
        self.after_websocket_funcs.setdefault(None, []).append(f)
        return f

    @setupmethod
    def teardown_websocket(self, f: vt.T_teardown) -> vt.T_teardown:
        """Call ``f(exc)`` when the WebSocket is over, also after an error."""
        self.teardown_websocket_funcs.setdefault(None, []).append(f)
        return f

    @setupmethod
    def context_processor(
        self, f: vt.T_template_context_processor
    ) -> vt.T_template_context_processor:
        """Call ``f()`` before a template is rendered; it returns a dict of template variables."""
        self.template_context_processors[None].append(f)
        return f

    @setupmethod
    def url_value_preprocessor(self, f: vt.T_url_value_preprocessor) -> vt.T_url_value_preprocessor:
        """Call ``f(endpoint, values)`` before the request; it may change ``values``."""
        self.url_value_preprocessors[None].append(f)
        return f

    @setupmethod
    def url_defaults(self, f: vt.T_url_defaults) -> vt.T_url_defaults:
        """Call ``f(endpoint, values)`` when a URL is built; it may change ``values``."""
        self.url_default_functions[None].append(f)
        return f

    @setupmethod
    def errorhandler(
        self, code_or_exception: type[Exception] | int
    ) -> Callable[[vt.T_error_handler], vt.T_error_handler]:
        """Decorate a function ``f(error)`` that answers for a status code or exception class."""
        self._get_exc_class_and_code(code_or_exception)  # a mistake is told where it was made

        def decorator(f: vt.T_error_handler) -> vt.T_error_handler:
            self.register_error_handler(code_or_exception, f)
            return f

        return decorator

    @setupmethod
    def register_error_handler(
        self, code_or_exception: type[Exception] | int, f: vt.ErrorHandlerCallable
    ) -> None:
        """:meth:`errorhandler` as a plain call."""
        exc_class, code = self._get_exc_class_and_code(code_or_exception)
        self.error_handler_spec[None][code][exc_class] = f

    @staticmethod
    def _get_exc_class_and_code(
        exc_class_or_code: type[Exception] | int,
    ) -> tuple[type[Exception], int | None]:
        exc_class: Any = exc_class_or_code
        if isinstance(exc_class_or_code, int):
            exc_class = default_exceptions.get(exc_class_or_code)
            if exc_class is None:
                raise ValueError(
                    f"{exc_class_or_code!r} is not the code of an HTTP error. Register a handler"
                    " for a subclass of HTTPException with that code instead."
                )
        if isinstance(exc_class, Exception):
            raise TypeError(
                f"{exc_class!r} is an instance. Handlers are registered for exception classes or"
                " HTTP error codes."
            )
        if not (isinstance(exc_class, type) and issubclass(exc_class, Exception)):
            raise ValueError(f"{exc_class!r} is neither an exception class nor an HTTP error code.")
        code = exc_class.code if issubclass(exc_class, HTTPException) else None
        return exc_class, code


def _registering(add: Callable[..., None], name: Any) -> Callable[[F], F]:
    if callable(name):  # the decorator was used without parentheses
        add(name, name=None)
        return name  # type: ignore[no-any-return]

    def decorator(f: F) -> F:
        add(f, name=name)
        return f

    return decorator


def _endpoint_from_view_func(view_func: Callable[..., Any] | None) -> str:
    if view_func is None:
        # The class that Flask raises.
        raise AssertionError("add_url_rule() needs an 'endpoint' or a 'view_func' to take it from.")
    return view_func.__name__
