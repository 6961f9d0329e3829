"""A program with forms, as users write it; checked, never run, as program.py is."""

from __future__ import annotations

from typing import Any

from wtforms import Field, IntegerField, StringField, SubmitField, ValidationError
from wtforms.validators import DataRequired

from vial import Blueprint, Vial, redirect, render_template
from vial.forms import CSRFError, CSRFProtect, FlaskForm
from vial.forms.csrf import csrf_meta_tag, generate_csrf, validate_csrf
from vial.forms.file import (
    FileAllowed,
    FileField,
    FileRequired,
    FileSize,
    MultipleFileField,
    file_allowed,
)
from vial.typing import ResponseReturnValue

app = Vial(__name__)
bp = Blueprint("bp", __name__)
csrf = CSRFProtect(app)
csrf.exempt(bp)
csrf.exempt("module.view")


class Login(FlaskForm):
    name = StringField("Name", validators=[DataRequired()])
    age = IntegerField()
    photo = FileField(validators=[FileRequired(), FileAllowed(["png"]), FileSize(10)])
    photos = MultipleFileField(validators=[file_allowed(("png",), "no")])
    send = SubmitField()

    class Meta(FlaskForm.Meta):
        csrf = False
        csrf_time_limit = 10

    def validate_name(self, field: Field) -> None:
        if field.data == "root":
            raise ValidationError("no")


class Later(FlaskForm):
    class Meta:
        csrf = False
        locales = ("de",)

    async def validate_name(self, field: StringField) -> None: ...


@app.route("/", methods=["GET", "POST"])
def index() -> ResponseReturnValue:
    form = Login(prefix="a", obj=None, name="x")
    text: str | None = form.name.data
    number: int | None = form.age.data
    if form.validate_on_submit() and text and number:
        return redirect("/")
    form.hidden_tag("name", form.age)
    return render_template("login.html", form=form)


@app.post("/later")
@csrf.exempt
async def later() -> ResponseReturnValue:
    form = Later(meta={"csrf": False})
    valid: bool = await form.validate_on_submit_async({"name": [_check]})
    return [valid, await form.validate_async()]


def _check(form: Any, field: Field) -> None:
    validate_csrf(generate_csrf())
    csrf_meta_tag(name="x")


@app.errorhandler(CSRFError)
def refused(error: CSRFError) -> ResponseReturnValue:
    csrf.protect()
    FileAllowed("png")  # a string: refused when it runs
    generate_csrf(secret_key=5)  # type: ignore[arg-type]
    csrf.protect("yes")  # type: ignore[arg-type]
    return error.description or "", 400
