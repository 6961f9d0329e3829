"""Compiling an app: from its registries to a :class:`~vial.flow.Plan` for each endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from functools import partial, update_wrapper
from itertools import chain
from types import MethodType
from typing import TYPE_CHECKING, Any, TypeVar

from .callables import is_async
from .ctx import _AppCtxGlobals
from .endpoints import blueprint_names
from .flow import Function, Plan
from .gateways.socket_plan import SocketPlan
from .sessions import SecureCookieSessionInterface
from .wrappers import Request

if TYPE_CHECKING:
    from .app import Vial

P = TypeVar("P", bound=Plan)

#: The methods that Flask documents as steps of a request that fails. An app whose class or instance
#: has its own takes the path through the methods from the error on.
ERROR_STEPS = (
    "handle_user_exception",
    "handle_http_exception",
    "handle_exception",
    "raise_routing_exception",
)
#: All such steps. An app with its own of one of the others takes the path through the methods
#: from the start; everything else takes the path in ``flow.py``.
STEPS = (
    *ERROR_STEPS,
    "full_dispatch_request",
    "preprocess_request",
    "dispatch_request",
    "finalize_request",
    "process_response",
    "make_response",
    "do_teardown_request",
    "do_teardown_appcontext",
    "ensure_sync",
    "async_to_sync",
)


_NOSNIFF = (("X-Content-Type-Options", "nosniff"),)


#: The methods that make the contexts of a request. An app with one of its own goes by methods too.
CONTEXTS = ("request_context", "app_context")
#: Attributes of an app whose values are compiled, or decide what is.
COMPILED = {
    *STEPS,
    *CONTEXTS,
    "session_interface",
    "request_class",
    "response_class",
    "app_ctx_globals_class",
    "create_url_adapter",
    "url_map",
    "wsgi_app",
}


def has_own(app: Vial, name: str, base: type) -> bool:
    """Whether the app has another method than ``base``, in its class or set on the instance.

    The same method set on the instance, as an undone patch leaves it, is no other one. What
    instruments a method may compare equal to it, so they are told apart by identity.
    """
    found = getattr(app, name)
    return not (
        type(found) is MethodType
        and found.__func__ is getattr(base, name)
        and found.__self__ is app
    )


def make_plan(app: Vial, endpoint: str | None, compatible: bool, catches: bool) -> Plan:
    """The plan of an endpoint; with ``None`` that of requests that match no rule."""
    plan = _collect(app, endpoint)
    builds = _builds(app)
    plan = replace(
        plan,
        compatible=compatible,
        catches=catches,
        builds=builds,
        tears_down=bool(compatible or plan.teardown or plan.app_teardown),
        prepares=bool(builds or plan.before or plan.preprocess or not app._got_first_request),
    )
    every = (plan.view, *plan.before, *plan.after, *plan.teardown, *plan.app_teardown)
    sync = _for_lane(plan, app.ensure_sync)
    if compatible or not any(map(is_async, every)):
        return sync
    return replace(sync, on_loop=_on_loop(plan))


def make_socket_plan(app: Vial, endpoint: str | None) -> SocketPlan:
    """The plan of WebSockets of an endpoint; with ``None`` of those that match no rule."""
    from .gateways.threads import in_thread

    common = _collect(app, endpoint)
    inside_out = (*common.blueprints, None)
    plan = SocketPlan(**{field.name: getattr(common, field.name) for field in fields(common)})
    plan = replace(
        plan,
        before=_of(app.before_websocket_funcs, reversed(inside_out)),
        after=(),
        after_websocket=_of(app.after_websocket_funcs, inside_out, reverse=True),
        teardown=_of(app.teardown_websocket_funcs, inside_out, reverse=True),
    )
    on_loop = replace(
        _on_loop(plan),
        view=plan.view if is_async(plan.view) else in_thread(plan.view),
        after_websocket=tuple(map(awaitable, plan.after_websocket)),
    )
    return replace(_for_lane(plan, app.ensure_sync), on_loop=on_loop)


def awaiting(plan: Plan) -> Plan:
    """The plan for a request that is handled on a loop, also where nothing in it is async."""
    return plan.on_loop or _on_loop(plan)


def without_hooks(plan: Plan) -> Plan:
    """The plan of a request whose matching failed as a program does: no hook comes before."""
    none: Any = {"preprocess": (), "before": ()}
    on_loop = plan.on_loop and replace(plan.on_loop, **none)
    return replace(plan, on_loop=on_loop, **none)


def _on_loop(plan: P) -> P:
    return replace(_for_lane(plan, awaitable, partial(awaitable, begun=True)), is_async=True)


def _builds(app: Vial) -> tuple[str, ...]:
    """What classes of the application's own may want to see of every request, as in Flask."""
    wanted = {
        "request": app.request_class.__init__ is not Request.__init__,
        "g": app.app_ctx_globals_class is not _AppCtxGlobals,
        "_session": _sees_every_request(app.session_interface),
    }
    return tuple(name for name, is_wanted in wanted.items() if is_wanted)


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


def _for_lane(
    plan: P,
    lane: Callable[[Function], Function],
    later: Callable[[Function], Function] | None = None,
) -> P:
    """:param later: the lane of what comes after the first function that is not async."""
    later = later or lane
    steps = (*plan.before, plan.view)
    first = next((n for n, step in enumerate(steps, 1) if not is_async(step)), len(steps))
    *before, view = (*map(lane, steps[:first]), *map(later, steps[first:]))
    return replace(
        plan,
        view=view,
        before=tuple(before),
        after=tuple(map(later, plan.after)),
        teardown=tuple(map(later, plan.teardown)),
        app_teardown=tuple(map(later, plan.app_teardown)),
        lane=lane,
    )


def awaitable(function: Function, begun: bool = False) -> Function:
    """The loop lane: async functions as they are, sync ones in the worker pool.

    :param begun: see :func:`vial.concurrency.run_in_pool`.
    """
    if is_async(function):
        return function
    on_loop: Function | None = getattr(function, "_on_loop", None)
    if on_loop is not None:
        return on_loop
    if getattr(function, "_never_waits", False):

        async def at_once(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return update_wrapper(at_once, function)
    from .concurrency import run_in_pool

    async def in_pool(*args: Any, **kwargs: Any) -> Any:
        call = partial(function, *args, **kwargs)
        return await run_in_pool(call, to_end=True, begun=begun)

    return update_wrapper(in_pool, function)
