"""What the page says of the request, and the context of the application that it came to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from traceback import walk_tb
from typing import Any
from urllib.parse import parse_qsl

from werkzeug.datastructures import Authorization
from werkzeug.http import parse_cookie

from ...ctx import RequestContext
from .masking import HIDDEN, is_secret
from .reprs import BoundedRepr
from .seen import Seen

Rows = list[tuple[str, str]]

_ROWS = 100
#: Settings whose values are secret. Names of cookies and fields are settings as well.
_KEYS = re.compile(r"(KEY|SECRET|PASSWORD|PASSWD|TOKEN|SALT)$")
_repr = BoundedRepr()


def context_of(error: BaseException | None) -> RequestContext | None:
    """The context in which the exception was raised, found in its frames.

    It has been left when the exception arrives at a middleware, and no gateway hands it out.
    """
    for frame, _ in walk_tb(error.__traceback__ if error is not None else None):
        if str(frame.f_globals.get("__name__", "")).startswith("vial."):
            ctx = frame.f_locals.get("ctx")
            if isinstance(ctx, RequestContext):
                return ctx
    return None


def facts(seen: Seen, ctx: RequestContext | None) -> list[tuple[str, Rows]]:
    """Titled tables about the request."""
    tables = [("Request", [("Method", seen.method), ("Path", seen.root + seen.path)])]
    if ctx is not None:
        tables[0][1].extend(_target(ctx))
    tables.append(("Query", _masked(parse_qsl(seen.query, True, max_num_fields=None)[:_ROWS])))
    tables.append(("Headers", _masked(seen.headers)))
    if ctx is not None:
        tables.append(("Form", _masked(_form(ctx))))
        tables.append(("Session", _session(ctx)))
    return [(title, rows) for title, rows in tables if rows]


def secrets_of(seen: Seen, ctx: RequestContext | None) -> list[object]:
    """Texts that must not be on the page, wherever they appear."""
    found: list[object] = [value for name, value in seen.headers if is_secret(name)]
    found += parse_cookie(seen.headers.get("Cookie")).values()
    found += _credentials(seen.headers.get("Authorization", ""))
    found += [value for name, value in parse_qsl(seen.query, True) if is_secret(name)]
    if ctx is not None:
        config = ctx.app.config
        found += [value for name, value in config.items() if _KEYS.search(str(name))]
        found += config.get("SECRET_KEY_FALLBACKS") or []
        found += [value for name, value in _form(ctx) if is_secret(name)]
    return [value for value in found if isinstance(value, str | bytes)]


def _credentials(header: str) -> list[object]:
    try:
        given = Authorization.from_header(header)
    except ValueError:  # Werkzeug 3.1, for base64 that is no ASCII
        given = None
    return [] if given is None else [given.token, given.get("password")]


def _target(ctx: RequestContext) -> Iterable[tuple[str, str]]:
    if ctx.url_rule is not None:
        yield "Rule", str(ctx.url_rule.rule)
        yield "Endpoint", str(ctx.url_rule.endpoint)
    if ctx.view_args:
        yield "Arguments", _repr(ctx.view_args)


def _masked(pairs: Iterable[tuple[str, Any]]) -> Rows:
    return [(name, HIDDEN if is_secret(name) else _text(value)) for name, value in pairs]


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else _repr(value)
    return text if len(text) <= 500 else f"{text[:500]}… and {len(text) - 500} more"


def _form(ctx: RequestContext) -> list[tuple[str, Any]]:
    # Only where it was read: reading it now could wait for a client that sends nothing.
    form = vars(ctx.request).get("form") if ctx.made_request else None
    return [] if form is None else list(form.items(multi=True))[:_ROWS]


def _session(ctx: RequestContext) -> Rows:
    # Only where it was opened, and no values: they are what the visitor is to this site.
    if not ctx.opened_session:
        return []
    return [(str(k), f"<{type(v).__name__}>") for k, v in list(ctx._session.items())[:_ROWS]]
