"""What a developer wants to know of an answer such as 404 or 413; told in debug mode only."""

from __future__ import annotations

import os
from collections.abc import Callable
from logging import INFO
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect, Rule, WebsocketMismatch

from ..globals import find_request_ctx
from .files import names_in
from .frames import frame_of
from .names import did_you_mean, listed, near_file
from .telling import tell

if TYPE_CHECKING:
    from ..app import Vial
    from ..ctx import RequestContext


def explain_http(app: Vial, error: HTTPException) -> None:
    """Log what an HTTP error does not say, and add it to the page that the browser shows.

    The pages of 400 and 415 have Flask's own words in debug mode, and stay as they are.
    """
    ctx = find_request_ctx()
    hint = _HINTS.get(error.code or 0)
    try:
        text = None if hint is None or ctx is None else hint(app, ctx, error)
    except Exception:  # whatever a hint stumbles on must not hide the error itself
        return
    if not text or ctx is None or hasattr(error, "__notes__"):
        return
    error.add_note(f"Hint: {text}")
    tell(INFO, "%s for %s %a: %s", error.code, ctx.request.method, ctx.request.path, text)
    if error.response is None and error.code in _SHOWN and app.config.get("HINTS_ON_PAGES"):
        error.description = f"{error.description}\n\n{text}\n(This is said in debug mode only.)"


def _not_found(app: Vial, ctx: RequestContext, error: HTTPException) -> str | None:
    """A 404 of routing, near misses of rules, or of a file that is not there."""
    sent = frame_of(error, "vial.helpers", "send_from_directory")
    if sent is not None:
        return _no_file(app, os.fspath(sent.f_locals["directory"]), str(sent.f_locals["path"]))
    if error is not ctx.routing_exception:
        return None
    path = ctx.request.path
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint != "static"]
    if not rules:
        return (
            "The app has no routes. Are the modules with the views imported, the blueprints"
            " registered, and is app.run() the last line?"
        )
    urls = [_filled(rule.rule, path) for rule in rules]
    if path in urls:
        rule = rules[urls.index(path)].rule
        if rule == path:
            return f"The rule {rule!r} is for another host or subdomain than {ctx.request.host!r}."
        return f"The rule {rule!r} does not take {path!r}."
    other = path.rstrip("/") if path.endswith("/") else f"{path}/"
    if other in urls:
        return f"The rule is {other!r}, without a slash at the end."
    named = [rule.rule for rule in rules if rule.endpoint == path.strip("/")]
    if named:
        return (
            f"{path.strip('/')!r} is the name of an endpoint, whose rule is {named[0]!r}: links and"
            f" redirects want url_for({path.strip('/')!r})."
        )
    longer = [url for url in urls if len(path) > 1 and url.endswith(path)]
    if longer:
        return f"There is {listed(longer)}: the prefix is part of the URL."
    near = did_you_mean(path, urls)
    return f"No rule fits {path!r}.{near}" if near else None


def _filled(rule: str, path: str) -> str:
    """A rule with the parts of a path where it has variables; itself where they differ in size."""
    own, asked = rule.split("/"), path.split("/")
    if len(own) != len(asked):
        return rule
    return "/".join(b if "<" in a else a for a, b in zip(own, asked, strict=True))


def _no_file(app: Vial, directory: str, name: str) -> str:
    """What there is in the folder of static files instead."""
    folder = os.path.join(app.root_path, directory)
    inner = os.path.join(folder, os.path.dirname(name))
    if not os.path.isdir(folder):
        return f"There is no folder {folder!r}; relative ones begin at app.root_path."
    near = near_file(os.path.basename(name), names_in(inner) if ".." not in name else [])
    return f"There is no file {name!r} in {folder!r}.{near}"


