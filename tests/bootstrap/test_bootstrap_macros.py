"""Each macro of vial.bootstrap, by what it puts on a page."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from html_tree import Element, parse
from werkzeug.datastructures import MultiDict
from wtforms import (
    BooleanField,
    ColorField,
    DecimalRangeField,
    FieldList,
    FileField,
    Form,
    FormField,
    HiddenField,
    IntegerField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    SubmitField,
    TextAreaField,
    widgets,
)
from wtforms.validators import InputRequired

from vial import Vial, flash, render_template_string
from vial.bootstrap import Bootstrap5, SwitchField

LETTERS = ["A", "B"]


class Inner(Form):
    number = IntegerField()


class Everything(Form):
    text = StringField(validators=[InputRequired()], description="A hint")
    styled = StringField(render_kw={"class": "own", "placeholder": "Type"})
    area = TextAreaField()
    volume = DecimalRangeField()
    colour = ColorField()
    box = BooleanField(description="Tick it")
    switch = SwitchField()
    radio = RadioField(choices=LETTERS)
    select = SelectField(choices=LETTERS)
    several = SelectMultipleField(choices=LETTERS)
    boxes = SelectMultipleField(
        choices=LETTERS,
        widget=widgets.ListWidget(prefix_label=False),
        option_widget=widgets.CheckboxInput(),
    )
    file = FileField()
    hidden = HiddenField(validators=[InputRequired()])
    form = FormField(Inner)
    list = FieldList(StringField(), min_entries=2)
    submit = SubmitField()


class Pages:
    """Duck-typed, as Flask-SQLAlchemy's."""

    pages, prev_num, next_num = 9, 1, 3

    def __init__(self, page: int = 2) -> None:
        self.page, self.has_prev, self.has_next = page, page > 1, page < 9

    def iter_pages(self) -> list[int | None]:
        return [1, 2, 3, None, 9]


@pytest.fixture(scope="module")
def app() -> Vial:
    app = Vial(__name__)
    app.config["SECRET_KEY"] = "k"
    Bootstrap5(app)
    app.add_url_rule("/", "index", lambda: "")
    app.add_url_rule("/people/<int:id>", "person", lambda id: "")
    app.add_url_rule("/<word>/pages", "pages", lambda word: "")
    return app


def show(app: Vial, file: str, source: str, url: str = "/", **values: Any) -> Element:
    """What a call of a macro of this file gives."""
    name = source.partition("(")[0]
    template = f"{{% from 'bootstrap5/{file}.html' import {name} %}}{{{{ {source} }}}}"
    with app.test_request_context(url):
        return parse(render_template_string(template, **values))


def failed() -> Everything:
    form = Everything(MultiDict({"sent": "1"}))
    form.validate()
    return form


# -- forms ---------------------------------------------------------------------------------------


def test_a_form_has_each_field_with_its_label(app: Vial) -> None:
    form = show(app, "form", "render_form(form)", form=Everything()).one("form")
    assert form.attributes["method"] == "post" and form.attributes["enctype"]
    labelled = {label.attributes["for"] for label in form.all("label") if "for" in label.attributes}
    shown = [e for e in form if e.tag in ("input", "select", "textarea")]
    unlabelled = {e.attributes["id"] for e in shown} - labelled
    assert unlabelled == {"hidden", "submit"}


@pytest.mark.parametrize(
    ("name", "tag", "css"),
    [
        ("text", "input", "form-control"),
        ("area", "textarea", "form-control"),
        ("volume", "input", "form-range"),
        ("colour", "input", "form-control form-control-color"),
        ("box", "input", "form-check-input"),
        ("select", "select", "form-select"),
        ("several", "select", "form-select"),
        ("file", "input", "form-control"),
        ("submit", "input", "btn btn-primary btn-md"),
    ],
)
def test_a_control_has_the_classes_of_its_kind(app: Vial, name: str, tag: str, css: str) -> None:
    found = show(app, "form", "render_field(field)", field=Everything()[name])
    assert found.one(tag).attributes["class"] == css


def test_a_switch_says_that_it_is_one(app: Vial) -> None:
    found = show(app, "form", "render_field(field)", field=Everything().switch)
    assert found.one("div", "form-check form-switch").one("input").attributes["role"] == "switch"


@pytest.mark.parametrize(("name", "role"), [("radio", "radiogroup"), ("boxes", "group")])
def test_choices_are_a_named_group_of_boxes(app: Vial, name: str, role: str) -> None:
    found = show(app, "form", "render_field(field)", field=Everything()[name])
    group = found.one("div", "mb-3", role=role)
    assert found.one("label", id=group.attributes["aria-labelledby"]).text == name.title()
    assert [e.one("label").text for e in group.all("div", "form-check")] == ["A", "B"]


