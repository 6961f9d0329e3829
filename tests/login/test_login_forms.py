"""Logins and CSRF tokens: the two batteries on one app."""

from __future__ import annotations

import re
from typing import Any

import pytest
from login_site import Site

from vial import render_template_string, request
from vial.forms import CSRFProtect, FlaskForm
from vial.login import login_user


@pytest.fixture
def site() -> Site:
    site = Site()
    CSRFProtect(site.app)

    def contact() -> Any:
        form = FlaskForm()
        if form.validate_on_submit():
            return "sent"
        page = "{{ form.hidden_tag() }} {{ current_user.is_authenticated }}"
        return render_template_string(page, form=form)

    def login() -> str:
        if request.method == "POST":
            login_user(site.users["ada"], remember=True)
        return render_template_string("{{ form.hidden_tag() }}", form=FlaskForm())

    site.app.add_url_rule("/contact", "contact", contact, methods=["GET", "POST"])
    site.app.view_functions["login"] = login
    return site


def token(page: Any) -> str:
    found = re.search(r'value="([^"]+)"', page.text)
    assert found is not None, page.text
    return found[1]


def test_a_token_of_before_the_login_is_of_no_use_after_it(site: Site) -> None:
    client = site.app.test_client()
    old = token(client.get("/contact"))
    new = token(client.post("/login", data={"csrf_token": old}))
    assert client.post("/contact", data={"csrf_token": old}).status_code == 400
    assert client.post("/contact", data={"csrf_token": new}).text == "sent"


def test_a_form_that_was_made_before_the_user_was_remembered_is_good(site: Site) -> None:
    client = site.app.test_client()
    client.post("/login", data={"csrf_token": token(client.get("/login"))})
    client.delete_cookie("session")
    page = client.get("/contact")
    assert page.text.endswith("True")
    assert client.post("/contact", data={"csrf_token": token(page)}).text == "sent"
