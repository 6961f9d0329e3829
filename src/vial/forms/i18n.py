"""The language of what WTForms says: that of the request, where a program uses Flask-Babel."""

from __future__ import annotations

import sys
from typing import Any

from wtforms.i18n import DummyTranslations, get_translations

from ..globals import current_app

__all__ = ["Translations", "translations"]


class Translations:
    """Translates for the locale of the request."""

    def gettext(self, string: str) -> str:
        """Translate a text."""
        return str(_current().gettext(string))

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        """Translate the form of a text that fits a number."""
        return str(_current().ngettext(singular, plural, n))


#: The one that forms use.
translations = Translations()


def has_locale() -> bool:
    """Whether the current app has Flask-Babel, which knows the locale of a request."""
    return "flask_babel" in sys.modules and "babel" in current_app.extensions


def _current() -> Any:
    locale = sys.modules["flask_babel"].get_locale() if has_locale() else None
    if locale is None:
        return DummyTranslations()
    try:
        return get_translations([str(locale), locale.language])
    except OSError:  # WTForms does not speak it
        return DummyTranslations()
