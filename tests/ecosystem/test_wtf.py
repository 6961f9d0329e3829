"""Flask-WTF: forms that are checked, and requests that come from elsewhere refused."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
from flask import Blueprint, Flask, g, render_template_string
from flask.views import MethodView
from flask_wtf import CSRFProtect, FlaskForm
from flask_wtf.csrf import CSRFError, generate_csrf
from flask_wtf.file import FileAllowed, FileField, FileRequired, FileSize, MultipleFileField
from itsdangerous import TimestampSigner
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart
from wtforms import IntegerField, StringField
from wtforms.validators import DataRequired, NumberRange


class Person(FlaskForm):
    name = StringField("Name", validators=[DataRequired()])
    age = IntegerField("Age", validators=[NumberRange(0, 150)])


class Upload(FlaskForm):
    picture = FileField(validators=[FileRequired(), FileAllowed(["png"], "no"), FileSize(10)])
    more = MultipleFileField()


PAGE = """<form method=post>{{ form.hidden_tag() }}{{ form.name() }}{{ form.age() }}</form>
{% for field, errors in form.errors.items() %}{{ field }}: {{ errors|join(",") }}{% endfor %}"""


@pytest.fixture
def app() -> Flask:
    app = Flask(__name__)
    app.secret_key = "k"

    @app.route("/", methods=["GET", "POST", "PUT"])
    def index() -> str:
        form = Person()
        if form.validate_on_submit():
            return f"{form.name.data} is {form.age.data!r}"
        return render_template_string(PAGE, form=form)

    @app.route("/upload", methods=["POST"])
    def upload() -> Any:
        form = Upload(meta={"csrf": False})
        if form.validate_on_submit():
            more = [file.filename for file in form.more.data or ()]
            return [form.picture.data.read().decode(), *more]
        return form.errors, 422

    return app


def token(client: Any, path: str = "/") -> str:
    (found,) = re.findall(r'name="csrf_token" type="hidden" value="([^"]+)"', client.get(path).text)
    return str(found)


def test_a_form_is_valid_with_its_token_and_shows_what_is_wrong(
    app: Flask, assert_fast: Any
) -> None:
    client = app.test_client()
    csrf = token(client)
    data = {"name": "Ada", "age": "36", "csrf_token": csrf}
    assert client.post("/", data=data).text == "Ada is 36"
    page = client.post("/", data={**data, "name": "", "age": "200"}).text
    assert "name: This field is required." in page
    assert "age: Number must be between 0 and 150." in page
    assert "csrf_token: The CSRF token is missing." in client.post("/", data={"name": "a"}).text
    stranger = app.test_client().post("/", data=data).text
    assert "csrf_token: The CSRF tokens do not match." in stranger
    assert_fast(app)


def test_files_are_checked_by_name_and_size(app: Flask, over_asgi: Any) -> None:
    def send(name: str, content: bytes, **more: Any) -> Any:
        data = {"picture": (io.BytesIO(content), name), **more}
        return app.test_client().post("/upload", data=data)

    assert send("a.png", b"png").json == ["png"]
    others = [(io.BytesIO(b"1"), "1.txt"), (io.BytesIO(b"2"), "2.txt")]
    assert send("a.png", b"png", more=others).json == ["png", "1.txt", "2.txt"]
    assert send("a.exe", b"exe").json == {"picture": ["no"]}
    assert "10 bytes" in send("a.png", b"x" * 11).json["picture"][0]
    assert app.test_client().post("/upload", data={}).status_code == 422
    boundary, body = encode_multipart({"picture": FileStorage(io.BytesIO(b"png"), "a.png")})
    headers = [("Content-Type", f"multipart/form-data; boundary={boundary}")]
    answer = over_asgi(app, "/upload", "POST", headers=headers, body=body)
    assert json.loads(answer.text) == ["png"]


def test_a_form_takes_what_a_script_sends_as_json(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    assert client.put("/", json={"name": "Ada", "age": 36}).text == "Ada is 36"
    assert "name: This field is required." in client.put("/", json={"age": 36}).text


@pytest.fixture
def protected(app: Flask) -> Flask:
    csrf = CSRFProtect(app)
    app.add_url_rule("/token", "token", generate_csrf)

    @app.post("/act")
    def act() -> str:
        return "acted"

    @app.post("/hook")
    @csrf.exempt
    def hook() -> str:
        return "hooked"

    app.errorhandler(CSRFError)(lambda e: (f"refused: {e.description}", 400))
    return app


def test_every_post_needs_a_token_but_an_exempt_one(
    protected: Flask, assert_fast: Any, over_asgi: Any
) -> None:
    client = protected.test_client()
    csrf = client.get("/token").text
    assert client.post("/act").text == "refused: The CSRF token is missing."
    assert client.post("/act", data={"csrf_token": csrf}).text == "acted"
    assert client.post("/act", headers={"X-CSRFToken": csrf}).text == "acted"
    assert client.post("/act", headers={"X-CSRFToken": csrf + "x"}).status_code == 400
    assert client.post("/hook").text == "hooked"
    assert over_asgi(protected, "/act", "POST").status == 400
    cookie = f"session={client.get_cookie('session').value}"
    headers = [("X-CSRFToken", csrf), ("Cookie", cookie)]
    assert over_asgi(protected, "/act", "POST", headers=headers).text == "acted"
    assert_fast(protected)


def test_https_checks_the_referrer_too(protected: Flask) -> None:
    client = protected.test_client()
    site = "https://localhost"
    csrf = client.get("/token", base_url=site).text
    for referrer, status in ((f"{site}/form", 200), ("https://evil.example/", 400), ("", 400)):
        headers = {"X-CSRFToken": csrf, "Referer": referrer}
        assert client.post("/act", base_url=site, headers=headers).status_code == status


def test_a_token_is_good_for_an_hour_or_as_long_as_the_app_says(
    protected: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = protected.test_client()
    now = TimestampSigner("k").get_timestamp()
    headers = {"X-CSRFToken": client.get("/token").text}

    def act(after: int) -> str:
        monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: now + after)
        return str(client.post("/act", headers=headers).text)

    assert act(after=3590) == "acted"
    assert act(after=3610) == "refused: The CSRF token has expired."
    protected.config["WTF_CSRF_TIME_LIMIT"] = None
    assert act(after=36_000) == "acted"


def test_blueprints_and_class_based_views_can_be_exempt_and_csrf_checked_by_hand() -> None:
    app = Flask(__name__)
    app.config |= {"SECRET_KEY": "k", "WTF_CSRF_METHODS": ["POST", "DELETE"]}
    csrf = CSRFProtect()
    csrf.init_app(app)
    api, nested = Blueprint("api", __name__), Blueprint("nested", __name__)
    csrf.exempt(api)
    api.post("/in")(lambda: "in")

    @nested.post("/checked")
    def checked() -> str:
        csrf.protect()
        return "checked"

    class Hook(MethodView):
        decorators = (csrf.exempt,)

        def post(self) -> str:
            return "hooked"

    class Thing(MethodView):
        def put(self) -> str:
            return "put"

        def delete(self) -> str:
            return "deleted"

    api.register_blueprint(nested)
    app.register_blueprint(api)
    app.add_url_rule("/hook", view_func=Hook.as_view("hook"))
    app.add_url_rule("/thing", view_func=Thing.as_view("thing"))
    client = app.test_client()
    assert client.post("/in").text == "in"
    assert client.post("/hook").text == "hooked"
    assert client.put("/thing").text == "put"
    assert client.delete("/thing").status_code == client.post("/checked").status_code == 400
    assert "<p>The CSRF token is missing.</p>" in client.post("/checked").text


def test_one_request_makes_one_token_that_every_template_has(protected: Flask) -> None:
    with protected.test_request_context():
        token = generate_csrf()
        assert token == generate_csrf() == g.csrf_token
        assert render_template_string("{{ csrf_token() }}") == token
        meta = render_template_string("{{ csrf_meta_tag() }}")
        assert meta == f'<meta name="csrf-token" content="{token}">'


def test_tokens_need_a_secret_key() -> None:
    app = Flask(__name__)
    app.add_url_rule("/", "index", generate_csrf)
    app.testing = True
    with pytest.raises(RuntimeError, match="A secret key is required to use CSRF"):
        app.test_client().get("/")
