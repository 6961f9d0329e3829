"""WSGI (PEP 3333): one thread handles a request from its first byte to its last."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..ctx import RequestContext
from ..driver import drive
from ..flow import run
from ..globals import _cv

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from ..app import Vial


def handle(app: Vial, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer one request."""
    ctx = RequestContext(app, environ)
    outer = _cv.get(None)
    if outer is not None and outer.app is app:
        ctx._outer = outer
    token = _cv.set(ctx)
    try:
        ctx.match_request()
        response = drive(run(ctx))
        return response(environ, start_response)
    finally:
        if "werkzeug.debug.preserve_context" in environ:
            # The test client and the debugger keep the context to look into it afterwards.
            environ["werkzeug.debug.preserve_context"](ctx)
        _cv.reset(token)