def test_an_error_is_read_out_with_its_field(app: Vial) -> None:
    found = show(app, "form", "render_form(form)", form=failed())
    control = found.one("input", "is-invalid", id="text")
    assert control.attributes["aria-invalid"] == "true"
    error = found.one("div", id=control.attributes["aria-describedby"])
    assert error.text == "This field is required." and "invalid-feedback" in error.classes
    assert "A hint" not in found.text


def test_a_description_is_read_out_with_its_field(app: Vial) -> None:
    found = show(app, "form", "render_form(form)", form=Everything())
    for name, text in [("text", "A hint"), ("box", "Tick it")]:
        described = found.one("input", id=name).attributes["aria-describedby"]
        assert found.one("small", id=described).text == text


def test_errors_of_hidden_fields_are_shown(app: Vial) -> None:
    found = show(app, "form", "render_hidden_errors(form)", form=failed())
    assert [e.text for e in found.all("div", "invalid-feedback d-block")] == [
        "This field is required."
    ]


def test_a_summary_of_errors_leads_to_the_fields(app: Vial) -> None:
    found = show(app, "form", "render_error_summary(form)", form=failed())
    links = {a.attributes["href"]: a.text for a in found.one("div", role="alert").all("a")}
    assert links["#text"] == "Text: This field is required."
    assert "#radio-0" in links  # a group of boxes has its id on the first of them
    assert show(app, "form", "render_error_summary(form)", form=Everything()).elements == []


@pytest.mark.parametrize("form_type", ["basic", "inline", "horizontal", "floating"])
def test_every_type_of_form_shows_every_error(app: Vial, form_type: str) -> None:
    form = failed()
    found = show(app, "form", f"render_form(form, form_type='{form_type}')", form=form)
    errors = [message for field in form for message in field.errors]
    assert len(found.all("div", "invalid-feedback")) == len(errors) > 2


def test_an_inline_form_hides_its_labels_and_has_columns(app: Vial) -> None:
    found = show(app, "form", "render_form(form, form_type='inline')", form=Everything())
    assert "row-cols-lg-auto" in found.one("form").classes
    assert "visually-hidden" in found.one("label", for_="text").classes
    assert found.one("div", "col-12 required").one("input", id="text")


def test_a_horizontal_form_has_labels_beside_its_controls(app: Vial) -> None:
    source = "render_form(form, form_type='horizontal', horizontal_columns=('md', 3, 9))"
    found = show(app, "form", source, form=Everything())
    group = next(e for e in found.all("div", "mb-3 row") if e.all("input", id="text"))
    assert "col-md-3" in group.one("label").classes
    assert group.all("div", "col-md-9")[0].one("input")
    assert group.one("div", "offset-md-3").one("small").text == "A hint"


def test_a_floating_label_comes_after_its_control(app: Vial) -> None:
    found = show(app, "form", "render_field(field, 'floating')", field=Everything().text)
    group = found.one("div", "form-floating")
    assert [e.tag for e in group.elements] == ["input", "label", "small"]
    assert group.elements[0].attributes["placeholder"] == "Text"


def test_a_form_in_a_form_and_a_list_are_fieldsets(app: Vial) -> None:
    found = show(app, "form", "render_form(form)", form=Everything())
    sets = {e.one("legend").text: e.all("input") for e in found.all("fieldset")}
    assert [len(inputs) for inputs in sets.values()] == [1, 2] and list(sets) == ["Form", "List"]


def test_attributes_of_the_page_and_of_the_field_are_kept(app: Vial) -> None:
    form = Everything()
    source = "render_field(form.styled, **{'class': 'mine', 'data-x': '1'})"
    control = show(app, "form", source, form=form).one("input")
    assert control.attributes["class"] == "form-control mine"
    assert control.attributes["data-x"] == "1" and control.attributes["placeholder"] == "Type"
    control = show(app, "form", "render_field(form.styled)", form=form).one("input")
    assert control.attributes["class"] == "form-control own"


