"""The example chat without a browser: its model, its pages and its events."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

CHAT = Path(__file__).parents[2] / "examples" / "chat"


@pytest.fixture(scope="module")
def main(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The program as a module, with an instance folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CHAT))
        patch.setenv("INSTANCE_PATH", str(tmp_path_factory.mktemp("instance") / "made"))
        patch.delenv("SECRET_KEY", raising=False)
        patch.delenv("DATABASE", raising=False)
        module = importlib.import_module("main")
        yield module
        module.history.close()
        module.presence.close()
        del sys.modules["main"], sys.modules["models"]


@pytest.fixture
def models(main: ModuleType) -> ModuleType:
    return sys.modules["models"]


@pytest.fixture
def history(models: ModuleType, tmp_path: Path) -> Iterator[Any]:
    history = models.History(str(tmp_path / "chat.sqlite3"))
    yield history
    history.close()


# The model: input


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("  Ada\t Lovelace ", "Ada Lovelace"),
        ("\uff21da", "Ada"),
        ("<b>", "<b>"),
        ("n" * 24, "n" * 24),
    ],
)
def test_a_name_is_tidied(models: ModuleType, given: str, kept: str) -> None:
    assert models.clean_name(given) == kept


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (" \t ", "Please enter a name."),
        ("n" * 25, "This name has 25 characters; at most 24 fit."),
        ("A\u200bda", "A name cannot have invisible characters."),
        ("\u202eadA", "A name cannot have invisible characters."),
        ("A\x00", "A name cannot have invisible characters."),
    ],
)
def test_a_bad_name_is_refused_with_the_reason(models: ModuleType, name: str, problem: str) -> None:
    with pytest.raises(models.Refused, match=re.escape(problem)):
        models.clean_name(name)


@pytest.mark.parametrize(
    ("given", "kept"), [("General", "general"), (" Tea  time ", "tea-time"), ("café_2", "café_2")]
)
def test_a_room_gets_the_form_it_has_in_its_address(
    models: ModuleType, given: str, kept: str
) -> None:
    assert models.clean_room(given) == kept


@pytest.mark.parametrize("room", ["", "a/b", "a?b", "..", "r" * 33, "a\x00b"])
def test_a_bad_room_is_refused(models: ModuleType, room: str) -> None:
    with pytest.raises(models.Refused, match="room name"):
        models.clean_room(room)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("  \n ", "Please enter a message."),
        ("x" * 1001, "This message has 1,001 characters; at most 1,000 fit."),
        ("\ud83d", "This message has a broken character."),
        ({"text": 1}, "A message is text."),
    ],
)
def test_a_bad_message_is_refused_and_nothing_of_it_is_kept(
    models: ModuleType, history: Any, text: Any, problem: str
) -> None:
    with pytest.raises(models.Refused, match=re.escape(problem)):
        history.add("room", "Ada", text, "key")
    assert history.page("room") == []


def test_a_message_of_the_greatest_length_is_kept_whole(history: Any) -> None:
    assert history.add("room", "Ada", "🙂" * 1000, "key")["text"] == "🙂" * 1000


# The model: history


def test_history_outlives_the_program(models: ModuleType, history: Any, tmp_path: Path) -> None:
    said = history.add("room", "Ada", " hello ", "key")
    assert (said["id"], said["name"], said["text"]) == (1, "Ada", "hello")
    again = models.History(str(tmp_path / "chat.sqlite3"))
    assert again.page("room") == [said]
    again.close()


def test_a_message_sent_twice_is_kept_once(history: Any) -> None:
    first = history.add("room", "Ada", "hello", "key")
    assert history.add("room", "Ada", "hello", "key") == first
    assert history.add("room", "Ben", "hello", "key")["id"] == 2
    assert len(history.page("room")) == 2


def test_a_long_key_is_refused(models: ModuleType, history: Any) -> None:
    with pytest.raises(models.Refused, match="This key has 65 characters"):
        history.add("room", "Ada", "hello", "k" * 65)


def test_a_page_is_the_newest_hundred_of_one_room_in_order(history: Any) -> None:
    for number in range(1, 131):
        history.add("room", "Ada", f"line {number}", str(number))
        history.add("other", "Ada", f"other {number}", str(number))

    def ids(**bounds: int) -> list[int]:
        return [message["id"] for message in history.page("room", **bounds)]

    assert ids() == list(range(31, 131))
    assert ids(before=31) == list(range(1, 31))
    assert ids(after=127) == [128, 129, 130]
    assert ids(after=130) == []
    assert {message["text"][:4] for message in history.page("room")} == {"line"}


def test_threads_that_write_at_once_leave_no_gap_in_the_ids(history: Any) -> None:
    with ThreadPoolExecutor(8) as pool:
        added = pool.map(lambda n: history.add("room", "Ada", "x", str(n))["id"], range(80))
    assert sorted(added) == list(range(1, 81))


# The model: presence


@pytest.fixture
def presence(models: ModuleType, tmp_path: Path) -> Iterator[Any]:
    presence = models.Presence(str(tmp_path / "chat.sqlite3"))
    yield presence
    presence.close()


def names(presence: Any, room: str = "room") -> list[str]:
    return presence.here(room)[0]  # type: ignore[no-any-return]


def test_a_person_is_here_while_one_of_their_tabs_is(models: ModuleType, presence: Any) -> None:
    ada = models.Tab("room", "Ada", "visitor")
    assert presence.enter("sid 1", ada)
    assert not presence.enter("sid 2", ada)
    assert names(presence) == ["Ada"]
    assert presence.leave("sid 1") is None
    assert presence.leave("sid 2") == ada
    assert presence.leave("sid 2") is None
    assert names(presence) == []


def test_a_name_belongs_to_one_visitor_of_a_room_at_a_time(
    models: ModuleType, presence: Any
) -> None:
    presence.enter("sid", models.Tab("room", "Ada", "visitor"))
    problem = "Somebody in #room is called Ada already. Choose another name."
    for taken in (presence.check_free, lambda tab: presence.enter("other", tab)):
        with pytest.raises(models.Refused, match=problem):
            taken(models.Tab("room", "ADA", "stranger"))
    presence.enter("elsewhere", models.Tab("other", "Ada", "stranger"))
    presence.leave("sid")
    presence.enter("other", models.Tab("room", "ADA", "stranger"))
    assert names(presence) == ["ADA"]


def test_processes_share_who_is_here_and_count_the_changes(
    models: ModuleType, presence: Any, tmp_path: Path
) -> None:
    presence.enter("sid 1", models.Tab("room", "Ada", "1"))
    numbers = [presence.here("room")[1]]
    program = (
        "import sys, models; presence = models.Presence(sys.argv[1])\n"
        "presence.enter('sid 2', models.Tab('room', 'Ben', '2'))\n"
        "print(*presence.here('room')[0], flush=True); input()"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "chat.sqlite3")]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=CHAT, text=True, **pipes) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "Ada Ben\n"
        assert names(presence) == ["Ada", "Ben"]
        numbers.append(presence.here("room")[1])
        other.kill()
    assert names(presence) == ["Ada"]  # Ben's process has not had the time to say that he left
    presence.leave("sid 1")
    numbers.append(presence.here("room")[1])
    assert numbers == sorted(set(numbers))


def test_what_a_process_of_the_same_number_left_behind_is_forgotten(
    models: ModuleType, presence: Any, tmp_path: Path
) -> None:
    presence.enter("sid", models.Tab("room", "Ada", "visitor"))
    again = models.Presence(str(tmp_path / "chat.sqlite3"))
    assert names(again) == names(presence) == []
    again.close()


# The pages


@pytest.fixture
def visitor(main: ModuleType) -> Callable[..., Any]:
    """A new visitor, who has chosen a name in a room."""

    def choose(name: str, room: str) -> Any:
        client = main.app.test_client()
        response = client.post("/", data={"name": name, "room": room})
        assert response.status_code == 303
        return client

    return choose


def test_every_page_allows_only_files_of_this_server(main: ModuleType) -> None:
    client = main.app.test_client()
    for path in ("/", "/room/nowhere", "/nothing", "/static/chat.js"):
        with client.get(path) as response:
            assert response.headers["Content-Security-Policy"] == "default-src 'self'"


def test_no_template_has_a_script_or_a_style_in_it() -> None:
    for template in (CHAT / "templates").iterdir():
        text = template.read_text()
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|https?://|<script>", text)


def test_a_chosen_name_is_kept_in_a_lax_cookie_and_opens_the_room(main: ModuleType) -> None:
    client = main.app.test_client()
    response = client.post("/", data={"name": "Ada", "room": "Tea time"})
    assert response.status_code == 303
    assert response.headers["Location"] == "/room/tea-time"
    assert re.search("HttpOnly.*SameSite=Lax", response.headers["Set-Cookie"])
    assert 'data-name="Ada"' in client.get("/room/tea-time").text


def test_what_people_choose_is_escaped(main: ModuleType, visitor: Callable[..., Any]) -> None:
    page = visitor('"><script>', "escape").get("/room/escape").text
    assert 'data-name="&#34;&gt;&lt;script&gt;"' in page
    assert "<i>" not in main.app.test_client().get("/?room=<i>").text


def test_a_room_without_a_name_leads_to_the_form(main: ModuleType) -> None:
    client = main.app.test_client()
    response = client.get("/room/garden")
    assert response.status_code == 302
    assert 'value="garden"' in client.get(response.headers["Location"]).text


def test_a_wrong_form_comes_back_filled_in_with_every_problem(main: ModuleType) -> None:
    response = main.app.test_client().post("/", data={"name": "n" * 30, "room": "a/b"})
    assert response.status_code == 422
    assert "This name has 30 characters; at most 24 fit." in response.text
    assert "A room name has letters, digits, - and _ only." in response.text
    assert f'value="{"n" * 30}"' in response.text
    assert "Please enter a name." in main.app.test_client().post("/").text


def test_each_room_of_a_visitor_has_its_own_name(visitor: Callable[..., Any]) -> None:
    client = visitor("Ada", "room-0")
    for number in range(1, 5):
        client.post("/", data={"name": f"Ada {number}", "room": f"room-{number}"})
    assert 'data-name="Ada"' in client.get("/room/room-0").text
    assert 'data-name="Ada 3"' in client.get("/room/room-3").text
    client.post("/", data={"name": "Ada", "room": "room-5"})
    assert client.get("/room/room-0").status_code == 302  # the sixth takes the place of the first


def test_the_secret_key_is_made_once_and_is_private(main: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "secret_key"
    secret = main.kept_secret(file)
    assert len(secret) == 64
    assert main.kept_secret(file) == secret
    assert file.stat().st_mode & 0o077 == 0
    assert main.app.secret_key == (Path(main.app.instance_path) / "secret_key").read_text()


# The events


@pytest.fixture
def connect(main: ModuleType, visitor: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """The connection of a new visitor's page."""
    opened = []

    def open_page(name: str, room: str) -> Any:
        client = visitor(name, room)
        opened.append(main.socketio.test_client(main.app, flask_test_client=client))
        return opened[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main, "GRACE", 0)
        yield open_page
        for page in opened:
            if page.is_connected():
                page.disconnect()


