"""The app before its first request: configuration, rules, blueprints, Jinja, error handlers."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, ValuesView
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from weakref import ref

from werkzeug.datastructures import ImmutableDict
from werkzeug.exceptions import Aborter, BadRequest, BadRequestKeyError
from werkzeug.routing import BuildError, Rule
from werkzeug.utils import cached_property, redirect

from ..config import Config, ConfigAttribute
from ..ctx import _AppCtxGlobals
from ..endpoints import blueprint_names
from ..json.provider import DefaultJSONProvider, JSONProvider
from ..late import late
from ..lazy import lazy
from ..logging import create_logger
from ..packages import auto_instance_path
from ..routing import Map
from ..routing.map import watched
from ..sessions import SecureCookieSessionInterface, SessionInterface
from ..watched import WatchedDict, WatchedList, error_handlers, lists_by_key
from .scaffold import Scaffold, _endpoint_from_view_func, _registering, setupmethod

if TYPE_CHECKING:
    from jinja2 import Environment
    from werkzeug.wrappers import Response as BaseResponse

    from .. import typing as vt
    from ..flow import Plan
    from ..testing import FlaskClient, FlaskCliRunner
    from ..wrappers import Request, Response
    from .blueprints import Blueprint

F = TypeVar("F", bound=Callable[..., Any])


def _seconds(value: timedelta | int | None) -> timedelta | None:
    return value if value is None or isinstance(value, timedelta) else timedelta(seconds=value)


class App(Scaffold):
    """The setup half of :class:`~vial.Vial`; use that."""

    aborter_class = Aborter
    app_ctx_globals_class = _AppCtxGlobals
    config_class = Config
    json_provider_class: type[JSONProvider] = DefaultJSONProvider
    url_rule_class = Rule
    url_map_class = Map
    test_client_class: type[FlaskClient] | None = None
    test_cli_runner_class: type[FlaskCliRunner] | None = None
    session_interface: SessionInterface = SecureCookieSessionInterface()
    jinja_environment: Any = late("vial.templating", "Environment")
    jinja_options: ClassVar[dict[str, Any]] = {}
    default_config: ClassVar[Any] = ImmutableDict()
    request_class: type[Request]
    response_class: type[Response]

    testing = ConfigAttribute[bool]("TESTING")
    secret_key = ConfigAttribute[str | bytes | None]("SECRET_KEY")
    permanent_session_lifetime = ConfigAttribute[timedelta](
        "PERMANENT_SESSION_LIFETIME",
        get_converter=_seconds,  # type: ignore[arg-type]
    )

    def __init__(
        self,
        import_name: str,
        static_url_path: str | None = None,
        static_folder: str | os.PathLike[str] | None = "static",
        static_host: str | None = None,
        host_matching: bool = False,
        subdomain_matching: bool = False,
        template_folder: str | os.PathLike[str] | None = "templates",
        instance_path: str | None = None,
        instance_relative_config: bool = False,
        root_path: str | None = None,
    ) -> None:
        self._plans: dict[Any, Plan] = {}
        #: Host headers seen and found well formed; ``None`` is the absent one of HTTP/1.0.
        self._known_hosts: set[str | None] = {None}
        super().__init__(import_name, static_folder, static_url_path, template_folder, root_path)
        self.instance_path = self._checked_instance_path(instance_path)
        self.config = self.make_config(instance_relative_config)
        self.aborter = self.make_aborter()
        self.json = self.json_provider_class(self)  # type: ignore[arg-type]
        self.url_build_error_handlers: list[Callable[..., str]] = []
        self.teardown_appcontext_funcs: list[vt.TeardownCallable] = WatchedList(self._thaw)
        self.shell_context_processors: list[vt.ShellContextProcessorCallable] = []
        self.blueprints: dict[str, Blueprint] = {}
        #: A place for extensions to keep their state: ``{"my_extension": …}``.
        self.extensions: dict[str, Any] = {}
        self.url_map = watched(self.url_map_class)(host_matching=host_matching)
        self.url_map.watch(self._thaw)
        self.subdomain_matching = subdomain_matching
        self._got_first_request = False
        self._has_streams = False  # routes with stream=True
        if self.has_static_folder:
            self._add_static_rule(static_host, host_matching)

    def _add_static_rule(self, static_host: str | None, host_matching: bool) -> None:
        if bool(static_host) != host_matching:
            raise AssertionError(
                "'static_host' and 'host_matching=True' go together: with host matching the"
                " static files need a host, without it they cannot have one."
            )
        this = ref(self)  # the map must not keep the app alive
        self.add_url_rule(
            f"{self.static_url_path}/<path:filename>",
            endpoint="static",
            host=static_host,
            view_func=lambda **values: this().send_static_file(**values),  # type: ignore[union-attr]
        )

    def _make_registries(self) -> None:
        self.view_functions = WatchedDict(self._thaw)
        self.error_handler_spec = error_handlers(self._thaw)
        self.before_request_funcs = lists_by_key(self._thaw)
        self.after_request_funcs = lists_by_key(self._thaw)
        self.teardown_request_funcs = lists_by_key(self._thaw)
        self.before_websocket_funcs = lists_by_key(self._thaw)
        self.after_websocket_funcs = lists_by_key(self._thaw)
        self.teardown_websocket_funcs = lists_by_key(self._thaw)
        self.url_value_preprocessors = lists_by_key(self._thaw)
        self.url_default_functions = lists_by_key(self._thaw)
        self.template_context_processors = lists_by_key(self._thaw)

    def _thaw(self) -> None:
        """Drop what was compiled from the registries; the next request compiles it again."""
        raise NotImplementedError

    def _checked_instance_path(self, instance_path: str | None) -> str:
        if instance_path is None:
            return self.auto_find_instance_path()
        if not os.path.isabs(instance_path):
            raise ValueError(
                f"instance_path={instance_path!r} is relative. Pass an absolute path, such as"
                " os.path.join(os.path.dirname(__file__), 'instance')."
            )
        return instance_path

    def _check_setup_finished(self, f_name: str) -> None:
        if self._got_first_request:
            raise AssertionError(
                f"'{f_name}' was called on the app after it handled its first request. Some"
                " requests and some workers would not see the change: call it while the app is"
                " set up, before it runs."
            )

    @cached_property
    def name(self) -> str:
        """The import name; for a script the name of its file."""
        if self.import_name == "__main__":
            filename: str | None = getattr(sys.modules["__main__"], "__file__", None)
            if filename is not None:
                return os.path.splitext(os.path.basename(filename))[0]
        return self.import_name

    @cached_property
    def logger(self) -> logging.Logger:
        """The logger of the name :attr:`name`."""
        return create_logger(self)

    @lazy
    def jinja_env(self) -> Environment:
        """The Jinja environment, made at first access; options are set before that."""
        return self.create_jinja_environment()

    def create_jinja_environment(self) -> Environment:
        raise NotImplementedError

    def make_config(self, instance_relative: bool = False) -> Config:
        """Make the config; relative files are found in the instance or the root folder."""
        defaults = dict(self.default_config)
        defaults["DEBUG"] = os.environ.get("FLASK_DEBUG", "").lower() not in _FALSE
        root = self.instance_path if instance_relative else self.root_path
        return self.config_class(root, defaults)

    def make_aborter(self) -> Aborter:
        """Make what :func:`~vial.abort` calls."""
        return self.aborter_class()

    def auto_find_instance_path(self) -> str:
        """Where the instance folder is when none was given."""
        return auto_instance_path(self.import_name, self.name)

    def create_global_jinja_loader(self) -> Any:
        """A loader that looks in the app's templates, then in those of its blueprints."""
        from ..templating import DispatchingJinjaLoader

        return DispatchingJinjaLoader(self)  # type: ignore[arg-type]

    def select_jinja_autoescape(self, filename: str | None) -> bool:
        """Whether a template's output is escaped: yes for HTML, XML, SVG and strings."""
        if filename is None:
            return True
        return filename.endswith((".html", ".htm", ".xml", ".xhtml", ".svg"))

    @property
    def debug(self) -> bool:
        """The config's ``DEBUG``."""
        return self.config["DEBUG"]  # type: ignore[no-any-return]

    @debug.setter
    def debug(self, value: bool) -> None:
        self.config["DEBUG"] = value
        if self.config["TEMPLATES_AUTO_RELOAD"] is None:
            self.jinja_env.auto_reload = value

    @setupmethod
    def register_blueprint(self, blueprint: Blueprint, **options: Any) -> None:
        """Register a blueprint; the options (``url_prefix``, ``name``, …) override its own."""
        blueprint.register(self, options)

    def iter_blueprints(self) -> ValuesView[Blueprint]:
        """The registered blueprints in the order of their registration."""
        return self.blueprints.values()

    @setupmethod
    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: vt.RouteCallable | None = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """Call ``view_func`` for URLs that match ``rule``.

        :param endpoint: the name for :meth:`url_for`, by default that of the function.
        :param provide_automatic_options: answer OPTIONS requests, by default yes unless
            ``methods`` has OPTIONS. ``True`` answers them where ``methods`` has it.
        :param options: ``methods`` (``GET``), ``defaults``, ``strict_slashes``, ``subdomain``,
            … of :class:`werkzeug.routing.Rule`. With ``stream=True`` the view begins before the
            body was received and reads it as it comes, from ``request.stream`` (``async for`` in
            an async view); under WSGI every view does.
        :raises AssertionError: if the endpoint already has another view.
        """
        endpoint = _endpoint_from_view_func(view_func) if endpoint is None else endpoint
        methods = _methods(rule, options.pop("methods", None), view_func)
        stream = options.pop("stream", False)
        required = {m.upper() for m in getattr(view_func, "required_methods", ())}
        if provide_automatic_options is None:
            provide_automatic_options = getattr(view_func, "provide_automatic_options", None)
        if provide_automatic_options is None:
            provide_automatic_options = (
                "OPTIONS" not in methods and self.config["PROVIDE_AUTOMATIC_OPTIONS"]
            )
            if provide_automatic_options:  # one that was asked for finds OPTIONS in methods
                required.add("OPTIONS")
        methods |= required
        try:
            rule_object = self.url_rule_class(rule, methods=methods, endpoint=endpoint, **options)
            rule_object.provide_automatic_options = provide_automatic_options  # type: ignore[attr-defined]
            rule_object.stream = stream  # type: ignore[attr-defined]
            self._has_streams |= stream
            self.url_map.add(rule_object)
        except (ValueError, LookupError, TypeError, SyntaxError) as e:
            raise _told(e, rule, endpoint, self.url_map.converters) from e
        if view_func is not None:
            self._set_view(endpoint, view_func)

    def _set_view(self, endpoint: str, view_func: Callable[..., Any]) -> None:
        if hasattr(view_func, "as_view"):
            raise TypeError(
                f"The view of the endpoint {endpoint!r} is the class {_where(view_func)}. Pass a"
                f" view function of it: view_func={view_func.__name__}.as_view({endpoint!r})."
            )
        old = self.view_functions.get(endpoint)
        if old is not None and old != view_func:
            raise AssertionError(_taken(endpoint, old, view_func))
        self.view_functions[endpoint] = view_func

    @setupmethod
    def template_filter(
        self, name: str | None = None
    ) -> Callable[[vt.T_template_filter], vt.T_template_filter]:
        """Decorate a Jinja filter."""
        return _registering(self.add_template_filter, name)

    @setupmethod
    def add_template_filter(self, f: Callable[..., Any], name: str | None = None) -> None:
        """:meth:`template_filter` as a plain call."""
        self.jinja_env.filters[name or f.__name__] = f

    @setupmethod
    def template_test(
        self, name: str | None = None
    ) -> Callable[[vt.T_template_test], vt.T_template_test]:
        """Decorate a Jinja test."""
        return _registering(self.add_template_test, name)

    @setupmethod
    def add_template_test(self, f: Callable[..., bool], name: str | None = None) -> None:
        """:meth:`template_test` as a plain call."""
        self.jinja_env.tests[name or f.__name__] = f

    @setupmethod
    def template_global(
        self, name: str | None = None
    ) -> Callable[[vt.T_template_global], vt.T_template_global]:
        """Decorate a function that every template may call."""
        return _registering(self.add_template_global, name)

    @setupmethod
    def add_template_global(self, f: Callable[..., Any], name: str | None = None) -> None:
        """:meth:`template_global` as a plain call."""
        self.jinja_env.globals[name or f.__name__] = f

    @setupmethod
    def teardown_appcontext(self, f: vt.T_teardown) -> vt.T_teardown:
        """Call ``f(exc)`` when an app context ends, also after an error."""
        self.teardown_appcontext_funcs.append(f)
        return f

    @setupmethod
    def shell_context_processor(
        self, f: vt.T_shell_context_processor
    ) -> vt.T_shell_context_processor:
        """Call ``f()`` for a dict of names that the shell starts with."""
        self.shell_context_processors.append(f)
        return f

    def _find_error_handler(
        self, e: Exception, blueprints: tuple[str, ...] | list[str]
    ) -> Callable[..., Any] | None:
        """The handler for an exception: by code before by class, blueprints before the app, and
        the nearest class of the exception's MRO."""
        exc_class, code = self._get_exc_class_and_code(type(e))
        names = (*blueprints, None)
        for c in (code, None) if code is not None else (None,):
            for name in names:
                handlers = self.error_handler_spec.get(name, {}).get(c)
                if not handlers:
                    continue
                for cls in exc_class.__mro__:
                    handler = handlers.get(cls)
                    if handler is not None:
                        return handler  # type: ignore[no-any-return]
        return None

    def trap_http_exception(self, e: Exception) -> bool:
        """Whether an HTTP error is treated like any other exception (``TRAP_*``)."""
        if self.config["TRAP_HTTP_EXCEPTIONS"]:
            return True
        trap_bad_request = self.config["TRAP_BAD_REQUEST_ERRORS"]
        if trap_bad_request is None and self.debug and isinstance(e, BadRequestKeyError):
            return True
        return bool(trap_bad_request) and isinstance(e, BadRequest)

    def should_ignore_error(self, error: BaseException | None) -> bool:
        """Whether teardown functions are told of no error although there was one: never."""
        return False

    def redirect(self, location: str, code: int = 302) -> BaseResponse:
        """Make a redirect; what :func:`~vial.redirect` calls."""
        return redirect(location, code=code, Response=self.response_class)

    def inject_url_defaults(self, endpoint: str, values: dict[str, Any]) -> None:
        """Run the ``url_defaults`` functions of the app and of the endpoint's blueprints."""
        functions = self.url_default_functions
        if not functions:
            return
        names = chain((None,), reversed(blueprint_names(endpoint)))
        for function in chain.from_iterable(functions.get(name, ()) for name in names):
            function(endpoint, values)

    def handle_url_build_error(
        self, error: BuildError, endpoint: str, values: dict[str, Any]
    ) -> str:
        """Ask ``url_build_error_handlers`` for a URL; raise the error where none knows one."""
        for handler in self.url_build_error_handlers:
            try:
                rv = handler(error, endpoint, values)
            except BuildError as e:
                error = e
            else:
                if rv is not None:
                    return rv
        raise error


