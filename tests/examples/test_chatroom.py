"""The chat room without a browser: its rules, its pages and its events."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from serving import Served, wait_for

from .chatroom_kits import PROJECT, an_app, database
from .test_chatroom_store import KINDS

PASSWORD = "correct horse"


@pytest.fixture(scope="module", params=KINDS)
def the_app(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp(request.param)
    with database(request.param, folder) as variables, an_app(variables, folder) as app:
        yield app


@pytest.fixture
def app(the_app: Any) -> Any:
    """The app, without a memory of the tests before: all of them come from one address."""
    with the_app.app_context():
        store = the_app.extensions["chat"].store
        for what in ("register 127.0.0.1", "login 127.0.0.1"):
            store.forgive(what)
    return the_app


class Visitor:
    """A browser without a page."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.client = app.test_client()
        self.token = self.username = self.name = ""

    def get(self, path: str) -> Any:
        page = self.client.get(path)
        found = re.search(r'name="csrf_token" type="hidden" value="([^"]+)"', page.text)
        found = found or re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        self.token = found[1] if found else self.token
        return page

    def post(self, path: str, form_of: str = "", **fields: str) -> Any:
        """Fill in the form of a page and send it."""
        self.get(form_of or path)
        return self.client.post(path, data={"csrf_token": self.token, **fields})

    def register(self, username: str, name: str, password: str = PASSWORD) -> Any:
        return self.post("/register", username=username, name=name, password=password)

    def log_in(self, username: str, password: str = PASSWORD, query: str = "") -> Any:
        return self.post("/login" + query, username=username, password=password)

    def socket(self) -> Any:
        from chatroom.extensions import socketio

        return socketio.test_client(self.app, flask_test_client=self.client)


@pytest.fixture
def visitor(app: Any) -> Callable[[], Visitor]:
    return lambda: Visitor(app)


@pytest.fixture
def member(app: Any) -> Callable[..., Visitor]:
    """Somebody who is registered and logged in; `name` and `username` are unique."""

    def make(name: str = "Ada") -> Visitor:
        visitor = Visitor(app)
        visitor.username, visitor.name = f"u{uuid4().hex[:12]}", f"{name} {uuid4().hex[:8]}"
        assert visitor.register(visitor.username, visitor.name).status_code == 303
        return visitor

    return make


# The rules


@pytest.mark.parametrize(
    ("given", "kept"),
    [("  Ada\t Lovelace ", "Ada Lovelace"), ("\uff21da", "Ada"), ("<b>", "<b>"), ("n" * 24,) * 2],
)
def test_a_display_name_is_tidied(given: str, kept: str) -> None:
    from chatroom.models import rules

    assert rules.clean_name(given) == kept


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (" \t ", "Please enter a display name."),
        ("n" * 25, "This display name has 25 characters; at most 24 fit."),
        ("A\u200bda", "invisible"),
        ("\u202eadA", "invisible"),
        ("A\u3164da", "invisible"),
        ("A\ufe00da", "invisible"),
        ("A\x00", "invisible"),
        ("!!", "needs a letter or a digit"),
        ("A" + "\u0301" * 4, "pile up marks"),
        ("\ud83d", "broken character"),
    ],
)
def test_a_bad_display_name_is_refused_with_the_reason(name: str, problem: str) -> None:
    from chatroom.models import rules

    with pytest.raises(rules.Refused, match=re.escape(problem)):
        rules.clean_name(name)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("  \n ", "Please enter a message."),
        ("x" * 2001, "This message has 2,001 characters; at most 2,000 fit."),
        ("a\x00b", "control characters"),
        ("\ud83d", "broken character"),
    ],
)
def test_a_bad_message_is_refused_with_the_reason(text: str, problem: str) -> None:
    from chatroom.models import rules

    with pytest.raises(rules.Refused, match=re.escape(problem)):
        rules.clean_text(text)


