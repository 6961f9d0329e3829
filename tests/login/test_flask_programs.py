"""Programs written for Flask-Login, as processes: none of them names Vial."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

# A site with a form, as in a first tutorial.
GARDEN = """
import flask
import flask_login
from flask import Flask, flash, redirect, render_template_string, request, url_for
from werkzeug.security import check_password_hash, generate_password_hash

app = Flask(__name__)
app.secret_key = "carrots"
login_manager = flask_login.LoginManager()
login_manager.init_app(app)
login_manager.login_view = "login"
login_manager.login_message = "Bitte anmelden."
login_manager.login_message_category = "info"

people = {"rosa": generate_password_hash("beans", "pbkdf2:sha256:1")}

class Gardener(flask_login.UserMixin):
    pass

@login_manager.user_loader
def find(name):
    if name not in people:
        return None
    gardener = Gardener()
    gardener.id = name
    return gardener

@login_manager.request_loader
def find_by_key(request):
    return find(request.args.get("key"))

LOGIN = '''{% for c, m in get_flashed_messages(with_categories=true) %}{{ c }}: {{ m }}{% endfor %}
<form method=post><input name=name><input name=password type=password></form>'''

@app.route("/login", methods=["GET", "POST"])
def login():
    if request.method == "POST":
        name = request.form["name"]
        if name in people and check_password_hash(people[name], request.form["password"]):
            flask_login.login_user(find(name), remember="keep" in request.form)
            return redirect(request.args.get("next") or url_for("beds"))
        flash("wrong")
    return render_template_string(LOGIN)

@app.route("/beds")
@flask_login.login_required
def beds():
    return render_template_string("Beds of {{ current_user.id }}")

@app.route("/dig")
@flask_login.fresh_login_required
def dig():
    return "dug by " + flask_login.current_user.get_id()

@app.route("/logout")
@flask_login.login_required
def logout():
    flask_login.logout_user()
    return redirect(url_for("login"))

@flask_login.user_logged_in.connect_via(app)
def note(sender, user, **extra):
    flash(f"welcome {user.id}")
"""
GARDEN_VISIT = """
client = program["app"].test_client()
form = {"name": "rosa", "password": "beans", "keep": "yes"}
note(client.get("/beds"))
note(client.get("/login"))
note(client.post("/login", data={**form, "password": "peas"}))
note(client.post("/login?next=/dig", data=form))
note(client.get("/dig"))
client.delete_cookie("session")
note(client.get("/beds"))
note(client.get("/dig"))
note(client.get("/logout"))
note(client.get("/beds"))
note(client.get("/beds?key=rosa"))
cookie = client.get_cookie("remember_token")
notes.append(cookie and cookie.value)
"""

# A factory with blueprints, handlers of its own and the submodules' names.
LIBRARY = """
from flask import Blueprint, Flask, g, jsonify, session
from flask_login.login_manager import LoginManager
from flask_login.mixins import AnonymousUserMixin, UserMixin
from flask_login.signals import user_unauthorized
from flask_login.test_client import FlaskLoginClient
from flask_login.utils import (
    confirm_login, current_user, decode_cookie, encode_cookie, login_fresh, login_required,
    login_url, login_user, set_login_view,
)
from flask_login import config

manager = LoginManager()

class Visitor(AnonymousUserMixin):
    card = None

class Reader(UserMixin):
    def __init__(self, card):
        self.card = card

    def get_id(self):
        return f"card-{self.card}"

class Session(dict):
    pass

@manager.user_loader
def load_user(card):
    return Reader(card.removeprefix("card-"))

@manager.needs_refresh_handler
def again():
    return jsonify(error="again"), 403

books = Blueprint("books", __name__, url_prefix="/books")

@books.route("/")
@login_required
async def shelf():
    return f"shelf of {current_user.card}"

def create_app():
    app = Flask(__name__)
    app.config.update(SECRET_KEY="shh", TESTING=True, SESSION_PROTECTION="strong")
    app.test_client_class = FlaskLoginClient
    manager.anonymous_user = Visitor
    manager.init_app(app)
    app.register_blueprint(books)
    with app.test_request_context():
        set_login_view("/enter")
        set_login_view("/books/enter", blueprint=books)

    @app.route("/who")
    def who():
        return f"{current_user.card} {login_fresh()} {hasattr(g, '_login_user')}"

    @app.route("/again")
    def again():
        confirm_login()
        return str(sorted(session))

    return app

app = create_app()
"""
LIBRARY_VISIT = """
app = program["app"]
note(app.test_client().get("/who"))
note(app.test_client().get("/books/?page=2"))
client = app.test_client(user=program["Reader"]("7"), fresh_login=False)
note(client.get("/who"))
note(client.get("/books/"))
note(client.get("/again"))
note(client.get("/who"))
note(client.get("/who", headers={"User-Agent": "stolen"}))
note(client.get("/who"))
with app.app_context():
    notes.append(program["decode_cookie"](program["encode_cookie"]("x")))
notes.append(program["config"].COOKIE_NAME)
"""
RUN = """
import json, runpy, sys, vial
vial.install_as_flask()
program = runpy.run_path(sys.argv[1])
assert "argon2" not in sys.modules and "vial.login" in sys.modules
notes = []
def note(r):
    notes.append([r.status_code, r.location or r.text])
exec(sys.stdin.read())
print(json.dumps(notes))
"""


def run(folder: Path, program: str, visit: str) -> list[Any]:
    (folder / "program.py").write_text(program)
    command = [sys.executable, "-W", "error", "-c", RUN, str(folder / "program.py")]
    done = subprocess.run(command, input=visit, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    notes: list[Any] = json.loads(done.stdout)
    return notes


def test_a_garden_with_a_form(tmp_path: Path) -> None:
    form = "\n<form method=post><input name=name><input name=password type=password></form>"
    assert run(tmp_path, GARDEN, GARDEN_VISIT) == [
        [302, "/login?next=%2Fbeds"],
        [200, f"info: Bitte anmelden.{form}"],
        [200, f"message: wrong{form}"],
        [302, "/dig"],
        [200, "dug by rosa"],
        [200, "Beds of rosa"],
        [401, run_401()],
        [302, "/login"],
        [302, "/login?next=%2Fbeds"],
        [200, "Beds of rosa"],
        None,
    ]


def run_401() -> str:
    from werkzeug.exceptions import Unauthorized

    return str(Unauthorized().get_response().get_data(as_text=True))


def test_a_library_with_a_factory(tmp_path: Path) -> None:
    assert run(tmp_path, LIBRARY, LIBRARY_VISIT) == [
        [200, "None False True"],
        [302, "/books/enter?next=%2Fbooks%2F%3Fpage%3D2"],
        [200, "7 False True"],
        [200, "shelf of 7"],
        [200, "['_fresh', '_id', '_user_id']"],
        [200, "7 True True"],
        [200, "None False True"],
        [200, "None False True"],
        "x",
        "remember_token",
    ]
