"""The rooms: talk in one, see which there are, make, join and leave them."""

from __future__ import annotations

from werkzeug import Response

from vial import Blueprint, abort, flash, redirect, render_template, request, url_for
from vial.login import current_user, login_required

from ..extensions import socketio
from ..forms import RoomForm
from ..models import Refused, chat, rules
from ..models.chat import FIRST_ROOM
from .events import room_channel, say_who_is_here

bp = Blueprint("rooms", __name__)
Answer = str | Response | tuple[str, int]
LISTED = 50
"""How many rooms a page of the list has."""


@bp.get("/chatroom")
@login_required
def chatroom() -> Answer:
    """The first room, or another one of the visitor's."""
    mine = chat.store.rooms_of(current_user.id)
    if not mine:
        return redirect(url_for("rooms.index"))
    return room_page(FIRST_ROOM if FIRST_ROOM in mine else mine[0], mine)


@bp.get("/chatroom/<room>")
@login_required
def show(room: str) -> Answer:
    mine = chat.store.rooms_of(current_user.id)
    if room in mine:
        return room_page(room, mine)
    if not chat.store.has_room(room):
        abort(404)
    flash(f"You are not in #{room} yet.", "info")
    return redirect(url_for("rooms.index"))


def room_page(room: str, mine: list[str]) -> str:
    return render_template("chatroom.html", room=room, mine=mine, limit=rules.TEXT)


@bp.route("/rooms", methods=["GET", "POST"])
@login_required
def index() -> Answer:
    form = RoomForm()
    if form.validate_on_submit():
        try:
            made = chat.make_room(current_user, form.name.data)
        except Refused as problem:
            form.name.errors = [str(problem)]
        else:
            return redirect(url_for("rooms.show", room=made), 303)
    return list_page(form)


def list_page(form: RoomForm) -> Answer:
    found = chat.store.rooms(request.args.get("after", "")[: rules.ROOM], LISTED + 1)
    page = render_template(
        "rooms.html",
        form=form,
        rooms=found[:LISTED],
        next=found[LISTED - 1].name if len(found) > LISTED else None,
        mine=chat.store.rooms_of(current_user.id),
    )
    return page, 422 if form.errors else 200


@bp.post("/rooms/<room>/join")
@login_required
def join(room: str) -> Answer:
    try:
        chat.join(current_user, room)
    except Refused as problem:
        flash(str(problem), "danger")
        return redirect(url_for("rooms.index"), 303)
    return redirect(url_for("rooms.show", room=room), 303)


@bp.post("/rooms/<room>/leave")
@login_required
def leave(room: str) -> Answer:
    """Leave a room for good: pages that show it say so, and get nothing of it any more."""
    chat.store.leave(room, current_user.id)
    for sid, shown in chat.store.pages_of(current_user.id):
        if shown == room:
            socketio.server.leave_room(sid, room_channel(room))
            socketio.emit("left", to=sid)
    say_who_is_here(room)
    flash(f"You have left #{room}.", "info")
    return redirect(url_for("rooms.index"), 303)
