"""The language of what forms say."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from wtforms import StringField
from wtforms.validators import DataRequired, Length

from vial import Vial
from vial.forms import FlaskForm
from vial.forms.i18n import Translations, translations

REQUIRED = {"de": "Dieses Feld wird benötigt.", "en": "This field is required."}


class Person(FlaskForm):
    class Meta:
        csrf = False

    name = StringField(validators=[DataRequired()])


def said(app: Vial, form_class: Any = Person, **data: str) -> str:
    with app.test_request_context("/", method="POST", data={"x": "", **data}):
        form = form_class()
        form.validate()
        return str(form.name.errors[0])


@pytest.fixture
def babel(app: Vial, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What Flask-Babel is to a form."""
    module = SimpleNamespace(locale=None)
    module.get_locale = lambda: module.locale
    monkeypatch.setitem(sys.modules, "flask_babel", module)
    app.extensions["babel"] = object()
    return module


class Locale(SimpleNamespace):
    def __str__(self) -> str:
        return "_".join(filter(None, (self.language, self.territory)))


def locale(language: str, territory: str | None = None) -> Locale:
    return Locale(language=language, territory=territory)


@pytest.mark.parametrize("found", [locale("de"), locale("de", "AT")], ids=str)
def test_it_is_that_of_the_request(app: Vial, babel: Any, found: Locale) -> None:
    babel.locale = found
    assert said(app) == REQUIRED["de"]

    class Short(Person):
        name = StringField(validators=[Length(max=1)])

    assert said(app, Short, name="xx") == "Feld kann nicht länger als 1 Zeichen sein."


@pytest.mark.parametrize("found", [None, locale("en"), locale("tlh"), locale("../x")], ids=str)
def test_it_is_english_where_wtforms_does_not_speak_another(
    app: Vial, babel: Any, found: Locale | None
) -> None:
    babel.locale = found
    assert said(app) == REQUIRED["en"]


def test_the_program_may_decide(app: Vial, babel: Any) -> None:
    babel.locale = locale("de")
    app.config["WTF_I18N_ENABLED"] = False
    assert said(app) == REQUIRED["en"]


def test_an_app_without_flask_babel_is_not_asked(app: Vial, babel: Any) -> None:
    babel.locale = locale("de")
    del app.extensions["babel"]
    assert said(app) == REQUIRED["en"]


def test_a_form_may_have_locales_of_its_own(app: Vial) -> None:
    class German(Person):
        class Meta:
            locales = ("de",)

    assert said(app, German) == REQUIRED["de"]


def test_the_translations_are_an_object_as_in_the_original(app: Vial, babel: Any) -> None:
    assert isinstance(translations, Translations)
    babel.locale = locale("de")
    with app.app_context():
        assert translations.gettext("This field is required.") == REQUIRED["de"]
        assert translations.ngettext("nothing %d", "nothings %d", 2) == "nothings %d"
