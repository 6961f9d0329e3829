"""Stands where Flask-WTF has its reCAPTCHA field, to say that there is none here."""

from __future__ import annotations

from typing import Any, NoReturn

NAMES = frozenset({"Recaptcha", "RecaptchaField", "RecaptchaWidget"})


def refuse(name: str) -> NoReturn:
    """:raises ImportError: always; says what to do instead."""
    raise ImportError(
        f"vial.forms has no {name}: Google's reCAPTCHA is out of its scope. Ask a captcha"
        " service in a validator of your own, or install Flask-WTF and call"
        " vial.install_as_flask(batteries=False) to use it in place of vial.forms."
    )


def __getattr__(name: str) -> Any:
    if name in NAMES:
        refuse(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