#: What people write for a converter that has another name.
_CONVERTERS = {"str": "string", "integer": "int", "number": "int", "decimal": "float"}
_FALSE = {"", "0", "false", "no", "off"}


def _methods(rule: str, methods: Any, view_func: Any) -> set[str]:
    if methods is None:
        methods = getattr(view_func, "methods", None) or ("GET",)
    if isinstance(methods, str):
        raise TypeError(
            f"methods={methods!r} of the rule {rule!r} is a string."
            f" Pass a list, as in methods=[{methods!r}]."
        )
    return {m.upper() for m in methods}


def _told(e: Exception, rule: str, endpoint: str, converters: Any) -> Exception:
    """Werkzeug's error about a rule, with the rule and what to do about it."""
    why: Any = e
    if isinstance(e, SyntaxError):  # of the code that Werkzeug makes of the rule
        why = "the name of a variable is used twice"
    if type(e) is LookupError:
        cure = _converters(str(e), converters)
    elif type(e) in (ValueError, SyntaxError):
        cure = "A rule starts with '/', a variable is <name> or <converter:name>, each name once"
    elif type(e) is TypeError:
        cure = "The options of a rule are methods, defaults, strict_slashes, subdomain, host, …"
    else:
        return e
    return type(e)(f"The rule {rule!r} of the endpoint {endpoint!r} is not valid: {why}. {cure}.")


def _converters(text: str, known: Any) -> str:
    """The converters that there are, and the one that was likely meant."""
    from ..hints.names import did_you_mean

    name = text.partition("'")[2].partition("'")[0]
    name = _CONVERTERS.get(name.lower(), name)
    return (
        f"There are {', '.join(known)}.{did_you_mean(name, known)} Add yours to"
        " url_map.converters before the rule"
    )


def _taken(endpoint: str, old: Callable[..., Any], new: Callable[..., Any]) -> str:
    """What to say where two functions want one endpoint."""
    text = f"The endpoint {endpoint!r} already belongs to {_where(old)}, and"
    cells = getattr(new, "__closure__", None) or ()
    if _where(old) == _where(new) and any(callable(cell.cell_contents) for cell in cells):
        return (
            f"{text} another {_where(new)} wants it too: the inner function of a decorator. Put"
            " @functools.wraps(f) above it, so that each view keeps its own name, or pass"
            " 'endpoint=' to the route."
        )
    return (
        f"{text} {_where(new)} wants it too. Rename one function or pass 'endpoint=' to its route;"
        " a decorator between them may want functools.wraps."
    )


def _where(function: Callable[..., Any]) -> str:
    return f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', function)}"
