"""A chat of two pages: choose a name and a room, then talk. Run it with `python main.py`."""

import os
import secrets
from contextlib import contextmanager
from functools import wraps
from pathlib import Path

from models import TEXT_LIMIT, History, Presence, Refused, Tab, clean_name, clean_room

from vial import Vial, redirect, render_template, request, session, url_for
from vial.socketio import SocketIO, emit, join_room

GRACE = 2  # seconds; a page that is back by then was only reloaded, and nobody left


def kept_secret(file: Path) -> str:
    """A random key, made once and kept in a private file, so that sessions survive a restart."""
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex())
    return file.read_text()


app = Vial(__name__, instance_path=os.environ.get("INSTANCE_PATH"))
instance = Path(app.instance_path)
instance.mkdir(parents=True, exist_ok=True)
app.config["SECRET_KEY"] = os.environ.get("SECRET_KEY") or kept_secret(instance / "secret_key")
app.config["DATABASE"] = os.environ.get("DATABASE") or str(instance / "chat.sqlite3")

socketio = SocketIO(app)
history = History(app.config["DATABASE"])
presence = Presence(app.config["DATABASE"])


@app.after_request
def allow_only_own_files(response):
    """What a page loads and runs comes from this server, so that no message can bring code in."""
    response.headers["Content-Security-Policy"] = "default-src 'self'"
    return response


# The pages


@app.get("/")
def index():
    room = request.args.get("room", "general")
    return render_template("index.html", name=session.get("name", ""), room=room, errors={})


@app.post("/")
def choose():
    """Keep the chosen name and room in the session and open the room, or say what is wrong."""
    errors = {}
    name, room = request.form.get("name", ""), request.form.get("room", "")
    with noting(errors, "name"):
        name = clean_name(name)
    with noting(errors, "room"):
        room = clean_room(room)
    if not errors:
        visitor = session.setdefault("visitor", secrets.token_urlsafe())
        with noting(errors, "name"):
            presence.check_free(Tab(room, name, visitor))
    if errors:
        return render_template("index.html", name=name, room=room, errors=errors), 422
    remember(name, room)
    return redirect(url_for("homepage", room=room), 303)


@app.get("/room/<room>")
def homepage(room):
    name = name_in(room)
    if name is None:
        return redirect(url_for("index", room=room))
    return render_template("homepage.html", name=name, room=room, limit=TEXT_LIMIT)


@contextmanager
def noting(errors, field):
    try:
        yield
    except Refused as problem:
        errors[field] = str(problem)


def remember(name, room):
    """Each room has its own name, so that two tabs can be two people; five fit into a cookie."""
    others = [pair for pair in session.get("rooms", []) if pair[0] != room]
    session["rooms"] = [*others[-4:], [room, name]]
    session["name"] = name
    session.permanent = True


def name_in(room):
    return next((name for kept, name in session.get("rooms", []) if kept == room), None)


# The events. What a handler returns is the acknowledgement that the page waits for.


def answering(handler):
    """What the handler refuses is answered with the reason."""

    @wraps(handler)
    def answer(*args):
        try:
            return handler(*args)
        except Refused as problem:
            return {"error": str(problem)}

    return answer


@socketio.on("join")
@answering
def join(room, after):
    """A page opened, or is back: it gets the messages that came after the last one it has."""
    name = name_in(room)
    if name is None:
        raise Refused(f"You have no name in #{room} yet.")
    new = presence.enter(request.sid, Tab(room, name, session["visitor"]))
    join_room(room)  # before the history is read, so that no message falls between the two
    announce(room, to=room if new else request.sid)
    return {"messages": history.page(room, after)}


@socketio.on("say")
@answering
def say(text, key):
    """Keep a message, send it to everyone in the room, and tell the sender that it was kept."""
    tab = presence.tab(request.sid)
    message = history.add(tab.room, tab.name, text, key)
    emit("said", message, to=tab.room)
    return {"message": message}


@socketio.on("older")
@answering
def older(before):
    return {"messages": history.page(presence.tab(request.sid).room, before=before)}


@socketio.on("disconnect")
def leave(reason):
    socketio.start_background_task(forget, request.sid)


def forget(sid):
    socketio.sleep(GRACE)
    tab = presence.leave(sid)
    if tab:
        announce(tab.room, to=tab.room)


def announce(room, to):
    """Send who is here. By the number a page knows an older list that comes after a newer one."""
    names, number = presence.here(room)
    socketio.emit("people", names, number, to=to)


if __name__ == "__main__":
    host, port = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "5000"))
    socketio.run(app, host=host, port=port)