def _wrong_method(app: Vial, ctx: RequestContext, error: HTTPException) -> str | None:
    """A 405: the methods that the rule takes."""
    valid: list[str] = sorted(getattr(error, "valid_methods", None) or ())
    rule = _rule_of(ctx, valid)
    if rule is None:
        return None
    method = ctx.request.method
    wanted = sorted({*(rule.methods or ()), method} - {"HEAD", "OPTIONS"})
    takes = f"takes {', '.join(valid)}, not {method}"
    text = f"The rule {rule.rule!r} (endpoint {rule.endpoint!r}) {takes}."
    if method == "GET":
        return f"{text} A browser that opens a URL or follows a redirect sends GET."
    return f"{text} If it should: @app.route({rule.rule!r}, methods={wanted!r})."


def _rule_of(ctx: RequestContext, valid: list[str]) -> Rule | None:
    """The rule that fits the URL with another method."""
    adapter: Any = ctx.url_adapter
    for method in valid:
        if adapter is not None and adapter.test(ctx.request.path, method):
            rule: Rule = adapter.match(ctx.request.path, method, return_rule=True)[0]
            return rule
    return None


def _too_large(app: Vial, ctx: RequestContext, error: HTTPException) -> str:
    """A 413: which limit, how much came, and where it is set."""
    request = ctx.request
    length, limit = request.content_length, request.max_content_length
    if limit is not None and (length is None or length > limit):
        size = "The body" if length is None else f"The body has {length} bytes, which"
        return f"{size} is over MAX_CONTENT_LENGTH, {limit} bytes: raise it in app.config."
    names = ("MAX_FORM_MEMORY_SIZE", "MAX_FORM_PARTS", "MAX_FORM_FIELDS")
    limits = ", ".join(f"{name} = {app.config.get(name)}" for name in names)
    return (
        f"A form or query string is over one of {limits}. A field of text may have"
        " MAX_FORM_MEMORY_SIZE bytes; large data is sent as a file."
    )


def _no_json(app: Vial, ctx: RequestContext, error: HTTPException) -> str | None:
    """A 415: what the client sent, and how JSON is sent."""
    request = ctx.request
    sent = request.mimetype or "absent"
    if sent in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return f"The Content-Type is {sent!r}: a form was sent, read request.form."
    return (
        f"The Content-Type is {sent!r}. Send 'application/json': in JavaScript fetch(url, {{method:"
        " 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(data)}), in"
        " tests client.post(url, json=data). request.get_json(force=True) reads it regardless."
    )


def _bad_request(app: Vial, ctx: RequestContext, error: HTTPException) -> str | None:
    """A 400 of ``request.get_json()``: how the body begins; or one of a WebSocket's URL."""
    if isinstance(error, WebsocketMismatch):
        return "Of a page and a WebSocket the URL has the one, and the other was asked for."
    if frame_of(error, "werkzeug.wrappers.request", "on_json_loading_failed") is None:
        return None
    body = ctx.request.get_data(as_text=True)
    if not body and ctx.request.content_length:  # something read it before
        return None
    if not body:
        return "The body is empty; request.get_json(silent=True) is None then."
    cure = "JSON has double quotes; " if body.lstrip("[{ ").startswith("'") else ""
    return f"The body begins {body[:60]!a}. {cure}JSON.stringify() and json.dumps() write it."


def _redirected(app: Vial, ctx: RequestContext, error: HTTPException) -> str | None:
    """A redirect of a request that has a body, which many clients do not send again."""
    if not isinstance(error, RequestRedirect) or ctx.request.method in ("GET", "HEAD", "OPTIONS"):
        return None
    return (
        f"The rule has a slash where the URL has none: the client is sent to {error.new_url!r} and"
        " has to send its data again. Write the URL as the rule is, or take it from url_for()."
    )


#: Codes whose page says in debug mode what the log says.
_SHOWN = {404, 405, 413}
_HINTS: dict[int, Callable[[Any, Any, Any], str | None]] = {
    308: _redirected,
    400: _bad_request,
    404: _not_found,
    405: _wrong_method,
    413: _too_large,
    415: _no_json,
}
