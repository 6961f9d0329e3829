"""What clients send that no page would: an error of the form, or 4xx, never 500."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from werkzeug.datastructures import MultiDict
from wtforms import (
    BooleanField,
    DateField,
    DecimalField,
    EmailField,
    Field,
    FieldList,
    FloatField,
    FormField,
    IntegerField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    URLField,
    validators,
)
from wtforms import FileField as PlainFileField
from wtforms import Form as PlainForm

from vial import Vial
from vial.forms import FlaskForm
from vial.forms.file import FileAllowed, FileField, FileRequired, FileSize, MultipleFileField


class Inner(PlainForm):
    street = StringField(validators=[validators.Length(max=9)])
    number = IntegerField(validators=[validators.Optional()])
    plan = FileField()


class Everything(FlaskForm):
    class Meta:
        csrf = False

    name = StringField(validators=[validators.DataRequired(), validators.Regexp("[a-z]+")])
    nick = StringField(validators=[validators.Optional(), validators.Length(2, 5)])
    mail = EmailField(validators=[validators.Optional(), validators.Email()])
    page = URLField(validators=[validators.Optional(), validators.URL()])
    age = IntegerField(validators=[validators.Optional(), validators.NumberRange(0, 150)])
    size = FloatField(validators=[validators.Optional()])
    price = DecimalField(validators=[validators.Optional(), validators.NumberRange(0)])
    born = DateField(validators=[validators.Optional()])
    agreed = BooleanField()
    kind = SelectField(choices=["a", "b"], default="a")
    rank = RadioField(choices=["1", "2"], coerce=int, default=1)
    many = SelectMultipleField(choices=["a", "b"])
    tags = FieldList(StringField(validators=[validators.Length(max=5)]))
    home = FormField(Inner)
    homes = FieldList(FormField(Inner))
    photo = FileField(validators=[FileAllowed(["png"]), FileSize(10)])
    photos = MultipleFileField()
    scan = PlainFileField()


NAMES = """
name nick mail page age size price born agreed kind rank many tags home homes photo photos scan
tags-0 home-street home-number homes-0-street home-plan
""".split()  # noqa: SIM905
VALUES: list[Any] = [{}, {"a": 1}, [], [[]], [{}], [None], ["x", 1], None, True, False]
VALUES += [0, 1, -1.5, 1e400, 10**400, "", "x", "1", "nan", "sNaN", "inf", "1e999999", "9" * 5000]
VALUES += ["\ud800", "\x00", "é" * 9, "²"]


@pytest.fixture
def client(app: Vial) -> Any:
    @app.post("/")
    def post() -> Any:
        form = Everything()
        valid = form.validate_on_submit()
        "".join(map(str, form))  # shown again, right or wrong
        return [valid, form.errors, {n: repr(v) for n, v in form.data.items()}]

    app.testing = True
    return app.test_client()


def sent(client: Any, **given: Any) -> tuple[bool, Any, Any]:
    answer = client.post("/", data=json.dumps(given), content_type="application/json")
    assert answer.status_code == 200, answer.text
    return tuple(answer.json)  # type: ignore[return-value]


def test_no_json_for_a_field_is_more_than_an_error_of_the_form(client: Any) -> None:
    for value in VALUES:
        sent(client, **{"name": value, "age": value, "price": value, "tags-0": value})


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_no_json_is_more_than_an_error_of_the_form(client: Any, name: str) -> None:
    for value in VALUES:
        sent(client, **{"name": "x", name: value})


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({}, "an object"),
        (["x"], "a list"),
        (None, "null"),
        (5, "a number"),
        (1.5, "a number"),
        (True, "true or false"),
        ("\ud800", "text"),
    ],
)
def test_fields_of_text_take_text_alone(client: Any, value: Any, kind: str) -> None:
    for name in ("name", "home-street"):
        valid, errors, _ = sent(client, **{"name": "x", name: value})
        inner = errors["home"]["street"] if name == "home-street" else errors["name"]
        assert (valid, inner) == (False, [f"Expected text, got {kind}."])
    optional = sent(client, name="x", nick=value)[1]
    assert optional == ({} if value is None else {"nick": [f"Expected text, got {kind}."]})


def test_json_of_the_right_types_is_what_a_page_would_send(client: Any) -> None:
    valid, errors, data = sent(
        client, name="x", age=36, size=1.5, price=2, agreed=True, rank=2, many=["a", "b"],
        born="2026-01-31", **{"tags-0": "t", "home-number": 3, "homes-1-street": "s"},
    )  # fmt: skip
    assert (valid, errors) == (True, {})
    assert (data["age"], data["size"], data["price"]) == ("36", "1.5", "Decimal('2')")
    assert (data["agreed"], data["rank"], data["many"]) == ("True", "2", "['a', 'b']")
    assert (data["tags"], data["born"]) == ("['t']", "datetime.date(2026, 1, 31)")
    assert "'number': 3" in data["home"] and "'street': 's'" in data["homes"]
    assert sent(client, name="x", agreed=False)[2]["agreed"] == "False"
    assert sent(client, name="x", agreed=0)[1] == {
        "agreed": ["Expected true or false, got a number."]
    }
    assert sent(client, name="x", age=1.5)[1]["age"][0] == "Not a valid integer value."


@pytest.mark.parametrize("given", [[], ["x"], "x", 5, None, True])
def test_json_that_is_no_object_is_a_bad_request(client: Any, given: Any) -> None:
    answer = client.post("/", data=json.dumps(given), content_type="application/json")
    assert answer.status_code == 400
    assert "This form expects an object as JSON, not " in answer.text
    assert client.post("/", data=b"{", content_type="application/json").status_code == 400


def test_a_form_that_is_filled_again_forgets_what_was_wrong(app: Vial) -> None:
    with app.test_request_context("/", method="POST", json={"name": 5}):
        form = Everything()
        assert not form.validate()
        form.process(MultiDict({"name": "x"}))
        assert form.validate()


def test_deep_json_is_a_bad_request(client: Any) -> None:
    deep = b'{"name":' + b"[" * 100_000
    assert client.post("/", data=deep, content_type="application/json").status_code == 400


def test_json_has_as_many_fields_as_a_form_may_have(client: Any) -> None:
    assert client.post("/", json={f"f{i}": "" for i in range(1001)}).status_code == 413
    assert client.post("/", json={"many": ["a"] * 1001}).status_code == 413
    assert sent(client, **{f"f{i}": "" for i in range(900)})[0] is False


@pytest.mark.parametrize("name", NAMES)
def test_a_file_where_none_belongs_is_an_error_of_the_form(client: Any, name: str) -> None:
    answer = client.post("/", data={"name": "x", name: (BytesIO(b"x"), "x.png")})
    valid, errors, data = answer.json
    takes = {"photo", "photos", "scan", "home-plan"}
    # A name that no field has is not looked at.
    unread = {"tags", "home", "homes", "tags-0", "homes-0-street"}
    assert valid == (name in takes | unread)
    if name == "name":
        assert errors == {"name": ["Expected text, got a file."]}
    if name in takes:
        assert "x.png" in data[name.partition("-")[0]]


def test_files_in_lists_of_forms_reach_their_fields(client: Any) -> None:
    data = {"name": "x", "homes-3-plan": (BytesIO(b"x"), "x.png"), "homes-3-street": "s"}
    valid, _, shown = client.post("/", data=data).json
    assert valid and "x.png" in shown["homes"] and "'street': 's'" in shown["homes"]


@pytest.mark.parametrize("index", ["²", "9" * 5000, "-1", "٣", "1.5", "", "9" * 18])
def test_strange_indices_of_lists_are_left_out(client: Any, index: str) -> None:
    for name in (f"tags-{index}", f"homes-{index}-street"):
        assert client.post("/", data={"name": "x", name: "y"}).json[0] is True
        assert sent(client, **{"name": "x", name: "y"})[0] is True


def test_text_where_a_file_belongs_is_no_file(client: Any) -> None:
    valid, _, data = client.post("/", data={"name": "x", "photo": "text", "photos": "text"}).json
    assert (valid, data["photo"], data["photos"]) == (True, "None", "None")


def test_a_field_of_ones_own_gets_what_it_can_read(app: Vial) -> None:
    class Tags(Field):
        def process_formdata(self, valuelist: list[Any]) -> None:
            self.data = [tag for value in valuelist for tag in value.split(",")]

    class Upload(StringField):
        def process_formdata(self, valuelist: list[Any]) -> None:
            self.data = "".join(value.filename for value in valuelist)

    class Own(FlaskForm):
        class Meta:
            csrf = False

        tags = Tags()
        upload = Upload()

    with app.test_request_context("/", method="POST", json={"tags": ["a,b", 3]}):
        assert Own().tags.data == ["a", "b", "3"]
    data = {"upload": (BytesIO(b"x"), "x.png")}
    with app.test_request_context("/", method="POST", data=data):
        assert Own().upload.data == "x.png"


LONG = 100_000


@pytest.mark.parametrize(
    "text",
    [
        "a" * LONG,
        "a@" + "a." * (LONG // 2),
        "a@" + "-" * LONG,
        '"' + "\\" * LONG + '"@a.example',
        "a" * LONG + "@",
        "http://" + "a." * (LONG // 2),
        "http://" + "a-" * (LONG // 2) + "/",
        "http://" + "[" * LONG,
        "http://a" + ":1" * (LONG // 2),
        " " * LONG + "x",
        "1" * LONG,
        "0:" * (LONG // 2),
        "0-" * (LONG // 2),
    ],
    ids=lambda text: text[:12],
)
def test_no_validator_is_slow_on_a_long_text(app: Vial, text: str) -> None:
    every = [
        validators.Email(),
        validators.URL(),
        validators.URL(require_tld=False),
        validators.IPAddress(ipv4=True, ipv6=True),
        validators.MacAddress(),
        validators.UUID(),
        validators.Length(max=5),
        validators.AnyOf(["a"]),
        validators.DataRequired(),
    ]
    fields = {f"f{i}": StringField(validators=[v]) for i, v in enumerate(every)}
    number = {"n": IntegerField(), "d": DecimalField(), "day": DateField()}
    form_class: Any = type("Long", (FlaskForm,), {**fields, **number})
    with app.test_request_context("/", method="POST", json=dict.fromkeys([*fields, *number], text)):
        # One that took time of a higher power of the length would not end.
        assert form_class(meta={"csrf": False}).validate() is False


def test_a_file_is_asked_for(app: Vial) -> None:
    class Needs(FlaskForm):
        class Meta:
            csrf = False

        photo = FileField(validators=[FileRequired()])

    for data in ({"photo": "text"}, {"photo": (BytesIO(b""), "")}, {"x": ""}):
        with app.test_request_context("/", method="POST", data=data):
            form = Needs()
            assert not form.validate() and form.errors == {"photo": ["This field is required."]}
