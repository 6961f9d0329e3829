"""What a blueprint records, and what becomes of it when the blueprint is registered on an app."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from .scaffold import (
    Scaffold,
    _endpoint_from_view_func,
    _registering,
    _sentinel,
    setupmethod,
)

if TYPE_CHECKING:
    from .. import typing as vt
    from .app import App

DeferredSetupFunction = Callable[["BlueprintSetupState"], None]
F = TypeVar("F", bound=Callable[..., Any])


class BlueprintSetupState:
    """What one registration of a blueprint on an app decided; deferred functions get it."""

    def __init__(
        self, blueprint: Blueprint, app: App, options: Any, first_registration: bool
    ) -> None:
        self.app = app
        self.blueprint = blueprint
        self.options = options
        #: A blueprint may be registered several times; some things are done once.
        self.first_registration = first_registration
        self.subdomain = _first(options.get("subdomain"), blueprint.subdomain)
        self.url_prefix = _first(options.get("url_prefix"), blueprint.url_prefix)
        self.name = options.get("name", blueprint.name)
        self.name_prefix = options.get("name_prefix", "")
        self.url_defaults = {**blueprint.url_values_defaults, **options.get("url_defaults", {})}

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: vt.RouteCallable | None = None,
        **options: Any,
    ) -> None:
        """Add a rule to the app, under the prefix and with the name of this registration."""
        if self.url_prefix is not None:
            rule = _joined(self.url_prefix, rule)
        options.setdefault("subdomain", self.subdomain)
        endpoint = _endpoint_from_view_func(view_func) if endpoint is None else endpoint
        defaults = {**self.url_defaults, **(options.pop("defaults", None) or {})}
        self.app.add_url_rule(
            rule,
            f"{self.name_prefix}.{self.name}.{endpoint}".lstrip("."),
            view_func,
            defaults=defaults,
            **options,
        )


class Blueprint(Scaffold):
    """The setup half of :class:`~vial.Blueprint`; use that."""

    _got_registered_once = False

    def __init__(
        self,
        name: str,
        import_name: str,
        static_folder: str | os.PathLike[str] | None = None,
        static_url_path: str | None = None,
        template_folder: str | os.PathLike[str] | None = None,
        url_prefix: str | None = None,
        subdomain: str | None = None,
        url_defaults: dict[str, Any] | None = None,
        root_path: str | None = None,
        cli_group: str | None = _sentinel,  # type: ignore[assignment]
    ) -> None:
        super().__init__(import_name, static_folder, static_url_path, template_folder, root_path)
        if not name:
            raise ValueError("A blueprint's 'name' may not be empty.")
        if "." in name:
            raise ValueError(f"The blueprint's name {name!r} may not have a dot in it.")
        self.name = name
        self.url_prefix = url_prefix
        self.subdomain = subdomain
        self.deferred_functions: list[DeferredSetupFunction] = []
        self.url_values_defaults = url_defaults or {}
        self.cli_group = cli_group
        self._blueprints: list[tuple[Blueprint, dict[str, Any]]] = []

    def _check_setup_finished(self, f_name: str) -> None:
        if self._got_registered_once:
            raise AssertionError(
                f"'{f_name}' was called on the blueprint {self.name!r} after it was registered."
                " The app would not see the change: register the blueprint last."
            )

    @setupmethod
    def record(self, func: DeferredSetupFunction) -> None:
        """Call ``func(state)`` at each registration on an app."""
        self.deferred_functions.append(func)

    @setupmethod
    def record_once(self, func: DeferredSetupFunction) -> None:
        """Call ``func(state)`` at the first registration on an app."""

        def once(state: BlueprintSetupState) -> None:
            if state.first_registration:
                func(state)

        self.record(once)

    def make_setup_state(
        self, app: App, options: dict[str, Any], first_registration: bool = False
    ) -> BlueprintSetupState:
        """Make the state that is passed to the deferred functions."""
        return BlueprintSetupState(self, app, options, first_registration)

    @setupmethod
    def register_blueprint(self, blueprint: Blueprint, **options: Any) -> None:
        """Nest a blueprint in this one; prefixes and names are joined."""
        if blueprint is self:
            raise ValueError(f"The blueprint {self.name!r} cannot be registered on itself.")
        self._blueprints.append((blueprint, options))

    def register(self, app: App, options: dict[str, Any]) -> None:
        """What ``app.register_blueprint`` calls.

        :raises ValueError: if another registration has the same name.
        """
        own_name = options.get("name", self.name)
        name = f"{options.get('name_prefix', '')}.{own_name}".lstrip(".")
        self._claim_name(app, name, own_name)
        first_bp_registration = not any(bp is self for bp in app.blueprints.values())
        first_name_registration = name not in app.blueprints
        app.blueprints[name] = self
        self._got_registered_once = True
        state = self.make_setup_state(app, options, first_bp_registration)
        if self.has_static_folder:
            state.add_url_rule(
                f"{self.static_url_path}/<path:filename>",
                view_func=self.send_static_file,  # type: ignore[attr-defined]
                endpoint="static",
            )
        if first_bp_registration or first_name_registration:
            self._merge_blueprint_funcs(app, name)
        for deferred in self.deferred_functions:
            deferred(state)
        self._register_commands(app, name, options)
        for blueprint, nested in self._blueprints:
            blueprint.register(app, _nested_options(state, blueprint, nested, name))

    def _claim_name(self, app: App, name: str, own_name: str) -> None:
        other = app.blueprints.get(name)
        if other is None:
            return
        which = "this blueprint" if other is self else "another blueprint"
        raise ValueError(
            f"The name {own_name!r} is already registered for {which} (as {name!r})."
            " Pass 'name=' to register_blueprint() to give this registration a name of its own."
        )

    def _register_commands(self, app: App, name: str, options: dict[str, Any]) -> None:
        if "cli" not in vars(self) or not self.cli.commands:
            return
        group = options.get("cli_group", self.cli_group)
        if group is None:
            app.cli.commands.update(self.cli.commands)
            return
        self.cli.name = name if group is _sentinel else group
        app.cli.add_command(self.cli)

    def _merge_blueprint_funcs(self, app: App, name: str) -> None:
        for attribute in (
            "before_request_funcs",
            "after_request_funcs",
            "teardown_request_funcs",
            "before_websocket_funcs",
            "after_websocket_funcs",
            "teardown_websocket_funcs",
            "url_default_functions",
            "url_value_preprocessors",
            "template_context_processors",
        ):
            for key, functions in getattr(self, attribute).items():
                getattr(app, attribute)[_scoped(name, key)].extend(functions)
        for key, by_code in self.error_handler_spec.items():
            for code, handlers in by_code.items():
                app.error_handler_spec[_scoped(name, key)][code].update(handlers)
        for endpoint, view in self.view_functions.items():
            app.view_functions[endpoint] = view

    @setupmethod
    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: vt.RouteCallable | None = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """:meth:`Vial.add_url_rule`, under the blueprint's prefix and name."""
        for what, name in (("endpoint", endpoint), ("view_func", _name(view_func))):
            if name and "." in name:
                raise ValueError(f"The {what} {name!r} of a blueprint may not have a dot in it.")
        self.record(
            lambda state: state.add_url_rule(
                rule,
                endpoint,
                view_func,
                provide_automatic_options=provide_automatic_options,
                **options,
            )
        )

    # -- functions for the whole app -------------------------------------------------------------

    def _on_app(self, registry: str, f: F) -> F:
        self.record_once(lambda s: getattr(s.app, registry)[None].append(f))
        return f

    @setupmethod
    def before_app_request(self, f: vt.T_before_request) -> vt.T_before_request:
        """:meth:`before_request` for every request of the app."""
        return self._on_app("before_request_funcs", f)

    @setupmethod
    def after_app_request(self, f: vt.T_after_request) -> vt.T_after_request:
        """:meth:`after_request` for every request of the app."""
        return self._on_app("after_request_funcs", f)

    @setupmethod
    def teardown_app_request(self, f: vt.T_teardown) -> vt.T_teardown:
        """:meth:`teardown_request` for every request of the app."""
        return self._on_app("teardown_request_funcs", f)

    @setupmethod
    def before_app_websocket(self, f: vt.T_before_request) -> vt.T_before_request:
        """:meth:`before_websocket` for every WebSocket of the app."""
        return self._on_app("before_websocket_funcs", f)

    @setupmethod
    def after_app_websocket(self, f: F) -> F:
        """:meth:`after_websocket` for every WebSocket of the app."""
        return self._on_app("after_websocket_funcs", f)

    @setupmethod
    def teardown_app_websocket(self, f: vt.T_teardown) -> vt.T_teardown:
        """:meth:`teardown_websocket` for every WebSocket of the app."""
        return self._on_app("teardown_websocket_funcs", f)

    @setupmethod
    def app_context_processor(
        self, f: vt.T_template_context_processor
    ) -> vt.T_template_context_processor:
        """:meth:`context_processor` for every template of the app."""
        return self._on_app("template_context_processors", f)

    @setupmethod
    def app_url_value_preprocessor(
        self, f: vt.T_url_value_preprocessor
    ) -> vt.T_url_value_preprocessor:
        """:meth:`url_value_preprocessor` for every request of the app."""
        return self._on_app("url_value_preprocessors", f)

    @setupmethod
    def app_url_defaults(self, f: vt.T_url_defaults) -> vt.T_url_defaults:
        """:meth:`url_defaults` for every URL of the app."""
        return self._on_app("url_default_functions", f)

    @setupmethod
    def app_errorhandler(
        self, code: type[Exception] | int
    ) -> Callable[[vt.T_error_handler], vt.T_error_handler]:
        """:meth:`errorhandler` for every request of the app."""
        self._get_exc_class_and_code(code)

        def decorator(f: vt.T_error_handler) -> vt.T_error_handler:
            self.record_once(lambda state: state.app.register_error_handler(code, f))
            return f

        return decorator

    @setupmethod
    def app_template_filter(
        self, name: str | None = None
    ) -> Callable[[vt.T_template_filter], vt.T_template_filter]:
        """:meth:`Vial.template_filter`."""
        return _registering(self.add_app_template_filter, name)

    @setupmethod
    def add_app_template_filter(self, f: Callable[..., Any], name: str | None = None) -> None:
        """:meth:`Vial.add_template_filter`."""
        self.record_once(lambda state: state.app.add_template_filter(f, name=name))

    @setupmethod
    def app_template_test(
        self, name: str | None = None
    ) -> Callable[[vt.T_template_test], vt.T_template_test]:
        """:meth:`Vial.template_test`."""
        return _registering(self.add_app_template_test, name)

    @setupmethod
    def add_app_template_test(self, f: Callable[..., bool], name: str | None = None) -> None:
        """:meth:`Vial.add_template_test`."""
        self.record_once(lambda state: state.app.add_template_test(f, name=name))

    @setupmethod
    def app_template_global(
        self, name: str | None = None
    ) -> Callable[[vt.T_template_global], vt.T_template_global]:
        """:meth:`Vial.template_global`."""
        return _registering(self.add_app_template_global, name)

    @setupmethod
    def add_app_template_global(self, f: Callable[..., Any], name: str | None = None) -> None:
        """:meth:`Vial.add_template_global`."""
        self.record_once(lambda state: state.app.add_template_global(f, name=name))


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _name(view_func: Any) -> str | None:
    return getattr(view_func, "__name__", None)


def _scoped(name: str, key: str | None) -> str:
    return name if key is None else f"{name}.{key}"


def _joined(prefix: str, rule: str) -> str:
    return f"{prefix.rstrip('/')}/{rule.lstrip('/')}" if rule else prefix


def _nested_options(
    state: BlueprintSetupState, blueprint: Blueprint, options: dict[str, Any], name: str
) -> dict[str, Any]:
    rv = dict(options)
    own_subdomain = _first(rv.get("subdomain"), blueprint.subdomain)
    if state.subdomain is not None and own_subdomain is not None:
        own_subdomain += f".{state.subdomain}"
    own_prefix = _first(rv.get("url_prefix"), blueprint.url_prefix)
    if state.url_prefix is not None and own_prefix is not None:
        own_prefix = f"{state.url_prefix.rstrip('/')}/{own_prefix.lstrip('/')}"
    found = {
        "subdomain": _first(own_subdomain, state.subdomain),
        "url_prefix": _first(own_prefix, state.url_prefix),
        "name_prefix": name,
    }
    return rv | {key: value for key, value in found.items() if value is not None}
