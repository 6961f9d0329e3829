"""The chat room in real browser windows, on SQLite by `vial run`, and on PostgreSQL by two workers
of `vial serve`."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from examples.chatroom_kits import PROJECT, an_app, database
from playwright.sync_api import Locator, Page, Route, expect

from .conftest import ChatServer, Window

pytestmark = [pytest.mark.browser, pytest.mark.service]
Open = Callable[..., Window]
Snap = Callable[[Page, str], None]
PASSWORD = "correct horse"
expect.set_options(timeout=30_000)  # a busy machine is no mistake of the program
REFUSED = "status of 4"  # how the browser logs a page that says what is wrong


class RoomServer(ChatServer):
    """The chat room as its users start it; `app` is one on the same database, in this process."""

    app: Any

    def __init__(self, instance: Path, variables: dict[str, str], workers: int | None) -> None:
        super().__init__(instance)
        self.folder = PROJECT
        self.settings = {"INSTANCE_PATH": str(instance), "REDIS_URL": "", **variables}
        run = ["run", "--port", str(self.port)]
        if workers:
            run = ["serve", "-w", str(workers), "--bind", f"127.0.0.1:{self.port}"]
        self.command = [sys.executable, "-m", "vial", *run]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def chat(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RoomServer]:
    folder = tmp_path_factory.mktemp(request.param)
    with database(request.param, folder) as variables:
        workers = None if request.param == "sqlite" else 2
        server = RoomServer(folder, variables, workers)
        with an_app(variables, folder) as server.app:
            server.start()
            yield server
            server.stop(signal.SIGTERM if workers else signal.SIGINT)


class Person:
    """Somebody with an account, whose password is PASSWORD."""

    def __init__(self, app: Any, name: str) -> None:
        from vial.login import hash_password

        self.username = f"u{uuid4().hex[:12]}"
        self.name = f"{name} {uuid4().hex[:6]}"
        with app.app_context():
            store = app.extensions["chat"].store
            user = store.add_user(self.username, self.name, hash_password(PASSWORD), "stamp")
            if not store.has_room("general"):
                store.add_room("general")
            store.join("general", user.id)
            self.id = user.id


def a_room(app: Any, *people: Person) -> str:
    """A room with these people in it."""
    room = f"room-{uuid4().hex[:8]}"
    with app.app_context():
        store = app.extensions["chat"].store
        store.add_room(room)
        for person in people:
            store.join(room, person.id)
    return room


def log_in(window: Window, person: Person) -> None:
    """By the form, without showing it."""
    request = window.page.context.request
    found = re.search(
        r'name="csrf_token" type="hidden" value="([^"]+)"', request.get("/login").text()
    )
    assert found
    form = {"username": person.username, "password": PASSWORD, "csrf_token": found[1]}
    assert request.post("/login", form=form, max_redirects=0).status == 303


def enter(window: Window, person: Person, room: str) -> Page:
    log_in(window, person)
    return show(window.page, room)


def show(page: Page, room: str) -> Page:
    page.goto(f"/chatroom/{room}")
    wait_until_joined(page)
    return page


def wait_until_joined(page: Page) -> None:
    expect(page.locator("#room")).to_have_attribute("data-connection", "joined")


def say(page: Page, text: str) -> None:
    page.get_by_label("Message to").fill(text)
    page.get_by_role("button", name="Send").click()


def messages(page: Page) -> Locator:
    return page.locator("#messages .words")


def people(page: Page) -> Locator:
    return page.locator("#people-list bdi")


def banner(page: Page) -> Locator:
    return page.locator("#banner")


def open_menu(page: Page) -> None:
    menu = page.get_by_role("button", name="Menu")
    if menu.is_visible():
        menu.click()


# Accounts


def test_two_people_register_log_in_talk_and_log_out(open_window: Open, snap: Snap) -> None:
    mark = uuid4().hex[:6]
    ada_window, ben_window = open_window(), open_window()
    ada, ben = ada_window.page, ben_window.page
    for page, name in ((ada, "Ada"), (ben, "Ben")):
        page.goto("/")
        page.get_by_role("main").get_by_role("link", name="Register").click()
        page.get_by_label("User name").fill(f"{name}.{mark}")
        page.get_by_label("Display name").fill(f"{name} {mark}")
        page.get_by_label("Password").fill(PASSWORD)
        snap(page, "register-filled")
        page.get_by_role("button", name="Register").click()
        wait_until_joined(page)
        expect(page.get_by_role("alert").filter(has_text="Welcome")).to_be_visible()
    expect(people(ada)).to_have_text([f"Ada {mark}", f"Ben {mark}"])
    say(ada, "Good morning, Ben")
    expect(messages(ben).last).to_have_text("Good morning, Ben")
    say(ben, "Good morning, Ada")
    expect(messages(ada).last).to_have_text("Good morning, Ada")
    snap(ada, "talk-first")

    ben.get_by_role("button", name="Log out").click()
    expect(ben.get_by_text("You are logged out.")).to_be_visible()
    expect(people(ada)).to_have_text([f"Ada {mark}"])
    ben.goto("/chatroom")
    expect(ben).to_have_url(re.compile(r"/login\?next="))
    ben.get_by_label("User name").fill(f"ben.{mark}")
    ben.get_by_label("Password").fill(PASSWORD)
    ben.get_by_role("button", name="Log in").click()
    expect(ben).to_have_url(re.compile("/chatroom$"))
    wait_until_joined(ben)
    expect(messages(ben)).to_have_text(["Good morning, Ben", "Good morning, Ada"])


def test_a_name_that_is_there_is_refused(chat: RoomServer, open_window: Open, snap: Snap) -> None:
    ada = Person(chat.app, "Ada")
    window = open_window()
    page = window.page
    for username, name in (
        (ada.username.upper(), f"Eve {uuid4().hex[:6]}"),
        (f"eve{uuid4().hex[:8]}", ada.name.upper()),
        (f"eve{uuid4().hex[:8]}", ada.name.replace("Ada", "\u0410da")),
    ):
        page.goto("/register")
        page.get_by_label("User name").fill(username)
        page.get_by_label("Display name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        with window.expecting(REFUSED):
            page.get_by_role("button", name="Register").click()
            expect(page.get_by_role("alert")).to_have_text("User or displayname existed")
    expect(page.get_by_label("Display name")).to_have_value(ada.name.replace("Ada", "\u0410da"))
    expect(page.get_by_label("Password")).to_have_value("")
    snap(page, "register-existed")


def test_a_form_says_what_is_wrong_beside_the_field(open_window: Open, snap: Snap) -> None:
    window = open_window()
    page = window.page
    page.goto("/register")
    page.get_by_label("User name").fill("Ü!")
    page.get_by_label("Display name").fill("A\u200bda")
    page.get_by_label("Password").fill("short")
    with window.expecting(REFUSED):
        page.get_by_role("button", name="Register").click()
        expect(page.locator(".invalid-feedback")).to_have_count(3)
    for label, problem in (
        ("User name", "at least 3 are needed"),
        ("Display name", "invisible characters"),
        ("Password", "8 to 128 characters"),
    ):
        expect(page.get_by_label(label)).to_have_accessible_description(re.compile(problem))
    snap(page, "register-wrong")


def test_a_wrong_password_is_refused_and_guessing_has_an_end(
    chat: RoomServer, open_window: Open, snap: Snap
) -> None:
    ada = Person(chat.app, "Ada")
    window = open_window()
    page = window.page
    page.goto("/login")
    with window.expecting(REFUSED):
        for attempt in range(6):
            page.get_by_label("User name").fill(ada.username)
            page.get_by_label("Password").fill("wrong horse")
            page.get_by_role("button", name="Log in").click()
            said = "Wrong user name or password." if attempt < 5 else "Too many attempts."
            expect(page.get_by_role("alert")).to_contain_text(said)
            snap(page, f"login-wrong-{attempt}")
    page.goto("/chatroom")
    expect(page).to_have_url(re.compile("/login"))
    snap(page, "login")


def test_a_hostile_next_page_stays_on_this_site(chat: RoomServer, open_window: Open) -> None:
    window, ada = open_window(), Person(chat.app, "Ada")
    page = window.page
    for hostile in ("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:1"):
        page.context.clear_cookies()
        page.goto("/login?next=" + hostile)
        page.get_by_label("User name").fill(ada.username)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page).to_have_url(f"{chat.origin}/chatroom")
        wait_until_joined(page)


def test_what_has_no_token_is_refused(chat: RoomServer, open_window: Open, snap: Snap) -> None:
    ada, window = Person(chat.app, "Ada"), open_window()
    log_in(window, ada)
    page = window.page
    for path in ("/logout", "/profile", "/profile/password", "/rooms", "/rooms/general/leave"):
        answer = page.context.request.post(path, form={"name": "Eve", "new": "x", "old": "y"})
        assert answer.status == 400, path
        assert "Please send the form once more" in answer.text()
    with window.expecting(REFUSED):
        page.goto("/profile")
        page.evaluate("document.querySelectorAll('[name=csrf_token]').forEach((it) => it.remove())")
        page.get_by_label("Display name").fill("Eve")
        page.get_by_role("button", name="Change name").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Please send the form once more")
        snap(page, "csrf")
    page.goto("/profile")
    expect(page.get_by_label("Display name")).to_have_value(ada.name)


def test_a_form_on_another_site_does_nothing(chat: RoomServer, open_window: Open) -> None:
    ada, window = Person(chat.app, "Ada"), open_window()
    log_in(window, ada)
    page = window.page

    def evil(route: Route) -> None:
        form = f'<form method="post" action="{chat.origin}/logout"><button>win a prize</button>'
        route.fulfill(body=form, content_type="text/html")

    page.context.route("http://evil.example/", evil)
    with window.expecting(REFUSED):
        page.goto("http://evil.example/")
        page.get_by_role("button").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Please send the form once more")
    window.faults = [fault for fault in window.faults if "evil.example" not in fault]
    page.goto("/profile")
    expect(page.get_by_label("Display name")).to_have_value(ada.name)


# Sessions and connections


def test_a_logout_closes_the_connections_of_every_tab_within_a_second(
    chat: RoomServer, open_window: Open, snap: Snap
) -> None:
    ada, window = Person(chat.app, "Ada"), open_window()
    room = a_room(chat.app, ada)
    first = enter(window, ada, room)
    tabs = [show(window.page.context.new_page(), room) for _ in range(3)]
    clock = "performance.timeOrigin + performance.now()"
    for tab in tabs:
        tab.evaluate(f"socket.on('disconnect', () => {{ window.gone = {clock}; }})")
    first.get_by_role("button", name="Log out").click()
    expect(first.get_by_text("You are logged out.")).to_be_visible()
    timing = "performance.getEntriesByType('navigation')[0]"
    answered = first.evaluate(f"performance.timeOrigin + {timing}.redirectEnd")
    for tab in tabs:
        expect(banner(tab)).to_have_text("You are logged out. Log in")
        assert tab.evaluate("window.gone") - answered < 1000
        tab.evaluate("socket.emit('say', 'after the end', 'key')")
    snap(tabs[0], "logged-out")
    with chat.app.app_context():
        assert chat.app.extensions["chat"].store.last_change(room) == 0
    tabs[0].get_by_role("link", name="Log in").click()
    tabs[0].get_by_label("User name").fill(ada.username)
    tabs[0].get_by_label("Password").fill(PASSWORD)
    tabs[0].get_by_role("button", name="Log in").click()
    expect(tabs[0]).to_have_url(f"{chat.origin}/chatroom/{room}")
    wait_until_joined(tabs[0])


def test_a_new_password_ends_the_other_sessions_and_not_this_one(
    chat: RoomServer, open_window: Open, snap: Snap
) -> None:
    ada, here, elsewhere = Person(chat.app, "Ada"), open_window(), open_window()
    room = a_room(chat.app, ada)
    other, tab = enter(elsewhere, ada, room), enter(here, ada, room)
    page = here.page.context.new_page()
    page.goto("/profile")
    snap(page, "profile")
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("New password").fill("another horse")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_role("alert")).to_contain_text("Your password is changed.")
    expect(banner(other)).to_have_text("You are logged out. Log in")
    other.reload()
    expect(other).to_have_url(re.compile("/login"))
    expect(banner(tab)).to_be_empty()
    wait_until_joined(tab)
    say(tab, "still here")
    expect(messages(tab)).to_have_text(["still here"])


def test_the_connection_comes_back_and_what_was_missed_with_it(
    chat: RoomServer, open_window: Open, snap: Snap
) -> None:
    ada, ben = Person(chat.app, "Ada"), Person(chat.app, "Ben")
    room = a_room(chat.app, ada, ben)
    window = open_window()
    page = enter(window, ada, room)
    say(page, "before")
    expect(messages(page)).to_have_text(["before"])
    say(page, "to be deleted")
    expect(page.locator(".pending")).to_have_count(0)
    with window.expecting():
        chat.stop(signal.SIGTERM)
        expect(banner(page)).to_contain_text("Reconnecting…")
        say(page, "kept in the box")
        expect(page.locator("#problem")).to_contain_text("Not connected.")
        snap(page, "reconnecting")
        with chat.app.app_context():
            store = chat.app.extensions["chat"].store
            store.add_message(room, ben.id, "while you were away", "key", 1_700_000_000_000)
            store.delete_message(room, 2, ada.id)
        chat.start()
        wait_until_joined(page)
        told = ["before", "This message was deleted.", "while you were away"]
        expect(messages(page)).to_have_text(told)
        expect(banner(page)).to_be_empty()
        page.get_by_role("button", name="Send").click()
        # The browser may tell of the outage until here.
        expect(messages(page)).to_have_text([*told, "kept in the box"])


def test_a_message_whose_answer_was_lost_is_said_once(chat: RoomServer, open_window: Open) -> None:
    ada, window = Person(chat.app, "Ada"), open_window()
    page = enter(window, ada, a_room(chat.app, ada))
    wait_until(page, "socket.io.engine.transport.name == 'websocket'")
    with window.expecting():
        page.evaluate("socket.io.engine.transport.onData = () => {}")
        say(page, "only once")
        expect(page.locator(".pending .words")).to_have_text(["only once"])
        page.wait_for_timeout(500)
        page.evaluate("socket.io.engine.close()")
        expect(page.locator(".pending")).to_have_count(0)
    expect(messages(page)).to_have_text(["only once"])
    page.reload()
    expect(messages(page)).to_have_text(["only once"])


def wait_until(page: Page, expression: str) -> None:
    """As `page.wait_for_function`, which the page's policy (no eval) forbids."""
    for _ in range(400):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"not true after twenty seconds: {expression}")


