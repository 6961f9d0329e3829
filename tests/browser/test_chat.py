"""Two people and one server: the example chat in real browser windows."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from typing import Literal

import pytest
from playwright.sync_api import Locator, Page, expect

from .conftest import ChatServer, Window

pytestmark = pytest.mark.browser
Open = Callable[..., Window]
Snap = Callable[[Page, str], None]

expect.set_options(timeout=8000)


def enter(window: Window, name: str, room: str) -> Page:
    """Send the form without showing it, which saves half a second each time."""
    page = window.page
    page.context.request.post("/", form={"name": name, "room": room}, max_redirects=0)
    page.goto(f"/room/{room}")
    wait_until_joined(page, name)
    return page


def enter_by_form(window: Window, name: str, room: str) -> Page:
    page = window.page
    page.goto("/")
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Room").fill(room)
    page.get_by_role("button", name="Enter the room").click()
    wait_until_joined(page, name)
    return page


def wait_until_joined(page: Page, name: str) -> None:
    """The others hear of a person before the page does: what it sends is kept back until then."""
    expect(person(page, name)).to_be_attached()
    wait_until(page, "joined")


def say(page: Page, text: str) -> None:
    page.get_by_label("Message to").fill(text)
    page.get_by_role("button", name="Send").click()


def messages(page: Page) -> Locator:
    return page.locator("#messages .words")


def notices(page: Page) -> Locator:
    return page.locator(".notice")


def person(page: Page, name: str) -> Locator:
    return page.locator("#people-list bdi").get_by_text(name, exact=True)


def test_two_people_talk_and_see_each_other_come_and_go(open_window: Open, snap: Snap) -> None:
    ada = enter_by_form(open_window(), "Ada", "talk")
    ben = enter_by_form(open_window(), "Ben", "Talk")
    expect(notices(ada)).to_have_text(["Ben joined"])
    expect(person(ada, "Ben")).to_be_visible()
    expect(person(ben, "Ada")).to_be_visible()

    say(ada, "Good morning, Ben")
    expect(messages(ben)).to_have_text(["Good morning, Ben"])
    say(ben, "Good morning, Ada")
    expect(messages(ada)).to_have_text(["Good morning, Ben", "Good morning, Ada"])
    expect(messages(ben)).to_have_text(["Good morning, Ben", "Good morning, Ada"])
    expect(ada.locator(".pending")).to_have_count(0)
    expect(ada.get_by_label("Message to")).to_have_value("")

    ben.close()
    expect(notices(ada)).to_have_text(["Ben joined", "Ben left"])
    expect(person(ada, "Ben")).to_have_count(0)
    snap(ada, "room-after-leave")


def test_neither_a_reload_nor_a_second_tab_is_a_coming_or_going(open_window: Open) -> None:
    ada, ben = enter(open_window(), "Ada", "reload"), enter(open_window(), "Ben", "reload")
    say(ada, "one")
    expect(messages(ben)).to_have_text(["one"])
    ben.reload()
    expect(messages(ben)).to_have_text(["one"])
    second = ben.context.new_page()
    second.goto("/room/reload")
    expect(messages(second)).to_have_text(["one"])
    ben.close()
    say(second, "two")
    expect(messages(ada)).to_have_text(["one", "two"])
    ada.wait_for_timeout(2500)  # longer than the grace that a reload is given
    expect(person(ada, "Ben")).to_have_count(1)
    expect(notices(ada)).to_have_text(["Ben joined"])


def test_hostile_text_is_shown_and_never_run(open_window: Open) -> None:
    hostile = (
        "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    )
    name = "<b>Eve</b>"
    ada, eve = enter(open_window(), "Ada", "hostile"), enter(open_window(), name, "hostile")
    say(eve, hostile)
    for page in (ada, eve):
        expect(messages(page)).to_have_text([hostile])
        expect(person(page, name)).to_be_visible()
        expect(page.locator("#messages img, #messages script, #people b")).to_have_count(0)
    ada.reload()
    expect(messages(ada)).to_have_text([hostile])
    assert ada.title() == eve.title() == "#hostile · Vial chat"


def test_a_message_that_is_too_long_is_refused_and_stays(open_window: Open, snap: Snap) -> None:
    ada = enter(open_window(), "Ada", "long")
    text = "x" * 1003
    say(ada, text)
    expect(ada.get_by_role("alert")).to_have_text(
        "This message is too long by 3 characters. It was not sent."
    )
    expect(ada.get_by_label("Message to")).to_have_value(text)
    expect(ada.get_by_label("Message to")).to_be_focused()
    snap(ada, "too-long")
    ada.get_by_label("Message to").fill(text[:1000])
    expect(ada.get_by_role("alert")).to_be_empty()
    ada.keyboard.press("Enter")
    expect(messages(ada)).to_have_text([text[:1000]])

    ada.evaluate("send('x'.repeat(1001))")  # past the check of the page, to that of the server
    expect(ada.get_by_role("alert")).to_have_text(
        "This message has 1,001 characters; at most 1,000 fit."
    )
    expect(ada.get_by_label("Message to")).to_have_value("x" * 1001)
    expect(ada.locator(".message")).to_have_count(1)


def test_a_restart_of_the_server_loses_and_doubles_nothing(
    chat: ChatServer, open_window: Open, snap: Snap
) -> None:
    ada_window, ben_window = open_window(), open_window()
    ada, ben = enter(ada_window, "Ada", "restart"), enter(ben_window, "Ben", "restart")
    say(ada, "before")
    expect(messages(ben)).to_have_text(["before"])
    with ada_window.expecting(), ben_window.expecting():
        chat.stop()
        expect(ada.get_by_role("status")).to_contain_text("Reconnecting…")
        say(ada, "kept in the box")
        expect(ada.get_by_role("alert")).to_contain_text("Not connected.")
        expect(ada.get_by_label("Message to")).to_have_value("kept in the box")
        snap(ada, "reconnecting")
        told_while_away(chat, "restart", "from elsewhere")
        chat.start()
        for page in (ada, ben):
            expect(page.get_by_role("status")).to_be_empty()
            expect(messages(page)).to_have_text(["before", "from elsewhere"])
    expect(ada.get_by_role("alert")).to_be_empty()
    ada.get_by_role("button", name="Send").click()
    say(ben, "after")
    for page in (ada, ben):
        expect(messages(page)).to_have_count(4)
        assert sorted(messages(page).all_text_contents()[2:]) == ["after", "kept in the box"]
    ada.wait_for_timeout(4500)  # longer than the page waits for the others to be back
    expect(notices(ada)).to_have_text(["Ben joined"])


def told_while_away(chat: ChatServer, room: str, text: str) -> None:
    db = sqlite3.connect(chat.instance / "chat.sqlite3")
    with db:
        db.execute(
            "INSERT INTO messages SELECT room, max(id) + 1, 'Cyd', ?, max(sent), 'k' "
            "FROM messages WHERE room = ?",
            (text, room),
        )
    db.close()


def test_a_message_on_its_way_when_the_server_dies_is_said_once(
    chat: ChatServer, open_window: Open
) -> None:
    window = open_window()
    ada = enter(window, "Ada", "dies")
    with window.expecting():
        # Kept by the server, with the acknowledgement and the broadcast lost.
        wait_for_websocket(ada)
        ada.evaluate("socket.io.engine.transport.onData = () => {}")
        say(ada, "only once")
        expect(ada.locator(".pending .words")).to_have_text(["only once"])
        ada.wait_for_timeout(300)
        chat.stop()
        chat.start()
        ada.evaluate("socket.io.engine.close()")
        expect(messages(ada)).to_have_text(["only once"])
        expect(ada.locator(".pending")).to_have_count(0)
    ada.reload()
    expect(messages(ada)).to_have_text(["only once"])


def test_earlier_messages_come_on_demand(chat: ChatServer, open_window: Open) -> None:
    earlier = "Show earlier messages"
    keep_lines(chat, range(1, 131))
    ada = enter(open_window(), "Ada", "old")
    expect(messages(ada)).to_have_text([f"line {n}" for n in range(31, 131)])
    ada.get_by_role("button", name=earlier).click()
    expect(messages(ada)).to_have_text([f"line {n}" for n in range(1, 131)])
    expect(ada.get_by_role("button", name=earlier)).to_be_hidden()

    ada.evaluate("socket.disconnect()")
    keep_lines(chat, range(131, 251))
    ada.evaluate("socket.connect()")  # with more to catch up on than is sent at once
    expect(messages(ada)).to_have_text([f"line {n}" for n in range(151, 251)])
    ada.get_by_role("button", name=earlier).click()
    expect(messages(ada)).to_have_text([f"line {n}" for n in range(51, 251)])


def wait_for_websocket(page: Page) -> None:
    """Wait until the connection, which begins with polling, has its transport for good."""
    wait_until(page, "socket.io.engine.transport.name == 'websocket'")


def wait_until(page: Page, expression: str) -> None:
    """As `page.wait_for_function`, which the page's policy (no eval) forbids."""
    for _ in range(200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"not true after ten seconds: {expression}")


