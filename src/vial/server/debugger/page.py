"""The page: one document that needs nothing from anywhere."""

from __future__ import annotations

import secrets
from contextvars import copy_context
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, Template

from ...ctx import RequestContext
from ...globals import _cv
from .facts import facts, secrets_of
from .frames import Frame, Section
from .masking import HIDDEN, Mask, is_secret
from .reprs import BoundedRepr, describe, describe_mapping, plain
from .seen import Answer, Seen

#: Variables of one frame that are shown.
VARIABLES = 50
#: Characters of a message on the page; the text to copy has all of it.
LONGEST = 4000
_PAGE = "page.html"
_repr = BoundedRepr()


class Access(NamedTuple):
    """What the page's reader may do with consoles: call them by this secret, or why not."""

    secret: str = ""
    why_not: str = ""


def page(
    shown: list[Section], text: str, seen: Seen, ctx: RequestContext | None, access: Access
) -> Answer:
    """The page for a browser."""
    mask = Mask(secrets_of(seen, ctx))
    _describe_variables(shown, ctx, mask)
    nonce = secrets.token_urlsafe(16)
    html = _template().render(
        sections=shown,
        text=mask(text),
        facts=[(title, [(n, mask(v)) for n, v in rows]) for title, rows in facts(seen, ctx)],
        seen=seen,
        access=access,
        nonce=nonce,
        mask=lambda value: _cut(mask(value)),
    )
    return Answer(500, _headers(nonce), html.encode("utf-8", "backslashreplace"))


def _describe_variables(shown: list[Section], ctx: RequestContext | None, mask: Mask) -> None:
    frames = [frame for section in shown for frame in section.frames]
    frames.sort(key=lambda frame: frame.is_library)  # in case that there is no time for all
    variables = [(f, n, v) for f in frames for n, v in describe_mapping(f.names, _repr, VARIABLES)]
    context = copy_context()
    if ctx is not None:
        context.run(_cv.set, ctx)
    texts = context.run(describe, [_unless_secret(n, v) for _, n, v in variables], _repr)
    for (frame, name, value), text in zip(variables, texts, strict=True):
        told = HIDDEN if _is_hidden(name, value) else mask(text)
        frame.variables.append((name, told))


def _is_hidden(name: str, value: object) -> bool:
    return is_secret(name) and not callable(value) and value is not None


def _unless_secret(name: str, value: object) -> object:
    return None if _is_hidden(name, value) else value


def _cut(text: str) -> str:
    rest = len(text) - LONGEST
    return text if rest <= 0 else f"{text[:LONGEST]}… and {rest} characters more"


def _headers(nonce: str) -> list[tuple[str, str]]:
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}';"
        " connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
    return [("Content-Type", "text/html; charset=utf-8"), *PROTECTED, _policy(policy)]


#: Headers of all that the debugger sends.
PROTECTED = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("X-Frame-Options", "DENY"),
]


def _policy(policy: str) -> tuple[str, str]:
    return "Content-Security-Policy", policy


@cache
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).with_name("page"))
    # finalize: no value is taken for markup, whatever methods its class has.
    options: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True}
    environment = Environment(loader=loader, autoescape=True, finalize=_as_text, **options)
    return environment.get_template(_PAGE)


def _as_text(value: Any) -> Any:
    return plain(value) if isinstance(value, str) else value


__all__ = ["PROTECTED", "Access", "Frame", "page"]
