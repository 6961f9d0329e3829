"""WSGI (PEP 3333): one thread handles a request from its first byte to its last."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import Token
from typing import TYPE_CHECKING

from ..ctx import RequestContext, decoded_path
from ..driver import drive
from ..flow import run
from ..globals import _cv
from ..signals import appcontext_pushed

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from ..app import Vial


def handle(app: Vial, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer one request."""
    ctx = RequestContext(app, environ)
    token = _cv.set(ctx)
    if token.old_value is not Token.MISSING and token.old_value.app is app:
        ctx._outer = token.old_value
    try:
        if appcontext_pushed.receivers:
            ctx._pushed()
        path = environ.get("PATH_INFO") or ""
        if not path.isascii():
            path = decoded_path(path)
        ctx._match(path, environ["REQUEST_METHOD"])
        response = drive(run(ctx))
        return response(environ, start_response)
    finally:
        if "werkzeug.debug.preserve_context" in environ:
            # The test client and the debugger keep the context to look into it afterwards.
            environ["werkzeug.debug.preserve_context"](ctx)
        _cv.reset(token)