def test_attributes_of_a_form(app: Vial) -> None:
    source = (
        "render_form(form, '/there', 'get', 'mine', 'search', enctype='text/plain', id='it',"
        " novalidate=True, render_kw={'class': 'also', 'data-x': '1'}, form_group_classes='g')"
    )
    form = show(app, "form", source, form=Everything()).one("form")
    assert form.attributes == {
        "class": "form mine also",
        "action": "/there",
        "method": "get",
        "role": "search",
        "enctype": "text/plain",
        "id": "it",
        "novalidate": "",
        "data-x": "1",
    }
    assert form.one("div", "g required").one("input", id="text")


def test_buttons_have_styles_by_name_by_argument_or_by_the_settings(
    app: Vial, monkeypatch: pytest.MonkeyPatch
) -> None:
    field = Everything().submit
    monkeypatch.setitem(app.config, "BOOTSTRAP_BTN_STYLE", "success")
    monkeypatch.setitem(app.config, "BOOTSTRAP_BTN_SIZE", "sm")
    for source, css in [
        ("render_field(f)", "btn btn-success btn-sm"),
        ("render_field(f, button_style='dark', button_size='lg')", "btn btn-dark btn-lg"),
        ("render_field(f, button_map={'submit': 'danger'}, class='x')", "btn btn-danger btn-sm x"),
    ]:
        assert show(app, "form", source, f=field).one("input").attributes["class"] == css


def test_fields_in_a_row_have_columns(app: Vial) -> None:
    form = Everything()
    source = "render_form_row([f.text, f.area, f.hidden], col_map={'area': 'col-4'})"
    row = show(app, "form", source, f=form).one("div", "row")
    assert [e.attributes.get("class") for e in row.elements] == ["col", "col-4", None]


def test_a_form_without_hidden_tag_has_its_hidden_fields_once(app: Vial) -> None:
    found = show(app, "form", "render_form(form)", form=Everything())
    assert len(found.all("input", type="hidden")) == 1


# -- navigation ----------------------------------------------------------------------------------


def test_a_link_to_the_current_page_is_active(app: Vial) -> None:
    here = show(app, "nav", "render_nav_item('index', 'Here')").one("a", "nav-item nav-link active")
    assert here.attributes["aria-current"] == "page" and here.text == "Here"
    source = "render_nav_item('person', 'There', _badge=3, _use_li=True, id=7)"
    there = show(app, "nav", source).one("li", "nav-item").one("a", "nav-link")
    assert there.attributes["href"] == "/people/7" and "active" not in there.classes
    assert there.one("span", "badge text-bg-light").text == "3"


def test_the_last_breadcrumb_is_no_link(app: Vial) -> None:
    here = show(app, "nav", "render_breadcrumb_item('index', 'Here')").one("li", "active")
    assert here.attributes["aria-current"] == "page" and not here.elements
    there = show(app, "nav", "render_breadcrumb_item('person', 'There', id=7)")
    assert there.one("li", "breadcrumb-item").one("a").attributes["href"] == "/people/7"


def test_a_menu_is_named_by_the_button_that_opens_it(app: Vial) -> None:
    template = (
        "{% from 'bootstrap5/nav.html' import render_dropdown_item, render_nav_dropdown %}"
        "{% call render_nav_dropdown('More', 'more') %}{{ render_dropdown_item('index', 'Here') }}"
        "{% endcall %}"
    )
    with app.test_request_context("/"):
        found = parse(render_template_string(template))
    button = found.one("button", data_bs_toggle="dropdown", aria_expanded="false")
    menu = found.one("ul", "dropdown-menu", aria_labelledby=button.attributes["id"])
    assert menu.one("a", "dropdown-item active").text == "Here"


def test_the_theme_switch_has_three_buttons(app: Vial) -> None:
    found = show(app, "nav", "render_theme_switch(dark='Night')")
    assert [e.text for e in found.all("button", "dropdown-item")] == ["Light", "Night", "Auto"]


# -- pages ---------------------------------------------------------------------------------------


def links(found: Element) -> list[tuple[str, str | None]]:
    items = found.one("nav").one("ul", "pagination").elements
    return [(e.text, e.elements[0].attributes.get("href")) for e in items]


def test_pagination_links_pages_and_keeps_the_query(app: Vial) -> None:
    found = show(
        app, "pagination", "render_pagination(p)", "/a%20b/pages?q=x%26y&page=2", p=Pages()
    )
    assert links(found) == [
        ("«", "/a%20b/pages?q=x%26y&page=1"),
        ("1", "/a%20b/pages?q=x%26y&page=1"),
        ("2", None),
        ("3", "/a%20b/pages?q=x%26y&page=3"),
        ("…", None),
        ("9", "/a%20b/pages?q=x%26y&page=9"),
        ("»", "/a%20b/pages?q=x%26y&page=3"),
    ]
    assert found.one("li", "active").attributes["aria-current"] == "page"