# Talking


def test_a_deleted_message_is_gone_for_everybody_at_once(
    chat: RoomServer, open_window: Open, snap: Snap
) -> None:
    ada, ben = Person(chat.app, "Ada"), Person(chat.app, "Ben")
    room = a_room(chat.app, ada, ben)
    one, two = enter(open_window(), ada, room), enter(open_window(), ben, room)
    for text in ("first", "second"):
        say(one, text)
    expect(messages(two)).to_have_text(["first", "second"])
    expect(two.get_by_role("button", name=re.compile("Delete"))).to_have_count(0)
    one.get_by_role("button", name="Delete “first”").click()
    snap(one, "delete-asked")
    one.get_by_role("button", name="Keep").click()
    one.get_by_role("button", name="Delete “first”").click()
    one.get_by_role("button", name="Delete", exact=True).click()
    for page in (one, two):
        expect(messages(page)).to_have_text(["This message was deleted.", "second"])
    two.evaluate("socket.emit('delete', 2, (answer) => { window.answer = answer; })")
    wait_until(two, "window.answer")
    refused = {"error": "You can delete messages of your own only."}
    assert two.evaluate("window.answer") == refused
    two.reload()
    expect(messages(two)).to_have_text(["This message was deleted.", "second"])
    snap(two, "deleted")