def keep_lines(chat: ChatServer, numbers: range) -> None:
    db = sqlite3.connect(chat.instance / "chat.sqlite3")
    with db:
        db.executemany(
            "INSERT INTO messages VALUES ('old', ?, 'Cyd', ?, ?, ?)",
            [(n, f"line {n}", 1700000000000 + n, str(n)) for n in numbers],
        )
    db.close()


def test_a_message_that_overtakes_the_history_is_not_lost(open_window: Open) -> None:
    ada = enter(open_window(), "Ada", "overtake")
    told = "({ id, name: 'Cyd', text: `line ${id}`, sent: 1700000000000 + id, key: `${id}` })"
    ada.evaluate(f"[9].map((id) => {told}).forEach(insert)")
    ada.evaluate(f"catchUp([7, 8].map((id) => {told}), 0)")
    expect(messages(ada)).to_have_text(["line 7", "line 8", "line 9"])


def test_the_form_says_what_is_wrong(open_window: Open, snap: Snap) -> None:
    enter(open_window(), "Ada", "form")
    window = open_window()
    ben = window.page
    for name, room, field, problem in [
        (" ", "form", "Your name", "Please enter a name."),
        ("n" * 25, "form", "Your name", "This name has 25 characters; at most 24 fit."),
        ("Ben", "", "Room", "Please enter a room name."),
        ("Ben", "a/b", "Room", "A room name has letters, digits, - and _ only."),
        ("ADA", "form", "Your name", "Somebody in #form is called Ada already."),
    ]:
        ben.goto("/")
        ben.get_by_label("Your name").fill(name)
        ben.get_by_label("Room").fill(room)
        with window.expecting("status of 422"):
            ben.keyboard.press("Enter")
            expect(ben.locator(".invalid-feedback")).to_have_count(1)
        expect(ben.get_by_label(field)).to_have_accessible_description(re.compile(problem))
        expect(ben.get_by_label(field)).to_be_focused()
        expect(ben.get_by_label(field)).to_have_value(name if field == "Your name" else room)
    snap(ben, "index-taken")


