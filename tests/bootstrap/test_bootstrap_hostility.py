"""What comes from visitors, databases and settings is text on the page, and never markup."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from html_tree import Element, parse
from jinja2 import Environment, nodes
from werkzeug.datastructures import MultiDict
from wtforms import (
    BooleanField,
    FieldList,
    Form,
    FormField,
    HiddenField,
    RadioField,
    SelectField,
    StringField,
    SubmitField,
    TextAreaField,
    ValidationError,
)

import vial.bootstrap
from vial import Vial, render_template_string
from vial.bootstrap import Bootstrap, SwitchField

EVIL = """'"><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}"""
TEMPLATES = Path(vial.bootstrap.__file__).parent / "templates"


class Evil(Enum):
    ONE = EVIL


def refuse(form: Form, field: Any) -> None:
    raise ValidationError(EVIL)


class Inner(Form):
    inside = StringField(EVIL, [refuse])


class EvilForm(Form):
    text = StringField(EVIL, [refuse], description=EVIL, render_kw={"class": EVIL})
    calm = StringField(EVIL, description=EVIL)
    area = TextAreaField(EVIL, [refuse], description=EVIL)
    box = BooleanField(EVIL, description=EVIL)
    switch = SwitchField(EVIL, [refuse], description=EVIL)
    radio = RadioField(EVIL, choices=[EVIL, "b"], description=EVIL)
    select = SelectField(EVIL, choices=[member.value for member in Evil])
    hidden = HiddenField(EVIL, [refuse])
    inner = FormField(Inner, EVIL, description=EVIL)
    list = FieldList(StringField(EVIL, [refuse]), EVIL, min_entries=1)
    submit = SubmitField(EVIL)


class Pages:
    page, has_prev, has_next, prev_num, next_num = EVIL, True, True, EVIL, EVIL
    prev_cursor = next_cursor = EVIL

    def iter_pages(self) -> list[str | None]:
        return [EVIL, EVIL + "2", None]


ROW = {"id": EVIL, "name": EVIL, "url": "http://a.example/" + EVIL}
TITLES = [("id", EVIL), ("name", EVIL), ("url", EVIL)]
ACTIONS = (
    "render_table([row], titles, caption=e, table_classes=e, header_classes=e, body_classes=e,"
    " responsive=True, responsive_class=e, urlize_columns=['url'], show_actions=True,"
    " actions_title=e, custom_actions=[(e, e, '/x/:id')], view_url=('page', [('word', ':id')]),"
    " edit_url='/x/:id', delete_url='/x/:id', new_url=e)"
)
FORM = (
    "render_form(form, e, e, e, e, form_type='{}', horizontal_columns=(e, e, e), enctype=e, id=e,"
    " button_map={{'submit': e}}, button_size=e, render_kw={{'class': e, 'data-x': e}},"
    " form_group_classes=e, form_inline_classes=e)"
)
#: Each macro, by its template: a call of it.
CALLS = {
    "bootstrap5/form.html": [
        *(FORM.format(kind) for kind in ("basic", "inline", "horizontal", "floating")),
        "render_field(form.text, class=e, placeholder=e, form_group_classes=e)",
        "render_form_row([form.text, form.submit], e, e, {'text': e}, button_style=e)",
        "render_hidden_errors(form)",
        "render_error_summary(form, e, e)",
    ],
    "bootstrap5/nav.html": [
        "render_nav_item('page', e, e, True, e, word=e, q=e)",
        "render_breadcrumb_item('page', e, word=e, q=e)",
        "render_dropdown_item('page', e, word=e, q=e)",
        "render_theme_switch(e, e, e, e)",
        "render_nav_dropdown(e, e, e, caller=caller)",
    ],
    "bootstrap5/pagination.html": [
        "render_pager(pages, e, e, e, e, title=e)",
        "render_pagination(pages, none, e, e, e, e, {'q': e}, e, e, title=e)",
        "render_pagination(pages, 'page', e, e, e, e, {'word': e}, e)",
    ],
    "bootstrap5/table.html": ["render_table([row], titles)", "render_table([row])", ACTIONS],
    "bootstrap5/utils.html": [
        "render_static('css', e)",
        "render_static('js', e, local=False)",
        "render_static('icon', e)",
        "render_messages([(e, e), e], default_category=e, transform={'x': e}, dismissible=True)",
        "render_icon(e, e, e, e, e, e)",
        "render_icon(e, '1em', none, e, e, e, font=True)",
        "arg_url_for('page', {'word': e, 'q': e})",
    ],
    "bootstrap/wtf.html": [
        "quick_form(form, e, e, e, e, 'basic', (e, e, e), e, {'submit': e}, e)",
        "form_field(form.text, class=e)",
        "form_errors(form)",
        "form_errors(form, hiddens='only')",
    ],
    "bootstrap/utils.html": [
        "flashed_messages([(e, e), e], default_category=e, dismissible=True)",
        "icon(e, [e], title=e)",
        "form_button(e, e, e, e)",
        "form_button(e, e)",
    ],
    "bootstrap/fixes.html": ["ie8()"],
    "bootstrap/google.html": ["analytics(e)", "uanalytics(e, e, e)"],
}


