"""Programs written for Flask-WTF, as a process in Flask mode: none of them names Vial."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

GUESTBOOK = """
from flask import Flask, flash, redirect, render_template_string, request, url_for
from flask_wtf import CSRFProtect, FlaskForm, Form
from flask_wtf.csrf import CSRFError, generate_csrf
from flask_wtf.file import FileAllowed, FileField, FileRequired, file_size
from wtforms import BooleanField, PasswordField, StringField
from wtforms.validators import DataRequired, EqualTo, Length
import flask_wtf

app = Flask(__name__)
app.config.update(SECRET_KEY="k", WTF_CSRF_TIME_LIMIT=600)
csrf = CSRFProtect()
csrf.init_app(app)

class Entry(FlaskForm):
    name = StringField("name", validators=[DataRequired(), Length(max=20)])
    public = BooleanField("public", default=True)

class Register(FlaskForm):
    password = PasswordField(validators=[DataRequired(), EqualTo("confirm", "differ")])
    confirm = PasswordField()

class Photo(flask_wtf.FlaskForm):
    class Meta:
        csrf = False
    photo = FileField(validators=[FileRequired(), FileAllowed(["jpg", "png"], "Images only!"),
                                  file_size(100)])

PAGE = '''<form method="POST">{{ form.csrf_token }}{{ form.name.label }} {{ form.name(size=20) }}
{% if form.name.errors %}{{ form.name.errors[0] }}{% endif %}</form>{{ csrf_token() }}'''

@app.route("/", methods=["GET", "POST"])
def index():
    form = Entry()
    if form.validate_on_submit():
        flash("Thanks")
        return redirect(url_for("thanks", name=form.name.data))
    return render_template_string(PAGE, form=form)

@app.route("/thanks")
def thanks():
    return "Thanks, " + request.args["name"]

@app.route("/register", methods=("GET", "POST"))
def register():
    form = Register(request.form)
    if request.method == "POST" and form.validate():
        return "registered"
    return form.errors

@app.route("/upload", methods=["POST"])
@csrf.exempt
def upload():
    form = Photo()
    return form.photo.data.filename if form.validate_on_submit() else form.errors

@app.route("/api", methods=["PUT"])
def api():
    return {"token": generate_csrf() == request.headers["X-CSRFToken"], **request.json}

@app.errorhandler(CSRFError)
def handle_csrf_error(e):
    return "Refused: " + e.description, 400
"""
VISIT = """
import io, json, re, sys, vial
vial.install_as_flask(batteries=True)
import guestbook
from flask import g
app = guestbook.app
client = app.test_client()
answers = []
def note(answer):
    answers.append([answer.status_code, answer.location or answer.text.strip()])
page = client.get("/").text
token = re.search('name="csrf_token" type="hidden" value="([^"]+)"', page)[1]
assert page.endswith(token)
note(client.post("/", data={"name": "Ada"}))
note(client.post("/", data={"name": "Ada", "csrf_token": token}))
note(client.post("/register", data={"password": "a", "confirm": "b", "csrf_token": token}))
note(client.post("/register", data={"password": "a", "confirm": "a", "csrf_token": token}))
note(client.post("/upload", data={"photo": (io.BytesIO(b"x"), "x.exe")}))
note(client.post("/upload", data={"photo": (io.BytesIO(b"x"), "x.JPG")}))
note(client.put("/api", json={"a": 1}))
note(client.put("/api", json={"a": 1}, headers={"X-CSRFToken": token}))
with client:  # as tests of such programs get a token
    client.get("/")
    note(client.post("/", data={"name": "x" * 21, "csrf_token": g.csrf_token}))
answers[-1][1] = "longer than 20" in answers[-1][1]
app.config["WTF_CSRF_ENABLED"] = False
note(client.post("/", data={"name": "Bob"}))
for module in ("flask_wtf.recaptcha", "flask_wtf"):
    try:
        exec(f"from {module} import RecaptchaField")
    except ImportError as e:
        answers.append(str(e)[:50])
print(json.dumps([sorted(m for m in sys.modules if m.startswith("flask_wtf")), answers]))
"""


def visited(folder: Path, program: str, visit: str) -> Any:
    (folder / "guestbook.py").write_text(program)
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    run = [sys.executable, "-W", "error", "-c", visit]
    done = subprocess.run(run, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_guestbook(tmp_path: Path) -> None:
    modules, answers = visited(tmp_path, GUESTBOOK, VISIT)
    assert {"flask_wtf", "flask_wtf.csrf", "flask_wtf.file", "flask_wtf.recaptcha"} <= {*modules}
    assert answers == [
        [400, "Refused: The CSRF token is missing."],
        [302, "/thanks?name=Ada"],
        [200, '{"password":["differ"]}'],
        [200, "registered"],
        [200, '{"photo":["Images only!"]}'],
        [200, "x.JPG"],
        [400, "Refused: The CSRF token is missing."],
        [200, '{"a":1,"token":false}'],
        [200, True],
        [302, "/thanks?name=Bob"],
        *["vial.forms has no RecaptchaField: Google's reCAPTC"] * 2,
    ]