def test_the_keyboard_is_enough(open_window: Open) -> None:
    page = open_window().page
    page.goto("/?room=keys")
    expect(page.get_by_label("Your name")).to_be_focused()
    page.keyboard.type("Ada Lovelace")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Room")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Message to")).to_be_focused()
    expect(page.get_by_role("log")).to_have_attribute("aria-live", "polite")
    page.keyboard.type("first line")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("second line")
    page.keyboard.press("Enter")
    expect(messages(page)).to_have_text(["first line\nsecond line"], use_inner_text=True)
    expect(page.get_by_label("Message to")).to_be_focused()
    assert stops_of_the_tab_key(page) == ["Leave", "Messages", "Message to #keys", "Send"]
    page.get_by_role("link", name="Leave").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your name")).to_have_value("Ada Lovelace")
    expect(page.get_by_label("Room")).to_have_value("keys")


def stops_of_the_tab_key(page: Page) -> list[str]:
    """The names of what Tab reaches, from the top; each must show that it has the focus."""
    page.locator("h1").click()
    stops = []
    for _ in range(4):
        page.keyboard.press("Tab")
        style = page.evaluate(
            """() => { const it = document.activeElement, s = getComputedStyle(it);
            return [it.ariaLabel || it.labels?.[0]?.textContent || it.textContent,
                    s.outlineStyle === "solid" && parseFloat(s.outlineWidth) >= 2] }"""
        )
        assert style[1], f"no visible focus on {style[0]}"
        stops.append(style[0])
    return stops


def test_a_phone_shows_everything_without_scrolling_sideways(open_window: Open, snap: Snap) -> None:
    window = open_window(viewport={"width": 360, "height": 640}, has_touch=True)
    ada, name = window.page, "A" * 24
    ada.goto("/?room=" + "r" * 32)
    check_width(ada)
    snap(ada, "index-phone")
    enter(window, name, "phone-" + "r" * 26)
    say(ada, "https://example.org/" + "very-long-address" * 12)
    expect(messages(ada)).to_have_count(1)
    check_width(ada)
    snap(ada, "room-phone")
    expect(person(ada, name)).to_be_hidden()
    ada.get_by_role("button", name="1 here").tap()
    expect(person(ada, name)).to_be_in_viewport()
    check_width(ada)
    snap(ada, "people-phone")
    ada.get_by_role("button", name="1 here").tap()
    expect(person(ada, name)).to_be_hidden()
    expect(ada.get_by_label("Message to")).to_be_in_viewport(ratio=1)
    expect(ada.get_by_role("button", name="Send")).to_be_in_viewport(ratio=1)


def check_width(page: Page) -> None:
    for part in ("document.documentElement", "document.querySelector('#scroll')"):
        assert page.evaluate(f"!{part} || {part}.scrollWidth <= {part}.clientWidth"), part


def test_pages_keep_a_strict_policy_and_follow_the_light(open_window: Open, snap: Snap) -> None:
    window = open_window()
    answer = window.page.goto("/")
    assert answer and answer.headers["content-security-policy"] == "default-src 'self'"
    check_light_and_dark(window.page, snap, "index")
    ada = enter(window, "Ada Lovelace", "engine")
    ben = enter(open_window(), "Ben", "engine")
    for text in ("Hello, Ben! Did the engine run last night?", "I have a new table for it."):
        say(ada, text)
    expect(messages(ben)).to_have_count(2)
    say(ben, "It did: all seven Bernoulli numbers, and not one wheel jammed.")
    expect(messages(ada)).to_have_count(3)
    say(ada, "Splendid.")
    expect(messages(ben)).to_have_count(4)
    check_light_and_dark(ada, snap, "room")


def check_light_and_dark(page: Page, snap: Snap, name: str) -> None:
    schemes: list[Literal["light", "dark"]] = ["light", "dark"]
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
        snap(page, f"{name}-{scheme}")
