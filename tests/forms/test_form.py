"""Forms: where their data comes from, and what is wrong with it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from wtforms import StringField
from wtforms.validators import DataRequired

from vial import Vial
from vial.forms import FlaskForm


class Person(FlaskForm):
    name = StringField(validators=[DataRequired()])


@pytest.fixture
def app() -> Vial:
    app = Vial("forms", static_folder=None)
    app.secret_key = "k"
    return app


def token(text: str) -> str:
    (found,) = re.findall(r'name="csrf_token" type="hidden" value="([^"]+)"', text)
    return str(found)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_form_takes_the_data_of_the_request_and_shows_its_token(
    app: Vial, is_async: bool
) -> None:
    def index() -> Any:
        form = Person()
        if form.validate_on_submit():
            return f"Hello {form.name.data}"
        return f"{form.hidden_tag()} {form.errors}"

    async def waiting() -> Any:
        return index()

    app.route("/", methods=["GET", "POST"])(waiting if is_async else index)
    client = app.test_client()
    csrf = token(client.get("/").text)
    assert client.post("/", data={"name": "Ada", "csrf_token": csrf}).text == "Hello Ada"
    assert "The CSRF token is missing." in client.post("/", data={"name": "Ada"}).text
    assert "This field is required." in client.post("/", data={"csrf_token": csrf}).text
