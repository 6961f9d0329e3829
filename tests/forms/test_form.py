"""Forms: where their data comes from, and what they show."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cases.entrance_rsgi import Rsgi
from cases.entrances import Asgi, Wsgi
from itsdangerous import TimestampSigner
from werkzeug.datastructures import MultiDict
from wtforms import HiddenField, PasswordField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length, StopValidation, ValidationError

import vial.forms
from vial import Vial, render_template_string, request, session, stream_template_string
from vial.forms import CSRFError, CSRFProtect, FlaskForm, Form

from .conftest import made, token_of


class Person(FlaskForm):
    name = StringField(validators=[DataRequired()])


PAGE = """<form method=post>{{ form.hidden_tag() }}{{ form.name() }}</form>
{% for field, errors in form.errors.items() %}{{ field }}: {{ errors|join(" ") }}
{% endfor %}"""


def show(form: Any) -> str:
    return render_template_string(PAGE, form=form)


def with_form(app: Vial, form_class: Any = Person, is_async: bool = False, **meta: Any) -> Any:
    """Show a form at ``/`` and greet who sends it; return a client."""

    def index() -> Any:
        form = form_class(meta=meta)
        return f"Hello {form.name.data}" if form.validate_on_submit() else show(form)

    async def waiting() -> Any:
        return index()

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    app.route("/", methods=methods)(waiting if is_async else index)
    return app.test_client()


@pytest.mark.parametrize("entrance", [Wsgi(), Asgi(), Rsgi()], ids=lambda e: e.name)
@pytest.mark.parametrize("is_async", [False, True])
def test_a_form_takes_the_data_of_the_request_and_shows_its_token(
    both: Vial, entrance: Any, is_async: bool
) -> None:
    with_form(both, is_async=is_async)
    page = entrance.ask(both)
    csrf = token_of(page.text)

    def post(body: str) -> str:
        headers = [("Cookie", page["set-cookie"].partition(";")[0])]
        headers.append(("Content-Type", "application/x-www-form-urlencoded"))
        return str(entrance.ask(both, "/", "POST", headers=headers, body=body.encode()).text)

    assert post(f"name=Ada&csrf_token={csrf}") == "Hello Ada"
    assert "csrf_token: The CSRF token is missing." in post("name=Ada")
    assert "name: This field is required." in post(f"csrf_token={csrf}")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_form_is_submitted_by_methods_that_change_something(both: Vial, method: str) -> None:
    client = with_form(both, csrf=False)
    assert client.open("/", method=method, data={"name": "Ada"}).text == "Hello Ada"
    assert client.open("/", method=method, json={"name": "Ada"}).text == "Hello Ada"
    assert "name: This" in client.open("/", method=method).text
    assert "name: This" not in client.get("/?name=Ada").text


def test_the_browser_is_asked_first_and_in_flask_mode_not_at_all(both: Vial) -> None:
    client = with_form(both)
    data, modern = {"name": "Ada"}, type(both) is Vial
    own = client.post("/", data=data, headers={"Sec-Fetch-Site": "same-origin"}).text
    assert own == "Hello Ada" if modern else "token is missing" in own
    foreign = {"Sec-Fetch-Site": "cross-site"}
    data["csrf_token"] = token_of(client.get("/").text)
    text = client.post("/", data=data, headers=foreign).text
    assert "csrf_token: The request came from" in text if modern else text == "Hello Ada"


def test_data_that_is_given_takes_the_place_of_the_requests(app: Vial) -> None:
    with app.test_request_context("/", method="POST", data={"name": "sent"}):
        assert Person().name.data == "sent"
        assert Person(MultiDict({"name": "given"})).name.data == "given"
        assert Person(request.args).name.data is None
        assert Person(None).name.data is None
        assert Person(formdata=None, name="default").name.data == "default"
        assert Person(prefix="p").name.data is None
        with pytest.raises(TypeError, match="multidict"):
            Person({"name": "x"})


def test_without_a_request_a_form_is_not_submitted(app: Vial) -> None:
    with app.app_context():
        form = Person(meta={"csrf": False})
        assert (form.is_submitted(), form.validate_on_submit()) == (False, False)
        assert form.validate() is False


def test_a_form_goes_without_a_token_where_that_is_said(both: Vial) -> None:
    class Plain(Person):
        class Meta:
            csrf = False

    with both.test_request_context("/", method="POST", data={"name": "Ada"}):
        assert Plain().validate_on_submit()
        assert Person(meta={"csrf": False}).validate_on_submit()
        assert not Person().validate_on_submit()
        assert "csrf_token" not in Plain()
        both.config["WTF_CSRF_ENABLED"] = False
        assert Person().validate_on_submit()


def test_a_form_may_have_its_own_settings_of_the_token(both: Vial) -> None:
    class Own(Person):
        class Meta(FlaskForm.Meta):
            csrf_field_name = "proof"
            csrf_secret = "own"
            csrf_time_limit = 10

    client = with_form(both, Own)
    text = client.get("/").text
    proof = text.partition('value="')[2].partition('"')[0]
    assert 'name="proof"' in text
    assert client.post("/", data={"name": "Ada", "proof": proof}).text == "Hello Ada"
    both.secret_key = both.secret_key  # the session is still signed by it
    wrong = client.post("/", data={"name": "Ada", "csrf_token": proof}).text
    assert "proof: The CSRF token is missing." in wrong


def test_a_form_trusts_the_check_of_the_whole_app(both: Vial) -> None:
    CSRFProtect(both)
    client = with_form(both)
    header = {"X-CSRFToken": token_of(client.get("/").text)}
    assert client.post("/", data={"name": "Ada"}, headers=header).text == "Hello Ada"
    refused = client.post("/", data={"name": "Ada"})
    assert refused.status_code == 400 and "<title>400 Bad Request" in refused.text


def test_a_form_in_an_exempt_view_checks_for_itself(both: Vial) -> None:
    csrf = CSRFProtect(both)
    client = with_form(both)
    csrf.exempt(both.view_functions["index"])
    assert "csrf_token: The CSRF token is missing." in client.post("/", data={"name": "A"}).text
    data = {"name": "Ada", "csrf_token": token_of(client.get("/").text)}
    assert client.post("/", data=data).text == "Hello Ada"


# When the session ended, or the page was open for too long.


def test_a_form_shows_again_what_was_written_with_a_fresh_token(both: Vial) -> None:
    client = with_form(both)
    old = token_of(client.get("/").text)
    client.delete_cookie("session")
    text = client.post("/", data={"name": "a long text", "csrf_token": old}).text
    assert "csrf_token: The CSRF tokens do not match." in text
    assert 'value="a long text"' in text
    data = {"name": "a long text", "csrf_token": token_of(text)}
    assert client.post("/", data=data).text == "Hello a long text"


def test_a_handler_shows_the_form_again_where_the_whole_app_is_protected(
    both: Vial, monkeypatch: pytest.MonkeyPatch
) -> None:
    CSRFProtect(both)
    client = with_form(both)

    @both.errorhandler(CSRFError)
    def again(error: CSRFError) -> tuple[str, int]:
        return f"{error.description} {show(Person())}", 400

    now = TimestampSigner.get_timestamp
    with monkeypatch.context() as m:
        m.setattr(TimestampSigner, "get_timestamp", lambda self: now(self) - 4000)
        stale = token_of(client.get("/").text)
    text = client.post("/", data={"name": "a long text", "csrf_token": stale}).text
    assert text.startswith("The CSRF token has expired.") and 'value="a long text"' in text
    data = {"name": "a long text", "csrf_token": token_of(text)}
    assert client.post("/", data=data).text == "Hello a long text"


def test_a_password_is_not_shown_again(app: Vial) -> None:
    class Login(FlaskForm):
        name = PasswordField()

    text = with_form(app, Login).post("/", data={"name": "s3cret"}).text
    assert "csrf_token: The CSRF token is missing." in text and "s3cret" not in text


# What a form shows.


def test_hidden_fields_come_in_one_call(app: Vial) -> None:
    class Hidden(FlaskForm):
        a = HiddenField(default='"><script>')
        b = HiddenField(default="2")
        name = StringField()

    with app.test_request_context():
        form = Hidden()
        a = '<input id="a" name="a" type="hidden" value="&#34;&gt;&lt;script&gt;">'
        b = '<input id="b" name="b" type="hidden" value="2">'
        assert form.hidden_tag() == f"{a}\n{b}\n{form.csrf_token()}"
        assert form.hidden_tag("b", form.a, "name", form.name, "nothing") == f"{b}\n{a}"
        assert hasattr(form.hidden_tag(), "__html__")
        assert Hidden(meta={"csrf": False}).hidden_tag("csrf_token") == ""


def test_a_streamed_form_has_a_token_that_is_good(app: Vial) -> None:
    app.get("/stream")(lambda: stream_template_string(PAGE, form=Person()))
    client = with_form(app)
    data = {"name": "Ada", "csrf_token": token_of(client.get("/stream").text)}
    assert client.post("/", data=data).text == "Hello Ada"


def test_a_token_is_in_no_data_that_a_form_gives_away(both: Vial) -> None:
    with both.test_request_context("/?csrf_token=x"):
        form = Person()
        secret, token = session["csrf_token"], form.csrf_token.current_token
        given = f"{form.data} {form.errors}"
        form.populate_obj(session)
        assert secret not in given and token not in given
        assert not hasattr(session._get_current_object(), "csrf_token")  # type: ignore[attr-defined]


def test_the_form_of_wtforms_is_there_as_well() -> None:
    import wtforms

    assert vial.forms.Form is Form is wtforms.Form


# Validators.


def test_what_validate_gives_is_a_truth_value(app: Vial) -> None:
    class Silent(Person):
        def validate(self, extra_validators: Any = None) -> Any:
            return None

    with app.test_request_context("/", method="POST", data={"name": "x"}):
        assert Silent(meta={"csrf": False}).validate_on_submit() is False
        assert asyncio.run(Silent(meta={"csrf": False}).validate_on_submit_async()) is False
        assert Person(meta={"csrf": False}).validate_on_submit() is True


class Taken(FlaskForm):
    """Its name is looked up."""

    class Meta:
        csrf = False

    name = StringField(validators=[Length(max=10)])
    text = TextAreaField()
    asked: list[str]

    async def validate_name(self, field: Any) -> None:
        await asyncio.sleep(0)
        self.asked.append(field.data)
        if field.data == "taken":
            raise ValidationError("It is taken.")


def submitted(app: Vial, form_class: Any, **data: str) -> Any:
    with app.test_request_context("/", method="POST", data={"x": "", **data}):
        form = form_class()
        form.asked = []
        valid = asyncio.run(form.validate_on_submit_async())
        assert form.is_submitted()
    return valid, form.errors, form.asked


def test_async_validators_are_awaited_for_fields_without_errors(app: Vial) -> None:
    assert submitted(app, Taken, name="free") == (True, {}, ["free"])
    assert submitted(app, Taken, name="taken") == (False, {"name": ["It is taken."]}, ["taken"])
    valid, errors, asked = submitted(app, Taken, name="far too long a name")
    assert not valid and "longer" in errors["name"][0] and asked == []


def test_async_validators_may_be_anywhere(app: Vial) -> None:
    async def no(form: Any, field: Any) -> None:
        raise StopValidation("No.")

    class Never:
        async def __call__(self, form: Any, field: Any) -> None:
            raise ValidationError("Never.")

    class Mixin:
        validate_text = no

    class Mixed(Mixin, Taken):
        more = StringField(validators=[Never()])

    valid, errors, asked = submitted(app, Mixed, name="taken")
    assert errors == {"name": ["It is taken."], "text": ["No."], "more": ["Never."]}
    assert not valid and asked == ["taken"]
    with app.test_request_context("/", method="POST", data={"name": "x"}):
        form = Person(meta={"csrf": False})
        assert asyncio.run(form.validate_async({"name": [no]})) is False
        assert form.errors == {"name": ["No."]}


def test_a_form_with_async_validators_says_how_to_ask_it(app: Vial) -> None:
    with app.test_request_context("/", method="POST", data={"name": "x"}):
        message = r"validate_name of the field 'name' is async.*'await form.validate_on_submit_as"
        with pytest.raises(TypeError, match=message):
            Taken().validate_on_submit()


def test_an_async_view_awaits_its_form() -> None:
    for entrance in (Wsgi(), Asgi()):
        app = made(Vial)

        @app.post("/")
        async def index() -> Any:
            form = Taken()
            form.asked = []
            return "yes" if await form.validate_on_submit_async() else form.errors

        headers = [("Content-Type", "application/x-www-form-urlencoded")]
        ask = {"method": "POST", "headers": headers}
        assert entrance.ask(app, **ask, body=b"name=free").text == "yes"
        assert "It is taken." in entrance.ask(app, **ask, body=b"name=taken").text


def test_recaptcha_is_refused_with_a_reason() -> None:
    from vial.forms import recaptcha

    for module in (vial.forms, recaptcha):
        with pytest.raises(ImportError, match=r"no RecaptchaField: Google's reCAPTCHA is out of"):
            module.RecaptchaField
        with pytest.raises(AttributeError, match="has no attribute 'Other'"):
            module.Other
