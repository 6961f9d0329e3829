"""What the macros call, as ``vial_bootstrap`` in templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from ..globals import current_app
from .fields import control, has_files, kind, messages, problems
from .icons import drawing
from .pages import beside, numbers, page_url
from .tables import csrf_token, row_url, value_of

__all__ = [
    "beside",
    "buttons",
    "color_mode_attributes",
    "control",
    "csrf_token",
    "drawing",
    "has_files",
    "icon_for",
    "kind",
    "messages",
    "numbers",
    "page_url",
    "problems",
    "row_url",
    "value_of",
    "without",
]

#: Names of Bootstrap 3 that are others now.
_STYLES = {"default": "secondary"}
_ICONS = {
    "ok": "check-lg",
    "remove": "x-lg",
    "user": "person-fill",
    "home": "house-fill",
    "cog": "gear-fill",
    "edit": "pencil-square",
    "plus": "plus-lg",
    "minus": "dash-lg",
    "time": "clock",
    "comment": "chat-fill",
    "log-in": "box-arrow-in-right",
    "log-out": "box-arrow-right",
    "envelope": "envelope-fill",
    "star": "star-fill",
    "heart": "heart-fill",
    "warning-sign": "exclamation-triangle-fill",
    "info-sign": "info-circle-fill",
    "question-sign": "question-circle-fill",
    "ok-sign": "check-circle-fill",
    "remove-sign": "x-circle-fill",
    "plus-sign": "plus-circle-fill",
}


def icon_for(glyphicon: str) -> str:
    """The icon in the place of one that Bootstrap 3 had."""
    return _ICONS.get(glyphicon, glyphicon)


def buttons(styles: Mapping[str, str]) -> dict[str, str]:
    """A ``button_map`` whose styles are Bootstrap 5's."""
    return {name: _STYLES.get(style, style) for name, style in styles.items()}


def color_mode_attributes() -> Markup:
    """Attributes of ``<html>`` for ``BOOTSTRAP_COLOR_MODE``; ``theme.js`` decides about auto."""
    mode = current_app.config["BOOTSTRAP_COLOR_MODE"]
    shown = "light" if mode == "auto" else mode
    return Markup(' data-bs-theme="{}" data-vb-mode="{}"').format(shown, mode)


def without(attributes: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The attributes but for one."""
    return {key: value for key, value in attributes.items() if key != name}