@pytest.mark.parametrize("room", ["", "a/b", "..", "-a", "r" * 33, "a\x00b"])
def test_a_bad_room_is_refused(room: str) -> None:
    from chatroom.models import rules

    with pytest.raises(rules.Refused, match="room name"):
        rules.clean_room(room)


# Accounts


def test_who_registers_is_logged_in_and_in_the_first_room(member: Any) -> None:
    ada = member()
    page = ada.get("/chatroom")
    assert page.status_code == 200
    assert 'data-room="general"' in page.text
    assert ada.name in page.text


def test_a_name_that_is_there_is_refused_in_the_words_of_the_page(
    member: Any, visitor: Any
) -> None:
    ada = member()
    for username, name in (
        (ada.username.upper(), uuid4().hex[:16]),
        (uuid4().hex[:16], " " + ada.name.upper()),
    ):
        page = visitor().register(username, name)
        assert page.status_code == 409
        assert "User or displayname existed</h2>" in page.text
        assert f'value="{name.strip()}"' in page.text
        assert PASSWORD not in page.text


def test_a_wrong_password_and_an_unknown_name_are_told_alike(member: Any, visitor: Any) -> None:
    ada = member()
    for username, password in ((ada.username, "wrong horse"), ("nobody", PASSWORD), ("\x00", "x")):
        page = visitor().log_in(username, password)
        assert (page.status_code, "Wrong user name or password." in page.text) == (422, True)
    assert visitor().log_in(ada.username.upper()).status_code == 303


def test_guessing_has_an_end_and_a_login_does_not_count(member: Any, visitor: Any) -> None:
    ada = member()
    for _ in range(7):
        assert visitor().log_in(ada.username).status_code == 303
    for _ in range(5):
        assert visitor().log_in(ada.username, "wrong horse").status_code == 422
    page = visitor().log_in(ada.username)
    assert (page.status_code, page.headers["Retry-After"]) == (429, "300")
    assert "Too many attempts. Please wait 5 minutes." in page.text


def test_an_address_makes_few_accounts(app: Any, member: Any, visitor: Any) -> None:
    for _ in range(10):
        member()
    assert visitor().register(uuid4().hex[:16], uuid4().hex[:16]).status_code == 429


@pytest.mark.parametrize(
    "path", ["/register", "/login", "/logout", "/profile", "/profile/password", "/rooms"]
)
def test_what_has_no_token_is_refused(member: Any, path: str) -> None:
    ada = member()
    page = ada.client.post(path, data={"name": "Eve"}, headers={"Sec-Fetch-Site": "same-origin"})
    assert page.status_code == 400
    assert "Please send the form once more" in page.text


@pytest.mark.parametrize(
    "hostile",
    ["https://evil", "//evil", "///evil", "/\\evil", "javascript:x", "/%09/evil", "%2f%2fevil"],
)
def test_a_hostile_next_page_stays_on_this_site(member: Any, visitor: Any, hostile: str) -> None:
    page = visitor().log_in(member().username, query="?next=" + hostile)
    assert page.headers["Location"] == "/chatroom"


def test_a_page_for_members_comes_back_after_the_login(member: Any, visitor: Any) -> None:
    ada, again = member(), visitor()
    where = again.client.get("/profile").headers["Location"]
    assert again.log_in(ada.username, query=where.removeprefix("/login")).location == "/profile"


def test_a_new_password_ends_other_sessions(member: Any, visitor: Any) -> None:
    ada, elsewhere = member(), visitor()
    elsewhere.log_in(ada.username)
    wrong = ada.post("/profile/password", "/profile", old="wrong horse", new="another horse")
    assert (wrong.status_code, "This is not your password." in wrong.text) == (422, True)
    done = ada.post("/profile/password", "/profile", old=PASSWORD, new="another horse")
    assert done.status_code == 303
    assert ada.client.get("/profile").status_code == 200
    assert elsewhere.client.get("/profile").status_code == 302
    assert visitor().log_in(ada.username).status_code == 422
    assert visitor().log_in(ada.username, "another horse").status_code == 303


