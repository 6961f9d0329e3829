"""Responses that override what a WSGI server calls, where no such server is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ..concurrency import run_in_pool
from ..globals import _cv
from ..wrappers import Response

if TYPE_CHECKING:
    from ..ctx import RequestContext

T = TypeVar("T")


class _Raw(Response):
    """What came out of a WSGI application, with nothing added."""

    default_mimetype = None


def called(response: Any, environ: dict[str, Any]) -> Response:
    """What a response of an application's own class, or any WSGI application, gives to a server.

    To be called where Flask calls responses: while the context is there.
    """
    is_ours = isinstance(response, Response) and not response._asks_request
    return response if is_ours else _Raw.from_app(response, environ)  # type: ignore[return-value]


async def in_request(ctx: RequestContext, function: Callable[..., T], *args: Any) -> T:
    """Call a function that may block beside the loop, while the context is the current one."""
    token = _cv.set(ctx)
    try:
        return await run_in_pool(function, *args, begun=True)
    finally:
        _cv.reset(token)
