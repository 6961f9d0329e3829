"""Accounts: register, log in, log out, and what a person can change about themself."""

from __future__ import annotations

from werkzeug import Response

from vial import Blueprint, flash, redirect, render_template, request, url_for
from vial.login import (
    current_user,
    login_required,
    login_user,
    logout_user,
    network_of,
    safe_next,
)

from ..extensions import login as manager
from ..extensions import socketio
from ..forms import LoginForm, NameForm, PasswordForm, RegisterForm
from ..models import Refused, Taken, TooMany, User, chat
from .events import say_who_is_here

bp = Blueprint("accounts", __name__)
Answer = str | Response | tuple[str, int] | tuple[str, int, dict[str, str]]


@manager.user_loader
def load_user(session_id: str) -> User | None:
    """The person of a session, as long as nothing has put an end to it."""
    id, _, stamp = session_id.partition(".")
    user = chat.store.user(id)
    return user if user and user.stamp == stamp else None


@bp.route("/register", methods=["GET", "POST"])
def register() -> Answer:
    form = RegisterForm()
    if not form.validate_on_submit():
        return render_template("register.html", form=form), 422 if form.errors else 200
    try:
        user = chat.register(form.username.data, form.name.data, form.password.data, address())
    except Taken:
        return render_template("register.html", form=form, msg="User or displayname existed"), 409
    except TooMany as problem:
        return too_many("register.html", form, problem)
    login_user(user)
    flash(f"Welcome, {user.name}!", "success")
    return redirect(safe_next(url_for("rooms.chatroom")), 303)


@bp.route("/login", methods=["GET", "POST"])
def login() -> Answer:
    form = LoginForm()
    if not form.validate_on_submit():
        return render_template("login.html", form=form), 422 if form.errors else 200
    try:
        user = chat.log_in(form.username.data, form.password.data, address())
    except TooMany as problem:
        return too_many("login.html", form, problem)
    if user is None:
        return render_template("login.html", form=form, msg="Wrong user name or password."), 422
    login_user(user, remember=form.remember.data)
    return redirect(safe_next(url_for("rooms.chatroom")), 303)


def too_many(template: str, form: LoginForm | RegisterForm, problem: TooMany) -> Answer:
    page = render_template(template, form=form, msg=str(problem))
    return page, 429, {"Retry-After": str(problem.wait)}


@bp.post("/logout")
def logout() -> Response:
    """End the session, and with it the connections of all pages that have it."""
    logout_user()
    flash("You are logged out.", "info")
    return redirect(url_for("pages.index"), 303)


@bp.route("/profile", methods=["GET", "POST"])
@login_required
def profile() -> Answer:
    form = NameForm(name=current_user.name)
    if form.validate_on_submit():
        try:
            name = chat.rename(current_user, form.name.data)
        except Taken as problem:
            form.name.errors = [str(problem)]
        else:
            tell_new_name(current_user.id, name)
            flash(f"You are {name} now.", "success")
            return redirect(url_for("accounts.profile"), 303)
    return profile_page(form, PasswordForm())


@bp.post("/profile/password")
@login_required
def password() -> Answer:
    form = PasswordForm()
    if form.validate_on_submit():
        try:
            user = chat.change_password(current_user, form.old.data, form.new.data, address())
        except Refused as problem:
            form.old.errors = [str(problem)]
        else:
            login_user(user)
            end_connections(user.id)
            flash("Your password is changed. Other devices are logged out.", "success")
            return redirect(url_for("accounts.profile"), 303)
    return profile_page(NameForm(name=current_user.name, formdata=None), form)


def profile_page(name: NameForm, password: PasswordForm) -> Answer:
    page = render_template("profile.html", name=name, password=password)
    return page, 422 if name.errors or password.errors else 200


def tell_new_name(id: str, name: str) -> None:
    """Every page shows it at once."""
    socketio.emit("renamed", {"id": id, "name": name})
    for room in {room for _, room in chat.store.pages_of(id)}:
        say_who_is_here(room)


def end_connections(id: str) -> None:
    """Those with a session that is still good come back by themselves."""
    for sid, _ in chat.store.pages_of(id):
        socketio.server.disconnect(sid)


def address() -> str:
    """Where a request comes from, for limits; a Unix socket has a path that may be long."""
    return network_of(request.remote_addr or "unknown")[:64]