@pytest.fixture(scope="module")
def app() -> Vial:
    app = Vial(__name__)
    app.config["SECRET_KEY"] = "k"
    Bootstrap(app)
    app.add_url_rule("/<path:word>", "page", lambda word: "")
    app.jinja_env.globals["csrf_token"] = lambda: EVIL
    app.jinja_env.globals["csp_nonce"] = lambda: EVIL
    return app


def show(app: Vial, file: str, call: str, url: str) -> Element:
    template = f"{{% import '{file}' as macros %}}{{{{ macros.{call} }}}}"
    form = EvilForm(MultiDict(dict.fromkeys(EvilForm()._fields, EVIL)))
    form.validate()
    values = {"form": form, "e": EVIL, "pages": Pages(), "row": ROW, "titles": TITLES}
    with app.test_request_context(url):
        return parse(render_template_string(template, caller=lambda: EVIL, **values))


@pytest.mark.parametrize(("file", "call"), [(f, c) for f, calls in CALLS.items() for c in calls])
def test_no_argument_becomes_markup(app: Vial, file: str, call: str) -> None:
    found = show(app, file, call, "/here?page=1&q=" + "%27%22%3E%3Cscript%3E&%27%3E=1")
    assert not [e for e in found if e.tag == "img" or e.attributes.get("onerror")]
    assert [e.text for e in found.all("script")] == ([""] if "static('js'" in call else [])
    assert "49" not in found.text


def test_every_macro_is_among_those_calls() -> None:
    for file, calls in CALLS.items():
        tree = Environment().parse((TEMPLATES / file).read_text())
        macros = {m.name for m in tree.find_all(nodes.Macro) if not m.name.startswith("_")}
        assert macros == {call.partition("(")[0] for call in calls}, file


def test_a_page_s_frame_escapes_its_settings(app: Vial, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BOOTSTRAP_SITE_NAME", "BOOTSTRAP_COLOR_MODE"):
        monkeypatch.setitem(app.config, name, EVIL)
    for name in ("bootstrap5/base.html", "bootstrap/base.html"):
        with app.test_request_context("/"):
            source = f"{{% extends '{name}' %}}"
            found = parse(render_template_string(source, title=EVIL))
        assert not [e for e in found if e.tag == "img"]
        assert not [e for e in found.all("script") if e.text]
        assert found.one("title").text == EVIL


def test_no_template_calls_anything_safe_but_its_own_text() -> None:
    found = [
        (path.name, node.node.as_const() if isinstance(node.node, nodes.Const) else "")
        for path in TEMPLATES.rglob("*.html")
        for node in Environment(extensions=["jinja2.ext.do"])
        .parse(path.read_text())
        .find_all(nodes.Filter)
        if node.name == "safe"
    ]
    # The arrows of pagination, and the columns that a program calls safe.
    assert sorted(name for name, const in found if not const) == ["table.html"]
    assert {name for name, const in found if const} == {"pagination.html"}
