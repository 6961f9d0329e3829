"""Users that are models: the two batteries on one app."""

from __future__ import annotations

from typing import Any

from login_site import KEY
from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.security import generate_password_hash

from vial import Vial, request
from vial.login import (
    LoginManager,
    UserMixin,
    current_user,
    hash_password,
    login_required,
    login_user,
    renew_session,
    verify_password,
)
from vial.sqlalchemy import SQLAlchemy


def make() -> Any:
    app = Vial("models", static_folder=None)
    app.secret_key = KEY
    app.testing = True
    app.config.update(
        SQLALCHEMY_DATABASE_URI="sqlite://",
        PASSWORD_ARGON2={"time_cost": 1, "memory_cost": 8, "parallelism": 1},
    )
    db: Any = SQLAlchemy(app)

    class User(UserMixin, db.Model):  # type: ignore[misc]
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(unique=True)
        password_hash: Mapped[str]

    LoginManager(app).user_loader(lambda id: db.session.get(User, int(id)))

    def login() -> Any:
        user = db.session.scalar(db.select(User).filter_by(name=request.form["name"]))
        check = verify_password(user.password_hash if user else None, request.form["password"])
        if not check:
            return "wrong", 401
        if check.needs_rehash:
            user.password_hash = hash_password(request.form["password"])
        login_user(user, remember=True)
        db.session.commit()  # its attributes are read anew after it
        return "in"

    def change() -> str:
        current_user.password_hash = hash_password("new")
        db.session.commit()
        renew_session()
        return "changed"

    app.add_url_rule("/login", "login", login, methods=["POST"])
    app.add_url_rule("/change", "change", login_required(change))
    app.add_url_rule("/me", "me", login_required(lambda: current_user.name))
    with app.app_context():
        db.create_all()
        old = generate_password_hash("old", "pbkdf2:sha256:1")
        db.session.add(User(name="ada", password_hash=old))
        db.session.commit()
    return app, db


def test_a_user_of_an_older_database_logs_in_and_changes_the_password() -> None:
    app, db = make()
    here, elsewhere = app.test_client(), app.test_client()
    form = {"name": "ada", "password": "old"}
    assert here.post("/login", data={**form, "name": "eve"}).status_code == 401
    assert here.post("/login", data={**form, "password": "x"}).status_code == 401
    assert here.post("/login", data=form).text == elsewhere.post("/login", data=form).text == "in"
    assert here.get("/me").text == elsewhere.get("/me").text == "ada"
    assert here.get("/change").text == "changed"
    elsewhere.delete_cookie("session")
    assert elsewhere.get("/me").status_code == 401
    here.delete_cookie("session")
    assert here.get("/me").text == "ada"
    with app.app_context():
        db.engine.dispose()
