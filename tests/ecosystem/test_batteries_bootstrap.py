"""vial.bootstrap beside Bootstrap-Flask: the same names and parameters, and the same on the page.

What is unlike it stands in the tables of this file, each with its reason; ``docs/bootstrap.md``
has the same list.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask_bootstrap as original
import pytest
from flask import Flask, flash, render_template_string
from flask_wtf import FlaskForm
from html_tree import Element, parse
from jinja2 import Environment, nodes
from wtforms import (
    BooleanField,
    ColorField,
    DateField,
    DecimalRangeField,
    FieldList,
    FileField,
    Form,
    FormField,
    HiddenField,
    IntegerField,
    MultipleFileField,
    PasswordField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    SubmitField,
    TextAreaField,
)
from wtforms.validators import InputRequired

import vial.bootstrap as ours

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Vial has Bootstrap 5")

# -- names and parameters ------------------------------------------------------------------------

#: Names of the original that are not here.
LACKING = {
    "CDN_BASE": "where files come from is no part of the interface",
    "raise_helper": "used by its own templates only",
    "Blueprint": "an import",
    "current_app": "an import",
    "url_for": "an import",
    "warnings": "an import",
    "Markup": "an import",
    "BooleanField": "an import",
    "HiddenField": "an import",
}
#: Attributes of its extension object that are not here.
LACKING_ATTRIBUTES = {
    "bootstrap_css_filename": "paths are the battery's own",
    "bootstrap_js_filename": "paths are the battery's own",
    "jquery_filename": "paths are the battery's own",
    "popper_filename": "Popper is in Bootstrap's file",
    "popper_integrity": "Popper is in Bootstrap's file",
    "popper_name": "Popper is in Bootstrap's file",
    "popper_version": "Popper is in Bootstrap's file",
    "static_folder": "one folder for all",
}
#: Settings with another default.
OTHER_DEFAULTS = {"BOOTSTRAP_SERVE_LOCAL": "files are the app's own, not a CDN's, unless asked for"}
#: Macros, or their parameters, that differ.
OTHER_MACROS = {
    ("table", "build_url"): "internal",
    ("pagination", "get_current_page"): "internal",
}


def test_all_names_are_here() -> None:
    names = {name for name in vars(original) if not name.startswith("_")}
    assert {name for name in names if not hasattr(ours, name)} == LACKING.keys()


@pytest.mark.parametrize("name", ["get_table_titles", "is_hidden_field_filter"])
def test_functions_have_the_same_parameters(name: str) -> None:
    assert parameters(getattr(ours, name)) == parameters(getattr(original, name))


@pytest.mark.parametrize("name", ["Bootstrap", "Bootstrap4", "Bootstrap5"])
def test_objects_have_the_same_methods_with_the_same_parameters(name: str) -> None:
    theirs, mine = getattr(original, name), getattr(ours, name)
    public = [n for n in dir(theirs) if not n.startswith("_")]
    assert {n for n in public if not hasattr(mine, n)} == LACKING_ATTRIBUTES.keys()
    for method in ("__init__", *(n for n in public if callable(getattr(theirs, n)))):
        assert parameters(getattr(mine, method)) == parameters(getattr(theirs, method)), method


def parameters(function: Any) -> list[tuple[str, Any]]:
    found = inspect.signature(function).parameters.values()
    return [(p.name, p.default) for p in found]


def test_settings_have_the_same_defaults() -> None:
    theirs, mine = Flask(__name__), Flask(__name__)
    original.Bootstrap5(theirs)
    ours.Bootstrap5(mine)
    names = [name for name in theirs.config if name.startswith("BOOTSTRAP_")]
    unlike = {name for name in names if mine.config[name] != theirs.config[name]}
    assert unlike == OTHER_DEFAULTS.keys() and len(names) > 12


@pytest.mark.parametrize("file", ["form", "nav", "pagination", "table", "utils"])
def test_macros_have_the_same_parameters(file: str) -> None:
    theirs, mine = macros(original, file), macros(ours, file)
    left = {name: args for name, args in theirs.items() if mine.get(name) != args}
    assert left.keys() == {name for at, name in OTHER_MACROS if at == file}


def macros(module: Any, file: str) -> dict[str, list[str]]:
    """The macros of bootstrap5/<file>.html and what it extends, with parameters and defaults."""
    root = Path(module.__file__).parent / "templates"
    found: dict[str, list[str]] = {}
    for folder in ("base", "bootstrap5"):
        path = root / folder / f"{file}.html"
        if path.exists():
            tree = Environment(extensions=["jinja2.ext.do"]).parse(path.read_text())
            for macro in tree.find_all(nodes.Macro):
                if not macro.name.startswith("_"):
                    found[macro.name] = list(described(macro))
    return found


def described(macro: nodes.Macro) -> Iterator[str]:
    defaults = [None] * (len(macro.args) - len(macro.defaults)) + list(macro.defaults)
    for arg, default in zip(macro.args, defaults, strict=True):
        try:
            yield f"{arg.name}={default.as_const()!r}" if default else arg.name
        except nodes.Impossible:  # config.X
            yield f"{arg.name}={default}"
    used = {name.name for name in macro.find_all(nodes.Name)} & {"kwargs", "varargs"}
    yield from sorted(used)


# -- what is on the page -------------------------------------------------------------------------

LETTERS = [("a", "A"), ("b", "B")]


class Inner(Form):
    text = StringField(validators=[InputRequired()])
    number = IntegerField()


class Everything(FlaskForm):
    text = StringField("A <label>", validators=[InputRequired()], description="A hint")
    styled = StringField(render_kw={"class": "own", "placeholder": "Type"})
    password = PasswordField()
    area = TextAreaField()
    number = IntegerField()
    date = DateField()
    range = DecimalRangeField()
    colour = ColorField()
    box = BooleanField(description="Tick it")
    switch = original.SwitchField(description="Switch it")
    radio = RadioField(choices=LETTERS, description="Choose")
    select = SelectField(choices=LETTERS, description="Select")
    several = SelectMultipleField(choices=LETTERS)
    file = FileField()
    files = MultipleFileField()
    hidden = HiddenField(validators=[InputRequired()])
    inner = FormField(Inner)
    list = FieldList(StringField(), min_entries=2)
    submit = SubmitField()


class Row:
    def __init__(self, **values: Any) -> None:
        vars(self).update(values)


class Pages:
    page, pages, has_prev, prev_num, has_next, next_num = 2, 9, True, 1, True, 3

    def iter_pages(self) -> Any:
        return [1, 2, 3, None, 9]


def app_with(module: Any) -> Flask:
    app = Flask(__name__)
    app.config |= {"SECRET_KEY": "k", "WTF_CSRF_ENABLED": False}
    app.jinja_env.globals["csrf_token"] = lambda: "token"
    module.Bootstrap5(app)
    app.add_url_rule("/", "index", lambda: "")
    app.add_url_rule("/rows/<int:id>", "row", lambda id: "")
    return app


@pytest.fixture(scope="module")
def apps() -> tuple[Flask, Flask]:
    return app_with(original), app_with(ours)


def page(app: Flask, call: str, file: str, sent: bool) -> Element:
    data = {"text": "", "number": "x", "inner-number": "x"} if sent else None
    with app.test_request_context("/?q=1&page=2", method="POST" if sent else "GET", data=data):
        form = Everything()
        if sent:
            form.validate()
        flash("A message", "error")
        rows = [Row(id=1, name="A", site="https://a.example"), Row(id=2, name="<b>", site="")]
        name = call.partition("(")[0]
        source = f"{{% from 'bootstrap5/{file}.html' import {name} %}}{{{{ {call} }}}}"
        return parse(render_template_string(source, form=form, rows=rows, pages=Pages()))


#: Attributes that are ours alone, for those who listen to pages, and for links to an error.
ADDED = {"aria-describedby", "aria-invalid", "aria-labelledby", "aria-label"}
#: Classes of Bootstrap 4 that the original still writes, and that are nothing in Bootstrap 5 or
#: undo the gaps of the form.
OLD_CLASSES = {"mb-2", "mr-sm-2", "mb-sm-0"}


def lines(element: Element, depth: int = 0) -> Iterator[str]:
    """A tree as lines: tag, classes, attributes, text, without what differs on purpose."""
    for child in element.children:
        if isinstance(child, str):
            if child.strip():
                yield f"{'  ' * depth}{' '.join(child.split())!r}"
            continue
        yield f"{'  ' * depth}<{child.tag}{''.join(shown(child))}>"
        if child.tag == "legend":  # in which the original has a label of no control
            yield f"{'  ' * depth}{child.text!r}"
        elif child.tag != "svg":  # the original's refers to a file of all icons; ours is drawn
            yield from lines(child, depth + 1)


def shown(element: Element) -> Iterator[str]:
    tag, attributes = element.tag, element.attributes
    classes = element.classes - OLD_CLASSES - {"form-control-color"}
    if tag == "select" and "multiple" in attributes:
        classes = classes - {"form-control"} | {"form-select"}  # Bootstrap 5's class for it
    if attributes.get("type") == "radio":
        classes -= {"is-invalid"}  # which shows them in red, as other controls
    if classes:
        yield f" .{'.'.join(sorted(classes))}"
    for name, value in sorted(attributes.items()):
        if not is_ours_alone(tag, name, value):
            yield f" {name}={value.strip()!r}"


def is_ours_alone(tag: str, name: str, value: str) -> bool:
    """Whether it is left out of the comparison: classes, too, which are compared as a set."""
    if tag == "svg":
        return name not in ("width", "style")
    is_anchor = name == "id" and tag in ("div", "small", "label", "fieldset")
    is_group = tag == "div" and value in ("radiogroup", "group")
    return name == "class" or name in ADDED or is_anchor or is_group


#: Calls after which the page is the same, but for what the functions above leave out.
SAME = {
    "form": [
        "render_form(form)",
        "render_form(form, '/x?a=1&b=2', 'get', 'mine', 'search', enctype='text/plain', id='f')",
        "render_form(form, novalidate=True, form_group_classes='g', button_map={'submit': 'dark'})",
        "render_field(form.text, class='x', placeholder='p')",
        "render_field(form.hidden)",
        "render_field(form.select, form_group_classes='g')",
        "render_field(form.submit, button_style='danger', button_size='lg', class='x')",
        "render_field(form.number, 'horizontal', ('md', 3, 9))",
        "render_field(form.text, 'horizontal')",
        "render_field(form.submit, 'horizontal')",
        "render_form_row([form.text, form.box, form.submit], col_map={'box': 'col-4'})",
        "render_hidden_errors(form)",
    ],
    "nav": [
        "render_nav_item('index', 'Here')",
        "render_nav_item('row', 'There', _badge=3, id=7)",
        "render_nav_item('row', 'There', _use_li=True, _badge=3, _badge_classes='b', id=7, q='&')",
        "render_breadcrumb_item('index', 'Here')",
        "render_breadcrumb_item('row', 'There', id=7)",
    ],
    "table": [
        "render_table(rows, [('id', '#'), ('name', 'N')])",
        "render_table(rows, [('id', '#'), ('name', 'N')], primary_key='name')",
        "render_table(rows, [('id', '#'), ('site', 'S')], caption='C', table_classes='t',"
        " header_classes='h', body_classes='b', responsive=True, responsive_class='r',"
        " safe_columns=['name'], urlize_columns=['site'])",
        "render_table(rows, [('id', '#')], show_actions=True, actions_title='Do', new_url='/new',"
        " view_url=('row', [('id', ':id')]), edit_url='/edit', delete_url=('row', [('id', ':id')]),"
        " custom_actions=[('Star', 'star', '/star')])",
    ],
    "utils": [
        "render_static('css', 'a.css')",
        "render_static('js', 'a.js')",
        "render_static('icon', 'a.ico')",
        "render_static('js', 'https://a.example/', local=False)",
        "render_messages()",
        "render_messages(container=True, dismissible=True, dismiss_animate=True)",
        "render_messages([('odd', 'x')], transform={'odd': 'info'})",
        "render_icon('heart')",
        "render_icon('heart', 32, 'danger', 'Title', 'Description')",
        "arg_url_for('row', {'id': 1}, q=2)",
    ],
}


@pytest.mark.parametrize("sent", [False, True], ids=["empty", "sent"])
@pytest.mark.parametrize(("file", "call"), [(f, c) for f, calls in SAME.items() for c in calls])
def test_the_page_is_the_same(apps: tuple[Flask, Flask], file: str, call: str, sent: bool) -> None:
    theirs, mine = (list(lines(page(app, call, file, sent))) for app in apps)
    assert mine == theirs


#: Calls after which it is not, and why.
UNLIKE = {
    ("form", "render_form(form, form_type='inline')"): "errors and descriptions are shown",
    ("form", "render_field(form.box, 'horizontal')"): "its help is below it, not moved twice",
    ("form", "render_field(form.radio, 'horizontal')"): "its help is below it",
    ("form", "render_field(form.text, 'floating')"): "a type of ours: floating labels",
    ("form", "render_form(form, render_kw={'class': 'x'})"): "one attribute class, not two",
    ("pagination", "render_pagination(pages)"): "where one is, is no link",
    ("pagination", "render_pager(pages)"): "the rest of the query is kept",
    ("table", "render_table(rows, [('id', '#')], show_actions=True, view_url='/x/:id')"): (
        "a placeholder in a URL is replaced"
    ),
    ("utils", "render_icon('heart', color='info', classes='c')"): "classes beside a colour",
    ("utils", "render_icon('heart', color='red')"): "an attribute, no inline style",
    ("utils", "render_icon('heart', font=True)"): "class bi, and hidden from those who listen",
}


@pytest.mark.parametrize(("file", "call"), UNLIKE)
def test_what_is_said_to_differ_does(apps: tuple[Flask, Flask], file: str, call: str) -> None:
    theirs, mine = (rendered(app, call, file) for app in apps)
    assert mine != theirs


def rendered(app: Flask, call: str, file: str) -> list[str]:
    try:
        return list(lines(page(app, call, file, sent=False)))
    except AssertionError as e:  # an attribute twice
        return [str(e)]


def test_a_description_is_text(apps: tuple[Flask, Flask]) -> None:
    class Hint(FlaskForm):
        text = StringField(description="<b>bold</b>")

    source = "{% from 'bootstrap5/form.html' import render_field %}{{ render_field(form.text) }}"
    found = []
    for app in apps:
        with app.test_request_context():
            found.append(parse(render_template_string(source, form=Hint())).one("small").text)
    assert found == ["bold", "<b>bold</b>"]
