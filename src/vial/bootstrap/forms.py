"""``flask_bootstrap.forms``: a form as a call, or as the filter ``{{ form | render_form }}``."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from ..globals import current_app

__all__ = ["render_form"]

_MACROS = "bootstrap/wtf.html"


def render_form(form: Any, **kwargs: Any) -> Markup:
    """The form as HTML; the keywords are those of the macro ``quick_form``."""
    macros = current_app.jinja_env.get_template(_MACROS).module
    return Markup(macros.quick_form(form, **kwargs))  # type: ignore[attr-defined]  # noqa: S704 - a macro's
