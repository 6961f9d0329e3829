"""Programs written for Flask-SQLAlchemy, as processes: none of them names Vial."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

# A program of one file, with columns as they always were.
BAKERY = """
from flask import Flask, abort, redirect, render_template_string, request, url_for
from flask_sqlalchemy import SQLAlchemy

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///bakery.db"
db = SQLAlchemy(app)

topping_of = db.Table(
    "topping_of",
    db.Column("cake_id", db.Integer, db.ForeignKey("cake.id"), primary_key=True),
    db.Column("topping_id", db.Integer, db.ForeignKey("topping.id"), primary_key=True),
)

class Cake(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(80), unique=True, nullable=False)
    toppings = db.relationship("Topping", secondary=topping_of, backref=db.backref("cakes"))

    def __repr__(self):
        return f"<Cake {self.name!r}>"

class Topping(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(80))

PAGE = '''{% for cake in page %}{{ page.first + loop.index0 }} {{ cake.name }}
{% endfor %}{% for n in page.iter_pages() %}{{ n or "..." }} {% endfor %}'''

@app.route("/cakes")
def cakes():
    page = db.paginate(db.select(Cake).order_by(Cake.name), max_per_page=50)
    return render_template_string(PAGE, page=page)

@app.route("/cakes", methods=["POST"])
def bake():
    cake = Cake(name=request.form["name"], toppings=[Topping(name="sugar")])
    db.session.add(cake)
    db.session.commit()
    return redirect(url_for("show", id=cake.id))

@app.route("/cakes/<int:id>")
def show(id):
    cake = Cake.query.get_or_404(id, description="No cake left")
    return f"{cake!r} {[t.name for t in cake.toppings]}"

@app.route("/eat/<name>")
def eat(name):
    db.session.delete(db.one_or_404(db.select(Cake).filter_by(name=name)))
    db.session.commit()
    return "eaten"

@app.errorhandler(404)
def missing(error):
    return error.description, 404

with app.app_context():
    db.create_all()
"""
BAKERY_VISIT = """
client = program["app"].test_client()
for name in ("tart", "bun", "pie"):
    note(client.post("/cakes", data={"name": name}))
note(client.get("/cakes?per_page=2"))
note(client.get("/cakes/2"))
note(client.get("/cakes/9"))
note(client.get("/eat/bun"))
note(client.get("/eat/bun"))
note(client.get("/cakes?page=2&per_page=1"))
note(client.post("/cakes", data={"name": "pie"}))
import os
notes.append(os.listdir(program["app"].instance_path))
"""

# A package's way: a factory, typed models, two databases, signals.
OFFICE = """
from __future__ import annotations
from flask import Blueprint, Flask, jsonify
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.model import Model
from flask_sqlalchemy.pagination import Pagination
from flask_sqlalchemy.record_queries import get_recorded_queries
from flask_sqlalchemy.session import Session
from flask_sqlalchemy.track_modifications import models_committed
from sqlalchemy import ForeignKey, MetaData, event
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column, relationship

class Base(DeclarativeBase, MappedAsDataclass):
    metadata = MetaData(naming_convention={"pk": "pk_%(table_name)s"})

db = SQLAlchemy(model_class=Base)
bp = Blueprint("office", __name__)
heard = []

class Desk(db.Model):
    id: Mapped[int] = mapped_column(init=False, primary_key=True)
    room: Mapped[str]
    clerk_id: Mapped[int | None] = mapped_column(ForeignKey("clerk.id"), default=None)

class Clerk(db.Model):
    id: Mapped[int] = mapped_column(init=False, primary_key=True)
    name: Mapped[str]
    desks: Mapped[list[Desk]] = relationship(default_factory=list)

class AuditLine(db.Model):
    __bind_key__ = "audit"
    id: Mapped[int] = mapped_column(init=False, primary_key=True)
    text: Mapped[str]

@bp.route("/hire/<name>")
def hire(name):
    db.session.add(Clerk(name=name, desks=[Desk(room="1"), Desk(room="2")]))
    db.session.add(AuditLine(text=f"hired {name}"))
    db.session.commit()
    count = db.select(db.func.count()).select_from(AuditLine)
    return jsonify(
        desks=db.session.execute(db.select(Desk.room).join(Clerk)).scalars().all(),
        lines=db.session.scalar(count),
        queries=len(get_recorded_queries()),
    )

@models_committed.connect
def hear(app, changes):
    heard.extend(sorted((type(o).__name__, op) for o, op in changes))

def create_app():
    app = Flask(__name__)
    app.config.from_mapping(
        SQLALCHEMY_DATABASE_URI="sqlite://",
        SQLALCHEMY_BINDS={"audit": "sqlite://"},
        SQLALCHEMY_RECORD_QUERIES=True,
        SQLALCHEMY_TRACK_MODIFICATIONS=True,
    )
    db.init_app(app)
    app.register_blueprint(bp)
    with app.app_context():
        db.create_all()
        @event.listens_for(db.engine, "connect")
        def connected(connection, record): pass
    return app
"""
OFFICE_VISIT = """
app = program["create_app"]()
note(app.test_client().get("/hire/kim"))
note(app.test_client().get("/hire/lee"))
notes.append(program["heard"])
db = program["db"]
notes.append([sorted(m.tables) for m in db.metadatas.values()])
notes.append(program["Clerk"].__table__.primary_key.name)
notes.append(repr(program["Desk"](room="7")))
"""
RUN = """
import json, runpy, sys, vial
vial.install_as_flask()
program = runpy.run_path(sys.argv[1])
assert "vial.sqlalchemy" in sys.modules
notes = []
def note(r):
    notes.append([r.status_code, r.location or r.text.strip()])
exec(sys.stdin.read())
print(json.dumps(notes))
"""


def run(folder: Path, program: str, visit: str) -> list[Any]:
    (folder / "program.py").write_text(program)
    command = [sys.executable, "-W", "error::DeprecationWarning", "-c", RUN]
    done = subprocess.run(
        [*command, str(folder / "program.py")],
        input=visit,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    notes: list[Any] = json.loads(done.stdout)
    return notes


def test_a_bakery_in_one_file(tmp_path: Path) -> None:
    assert run(tmp_path, BAKERY, BAKERY_VISIT) == [
        [302, "/cakes/1"],
        [302, "/cakes/2"],
        [302, "/cakes/3"],
        [200, "1 bun\n2 pie\n1 2"],
        [200, "<Cake 'bun'> ['sugar']"],
        [404, "No cake left"],
        [200, "eaten"],
        [404, run_404()],
        [200, "2 tart\n1 2"],
        [500, run_500()],
        ["bakery.db"],
    ]


def run_404() -> str:
    from werkzeug.exceptions import NotFound

    return str(NotFound.description)


def run_500() -> str:
    from werkzeug.exceptions import InternalServerError

    return InternalServerError().get_response().get_data(as_text=True).strip()


def test_an_office_with_a_factory(tmp_path: Path) -> None:
    notes = run(tmp_path, OFFICE, OFFICE_VISIT)
    first, second = (json.loads(text) for _, text in notes[:2])
    assert first["desks"] == ["1", "2"]
    assert (first["lines"], second["lines"]) == (1, 2)
    assert second["desks"] == ["1", "2", "1", "2"]
    assert first["queries"] >= 5
    hired = [["AuditLine", "insert"], ["Clerk", "insert"], ["Desk", "insert"], ["Desk", "insert"]]
    assert notes[2:] == [
        hired * 2,
        [["clerk", "desk"], ["audit_line"]],
        "pk_clerk",
        "Desk(id=None, room='7', clerk_id=None)",
    ]
