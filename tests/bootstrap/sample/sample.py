"""A page with everything that vial.bootstrap renders, under a policy that allows nothing inline."""

from __future__ import annotations

import sys
from typing import Any

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
    widgets,
)
from wtforms.validators import InputRequired

from vial import Response, Vial, flash, render_template, request
from vial.bootstrap import Bootstrap5, SwitchField

POLICY = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'"
DRINKS = ["Tea", "Coffee", "Water"]


class Address(Form):
    street = StringField()
    town = StringField(validators=[InputRequired()])


class Everything(Form):
    name = StringField("Your name", [InputRequired()], description="As on your passport.")
    password = PasswordField()
    about = TextAreaField("About you")
    guests = IntegerField("Number of guests")
    arrival = DateField()
    volume = DecimalRangeField()
    colour = ColorField(default="#0d6efd")
    terms = BooleanField("I have read the terms", [InputRequired()])
    weekly = SwitchField("A letter each week", description="We never share your address.")
    drink = RadioField(choices=DRINKS)
    size = SelectField(choices=["Small", "Large"])
    extras = SelectMultipleField(choices=DRINKS)
    snacks = SelectMultipleField(
        choices=DRINKS,
        widget=widgets.ListWidget(prefix_label=False),
        option_widget=widgets.CheckboxInput(),
    )
    photo = FileField()
    papers = MultipleFileField()
    token = HiddenField()
    address = FormField(Address)
    emails = FieldList(StringField("E-mail"), min_entries=2)
    submit = SubmitField("Send")


class Pages:
    """What a database would give: the second of forty pages."""

    page, pages, has_prev, prev_num, has_next, next_num = 2, 40, True, 1, True, 3

    def iter_pages(self) -> list[int | None]:
        return [1, 2, 3, 4, None, 39, 40]


ROWS = [
    {"id": 1, "name": "Ada Lovelace", "site": "https://example.com/ada", "born": 1815},
    {"id": 2, "name": 'Robert "><script>alert(1)</script>', "site": None, "born": 1978},
]


def create_app(**config: Any) -> Vial:
    app = Vial(__name__)
    app.config.update(SECRET_KEY="k", BOOTSTRAP_SITE_NAME="Sample", **config)
    Bootstrap5(app)
    app.add_url_rule("/", "index", index, methods=["GET", "POST"])
    app.add_url_rule("/ready", "ready", lambda: "ready")
    app.add_url_rule("/other", "other", lambda: render_template("other.html"))
    app.add_url_rule("/people/<int:id>", "person", lambda id: f"{id}", methods=["GET", "POST"])
    app.after_request(add_policy)
    return app


def index() -> str:
    forms = [Everything(request.form, prefix=prefix) for prefix in ("", "h", "i", "f")]
    for category in ("message", "success", "error", "warning"):
        flash(f"A message of the category {category}", category)
    if request.method == "POST":
        for form in forms:
            form.validate()
    return render_template("index.html", forms=forms, pages=Pages(), rows=ROWS)


def add_policy(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = POLICY
    return response


if __name__ == "__main__":
    create_app().run(port=int(sys.argv[1]))