def test_a_new_name_that_is_taken_is_refused(member: Any) -> None:
    ada, ben = member(), member("Ben")
    page = ada.post("/profile", name=ben.name)
    assert (page.status_code, "This display name is taken." in page.text) == (422, True)
    assert ada.post("/profile", name=uuid4().hex[:16]).status_code == 303


# Rooms


def test_rooms_are_made_joined_and_left(member: Any) -> None:
    ada, ben, room = member(), member("Ben"), uuid4().hex[:12]
    assert ada.post("/rooms", name=f" {room.upper()} ").location == f"/chatroom/{room}"
    taken = ben.post("/rooms", name=room)
    assert f"There is a room #{room} already." in taken.text
    assert ben.client.get(f"/chatroom/{room}").location == "/rooms"
    assert ben.post(f"/rooms/{room}/join", "/rooms").location == f"/chatroom/{room}"
    assert ben.client.get(f"/chatroom/{room}").status_code == 200
    assert ben.post(f"/rooms/{room}/leave", "/rooms").location == "/rooms"
    assert ben.client.get(f"/chatroom/{room}").status_code == 302
    assert ben.client.get("/chatroom/nowhere").status_code == 404


# Events


def ask(page: Any, *event: Any) -> Any:
    return page.emit(*event, callback=True)


def heard(page: Any, event: str) -> list[Any]:
    return [got["args"][0] for got in page.get_received() if got["name"] == event]


@pytest.fixture
def talk(member: Any) -> Iterator[Callable[..., Any]]:
    """A page of a new member that has joined the first room."""
    opened = []

    def open_page(visitor: Visitor | None = None) -> Any:
        page = (visitor or member()).socket()
        opened.append(page)
        page.answer = ask(page, "join", "general", 0)
        return page

    yield open_page
    for page in opened:
        if page.is_connected():
            page.disconnect()


def test_a_stranger_does_not_get_in(visitor: Any) -> None:
    assert not visitor().socket().is_connected()


def test_a_message_reaches_its_room(talk: Any) -> None:
    ada, ben = talk(), talk()
    said = ask(ada, "say", " hello ", "key")["message"]
    assert said["text"] == "hello"
    assert heard(ben, "said") == heard(ada, "said") == [said]
    assert ask(ada, "say", "hello", "key")["message"] == said
    more = ask(ada, "say", "more", "key-2")["message"]
    missed = ask(ben, "join", "general", said["change"])
    assert (missed["messages"], missed["last"], missed["fresh"]) == ([more], more["change"], False)


def test_a_deleted_message_is_told_to_everybody(talk: Any) -> None:
    ada, ben = talk(), talk()
    said = ask(ada, "say", "secret", "key")["message"]
    refused = {"error": "You can delete messages of your own only."}
    assert ask(ben, "delete", said["id"]) == refused
    heard(ben, "said")
    gone = ask(ada, "delete", said["id"])["message"]
    assert (gone["deleted"], gone["text"]) == (True, "")
    assert heard(ben, "said") == [gone]
    last = ask(ben, "older", said["id"] + 1)["messages"][-1]
    assert last == gone


def test_a_page_that_missed_much_begins_anew(app: Any, member: Any, talk: Any) -> None:
    from .test_chatroom_store import fill

    ada, room = member(), uuid4().hex[:12]
    ada.post("/rooms", name=room)
    with app.app_context():
        author = app.extensions["chat"].store.user_named(ada.username).id
    fill(app, room, author, 120)
    page = talk(ada)
    answer = ask(page, "join", room, 3)
    ids = [message["id"] for message in answer["messages"]]
    assert (ids, answer["last"], answer["fresh"]) == (list(range(71, 121)), 120, True)
    answer = ask(page, "join", room, 118)
    assert [message["id"] for message in answer["messages"]] == [119, 120]
    assert ask(page, "join", room, 500)["fresh"]  # of a database that is there no more
    older = ask(page, "older", 71)["messages"]
    assert [message["id"] for message in older] == list(range(21, 71))


