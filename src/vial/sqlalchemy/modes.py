"""Which table of defaults holds: Flask-SQLAlchemy's or ours."""

from __future__ import annotations

from typing import Any

from ..ctx import has_app_context
from ..flask_mode import Flask
from ..globals import current_app


def is_flask(app: Any = None) -> bool:
    """Whether an app, or the current one, is of Flask mode; False where there is none."""
    if app is None and has_app_context():
        app = current_app._get_current_object()  # type: ignore[attr-defined]
    return isinstance(app, Flask)
