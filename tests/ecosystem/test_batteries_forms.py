"""vial.forms beside Flask-WTF: names, parameters, defaults, settings, and what both say."""

from __future__ import annotations

import importlib
import inspect
import io
from typing import Any

import pytest
from flask import Flask

import vial.forms

#: What is unlike the original, each with its reason; docs/forms.md has the same list.
MISSING = {
    # Google's service is out of scope; asking for them says so.
    "flask_wtf": {"Recaptcha", "RecaptchaField", "RecaptchaWidget", "recaptcha"},
}
MODULES = ["", ".csrf", ".file", ".form"]


def names(module: Any) -> set[str]:
    """What a module of the original defines itself, or has in its ``__all__``."""
    own = {
        name
        for name, value in vars(module).items()
        if getattr(value, "__module__", "").startswith("flask_wtf") and not name.startswith("_")
    }
    return own | set(getattr(module, "__all__", ()))


def parameters(function: Any) -> list[tuple[str, Any, Any]]:
    found = inspect.signature(function).parameters.values()
    return [
        (p.name, p.kind, None if "object object" in repr(p.default) else p.default) for p in found
    ]


@pytest.mark.parametrize("name", MODULES)
def test_modules_have_the_names_of_the_original(name: str) -> None:
    theirs = importlib.import_module(f"flask_wtf{name}")
    ours = importlib.import_module(f"vial.forms{name}")
    missing = {n for n in names(theirs) if not n.startswith("Recaptcha") and not hasattr(ours, n)}
    assert missing == set()
    for n in names(theirs) & MISSING.get(theirs.__name__, set()):
        if n != "recaptcha":
            with pytest.raises(ImportError, match="out of its scope"):
                getattr(ours, n)


@pytest.mark.parametrize("name", MODULES)
def test_functions_and_methods_take_what_theirs_take(name: str) -> None:
    theirs = importlib.import_module(f"flask_wtf{name}")
    ours = importlib.import_module(f"vial.forms{name}")
    for n in sorted(names(theirs) - MISSING["flask_wtf"]):
        value = getattr(theirs, n)
        if inspect.isclass(value) and value.__module__.startswith("flask_wtf"):
            compare(n, value, getattr(ours, n))
        elif inspect.isfunction(value):
            assert parameters(getattr(ours, n)) == parameters(value), n


def compare(name: str, theirs: type, ours: type) -> None:
    methods = {
        n: f
        for n, f in vars(theirs).items()
        if inspect.isfunction(f) and (not n.startswith("_") or n in ("__init__", "__call__"))
    }
    for n, method in methods.items():
        assert parameters(getattr(ours, n)) == parameters(method), f"{name}.{n}"
    assert {n for n in dir(theirs) if not n.startswith("_") and not hasattr(ours, n)} == set()
    errors = [e for e in theirs.__mro__ if not e.__module__.startswith("flask_wtf")]
    assert all(issubclass(ours, base) for base in errors)


def test_the_settings_of_a_form_are_those_of_the_original() -> None:
    from flask_wtf import FlaskForm

    theirs = {n for n in vars(FlaskForm.Meta) if not n.startswith("__")}
    assert {n for n in theirs if not hasattr(vial.forms.FlaskForm.Meta, n)} == set()


def test_an_app_of_flask_mode_gets_the_same_configuration() -> None:
    import flask_wtf

    def configured(protect: Any) -> dict[str, Any]:
        app = Flask(__name__)
        protect(app)
        return {key: value for key, value in app.config.items() if key.startswith("WTF_")}

    own = {"WTF_CSRF_CHECK_ORIGIN": False}
    assert configured(vial.forms.CSRFProtect) == configured(flask_wtf.CSRFProtect) | own


class Talk:
    """One program, on the original or on the battery."""

    def __init__(self, package: str) -> None:
        csrf = importlib.import_module(f"{package}.csrf")
        file = importlib.import_module(f"{package}.file")
        form = importlib.import_module(f"{package}.form")
        from wtforms import StringField
        from wtforms.validators import DataRequired

        class Upload(form.FlaskForm):  # type: ignore[name-defined, misc]
            name = StringField(validators=[DataRequired()])
            one = file.FileField(
                validators=[file.FileAllowed(["png", "gif"]), file.FileSize(5, min_size=2)]
            )
            many = file.MultipleFileField(validators=[file.FileRequired()])

        app = Flask(__name__)
        app.secret_key = "k"
        self.protect = csrf.CSRFProtect(app)

        @app.route("/", methods=["GET", "POST"])
        def index() -> Any:
            form = Upload()
            return [form.validate_on_submit(), form.errors, csrf.generate_csrf()]

        @app.post("/exempt")
        @self.protect.exempt
        def exempt() -> Any:
            return index()

        self.client = app.test_client()

    def say(self) -> list[Any]:
        """What it answers to one request after the other."""
        token = self.client.get("/").json[2]

        def file(data: bytes, name: str) -> Any:
            return io.BytesIO(data), name

        form = {"csrf_token": token, "name": "x"}
        answers = [
            self.client.post("/"),
            self.client.post("/", data={"csrf_token": "x"}),
            self.client.post("/", headers={"X-CSRFToken": token}),
            self.client.post("/", data={"other-csrf_token": token}),
            self.client.post(
                "/", data={**form, "one": file(b"abc", "a.PNG"), "many": file(b"", "b")}
            ),
            self.client.post("/", data={**form, "one": file(b"abcdef", "a.gif"), "many": "x"}),
            self.client.post("/", data={**form, "one": file(b"abc", "a.png.exe")}),
            self.client.post("/exempt", data={"name": "x"}),
            self.client.post("/", json={"name": "x"}, headers={"X-CSRF-Token": token}),
            self.client.post("/", data=form, base_url="https://localhost"),
            self.client.post("/nowhere"),
        ]
        return [(a.status_code, a.json[:2] if a.is_json else a.text) for a in answers]


def test_a_program_gets_the_same_answers() -> None:
    assert Talk("vial.forms").say() == Talk("flask_wtf").say()
