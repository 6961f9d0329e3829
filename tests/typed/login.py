"""A program with logins, for the type checkers as ``program.py``."""

from __future__ import annotations

from datetime import datetime

from vial import Vial, redirect, request
from vial.login import (
    LoginManager,
    RememberStore,
    UserMixin,
    current_user,
    fresh_login_required_by,
    hash_password,
    login_required,
    login_user,
    safe_next,
    throttle_login,
    verify_password_async,
)
from vial.typing import ResponseReturnValue

app = Vial(__name__)
manager = LoginManager(app)
manager.login_view = "login"


class User(UserMixin):
    def __init__(self, id: int) -> None:
        self.id = id
        self.password_hash: str | None = hash_password("x")


class Devices:
    def add(self, token_id: str, user_id: str, expires: datetime) -> None: ...
    def has(self, token_id: str, user_id: str) -> bool:
        return True

    def remove(self, token_id: str, user_id: str) -> None: ...


store: RememberStore = Devices()
manager.remember_store = Devices()


@manager.user_loader
async def load(id: str) -> User | None:
    return User(int(id))


@app.post("/login")
@throttle_login
async def login() -> ResponseReturnValue:
    user = await load(request.form["id"])
    check = await verify_password_async(
        user.password_hash if user else None, request.form["password"]
    )
    if user is None or not check:
        return "wrong", 401
    return redirect(safe_next()) if login_user(user) else "shut"


@app.get("/me")
@login_required
def me() -> str:
    return str(current_user.name)


@fresh_login_required_by("passkey")
def keys(number: int) -> str:
    return str(number)


keys("one")  # type: ignore[arg-type]
login_user(User(1), remember="yes")  # type: ignore[arg-type]
