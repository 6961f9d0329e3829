"""WSGI (PEP 3333): one thread handles a request from its first byte to its last."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import Token
from operator import methodcaller
from typing import TYPE_CHECKING

from ..ctx import RequestContext, decoded_path
from ..driver import drive
from ..flow import run
from ..globals import _cv
from ..signals import appcontext_pushed
from . import methods

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from ..app import Vial


def handle(app: Vial, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer one request."""
    # PERF: benchmarks/dispatch.py, hello: nothing is asked where it is known.
    if app._by_methods is not False:
        if app._life is not None:
            app._life.start_in_thread()
        proxies = app._proxies()
        if proxies is not None:
            environ = proxies.believed(environ)
        if app._goes_by_methods():
            return methods.answer(app, environ, methodcaller("__call__", environ, start_response))
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
            methods.keep(ctx, environ)
        _cv.reset(token)
