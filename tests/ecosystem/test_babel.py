"""Flask-Babel: texts, dates and numbers in the language of the request."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask, render_template_string, request
from flask_babel import (
    Babel,
    force_locale,
    format_currency,
    format_datetime,
    format_timedelta,
    get_locale,
    gettext,
    lazy_gettext,
    ngettext,
    pgettext,
    refresh,
    to_utc,
)
from werkzeug.datastructures import LanguageAccept

GERMAN = """
msgid "Hello %(name)s!"
msgstr "Hallo %(name)s!"

msgid "%(num)s apple"
msgid_plural "%(num)s apples"
msgstr[0] "%(num)s Apfel"
msgstr[1] "%(num)s Äpfel"

msgid "Name"
msgstr "Name (deutsch)"

msgctxt "month"
msgid "May"
msgstr "Mai"
"""
LABEL = lazy_gettext("Name")
MOMENT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    folder = tmp_path / "translations" / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / "messages.mo").open("wb") as file:
        write_mo(file, read_po(StringIO(GERMAN), locale="de"))
    app = Flask(__name__, root_path=str(tmp_path))
    Babel(
        app,
        locale_selector=lambda: request.accept_languages.best_match(["de", "en"]),
        timezone_selector=lambda: request.args.get("tz", "UTC"),
    )
    return app


def german(app: Flask, path: str = "/") -> str:
    return app.test_client().get(path, headers={"Accept-Language": "de"}).text


def test_texts_are_in_the_language_of_the_request(
    app: Flask, assert_fast: Any, over_asgi: Any
) -> None:
    @app.route("/")
    def view() -> str:
        apples = [ngettext("%(num)s apple", "%(num)s apples", n) for n in (1, 2)]
        return ", ".join([gettext("Hello %(name)s!", name="Ada"), *apples, str(LABEL)])

    assert german(app) == "Hallo Ada!, 1 Apfel, 2 Äpfel, Name (deutsch)"
    assert app.test_client().get("/").text == "Hello Ada!, 1 apple, 2 apples, Name"
    answer = over_asgi(app, "/", headers=[("Accept-Language", "de, en;q=0.1")])
    assert answer.text.startswith("Hallo Ada!")
    assert_fast(app)


def test_templates_translate_and_format(app: Flask) -> None:
    source = (
        "{{ _('Name') }} {% trans name='Bob' %}Hello {{ name }}!{% endtrans %} {{ d|dateformat }}"
    )
    app.add_url_rule("/", "view", lambda: render_template_string(source, d=MOMENT))
    assert german(app) == "Name (deutsch) Hallo Bob! 01.03.2026"


def test_dates_follow_the_time_zone_and_numbers_the_locale(app: Flask) -> None:
    @app.route("/")
    def view() -> str:
        return f"{format_datetime(MOMENT, 'short')} {format_currency(1234.5, 'EUR')}"

    assert german(app, "/?tz=Europe/Vienna") == "01.03.26, 13:30 1.234,50\xa0€"
    assert app.test_client().get("/").text == "3/1/26, 12:30\u202fPM €1,234.50"


def test_a_locale_is_forced_for_a_mail(app: Flask) -> None:
    @app.route("/")
    def view() -> str:
        with force_locale("en"):
            inside = gettext("Name")
        return f"{inside} {get_locale()}"

    assert german(app) == "Name de"


def test_a_change_of_the_language_holds_within_its_request(app: Flask) -> None:
    @app.route("/")
    def view() -> list[str]:
        before = pgettext("month", "May")
        request.accept_languages = LanguageAccept([("en", 1)])
        cached = pgettext("month", "May")
        refresh()
        return [before, cached, pgettext("month", "May")]

    assert json.loads(german(app)) == ["Mai", "Mai", "May"]


def test_an_error_page_is_translated(app: Flask) -> None:
    app.register_error_handler(404, lambda e: (gettext("Name"), 404))
    assert german(app, "/none") == "Name (deutsch)"
    assert app.test_client().get("/none").text == "Name"


def test_times_of_the_user_are_stored_as_utc_and_told_in_words(app: Flask) -> None:
    @app.route("/")
    def view() -> str:
        ago = format_timedelta(timedelta(hours=-3), add_direction=True)
        return f"{to_utc(datetime(2026, 3, 1, 13, 30))} {ago}"

    assert german(app, "/?tz=Europe/Vienna") == "2026-03-01 12:30:00 vor 3 Stunden"


def test_the_translations_that_there_are_can_be_listed(app: Flask) -> None:
    babel = app.extensions["babel"].instance
    with app.app_context():
        assert {str(locale) for locale in babel.list_translations()} == {"de", "en"}