def test_pagination_of_another_endpoint_with_arguments(app: Vial) -> None:
    source = (
        "render_pagination(p, 'pages', prev='<', next=none, size='lg', ellipses='-',"
        " args={'word': 'w', 'q': '&'}, fragment='#top', align='center', id='them')"
    )
    found = show(app, "pagination", source, p=Pages(1))
    assert found.one("ul", "pagination-lg justify-content-center", id="them")
    assert links(found)[:3] == [("<", None), ("1", None), ("2", "/w/pages?q=%26&page=2#top")]
    assert found.all("li")[0].classes == {"page-item", "disabled"}


def test_a_pager_has_two_links(app: Vial) -> None:
    found = show(app, "pagination", "render_pager(p, align='right')", p=Pages(9))
    assert links(found) == [("← Previous", "/?page=1"), ("Next →", None)]


def test_pages_by_keys_are_linked_by_their_cursors(app: Vial) -> None:
    class Keyset:
        next_cursor, prev_cursor, has_next, has_prev = "b+c", None, True, False

    source = "render_pagination(p)"
    found = show(app, "pagination", source, "/?cursor=a&q=1", p=Keyset())
    assert links(found) == [("«", None), ("»", "/?q=1&cursor=b%2Bc")]


def test_a_query_does_not_steer_the_links(app: Vial) -> None:
    url = "/?_external=1&_scheme=javascript&_anchor=x&page=2"
    found = show(app, "pagination", "render_pagination(p)", url, p=Pages())
    assert all(href.startswith("/?_external=1&") for _, href in links(found) if href)


# -- tables --------------------------------------------------------------------------------------


ROWS = [{"id": 1, "name": "Ada", "site": "at https://a.example"}, {"id": 2, "name": "<b>"}]
TITLES = [("id", "#"), ("name", "Name"), ("site", "Site")]


def cells(found: Element) -> list[list[str]]:
    return [[e.text for e in row.elements] for row in found.one("table").all("tr")]


def test_a_table_has_a_row_for_each_row(app: Vial) -> None:
    found = show(app, "table", "render_table(rows, titles)", rows=ROWS, titles=TITLES)
    assert cells(found) == [
        ["#", "Name", "Site"],
        ["1", "Ada", "at https://a.example"],
        ["2", "<b>", ""],
    ]
    assert len(found.all("th", scope="row")) == 2


def test_a_table_takes_its_titles_from_its_rows(app: Vial) -> None:
    found = show(app, "table", "render_table(rows)", rows=ROWS[:1])
    assert cells(found)[0] == ["#", "Name", "Site"]
    assert cells(show(app, "table", "render_table([])")) == [[]]
    with pytest.raises(TypeError, match=r"cannot tell the columns of 'int'.*pass titles="):
        show(app, "table", "render_table([1])")


def test_the_looks_of_a_table(app: Vial) -> None:
    source = (
        "render_table(rows, titles, caption='All', table_classes='t', header_classes='h',"
        " body_classes='b', responsive=True, responsive_class='r', safe_columns=['name'],"
        " urlize_columns=['site'], primary_key='name')"
    )
    rows = [{"id": 1, "name": "<i>Ada</i>", "site": "at https://a.example"}]
    found = show(app, "table", source, rows=rows, titles=TITLES).one("div", "r")
    assert found.one("table", "table t").one("caption").text == "All"
    assert found.one("thead", "h") and found.one("tbody", "b")
    assert found.one("th", scope="row").one("i").text == "Ada"
    assert found.one("a", href="https://a.example")


def test_actions_of_rows_have_urls_and_names(app: Vial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.jinja_env.globals, "csrf_token", lambda: 'to"ken')
    source = (
        "render_table(rows, titles, show_actions=True, actions_title='Do', new_url=('index', []),"
        " view_url=('person', [('id', ':id')]), edit_url='/people/:id/edit', delete_url=delete,"
        " custom_actions=[('Star', 'star', '/star/:id')])"
    )
    found = show(
        app,
        "table",
        source,
        rows=[{"id": 7}],
        titles=TITLES[:1],
        delete=lambda row: f"/gone/{row['id']}",
    )
    urls = {a.attributes["title"]: a.attributes["href"] for a in found.all("a")}
    assert urls == {"New": "/", "Star": "/star/7", "View": "/people/7", "Edit": "/people/7/edit"}
    form = found.one("form", method="post", action="/gone/7")
    assert form.one("input", name="csrf_token").attributes["value"] == 'to"ken'
    assert form.one("button").attributes["aria-label"] == "Delete"