def heard(page: Any, event: str) -> list[Any]:
    return [got["args"][0] for got in page.get_received() if got["name"] == event]


def ask(page: Any, *event: Any) -> Any:
    return page.emit(*event, callback=True)


def test_a_page_that_joins_gets_the_history_and_who_is_here(connect: Callable[..., Any]) -> None:
    ada, ben = connect("Ada", "join"), connect("Ben", "join")
    assert ask(ada, "join", "join", 0) == {"messages": []}
    said = ask(ada, "say", "hello", "key 1")["message"]
    assert ask(ben, "join", "join", 0) == {"messages": [said]}
    assert ask(ben, "join", "join", 1) == {"messages": []}
    assert heard(ada, "people") == [["Ada"], ["Ada", "Ben"]]


def test_a_message_reaches_its_room_and_is_acknowledged(connect: Callable[..., Any]) -> None:
    ada, ben, cyd = connect("Ada", "one"), connect("Ben", "one"), connect("Cyd", "two")
    for page, room in ((ada, "one"), (ben, "one"), (cyd, "two")):
        ask(page, "join", room, 0)
    said = ask(ada, "say", "hello", "key")["message"]
    assert said["text"] == "hello"
    assert heard(ada, "said") == heard(ben, "said") == [said]
    assert heard(cyd, "said") == []