def test_what_is_refused_is_answered_with_the_reason(member: Any) -> None:
    page = member().socket()
    too_early = {"error": "This page is not in a room any more. Please reload it."}
    assert ask(page, "say", "hello", "key") == too_early
    assert ask(page, "join", "nowhere", 0) == {"error": "You are not in #nowhere any more."}
    ask(page, "join", "general", 0)
    assert "at most 2,000 fit" in ask(page, "say", "x" * 2001, "key")["error"]
    assert "not the number" in ask(page, "older", -1)["error"]
    assert "not the number" in ask(page, "delete", 2**40)["error"]
    assert "letters, digits" in ask(page, "say", "hello", "a b")["error"]
    page.disconnect()


def test_arguments_of_a_wrong_kind_are_answered(
    member: Any, caplog: pytest.LogCaptureFixture
) -> None:
    page = member().socket()
    ask(page, "join", "general", 0)
    for odd in (None, 1.5, [1], {"$gt": ""}, True):
        for event in (("join", odd, 0), ("say", "x", odd), ("older", odd), ("delete", odd)):
            assert "error" in ask(page, *event), event
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    page.disconnect()


def test_who_writes_very_quickly_is_told_to_wait(talk: Any) -> None:
    page = talk()
    for number in range(10):
        assert "message" in ask(page, "say", "hello", str(number))
    assert "very quickly" in ask(page, "say", "hello", "10")["error"]
    assert "message" in ask(page, "say", "hello", "9")  # sent again


def test_a_logout_ends_the_connections(member: Any, talk: Any) -> None:
    ada = member()
    pages = [talk(ada), talk(ada)]
    assert ada.post("/logout", "/profile").status_code == 303
    assert not any(page.is_connected() for page in pages)
    assert not ada.socket().is_connected()


def test_a_session_that_has_ended_elsewhere_says_nothing_more(app: Any, member: Any) -> None:
    ada = member()
    page = ada.socket()
    ask(page, "join", "general", 0)
    with app.app_context():
        store = app.extensions["chat"].store
        user = store.user_named(ada.username)
        store.set_password(user.id, user.password, "another stamp")
    assert ask(page, "say", "hello", "key") == {"error": "You are logged out."}
    assert not page.is_connected()


def test_who_left_a_room_hears_nothing_of_it(member: Any, talk: Any) -> None:
    ada, room = member(), uuid4().hex[:12]
    ada.post("/rooms", name=room)
    page = talk(ada)
    ask(page, "join", room, 0)
    ada.post(f"/rooms/{room}/leave", "/rooms")
    assert ask(page, "say", "hello", "key") == {"error": f"You are not in #{room} any more."}
    assert ask(page, "older", 9) == {"error": f"You are not in #{room} any more."}
    assert [got["name"] for got in page.get_received() if got["name"] == "left"] == ["left"]


def test_people_are_here_while_a_page_of_theirs_is(app: Any, member: Any, talk: Any) -> None:
    ada, ben, room = member("Ada"), member("Ben"), uuid4().hex[:12]
    ada.post("/rooms", name=room)
    ben.post(f"/rooms/{room}/join", "/rooms")
    one, two, three = ada.socket(), ben.socket(), ben.socket()
    ask(one, "join", room, 0)
    ask(two, "join", room, 0)
    answer = ask(three, "join", room, 0)
    assert [person["name"] for person in answer["people"]] == [ada.name, ben.name]

    def here() -> list[str]:
        with app.app_context():
            return [person["name"] for person in app.extensions["chat"].here(room)]

    two.disconnect()
    three.disconnect()
    wait_for("Ben to be gone", lambda: here() == [ada.name])
    one.disconnect()
    wait_for("Ada to be gone", lambda: here() == [])


# Pages


def test_no_page_allows_anything_from_elsewhere(member: Any) -> None:
    ada = member()
    for path in ("/", "/login", "/register", "/chatroom", "/rooms", "/profile", "/nowhere"):
        page = ada.client.get(path)
        assert "default-src 'self'" in page.headers["Content-Security-Policy"]
        assert page.headers["Cache-Control"] == "no-store"
        assert not re.search(r"<style|\sstyle=|<script(?! src)|\son\w+=|https?://", page.text), path