def test_a_key_cannot_leave_its_place_in_a_url(app: Vial) -> None:
    source = "render_table([{'id': key}], titles, show_actions=True, view_url='/p/:id')"
    found = show(app, "table", source, key="../x?y#z", titles=TITLES[:1])
    assert found.one("a").attributes["href"] == "/p/..%2Fx%3Fy%23z"


def test_the_model_gives_what_a_row_lacks(app: Vial) -> None:
    class Model:
        class query:
            @staticmethod
            def filter_by(id: int) -> Any:
                class Found:
                    @staticmethod
                    def first() -> dict[str, int]:
                        return {"owner": id * 10}

                return Found

    source = (
        "render_table([{'id': 4}], titles, model=model, show_actions=True,"
        " view_url=('person', [('id', ':owner')]))"
    )
    found = show(app, "table", source, model=Model, titles=TITLES[:1])
    assert found.one("a").attributes["href"] == "/people/40"


# -- messages, icons, files ----------------------------------------------------------------------


def test_messages_are_alerts_by_category(app: Vial) -> None:
    template = "{% from 'bootstrap5/utils.html' import render_messages %}{{ render_messages() }}"
    with app.test_request_context("/"):
        for category in ("message", "error", "success", "odd"):
            flash(f"A {category}", category)
        found = parse(render_template_string(template))
    assert [(e.text, e.classes - {"alert"}) for e in found.all("div", role="alert")] == [
        ("A message", {"alert-primary"}),
        ("A error", {"alert-danger"}),
        ("A success", {"alert-success"}),
        ("A odd", {"alert-odd"}),
    ]


def test_messages_may_be_given_and_dismissed(app: Vial) -> None:
    source = (
        "render_messages(['plain', ('x', 'pair')], container=True, transform={'x': 'info'},"
        " default_category='dark', dismissible=True, dismiss_animate=True)"
    )
    found = show(app, "utils", source).one("div", "container flashed-messages")
    alerts = found.all("div", "alert alert-dismissible fade show")
    assert [e.text for e in alerts] == ["plain", "pair"]
    assert "alert-dark" in alerts[0].classes and "alert-info" in alerts[1].classes
    assert found.all("button", "btn-close", data_bs_dismiss="alert", aria_label="Close")
    assert show(app, "utils", "render_messages([])").elements == []


def test_an_icon_is_drawn_in_the_page(app: Vial) -> None:
    icon = show(app, "utils", "render_icon('heart', 32, 'red', 'Love', 'A heart', 'me-2')").one(
        "svg"
    )
    assert icon.attributes == {
        "class": "bi me-2",
        "width": "32",
        "height": "32",
        "fill": "red",
        "viewbox": "0 0 16 16",
        "role": "img",
    }
    assert icon.one("title").text == "Love" and icon.one("desc").text == "A heart"
    assert icon.all("path")


def test_a_colour_of_the_theme_is_a_class(app: Vial) -> None:
    icon = show(app, "utils", "render_icon('heart', color='primary')").one("svg", "bi text-primary")
    assert icon.attributes["fill"] == "currentColor" and icon.attributes["aria-hidden"] == "true"


def test_an_icon_of_the_font(app: Vial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.config, "BOOTSTRAP_ICON_USE_FONT", True)
    assert show(app, "utils", "render_icon('heart', color='danger')").one("i").attributes == {
        "class": "bi bi-heart text-danger",
        "aria-hidden": "true",
    }
    assert show(app, "utils", "render_icon('heart', 32)").one("svg")


def test_an_unknown_icon_is_empty_and_the_log_has_a_hint(
    app: Vial, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert show(app, "utils", "render_icon('haert')").one("svg").elements == []
    assert caplog.messages == ["Bootstrap has no icon 'haert'. Did you mean 'heart'?"]


@pytest.mark.parametrize(
    ("type", "attribute", "tag"),
    [("css", "href", "link"), ("js", "src", "script"), ("icon", "href", "link")],
)
def test_static_files_have_tags(app: Vial, type: str, attribute: str, tag: str) -> None:
    found = show(app, "utils", f"render_static('{type}', 'a.x')")
    assert found.one(tag).attributes[attribute] == "/static/a.x"
    found = show(app, "utils", f"render_static('{type}', 'https://a.example/', local=False)")
    assert found.one(tag).attributes[attribute] == "https://a.example/"
