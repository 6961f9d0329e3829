"""Compiling an app: from its registries to a :class:`~vial.flow.Plan` for each endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial, update_wrapper
from itertools import chain
from typing import TYPE_CHECKING, Any

from .callables import is_async
from .endpoints import blueprint_names
from .flow import Function, Plan
from .sessions import SecureCookieSessionInterface

if TYPE_CHECKING:
    from .app import Vial

#: The methods that Flask documents as steps of a request. An app whose class or instance has its
#: own takes the path through the methods; everything else takes the path in ``flow.py``.
STEPS = (
    "full_dispatch_request",
    "preprocess_request",
    "dispatch_request",
    "handle_user_exception",
    "handle_http_exception",
    "handle_exception",
    "finalize_request",
    "process_response",
    "make_response",
    "raise_routing_exception",
    "do_teardown_request",
    "do_teardown_appcontext",
    "ensure_sync",
    "async_to_sync",
)


_NOSNIFF = (("X-Content-Type-Options", "nosniff"),)


def overrides_steps(app: Vial, base: type) -> bool:
    """Whether the app has a step of its own, in its class or set on the instance."""
    return any(
        name in vars(app) or getattr(type(app), name) is not getattr(base, name) for name in STEPS
    )


def make_plan(app: Vial, endpoint: str | None, base: type) -> Plan:
    """The plan of an endpoint; with ``None`` that of requests that match no rule."""
    plan = _collect(app, endpoint)
    compatible = overrides_steps(app, base)
    opens_session = _sees_every_request(app.session_interface)
    plan = replace(
        plan,
        compatible=compatible,
        tears_down=bool(compatible or plan.teardown or plan.app_teardown),
        opens_session=opens_session,
        prepares=bool(
            opens_session or plan.before or plan.preprocess or not app._got_first_request
        ),
    )
    every = (plan.view, *plan.before, *plan.after, *plan.teardown, *plan.app_teardown)
    if plan.compatible or not any(map(is_async, every)):
        return _for_lane(plan, app.ensure_sync)
    on_loop = replace(_for_lane(plan, awaitable), is_async=True)
    return replace(_for_lane(plan, app.ensure_sync), on_loop=on_loop)


def _sees_every_request(interface: Any) -> bool:
    names = ("open_session", "save_session", "is_null_session", "should_set_cookie")
    ours = SecureCookieSessionInterface
    return any(getattr(type(interface), n, None) is not getattr(ours, n) for n in names)


def _collect(app: Vial, endpoint: str | None) -> Plan:
    names = () if endpoint is None else blueprint_names(endpoint)
    outside_in = (None, *reversed(names))
    inside_out = (*names, None)
    return Plan(
        view=_no_view if endpoint is None else _view_of(app, endpoint),
        blueprints=names,
        preprocess=_of(app.url_value_preprocessors, outside_in),
        before=_of(app.before_request_funcs, outside_in),
        after=_of(app.after_request_funcs, inside_out, reverse=True),
        teardown=_of(app.teardown_request_funcs, inside_out, reverse=True),
        app_teardown=tuple(reversed(app.teardown_appcontext_funcs)),
        processors=tuple(map(app.ensure_sync, _of(app.template_context_processors, outside_in))),
        prepares=True,
        tears_down=True,
        lane=app.ensure_sync,
        headers=_NOSNIFF if app.config.get("NOSNIFF") else (),
    )


def _of(registry: Any, names: Iterable[str | None], reverse: bool = False) -> tuple[Function, ...]:
    lists = (registry.get(name, ()) for name in names)
    return tuple(chain.from_iterable(map(reversed, lists) if reverse else lists))


def _no_view(**view_args: Any) -> Any:
    raise AssertionError("A request without a rule has a routing exception, which is raised first.")


def _view_of(app: Vial, endpoint: str) -> Function:
    view = app.view_functions.get(endpoint)
    return partial(_missing_view, endpoint) if view is None else view


def _missing_view(endpoint: str, **view_args: Any) -> Any:
    raise KeyError(
        f"A rule has the endpoint {endpoint!r}, but no view function was registered for it."
        " Pass 'view_func=' to add_url_rule() or decorate one with"
        f" '@app.endpoint({endpoint!r})'."
    )


def _for_lane(plan: Plan, lane: Callable[[Function], Function]) -> Plan:
    return replace(
        plan,
        view=lane(plan.view),
        before=tuple(map(lane, plan.before)),
        after=tuple(map(lane, plan.after)),
        teardown=tuple(map(lane, plan.teardown)),
        app_teardown=tuple(map(lane, plan.app_teardown)),
        lane=lane,
    )


def awaitable(function: Function) -> Function:
    """The loop lane: async functions as they are, sync ones in the worker pool."""
    if is_async(function):
        return function
    from .concurrency import run_in_pool

    async def in_pool(*args: Any, **kwargs: Any) -> Any:
        return await run_in_pool(partial(function, *args, **kwargs))

    return update_wrapper(in_pool, function)
