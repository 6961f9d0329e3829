"""Functions for views and templates: URLs, redirects, messages, files, streams."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote, urlsplit

import werkzeug.utils
from werkzeug.exceptions import BadRequest
from werkzeug.exceptions import abort as _werkzeug_abort
from werkzeug.routing import BuildError, MapAdapter
from werkzeug.utils import redirect as _werkzeug_redirect

from .ctx import RequestContext
from .endpoints import blueprint_names
from .gateways.forwarded import is_host
from .globals import (
    _current_request_ctx,
    _cv,
    current_app,
    find_request_ctx,
    request,
    session,
)
from .packages import get_root_path as get_root_path
from .signals import message_flashed
from .streaming import stream_with_context as stream_with_context
from .wrappers import _decoded

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as BaseResponse

    from .app import Vial
    from .wrappers import Response

_ANCHOR_SAFE = "%!#$&'()*+,/:;=?@"
_OFF = {"", "0", "false", "no", "off"}


def check_host(host: str) -> None:
    """Answer 400 to a ``Host`` that is no host name: URLs are built from it (RFC 9110 §7.2)."""
    if not is_host(host):
        raise BadRequest("The Host header is not a host name with an optional port.")


def get_debug_flag() -> bool:
    """Whether ``FLASK_DEBUG`` asks for debug mode."""
    return os.environ.get("FLASK_DEBUG", "").lower() not in _OFF


def get_load_dotenv(default: bool = True) -> bool:
    """Whether dotenv files are loaded; ``FLASK_SKIP_DOTENV`` says no."""
    value = os.environ.get("FLASK_SKIP_DOTENV")
    return default if not value else value.lower() in _OFF


def make_response(*args: Any) -> Response:
    """A response object of what a view may return, to set headers or cookies on."""
    if not args:
        return current_app.response_class()
    return current_app.make_response(args[0] if len(args) == 1 else args)


# -- URLs --------------------------------------------------------------------------------------


def url_for(
    endpoint: str,
    *,
    _anchor: str | None = None,
    _method: str | None = None,
    _scheme: str | None = None,
    _external: bool | None = None,
    **values: Any,
) -> str:
    """Build the URL of an endpoint.

    :param endpoint: the name of a view; one that starts with a dot is of the same blueprint.
    :param _anchor: goes behind a ``#``.
    :param _method: build for this method, where an endpoint has several rules.
    :param _scheme: with this scheme; the URL is then an external one.
    :param _external: with scheme and host; by default only outside a request.
    :param values: for the variable parts of the rule; the rest becomes the query string.
    :raises werkzeug.routing.BuildError: where no rule fits, naming a similar endpoint.
    """
    return current_app.url_for(
        endpoint,
        _anchor=_anchor,
        _method=_method,
        _scheme=_scheme,
        _external=_external,
        **values,
    )


def build_url(
    app: Vial,
    endpoint: str,
    values: dict[str, Any],
    anchor: str | None,
    method: str | None,
    scheme: str | None,
    external: bool | None,
) -> str:
    """What :meth:`Vial.url_for` does."""
    ctx = find_request_ctx()
    if ctx is not None and endpoint[:1] == ".":
        names = () if ctx.url_rule is None else blueprint_names(ctx.url_rule.endpoint)
        endpoint = f"{names[0]}{endpoint}" if names else endpoint[1:]
    adapter = _adapter(app, None) if ctx is None else None
    if external is None:
        external = ctx is None or scheme is not None
    if scheme is not None and not external:
        raise ValueError("A URL with a '_scheme' is an external one: '_external' must be True.")
    app.inject_url_defaults(endpoint, values)
    try:
        if ctx is None or external or method is not None:
            adapter = adapter or _adapter(app, ctx)
            rv = adapter.build(endpoint, values, method, force_external=external, url_scheme=scheme)
        else:
            builder = app._builder or app._make_builder()
            root = _decoded(ctx.environ, "SCRIPT_NAME") or "/"
            rv = builder.build(endpoint, values, ctx._adapter, root)
    except BuildError as e:
        values.update(_anchor=anchor, _method=method, _scheme=scheme, _external=external)
        return app.handle_url_build_error(e, endpoint, values)
    return rv if anchor is None else f"{rv}#{quote(anchor, safe=_ANCHOR_SAFE)}"


def _adapter(app: Vial, ctx: RequestContext | None) -> MapAdapter:
    current = ctx or _cv.get(None)
    adapter = app.create_url_adapter(None) if current is None else current.url_adapter
    if adapter is None:
        raise RuntimeError(
            "A URL cannot be built outside of a request without SERVER_NAME in the config."
            " Set it (and APPLICATION_ROOT and PREFERRED_URL_SCHEME if they differ), or build the"
            " URL while a request is handled."
        )
    return adapter


class UnsafeRedirect(ValueError):
    """A redirect would have left the site, by a location that may come from a stranger."""


def redirect(
    location: str,
    code: int = 302,
    Response: type[BaseResponse] | None = None,
    *,
    external: bool = False,
) -> BaseResponse:
    """Make a response that sends the browser to another URL.

    :param Response: the class of the response where no app is active; an app makes its own.
    :param external: the location may be on another site. Without it such a location is refused
        (config ``EXTERNAL_REDIRECTS``; in Flask mode it is allowed), since a ``next=`` parameter
        that sends people to a stranger's login page is a classic hole.
    :raises UnsafeRedirect: naming the location.
    """
    if not current_app:
        return _werkzeug_redirect(location, code=code, Response=Response)
    if not (external or current_app.config.get("EXTERNAL_REDIRECTS", True)):
        check_redirect(location)
    return current_app.redirect(location, code=code)


def check_redirect(location: str) -> None:
    """Raise :exc:`UnsafeRedirect` unless a browser would stay on this site."""
    if not is_on_site(location):
        raise UnsafeRedirect(
            f"redirect({location!r}) leaves this site. If that is meant and the location is not"
            " a user's, say redirect(…, external=True)."
        )


def is_on_site(location: str) -> bool:
    """Whether a browser that follows ``location`` stays on the scheme and host of the request.

    Browsers read ``\\\\`` as ``/`` and skip control characters and leading spaces (WHATWG URL), so
    that ``/\\\\evil.com`` leaves the site; anything of the kind is taken as leaving.
    """
    hidden = any(ord(c) < 32 or ord(c) == 127 for c in location)
    if hidden or "\\" in location or location.startswith(" "):
        return False
    try:
        parts = urlsplit(location)
    except ValueError:
        return False
    if not parts.scheme and not parts.netloc:
        return not location.startswith("//")
    ctx = find_request_ctx()
    if ctx is None or location.startswith("//"):
        return False
    return parts.scheme == ctx.request.scheme and parts.netloc == ctx.request.host != ""


def abort(code: int | BaseResponse, *args: Any, **kwargs: Any) -> NoReturn:
    """Raise the HTTP error of a status code, or send a response at once.

    :raises LookupError: for a code that is no error's.
    """
    if current_app:
        current_app.aborter(code, *args, **kwargs)
    _werkzeug_abort(code, *args, **kwargs)


# -- messages and templates ----------------------------------------------------------------------


def get_template_attribute(template_name: str, attribute: str) -> Any:
    """A macro or variable of a template, to call from Python."""
    return getattr(current_app.jinja_env.get_template(template_name).module, attribute)


def flash(message: str, category: str = "message") -> None:
    """Keep a message in the session for the next page that shows messages."""
    flashes = session.get("_flashes", [])
    flashes.append((category, message))
    session["_flashes"] = flashes
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    message_flashed.send(app, _async_wrapper=app.ensure_sync, message=message, category=category)


def get_flashed_messages(
    with_categories: bool = False, category_filter: Iterable[str] = ()
) -> list[str] | list[tuple[str, str]]:
    """Take the messages out of the session; the same ones again within one request."""
    ctx = _current_request_ctx()
    flashes = ctx.flashes
    if flashes is None:
        flashes = ctx.flashes = session.pop("_flashes") if "_flashes" in session else []
    wanted = set(category_filter)
    if wanted:
        flashes = [flash for flash in flashes if flash[0] in wanted]
    return flashes if with_categories else [message for _, message in flashes]


def update_template_context(app: Vial, context: dict[str, Any]) -> None:
    """What :meth:`Vial.update_template_context` does."""
    ctx = find_request_ctx()
    endpoint = None if ctx is None or ctx.url_rule is None else ctx.url_rule.endpoint
    plan = app._plans.get(endpoint) or app._make_plan(endpoint)
    passed = context.copy()
    for function in plan.processors:
        context.update(function())
    context.update(passed)


# -- files ---------------------------------------------------------------------------------------


def _send_file_options(**kwargs: Any) -> dict[str, Any]:
    if kwargs.get("max_age") is None:
        kwargs["max_age"] = current_app.get_send_file_max_age
    kwargs.update(
        environ=request.environ,
        use_x_sendfile=current_app.config["USE_X_SENDFILE"],
        response_class=current_app.response_class,
        _root_path=current_app.root_path,
    )
    return kwargs


def send_file(
    path_or_file: os.PathLike[Any] | str | IO[bytes],
    mimetype: str | None = None,
    as_attachment: bool = False,
    download_name: str | None = None,
    conditional: bool = True,
    etag: bool | str = True,
    last_modified: datetime | int | float | None = None,
    max_age: int | Callable[[str | None], int | None] | None = None,
) -> Response:
    """Send a file: a path that the application chose, or an open binary file.

    Answers conditional and range requests. For a path that a user had a say in use
    :func:`send_from_directory`.

    :param max_age: seconds a browser may keep it; by default ``get_send_file_max_age``.
    """
    return werkzeug.utils.send_file(  # type: ignore[return-value]
        **_send_file_options(
            path_or_file=path_or_file,
            mimetype=mimetype,
            as_attachment=as_attachment,
            download_name=download_name,
            conditional=conditional,
            etag=etag,
            last_modified=last_modified,
            max_age=max_age,
        )
    )


def send_from_directory(
    directory: os.PathLike[str] | str, path: os.PathLike[str] | str, **kwargs: Any
) -> Response:
    """Send a file of a directory; 404 for a path that is not inside it or is no file.

    ``kwargs`` are those of :func:`send_file`.
    """
    return werkzeug.utils.send_from_directory(  # type: ignore[return-value]
        directory, path, **_send_file_options(**kwargs)
    )


def send_static_file(owner: Any, filename: str) -> Response:
    """What ``send_static_file`` of apps and blueprints does."""
    if owner.static_folder is None:
        raise RuntimeError(f"'static_folder' must be set on {owner!r} to serve static files.")
    max_age = owner.get_send_file_max_age(filename)
    return send_from_directory(owner.static_folder, filename, max_age=max_age)


def open_for_reading(root: str, resource: str, mode: str, encoding: str | None) -> IO[Any]:
    """What ``open_resource`` of apps and blueprints does."""
    if mode not in {"r", "rt", "rb"}:
        raise ValueError(f"Resources are opened for reading: mode {mode!r} is none of r, rt, rb.")
    path = os.path.join(root, resource)
    return open(path, mode) if mode == "rb" else open(path, mode, encoding=encoding)
