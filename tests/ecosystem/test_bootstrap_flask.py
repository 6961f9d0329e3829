"""Bootstrap-Flask: macros that render forms, navigation and tables."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask, flash, render_template_string
from flask_bootstrap import Bootstrap4, Bootstrap5, SwitchField
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import FlaskForm
from wtforms import EmailField, SubmitField
from wtforms.validators import DataRequired


class Newsletter(FlaskForm):
    email = EmailField(validators=[DataRequired()], description="We never spam.")
    weekly = SwitchField()
    submit = SubmitField()


@pytest.fixture
def app() -> Flask:
    app = Flask(__name__)
    app.config |= {"SECRET_KEY": "k", "WTF_CSRF_ENABLED": False}
    Bootstrap5(app)
    return app


def page(app: Flask, macros: str, source: str, name: str = "") -> str:
    """What a template renders by a request, with macros of one of the extension's templates."""
    name = name or source.partition("(")[0].strip("{ ")
    whole = f"{{% from 'bootstrap5/{macros}.html' import {name} %}}{source}"
    app.add_url_rule("/page", "page", lambda: render_template_string(whole))
    return app.test_client().get("/page").text


def test_style_sheets_and_scripts_come_from_a_cdn_or_from_the_app(
    app: Flask, assert_fast: Any, over_asgi: Any
) -> None:
    source = "{{ bootstrap.load_css() }}{{ bootstrap.load_js() }}"
    app.add_url_rule("/", "index", lambda: render_template_string(source))
    client = app.test_client()
    cdn = client.get("/").text
    assert "https://cdn.jsdelivr.net/npm/bootstrap@5" in cdn and "integrity=" in cdn
    app.config["BOOTSTRAP_SERVE_LOCAL"] = True
    urls = re.findall(r'(?:href|src)="(/[^"]+)"', client.get("/").text)
    assert len(urls) >= 2 and urls == re.findall(
        r'(?:href|src)="(/[^"]+)"', over_asgi(app, "/").text
    )
    for url in urls:
        with client.get(url) as response:
            assert response.status_code == 200 and len(response.data) > 10_000
    assert_fast(app)


@pytest.mark.parametrize(
    ("version", "bootstrap", "shown"),
    [
        ("bootstrap5", Bootstrap5, ("form-switch", "btn-primary", "mb-3")),
        ("bootstrap4", Bootstrap4, ("custom-switch", "btn-primary", "form-group")),
    ],
)
def test_a_form_is_rendered_with_its_errors(
    version: str, bootstrap: Any, shown: tuple[str, ...], assert_fast: Any
) -> None:
    app = Flask(__name__)
    app.config |= {"SECRET_KEY": "k", "WTF_CSRF_ENABLED": False}
    bootstrap().init_app(app)

    @app.route("/form", methods=["GET", "POST"])
    def form() -> str:
        form = Newsletter()
        form.validate_on_submit()
        macros = f"{{% from '{version}/form.html' import render_form %}}{{{{ render_form(form) }}}}"
        return render_template_string(macros, form=form)

    client = app.test_client()
    assert "We never spam." in client.get("/form").text
    text = client.post("/form", data={"email": ""}).text
    assert 'class="form-control is-invalid"' in text
    assert "This field is required." in text and "We never spam." not in text
    assert all(word in text for word in shown)
    assert_fast(app)


def test_navigation_marks_where_one_is(app: Flask) -> None:
    app.add_url_rule("/other", "other", lambda: "other")
    source = "{{ render_nav_item('page', 'Here') }}{{ render_nav_item('other', 'There') }}"
    text = page(app, "nav", source)
    assert re.search(r'<a class="nav-item nav-link active"[^>]*href="/page"', text)
    assert "active" not in text.partition("Here")[2]


def test_breadcrumbs_end_where_one_is(app: Flask) -> None:
    text = page(app, "nav", "{{ render_breadcrumb_item('page', 'Here') }}")
    assert re.search(r'class="breadcrumb-item active"[^>]*>\s*Here', text)
    assert 'href="/page"' not in text


def test_icons_and_static_files_have_urls_below_where_the_app_is_mounted(app: Flask) -> None:
    source = "{{ render_icon('heart', 32, 'red') }}{{ render_static('css', 'site.css') }}"
    text = page(app, "utils", source, name="render_icon, render_static")
    assert 'href="/bootstrap/static/icons/bootstrap-icons.svg#heart"' in text
    mounted = app.test_client().get("/page", base_url="http://localhost/shop").text
    assert 'href="/shop/bootstrap/static/icons/bootstrap-icons.svg#heart"' in mounted
    assert 'href="/shop/static/site.css"' in mounted
    with app.test_client().get("/bootstrap/static/icons/bootstrap-icons.svg") as icons:
        assert b'id="heart"' in icons.data


def test_messages_are_alerts(app: Flask) -> None:
    app.before_request(lambda: flash("Saved <b>!", "success"))
    text = page(app, "utils", "{{ render_messages(dismissible=True) }}")
    assert "alert-success" in text and "Saved &lt;b&gt;!" in text and "btn-close" in text


def test_rows_of_a_database_are_a_table_with_pages(app: Flask) -> None:
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
    db = SQLAlchemy(app)

    class Message(db.Model):  # type: ignore[name-defined, misc]
        id = db.Column(db.Integer, primary_key=True)
        text = db.Column(db.String(20))

    app.add_url_rule("/messages/<int:message_id>", "show", lambda message_id: "")
    source = """{% from 'bootstrap5/table.html' import render_table %}
    {% from 'bootstrap5/pagination.html' import render_pagination %}
    {{ render_table(p.items, show_actions=True, view_url=('show', [('message_id', ':id')])) }}
    {{ render_pagination(p) }}"""

    @app.route("/messages")
    def messages() -> str:
        found = db.paginate(db.select(Message).order_by(Message.id), per_page=2)
        return render_template_string(source, p=found)

    with app.app_context():
        db.create_all()
        db.session.add_all([Message(text=f"message {n}") for n in range(5)])
        db.session.commit()
    text = app.test_client().get("/messages?page=2").text
    assert re.findall(r"<td>(message \d)</td>", text) == ["message 2", "message 3"]
    assert 'href="/messages/3"' in text
    assert re.findall(r'href="\s*/messages\?page=(\d)', text) == ["1", "1", "3", "3"]
