"""Rendering templates: what views call. Loads Jinja when the first template is rendered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .ctx import has_request_context
from .globals import current_app, g, request
from .signals import before_render_template, template_rendered
from .streaming import stream_with_context

if TYPE_CHECKING:
    from jinja2 import Template

    from .app import Vial


def default_context() -> dict[str, Any]:
    """What every template sees: ``g``, and in a request ``request``; like ``session`` they are
    globals of the environment as well."""
    # Proxies, not the objects: a template that names none builds none.
    return {"g": g, "request": request} if has_request_context() else {"g": g}


def _app() -> Vial:
    return current_app._get_current_object()  # type: ignore[attr-defined, no-any-return]


def render_template(
    template_name_or_list: str | Template | list[str | Template], **context: Any
) -> str:
    """Render a template of the templates folder; of a list the first that exists."""
    app = _app()
    return _render(app, app.jinja_env.get_or_select_template(template_name_or_list), context)


def render_template_string(source: str, **context: Any) -> str:
    """Render a template from a string. Never from a string that a user wrote."""
    app = _app()
    return _render(app, app.jinja_env.from_string(source), context)


def stream_template(
    template_name_or_list: str | Template | list[str | Template], **context: Any
) -> Iterator[str]:
    """:func:`render_template` as an iterator of the pieces, to be returned by the view."""
    app = _app()
    return _stream(app, app.jinja_env.get_or_select_template(template_name_or_list), context)


def stream_template_string(source: str, **context: Any) -> Iterator[str]:
    """:func:`render_template_string` as an iterator of the pieces."""
    app = _app()
    return _stream(app, app.jinja_env.from_string(source), context)


def _render(app: Vial, template: Template, context: dict[str, Any]) -> str:
    _prepare(app, template, context)
    rv = template.render(context)
    if template_rendered.receivers:
        template_rendered.send(
            app, _async_wrapper=app.ensure_sync, template=template, context=context
        )
    return rv


def _stream(app: Vial, template: Template, context: dict[str, Any]) -> Iterator[str]:
    _prepare(app, template, context)

    def generate() -> Iterator[str]:
        yield from template.generate(context)
        template_rendered.send(
            app, _async_wrapper=app.ensure_sync, template=template, context=context
        )

    rv: Iterator[str] = generate()
    return stream_with_context(rv) if has_request_context() else rv


def _prepare(app: Vial, template: Template, context: dict[str, Any]) -> None:
    app.update_template_context(context)
    if before_render_template.receivers:
        before_render_template.send(
            app, _async_wrapper=app.ensure_sync, template=template, context=context
        )
