"""The field that needs WTForms; :mod:`vial.bootstrap` imports this when it is asked for it."""

from __future__ import annotations

from wtforms import BooleanField

__all__ = ["SwitchField"]


class SwitchField(BooleanField):
    """A ``BooleanField`` that is shown as a switch."""
