"""Apps that override a step of a request: their methods are called, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from ..app import Vial
    from ..ctx import RequestContext
    from ..wrappers import Response

T = TypeVar("T")


def answer(app: Vial, environ: dict[str, Any], finish: Callable[[Response], T]) -> T:
    """Handle one request as Flask does, through every method that an app may override.

    :param finish: is given the response while its context is still there.
    """
    ctx = app.request_context(environ)
    error: BaseException | None = None
    try:
        try:
            ctx.push()
            response = app.full_dispatch_request()
        except Exception as e:
            error = e
            response = app.handle_exception(e)
        except BaseException as e:
            error = e
            raise
        return finish(response)
    finally:
        keep(ctx, environ)
        if error is not None and app.should_ignore_error(error):
            error = None
        ctx.pop(error)
        error = None  # its traceback has this frame: leave the collector nothing


def keep(ctx: RequestContext, environ: dict[str, Any]) -> None:
    """Give the context to the test client or the debugger, who look into it afterwards."""
    if "werkzeug.debug.preserve_context" in environ:
        if ctx._implied is not None:
            environ["werkzeug.debug.preserve_context"](ctx._implied)
        environ["werkzeug.debug.preserve_context"](ctx)
