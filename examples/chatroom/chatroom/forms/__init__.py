"""The forms. Each field asks `models/rules.py` what it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from wtforms import BooleanField, PasswordField, StringField, SubmitField
from wtforms.validators import InputRequired, Length, ValidationError

from vial.forms import FlaskForm

from ..models import rules


class Clean:
    """A validator: the field gets the clean value, or the reason why there is none."""

    field_flags: ClassVar = {"required": True}

    def __init__(self, clean: Callable[[str], str]) -> None:
        self._clean = clean

    def __call__(self, form: FlaskForm, field: Any) -> None:
        try:
            field.data = self._clean(field.data or "")
        except rules.Refused as problem:
            raise ValidationError(str(problem)) from None


least, most = rules.PASSWORD
NEW_PASSWORD = [
    InputRequired("Please choose a password."),
    Length(least, most, f"A password has {least} to {most} characters."),
]
PLAIN = {"autocapitalize": "off", "spellcheck": "false"}


class RegisterForm(FlaskForm):
    username = StringField(
        "User name",
        [Clean(rules.clean_username)],
        description="To log in with: letters a to z, digits, and . _ -",
        render_kw={"autocomplete": "username", "autofocus": True, **PLAIN},
    )
    name = StringField(
        "Display name",
        [Clean(rules.clean_name)],
        description="What others see. Only you have it.",
        render_kw={"autocomplete": "nickname", "spellcheck": "false"},
    )
    password = PasswordField(
        "Password",
        NEW_PASSWORD,
        description=f"At least {least} characters.",
        render_kw={"autocomplete": "new-password"},
    )
    submit = SubmitField("Register")


class LoginForm(FlaskForm):
    username = StringField(
        "User name",
        [InputRequired("Please enter your user name."), Length(max=200)],
        render_kw={"autocomplete": "username", "autofocus": True, **PLAIN},
    )
    password = PasswordField(
        "Password",
        [InputRequired("Please enter your password."), Length(max=most)],
        render_kw={"autocomplete": "current-password"},
    )
    remember = BooleanField("Stay logged in on this device")
    submit = SubmitField("Log in")


class NameForm(FlaskForm):
    name = StringField(
        "Display name",
        [Clean(rules.clean_name)],
        description="Your messages have it too, also those you sent before.",
        render_kw={"autocomplete": "nickname", "spellcheck": "false"},
    )
    submit = SubmitField("Change name")


class PasswordForm(FlaskForm):
    old = PasswordField(
        "Current password",
        [InputRequired("Please enter the password that you have."), Length(max=most)],
        render_kw={"autocomplete": "current-password"},
    )
    new = PasswordField(
        "New password",
        NEW_PASSWORD,
        description=f"At least {least} characters. Other devices are logged out.",
        render_kw={"autocomplete": "new-password"},
    )
    submit = SubmitField("Change password")


class RoomForm(FlaskForm):
    name = StringField(
        "New room",
        [Clean(rules.clean_room)],
        description="Letters, digits, - and _.",
        render_kw={"autocomplete": "off", **PLAIN},
    )
    submit = SubmitField("Make the room")