def test_what_people_choose_is_escaped(member: Any) -> None:
    ada = member('"><script>')
    for path in ("/", "/chatroom", "/profile"):
        assert "<script>" not in ada.get(path).text


# The project


def test_the_client_of_the_page_is_that_of_the_smaller_chat() -> None:
    name = "static/vendor/socket.io-client/socket.io.min.js"
    assert (PROJECT / "chatroom" / name).read_bytes() == (
        PROJECT.parent / "chat" / name
    ).read_bytes()


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({}, "SECRET_KEY is not set"),
        ({"SECRET_KEY": "secret"}, "SECRET_KEY has 6 characters"),
        ({"SECRET_KEY": "k" * 32}, "DATABASE_URL is not set"),
    ],
)
def test_production_says_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], problem: str
) -> None:
    from chatroom.config import load_config

    for name in ("SECRET_KEY", "DATABASE_URL", "MONGO_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RuntimeError, match=problem):
        load_config("production")
    with pytest.raises(RuntimeError, match="'staging'; it must be one of"):
        load_config("staging")


@pytest.mark.service
def test_two_workers_start_at_once_and_nothing_has_to_be_set_up(tmp_path: Path) -> None:
    settings = {"INSTANCE_PATH": str(tmp_path / "instance"), "VIAL_CONFIG": "", "SECRET_KEY": ""}
    settings |= {"DATABASE_URL": "", "MONGO_URL": "", "REDIS_URL": ""}
    with Served(tmp_path, str(PROJECT / "wsgi.py"), "-w", "2", **settings) as server:
        server.wait("/")
        for _ in range(8):
            assert "Chat room" in server.get("/login")
        assert server.stop() == 0, server.output
    assert (tmp_path / "instance" / "secret_key").stat().st_mode & 0o077 == 0


def test_visitors_by_ipv4_are_told_apart_on_a_socket_for_both(app: Any) -> None:
    from chatroom.views.accounts import address

    def seen(peer: str) -> str:
        with app.test_request_context(environ_base={"REMOTE_ADDR": peer}):
            return address()

    assert seen("::ffff:10.0.0.1") == seen("10.0.0.1") != seen("::ffff:10.0.0.2")
    assert seen("2001:db8::1") == seen("2001:db8::2") != seen("2001:db8:0:1::1")
    assert len(seen("unix:" + "x" * 500)) == 64


SEED = """
from flask import Flask, render_template
app = Flask(__name__)
app.config['SECRET_KEY'] = 'secret!'

@app.route('/')
def index():
    return render_template('index.html')

@app.route('/chatroom')
def chatroom():
    return render_template('chatroom.html')

@app.route("/register", methods=["GET", "POST"])
def register():

    message= "User or displayname existed"
    return render_template('register.html', msg = message)

@app.route("/login", methods=["GET", "POST"])
def login():
    return render_template('login.html')
"""


def test_the_program_that_the_chat_room_began_as_runs_as_it_is(tmp_path: Path) -> None:
    """Four routes for Flask, with a template each that may have a message."""
    (tmp_path / "templates").mkdir()
    for name in ("index", "chatroom", "register", "login"):
        (tmp_path / "templates" / f"{name}.html").write_text("<h2>{{msg}}</h2>")
    (tmp_path / "test_mongo.py").write_text(SEED)
    ask = (
        "import vial; vial.install_as_flask(); from test_mongo import app; c = app.test_client();"
        "print(c.get('/').text, c.get('/chatroom').text, c.post('/login').text,"
        " c.get('/register').text, c.post('/register').text)"
    )
    command = [sys.executable, "-c", ask]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    told = "<h2>User or displayname existed</h2>"
    assert run.stdout.strip() == f"<h2></h2> <h2></h2> <h2></h2> {told} {told}", run.stderr