def test_hostile_text_is_shown_and_never_run(chat: RoomServer, open_window: Open) -> None:
    hostile = (
        "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    )
    ada, eve = Person(chat.app, "Ada"), Person(chat.app, "<b>Eve</b>")
    room = a_room(chat.app, ada, eve)
    one, two = enter(open_window(), ada, room), enter(open_window(), eve, room)
    say(two, hostile)
    for page in (one, two):
        expect(messages(page)).to_have_text([hostile])
        expect(people(page)).to_have_text([eve.name, ada.name])
        expect(page.locator("#messages img, #messages script, #people b")).to_have_count(0)
        assert page.title() == f"#{room} · Chat room"


def test_a_new_name_is_seen_everywhere_at_once(chat: RoomServer, open_window: Open) -> None:
    ada, ben = Person(chat.app, "Ada"), Person(chat.app, "Ben")
    room = a_room(chat.app, ada, ben)
    window = open_window()
    one, two = enter(window, ada, room), enter(open_window(), ben, room)
    say(one, "hello")
    expect(two.locator(".author")).to_have_text([ada.name])
    page = window.page.context.new_page()
    page.goto("/profile")
    renamed = f"Countess {uuid4().hex[:6]}"
    page.get_by_label("Display name").fill(renamed)
    page.get_by_role("button", name="Change name").click()
    expect(page.get_by_role("alert")).to_contain_text(f"You are {renamed} now.")
    expect(two.locator(".author")).to_have_text([renamed])
    expect(people(two)).to_have_text([ben.name, renamed])
    expect(one.locator("#me")).to_have_text(renamed)


def test_a_person_with_two_tabs_is_here_once(chat: RoomServer, open_window: Open) -> None:
    ada, ben = Person(chat.app, "Ada"), Person(chat.app, "Ben")
    room = a_room(chat.app, ada, ben)
    window = open_window()
    one, two = enter(open_window(), ada, room), enter(window, ben, room)
    second = show(window.page.context.new_page(), room)
    expect(people(one)).to_have_text([ada.name, ben.name])
    expect(one.locator("#people-count")).to_have_text("2")
    two.close()
    one.wait_for_timeout(3000)  # longer than the grace that a reload is given
    expect(people(one)).to_have_text([ada.name, ben.name])
    second.close()
    expect(people(one)).to_have_text([ada.name])


def test_rooms_are_made_joined_and_left(chat: RoomServer, open_window: Open, snap: Snap) -> None:
    ada, ben = Person(chat.app, "Ada"), Person(chat.app, "Ben")
    ada_window, ben_window = open_window(), open_window()
    log_in(ada_window, ada)
    log_in(ben_window, ben)
    one, two = ada_window.page, ben_window.page
    name = f"!{uuid4().hex[:6]}"
    one.goto("/rooms")
    with ada_window.expecting(REFUSED):
        one.get_by_label("New room").fill(name)
        one.get_by_role("button", name="Make the room").click()
        expect(one.locator(".invalid-feedback")).to_contain_text("letters, digits, - and _ only")
    room = f"00-{uuid4().hex[:6]}"
    one.get_by_label("New room").fill(room)
    one.get_by_role("button", name="Make the room").click()
    expect(one).to_have_url(f"{chat.origin}/chatroom/{room}")
    wait_until_joined(one)
    expect(one.get_by_text("Nobody has said anything here yet.")).to_be_visible()
    two.goto(f"/chatroom/{room}")
    expect(two.get_by_text(f"You are not in #{room} yet.")).to_be_visible()
    two.get_by_role("button", name=f"Join #{room}").click()
    wait_until_joined(two)
    say(one, "hello")
    expect(messages(two)).to_have_text(["hello"])
    snap(one, "room-new")

    tab = two.context.new_page()
    tab.goto("/rooms")
    snap(tab, "rooms")
    tab.get_by_role("button", name=f"Leave #{room}").click()
    expect(banner(two)).to_contain_text(f"You have left #{room}.")
    say(one, "without Ben")
    expect(messages(one)).to_have_text(["hello", "without Ben"])
    expect(messages(two)).to_have_text(["hello"])
    expect(people(one)).to_have_text([ada.name])


def test_who_writes_very_quickly_is_told_to_wait(chat: RoomServer, open_window: Open) -> None:
    ada, window = Person(chat.app, "Ada"), open_window()
    page = enter(window, ada, a_room(chat.app, ada))
    page.evaluate("for (let n = 1; n <= 11; n++) send(`line ${n}`)")
    expect(page.locator("#problem")).to_contain_text("You are writing very quickly.")
    expect(messages(page)).to_have_text([f"line {n}" for n in range(1, 11)])
    expect(page.get_by_label("Message to")).to_have_value("line 11")


def test_a_message_that_is_too_long_is_refused_and_stays(
    chat: RoomServer, open_window: Open, snap: Snap
) -> None:
    ada, window = Person(chat.app, "Ada"), open_window()
    page = enter(window, ada, a_room(chat.app, ada))
    say(page, "x" * 2003)
    expect(page.locator("#problem")).to_contain_text("too long by 3 characters")
    expect(page.get_by_label("Message to")).to_have_value("x" * 2003)
    snap(page, "too-long")
    page.evaluate("write(''); send('x'.repeat(2001))")  # past the check of the page
    expect(page.locator("#problem")).to_contain_text("2,001 characters; at most 2,000 fit")
    expect(page.locator(".message")).to_have_count(0)


def test_ten_thousand_messages_are_there_a_page_at_a_time(
    chat: RoomServer, open_window: Open
) -> None:
    from examples.test_chatroom_store import fill

    ada, window = Person(chat.app, "Ada"), open_window()
    room = a_room(chat.app, ada)
    fill(chat.app, room, ada.id, 10_000)
    page = enter(window, ada, room)
    expect(messages(page)).to_have_text([f"line {n}" for n in range(9951, 10_001)])
    page.get_by_role("button", name="Show earlier messages").click()
    expect(messages(page)).to_have_text([f"line {n}" for n in range(9901, 10_001)])
    say(page, "one more")
    expect(messages(page).last).to_have_text("one more")


def test_a_page_does_not_grow_without_an_end(chat: RoomServer, open_window: Open) -> None:
    ada, window = Person(chat.app, "Ada"), open_window()
    page = enter(window, ada, a_room(chat.app, ada))
    told = (
        "({ id, change: id, author: 'x', name: 'Cyd', text: `line ${id}`, sent: 1.7e12 + id,"
        " key: '', deleted: false })"
    )
    page.evaluate(f"for (let id = 1; id <= 650; id++) {{ show({told}); note(id); }} toEnd()")
    expect(messages(page)).to_have_count(300)
    expect(page.get_by_role("button", name="Show earlier messages")).to_be_visible()
    assert page.evaluate("have") == 650


# The pages


def test_the_keyboard_is_enough(chat: RoomServer, open_window: Open) -> None:
    ada = Person(chat.app, "Ada")
    room = a_room(chat.app, ada)
    page = open_window().page
    page.goto(f"/chatroom/{room}")
    expect(page.get_by_label("User name")).to_be_focused()
    page.keyboard.type(ada.username)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    wait_until_joined(page)
    expect(page.get_by_label("Message to")).to_be_focused()
    expect(page.get_by_role("log")).to_have_attribute("aria-live", "polite")
    page.keyboard.type("first line")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("second line")
    page.keyboard.press("Enter")
    expect(messages(page)).to_have_text(["first line\nsecond line"], use_inner_text=True)
    page.get_by_role("button", name="Delete “first").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Delete “first")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(messages(page)).to_have_text(["This message was deleted."])
    expect(page.get_by_label("Message to")).to_be_focused()


WIDTHS = [pytest.param(1280, id="desktop"), pytest.param(360, id="phone")]


@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_its_window_in_the_light_and_in_the_dark(
    chat: RoomServer, open_window: Open, snap: Snap, width: int
) -> None:
    touch = {"has_touch": True} if width < 500 else {}
    window = open_window(viewport={"width": width, "height": 760}, **touch)
    ada, ben = Person(chat.app, "Ada Lovelace"), Person(chat.app, "W" * 16)
    room = a_room(chat.app, ada, ben)
    page = window.page

    def look(path: str, name: str) -> None:
        answer = page.goto(path)
        assert answer
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy and "unsafe" not in policy
        in_both_lights(page, snap, f"{name}-{width}")

    look("/", "index")
    look("/register", "register")
    look("/login", "login")
    with window.expecting(REFUSED):
        look("/nowhere", "missing")
    log_in(window, ada)
    look("/", "index-back")
    look("/rooms", "rooms")
    look("/profile", "profile")

    other = enter(open_window(), ben, room)
    show(page, room)
    say(other, "Good morning! Did the engine run last night?")
    say(page, "It did: all seven Bernoulli numbers, and not one wheel jammed.")
    say(page, "See https://example.org/" + "a-very-long-address" * 12)
    say(other, "Splendid.")
    say(other, "W" * 300)
    expect(messages(page)).to_have_count(5)
    expect(messages(page).last).to_be_in_viewport()
    in_both_lights(page, snap, f"chatroom-end-{width}")
    page.get_by_role("button", name="Delete “It").click()
    in_both_lights(page, snap, f"chatroom-{width}")
    if width < 500:
        for name in ("Rooms", "2 here"):
            page.get_by_role("button", name=name).tap()
            in_both_lights(page, snap, f"chatroom-{name.split()[-1]}-{width}".lower())
        expect(page.locator("#rooms")).to_be_hidden()
        expect(people(page).last).to_be_in_viewport()
        page.keyboard.press("Escape")
        expect(page.locator("#people")).to_be_hidden()
    expect(page.get_by_role("button", name="Send")).to_be_in_viewport(ratio=1)


def in_both_lights(page: Page, snap: Snap, name: str) -> None:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
        snap(page, f"{name}-{scheme}")
    for part in ("document.documentElement", "document.querySelector('#scroll')"):
        assert page.evaluate(f"!{part} || {part}.scrollWidth <= {part}.clientWidth"), (name, part)
