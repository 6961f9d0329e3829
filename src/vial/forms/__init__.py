"""Forms that are checked, and requests of other sites refused: Flask-WTF's interface (1.3).

Needs the extra: ``pip install vial-web[forms]``. What is unlike Flask-WTF is listed in
``docs/forms.md``.
"""

from __future__ import annotations

from typing import Any

from wtforms import Form

from .csrf import CSRFError, CSRFProtect
from .form import FlaskForm
from .recaptcha import NAMES, refuse

__all__ = ["CSRFError", "CSRFProtect", "FlaskForm", "Form"]


def __getattr__(name: str) -> Any:
    if name in NAMES:
        refuse(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