def test_what_is_refused_is_answered_with_the_reason(connect: Callable[..., Any]) -> None:
    ada = connect("Ada", "refuse")
    asked_too_early = {"error": "This page is not in a room any more. Please reload it."}
    assert ask(ada, "say", "hello", "key") == asked_too_early
    assert ask(ada, "older", 5) == asked_too_early
    assert ask(ada, "join", "elsewhere", 0) == {"error": "You have no name in #elsewhere yet."}
    ask(ada, "join", "refuse", 0)
    too_long = {"error": "This message has 1,001 characters; at most 1,000 fit."}
    assert ask(ada, "say", "x" * 1001, "key") == too_long
    assert heard(ada, "said") == []


def test_arguments_of_a_wrong_kind_are_answered_too(
    connect: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    ada = connect("Ada", "odd")
    no_number = {"error": "This is not the number of a message."}
    for odd in (None, 1.5, 2**70, "1", [1], {"a": 1}, "\ud800"):
        assert "You have no name" in ask(ada, "join", odd, 0)["error"]
        assert ask(ada, "join", "odd", odd) == no_number
        assert ask(ada, "older", odd) == no_number
        answer = ask(ada, "say", "hello", odd)
        assert "message" in answer or answer == {"error": "This key has a broken character."}
    assert caplog.records == []


def test_a_name_that_was_taken_meanwhile_is_refused(connect: Callable[..., Any]) -> None:
    ada, other = connect("Ada", "twice"), connect("Ada", "twice")
    ask(ada, "join", "twice", 0)
    assert "is called Ada already" in ask(other, "join", "twice", 0)["error"]


# What is in the box


def test_the_vendored_files_are_those_that_package_json_names() -> None:
    packages = json.loads((CHAT / "package.json").read_text())["devDependencies"]
    vendor = CHAT / "static" / "vendor"
    bootstrap = (vendor / "bootstrap" / "bootstrap.min.css").read_text()[:200]
    client = (vendor / "socket.io-client" / "socket.io.min.js").read_text()[:200]
    assert f"v{packages['bootstrap']} " in bootstrap
    assert f"v{packages['socket.io-client']}\n" in client
    assert all("MIT License" in (vendor / name / "LICENSE").read_text() for name in packages)
