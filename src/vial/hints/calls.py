"""Hints about functions that are called with what they do not take, and about async ones."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..globals import find_request_ctx
from ..wrappers import Request
from .frames import frame_of, frames, is_machinery, origin
from .names import a, did_you_mean, listed, qualified

if TYPE_CHECKING:
    from ..app import Vial

#: ``f() missing 1 required positional argument: 'x'`` and its like, in CPython 3.11 to 3.14.
_MISFIT = re.compile(
    r"(?P<name>[\w.<>]+)\(\) (got an unexpected|got some|missing \d|takes |got multiple)"
)
#: Registries of hooks: how a hook is named, and what it is called with.
_HOOKS = {
    "before_request_funcs": ("before_request", ()),
    "after_request_funcs": ("after_request", ("response",)),
    "teardown_request_funcs": ("teardown_request", ("error",)),
    "before_websocket_funcs": ("before_websocket", ()),
    "after_websocket_funcs": ("after_websocket", ("response",)),
    "teardown_websocket_funcs": ("teardown_websocket", ("error",)),
    "template_context_processors": ("context_processor", ()),
    "url_value_preprocessors": ("url_value_preprocessor", ("endpoint", "values")),
    "url_default_functions": ("url_defaults", ("endpoint", "values")),
}


def view_that_does_not_fit(app: Vial, error: TypeError) -> str | None:
    """A rule with a variable that the view does not take, or the other way round.

    ``index() got an unexpected keyword argument 'name'``, ``missing 1 required positional…``.
    Not told at registration: a URL value preprocessor may take variables out (Flask's docs).
    """
    ctx = find_request_ctx()
    rule = None if ctx is None else ctx.url_rule
    view = None if rule is None else app.view_functions.get(rule.endpoint)
    if rule is None or ctx is None or view is None or not _is_misfit_of(error, view):
        return None
    given = dict(ctx.view_args or {})
    signature = _signature(view)
    if signature is None or _fits(signature, (), given):
        return None
    return (
        f"The rule {rule.rule!r} of the endpoint {rule.endpoint!r} passes"
        f" {listed(given) or 'nothing'}, but its view is {qualified(view)}{signature}."
        f" {_mend(view, signature, given)}"
    )


def _mend(view: Callable[..., Any], signature: inspect.Signature, given: dict[str, Any]) -> str:
    """What to change so that rule and view agree."""
    names = [n for n, p in signature.parameters.items() if p.kind not in (p.VAR_KEYWORD,)]
    extra = [name for name in given if name not in names]
    if extra:
        near = did_you_mean(extra[0], [n for n in names if n not in given])
        if "<locals>" in getattr(view, "__qualname__", ""):
            return (
                "It may be the inner function of a decorator: that takes (*args, **kwargs), passes"
                f" them on and has @functools.wraps(f) above it.{near}"
            )
        return (
            f"Give the function a parameter {extra[0]!r}, or rename or remove the variable in the"
            f" rule.{near}"
        )
    missing = [
        n for n, p in signature.parameters.items() if p.default is p.empty and n not in given
    ]
    return f"Add '<{missing[0]}>' to the rule, or give the parameter a default." if missing else ""


def hook_that_does_not_fit(app: Vial, error: TypeError) -> str | None:
    """A hook or error handler with parameters that it is not called with.

    ``load_user() missing 1 required positional argument: 'request'``.
    """
    for kind, function, given in _hooks(app):
        if not _is_misfit_of(error, function):
            continue
        signature = _signature(function)
        if signature is not None and not _fits(signature, given, {}):
            return (
                f"{kind} functions are called with {listed(given) or 'no arguments'}:"
                f" write def {function.__name__}({', '.join(given)}). What belongs to the request"
                " is in 'request', 'session' and 'g'."
            )
    return None


def _hooks(app: Vial) -> Iterator[tuple[str, Callable[..., Any], tuple[str, ...]]]:
    """Every hook and error handler: its kind, the function, the arguments it is called with."""
    for registry, (kind, given) in _HOOKS.items():
        for functions in getattr(app, registry).values():
            yield from ((kind, function, given) for function in functions)
    for function in app.teardown_appcontext_funcs:
        yield "teardown_appcontext", function, ("error",)
    for by_code in app.error_handler_spec.values():
        for handlers in by_code.values():
            yield from (("errorhandler", handler, ("error",)) for handler in handlers.values())


def _is_misfit_of(error: TypeError, function: Callable[..., Any]) -> bool:
    """Whether an error is Python's about a call of this function, as its text names it."""
    found = _MISFIT.match(str(error))
    return found is not None and found["name"] in (
        getattr(function, "__qualname__", None),
        getattr(function, "__name__", None),
        getattr(inspect.unwrap(function), "__qualname__", None),
    )


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    """The parameters of a function, those that a decorator with ``wraps`` stands for included."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def _fits(signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a call with these arguments is possible."""
    try:
        signature.bind(*args, **kwargs)
    except TypeError:
        return False
    return True


def context_processor_without_dict(app: Vial, error: TypeError) -> str | None:
    """A context processor that returns nothing, or anything else that is no dict.

    ``'NoneType' object is not iterable``, from ``dict.update()``.
    """
    frame = origin(error)
    if frame is None or frame.f_code.co_name != "update_template_context":
        return None
    function = frame.f_locals.get("function")
    if not callable(function):
        return None
    return (
        f"The context processor {qualified(function)} returned no dict. It returns the variables"
        " of templates, as in return {'name': value}."
    )


def positional_template_values(app: Vial, error: TypeError) -> str | None:
    """``render_template("x.html", {"a": 1})``.

    ``render_template() takes 1 positional argument but 2 were given``.
    """
    found = _MISFIT.match(str(error))
    if found is None or found["name"] not in ("render_template", "render_template_string"):
        return None
    return f"Pass variables by name: {found['name']}(…, name=value), or (…, **values) for a dict."


_CALLED = re.compile(r"'(\w+)' object is not (callable|subscriptable)")


def attribute_that_is_no_function(app: Vial, error: Exception) -> str | None:
    """``request.json()``, ``request.get["x"]``.

    ``'dict' object is not callable``, ``'method' object is not subscriptable``.
    """
    found = _CALLED.match(str(error))
    frame = origin(error)
    if found is None or frame is None or find_request_ctx() is None or is_machinery(frame):
        return None
    names = frame.f_code.co_names
    if found[2] == "callable":
        used = [n for n in names if n in _VALUES and "request" in names]
        return f"request.{used[0]} is a value, not a function: no parentheses." if used else None
    if found[1] in ("method", "builtin_function_or_method", "function"):
        return "A function stands before the brackets: call it with parentheses."
    return None


_VALUES = {
    name
    for name in ("json", "form", "args", "method", "files", "path", "cookies", "headers", "data")
    if not inspect.isfunction(getattr(Request, name, None))
}


def function_for_a_name(app: Vial, error: Exception) -> str | None:
    """``redirect(index)`` and ``url_for(index)``, with the function instead of a text.

    ``'function' object is not iterable``, from somewhere inside.
    """
    for name, cure in (
        ("redirect", "redirect() takes a URL, and got {what}. Write redirect(url_for({name!r}))."),
        ("url_for", "url_for() takes the name of an endpoint, and got {what}: url_for({name!r})."),
    ):
        frame = frame_of(error, "vial.helpers", name)
        if frame is None:
            continue
        given = frame.f_locals.get("location", frame.f_locals.get("endpoint"))
        if isinstance(given, str):
            continue
        endpoint = _endpoint_of(app, given)
        what = f"the function {qualified(given)}" if callable(given) else a(type(given).__name__)
        return cure.format(what=what, name=endpoint)
    return None


def _endpoint_of(app: Vial, function: Any) -> str:
    """The endpoint of a view; for any other function its name, which is likely the endpoint."""
    for endpoint, view in app.view_functions.items():
        if view is function:
            return endpoint
    return getattr(function, "__name__", "endpoint")


# -- async -----------------------------------------------------------------------------------------

_AWAITED = re.compile(
    r"(object|'?)\s*'?(\w+)'? (object )?can't be (used in 'await' expression|awaited)"
)
_NOT_AWAITED = re.compile(
    r"'(coroutine|async_generator)' object|(?=.*(coroutine|async_generator))"
    r"(unsupported operand|can only concatenate|object of type|argument of type|.*must be|.*not)"
)


def await_that_is_wrong(app: Vial, error: Exception) -> str | None:
    """An ``await`` too many or one too few, or a loop begun inside of the loop.

    ``object dict can't be used in 'await' expression``, ``'coroutine' object is not…``,
    ``asyncio.run() cannot be called from a running event loop``.
    """
    text = str(error)
    if isinstance(error, TypeError) and _AWAITED.search(text):
        return (
            "What stands behind this 'await' is a plain value, not a coroutine: leave the 'await'"
            " out. request.get_json(), request.form, render_template() and the session are plain"
            " calls in async views too."
        )
    if isinstance(error, RuntimeError) and _BEGINS_LOOP.search(text):
        return (
            "An async view runs on a loop already: write 'await work()' in place of"
            " asyncio.run(work()) or run_until_complete(work())."
        )
    if "JSON" in text:  # said better by no_json_value()
        return None
    if isinstance(error, TypeError | AttributeError) and _NOT_AWAITED.match(text):
        return f"An 'await' is missing: {_forgotten(error)}."
    return None


_BEGINS_LOOP = re.compile(
    r"cannot be called from a running event loop|event loop is already running"
    r"|while another loop is running"
)


def _forgotten(error: Exception) -> str:
    """The name of the variable that holds a coroutine, where there is one."""
    for frame in frames(error):
        for name, value in frame.f_locals.items():
            if inspect.iscoroutine(value):
                value.close()  # what Python would say of it when it is forgotten is said here
                return (
                    f"{name!r} is what {value.__qualname__}() gave, which is async. Write"
                    f" '{name} = await …' inside of an 'async def'"
                )
    return "a call of an async function gives a coroutine until it is awaited"
