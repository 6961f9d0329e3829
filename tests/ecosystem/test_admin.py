"""Flask-Admin: an interface for the models, on an app with a database."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, session
from flask_admin import Admin, AdminIndexView, BaseView, expose
from flask_admin.contrib.fileadmin import FileAdmin
from flask_admin.contrib.sqla import ModelView
from flask_babel import Babel
from flask_sqlalchemy import SQLAlchemy


class Guarded(ModelView):
    column_editable_list = ("age",)
    column_searchable_list = ("name",)
    column_filters = ("age",)
    can_export = True

    def is_accessible(self) -> bool:
        return "user" in session

    def inaccessible_callback(self, name: str, **kwargs: Any) -> Any:
        return "log in first", 403


class Report(BaseView):
    @expose("/")
    def index(self) -> str:
        return self.render("report.html")

    @expose("/detail/<int:id>")
    def detail(self, id: int) -> str:
        return f"detail {id} {self.get_url('.index')}"


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    (tmp_path / "templates").mkdir()
    (tmp_path / "files").mkdir()
    extends = "{% extends 'admin/master.html' %}{% block body %}Reported{% endblock %}"
    (tmp_path / "templates" / "report.html").write_text(extends)
    app = Flask(__name__, root_path=str(tmp_path))
    app.secret_key = "k"
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path / 'app.db'}"
    Babel(app)  # Flask-Admin uses it where it is installed
    db = SQLAlchemy(app)

    class User(db.Model):  # type: ignore[name-defined, misc]
        id = db.Column(db.Integer, primary_key=True)
        name = db.Column(db.String(50), nullable=False)
        age = db.Column(db.Integer)

    with app.app_context():
        db.create_all()
    admin = Admin(app, name="Shop", index_view=AdminIndexView(url="/backstage"))
    admin.add_view(Guarded(User, db, name="People"))
    admin.add_view(Report(name="Report", endpoint="report"))
    admin.add_view(FileAdmin(str(tmp_path / "files"), "/files/", name="Files"))
    app.add_url_rule("/login", "login", lambda: session.update(user="ada") or "in")
    return app


@pytest.fixture
def client(app: Flask) -> Any:
    client = app.test_client()
    client.get("/login")
    return client


def people(client: Any, **form: str) -> list[str]:
    page = client.get("/backstage/user/", query_string=form)
    assert page.status_code == 200
    return re.findall(r'class="col-name">\s*(?:<a[^>]*>)?\s*(\w+)', page.text)


def test_the_menu_shows_the_views_and_a_stranger_does_not_get_in(
    app: Flask, assert_fast: Any, over_asgi: Any
) -> None:
    client = app.test_client()
    assert "Shop" in client.get("/backstage/").text
    assert client.get("/backstage/user/").status_code == 403
    answer = over_asgi(app, "/backstage/report/")
    assert "Reported" in answer.text and 'href="/backstage/filea' in answer.text
    assert client.get("/backstage/report/detail/7").text == "detail 7 /backstage/report/"
    assert_fast(app)


def test_rows_are_created_listed_edited_and_deleted(client: Any) -> None:
    created = client.post("/backstage/user/new/", data={"name": "Ada", "age": "36"})
    assert (created.status_code, created.location) == (302, "/backstage/user/")
    assert people(client) == ["Ada"]
    client.post("/backstage/user/edit/?id=1", data={"name": "Lovelace", "age": "36"})
    assert people(client) == ["Lovelace"]
    client.post("/backstage/user/delete/", data={"id": "1"})
    assert people(client) == []


def test_a_form_that_is_wrong_says_so(client: Any) -> None:
    page = client.post("/backstage/user/new/", data={"name": "", "age": "many"})
    assert page.status_code == 200
    assert "This field is required" in page.text and "Not a valid integer value" in page.text


def test_the_list_is_searched_filtered_sorted_and_exported(client: Any) -> None:
    for name, age in (("Ada", "36"), ("Bob", "20"), ("Cid", "70")):
        client.post("/backstage/user/new/", data={"name": name, "age": age})
    assert people(client, search="bo") == ["Bob"]
    assert people(client, flt0_2="30") == ["Ada", "Cid"]  # greater than
    assert people(client, flt0_3="30") == ["Bob"]  # smaller than
    assert people(client, sort="0", desc="1") == ["Cid", "Bob", "Ada"]
    export = client.get("/backstage/user/export/csv/")
    assert export.text.splitlines()[1:] == ["Ada,36", "Bob,20", "Cid,70"]


def test_rows_are_deleted_together_and_edited_in_the_list(client: Any, over_asgi: Any) -> None:
    for name in ("Ada", "Bob", "Cid"):
        client.post("/backstage/user/new/", data={"name": name, "age": "36"})
    client.get("/backstage/user/")  # takes the messages so far
    chosen = {"action": "delete", "rowid": ["1", "3"]}
    page = client.post("/backstage/user/action/", data=chosen, follow_redirects=True)
    assert "2 records were successfully deleted." in page.text
    assert people(client) == ["Bob"]
    saved = client.post("/backstage/user/ajax/update/", data={"list_form_pk": "2", "age": "20"})
    assert saved.text == "Record was successfully saved."
    assert people(client, flt0_3="30") == ["Bob"]
    cookie = ("Cookie", f"session={client.get_cookie('session').value}")
    form = ("Content-Type", "application/x-www-form-urlencoded")
    edit = {"method": "POST", "headers": [cookie, form], "body": b"name=Bill&age=20"}
    assert over_asgi(client.application, "/backstage/user/edit/?id=2", **edit).status == 302
    assert people(client) == ["Bill"]


def test_folders_are_made_and_files_deleted_below_the_given_one(
    client: Any, tmp_path: Path
) -> None:
    (tmp_path / "files" / "a.txt").write_text("text")
    assert client.get("/backstage/fileadmin/download/a.txt").location == "/files/a.txt"
    assert client.get("/backstage/fileadmin/b/../").status_code == 404
    client.post("/backstage/fileadmin/mkdir/", data={"name": "sub"})
    client.post("/backstage/fileadmin/delete/", data={"path": "a.txt"})
    assert [entry.name for entry in (tmp_path / "files").iterdir()] == ["sub"]
    client.post("/backstage/fileadmin/delete/", data={"path": "../app.db"})
    assert (tmp_path / "app.db").exists()


def test_files_are_uploaded_and_static_assets_served(client: Any, tmp_path: Path) -> None:
    upload = {"upload": (io.BytesIO(b"text"), "a.txt")}
    client.post("/backstage/fileadmin/upload/", data=upload)
    assert (tmp_path / "files" / "a.txt").read_bytes() == b"text"
    assert "a.txt" in client.get("/backstage/fileadmin/").text
    client.post("/backstage/fileadmin/upload/", data={"upload": (io.BytesIO(b"x"), "../b.txt")})
    assert not (tmp_path / "b.txt").exists()
    page = client.get("/backstage/").text
    assets = re.findall(r'(?:src|href)="(/backstage/static/[^"]+)"', page)
    assert len(assets) > 2
    for asset in assets:
        with client.get(asset) as response:
            assert response.status_code == 200
