"""What the chat room keeps: one suite for every database that it can be kept in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from .chatroom_kits import an_app, database

OTHERS = ("postgresql", "mariadb", "mongodb")
KINDS = ["sqlite", *(pytest.param(kind, marks=pytest.mark.service) for kind in OTHERS)]


@pytest.fixture(scope="module", params=KINDS)
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp(request.param)
    with database(request.param, folder) as variables, an_app(variables, folder) as app:
        yield app


@pytest.fixture
def store(app: Any) -> Iterator[Any]:
    with app.app_context():
        yield app.extensions["chat"].store


@pytest.fixture
def a_user(store: Any) -> Callable[..., Any]:
    def make(name: str = "") -> Any:
        unique = uuid4().hex[:16]
        return store.add_user(f"u{unique}", name or unique, "a hash", "a stamp")

    return make


@pytest.fixture
def a_room(store: Any) -> Callable[..., str]:
    def make() -> str:
        name = uuid4().hex[:16]
        store.add_room(name)
        return name

    return make


def refused() -> Any:
    from chatroom.models.rules import Taken

    return pytest.raises(Taken)


# People


def test_a_person_is_found_by_id_and_by_user_name(store: Any, a_user: Any) -> None:
    ada = a_user()
    assert store.user(ada.id) == store.user_named(ada.username) == ada
    assert ada.password == "a hash"


@pytest.mark.parametrize("id", ["", "0", "x", "9" * 9, "f" * 24, "\u0663"])
def test_there_is_nobody_by_an_id_that_was_never_given(store: Any, id: str) -> None:
    assert store.user(id) is None


def test_there_is_nobody_by_an_unknown_name(store: Any) -> None:
    assert store.user_named("nobody") is None
    assert store.user_named("") is None


def test_a_user_name_is_there_once(store: Any, a_user: Any) -> None:
    ada = a_user()
    with refused():
        store.add_user(ada.username, uuid4().hex[:16], "hash", "stamp")


@pytest.mark.parametrize(
    "other", ["Zoe {}", "ZOE {}", "z o e {}", "Z\u043ee {}", "\uff3aoe {}", "Zoe{}"]
)
def test_a_display_name_is_there_once_however_it_is_written(
    store: Any, a_user: Any, other: str
) -> None:
    unique = uuid4().hex[:8]
    a_user(f"Zoe {unique}")
    with refused():
        a_user(other.format(unique))


def test_names_that_people_can_tell_apart_are_two(store: Any, a_user: Any) -> None:
    unique = uuid4().hex[:8]
    for name in (f"Andre {unique}", f"André {unique}", f"की {unique}", f"का {unique}"):
        assert store.user(a_user(name).id).name == name


def test_of_many_who_want_a_name_at_once_one_gets_it(app: Any, store: Any) -> None:
    from chatroom.models.rules import Taken

    name = uuid4().hex[:16]

    def take(number: int) -> bool:
        with app.app_context():
            try:
                store.add_user(f"u{uuid4().hex[:16]}", name, "hash", "stamp")
            except Taken:
                return False
            return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(take, range(12))) == 1


def test_a_new_display_name_is_kept_unless_somebody_has_it(store: Any, a_user: Any) -> None:
    ada, ben = a_user(), a_user()
    renamed = uuid4().hex[:16]
    store.rename(ada.id, renamed)
    assert store.user(ada.id).name == renamed
    store.rename(ada.id, renamed.upper())  # one's own, in another case
    with refused():
        store.rename(ben.id, renamed)
    assert store.user(ben.id) == ben
    store.rename(ada.id, uuid4().hex[:16])
    store.rename(ben.id, renamed)


def test_a_password_comes_with_a_stamp(store: Any, a_user: Any) -> None:
    ada = a_user()
    store.set_password(ada.id, "another hash", "another stamp")
    found = store.user(ada.id)
    assert (found.password, found.stamp) == ("another hash", "another stamp")
    assert found.get_id() != ada.get_id()


# Rooms


def test_a_room_is_there_once(store: Any, a_room: Any) -> None:
    name = a_room()
    assert store.has_room(name)
    assert not store.has_room("nowhere")
    with refused():
        store.add_room(name)


def test_rooms_are_listed_by_name_from_any_on(store: Any, a_user: Any) -> None:
    ada, prefix = a_user(), "~" + uuid4().hex[:8]
    for end in ("a", "b", "c"):
        store.add_room(prefix + end, ada.id)
        store.join(prefix + end, ada.id)
    store.join(prefix + "c", a_user().id)
    store.add_message(prefix + "a", ada.id, "hello", "key", 1)

    def listed(after: str, limit: int) -> list[tuple[str, int, int]]:
        found = store.rooms(after, limit)
        return [(room.name[-1], room.people, room.messages) for room in found]

    assert listed(prefix, 2) == [("a", 1, 1), ("b", 1, 0)]
    assert listed(prefix + "b", 1) == [("c", 2, 0)]
    assert store.rooms_made_by(ada.id) == 3


def test_people_join_and_leave_rooms(store: Any, a_user: Any, a_room: Any) -> None:
    ada, one, two = a_user(), a_room(), a_room()
    for room in (one, two, one):
        store.join(room, ada.id)
    assert store.rooms_of(ada.id) == sorted([one, two])
    assert store.is_member(one, ada.id)
    store.leave(one, ada.id)
    store.leave(one, ada.id)
    assert not store.is_member(one, ada.id)
    assert store.rooms_of(ada.id) == [two]


# Messages


def test_a_message_is_kept_as_it_was_said(store: Any, a_user: Any, a_room: Any) -> None:
    ada, room = a_user("Ada " + uuid4().hex[:8]), a_room()
    text = "Grüße,\n\t🙂 <b>'\"\\ %s $where {{ }}"
    said = store.add_message(room, ada.id, text, "key", 1_700_000_000_123)
    assert (said.room, said.id, said.change) == (room, 1, 1)
    assert (said.author, said.name, said.text) == (ada.id, ada.name, text)
    assert (said.sent, said.key, said.deleted) == (1_700_000_000_123, "key", False)
    assert store.changed_since(room, 0, 10) == store.messages_before(room, 9, 10) == [said]


def test_a_message_sent_twice_is_kept_once(store: Any, a_user: Any, a_room: Any) -> None:
    ada, ben, room = a_user(), a_user(), a_room()
    first = store.add_message(room, ada.id, "hello", "key", 1)
    assert store.add_message(room, ada.id, "hello", "key", 2) == first
    assert store.add_message(room, ben.id, "hello", "key", 2).id == 2
    assert store.last_change(room) == 2
    assert store.add_message(a_room(), ada.id, "hello", "key", 3).id == 1


def test_history_comes_in_pages_that_are_asked_for_by_their_end(
    store: Any, a_user: Any, a_room: Any
) -> None:
    ada, room = a_user(), a_room()
    for number in range(1, 8):
        store.add_message(room, ada.id, f"line {number}", str(number), number)

    def ids(before: int, limit: int) -> list[int]:
        return [message.id for message in store.messages_before(room, before, limit)]

    assert ids(2**31 - 1, 3) == [5, 6, 7]
    assert ids(5, 3) == [2, 3, 4]
    assert ids(2, 3) == [1]
    assert ids(1, 3) == []
    assert [message.id for message in store.changed_since(room, 5, 10)] == [6, 7]
    assert [message.id for message in store.changed_since(room, 2, 2)] == [3, 4]


def test_a_deleted_message_leaves_its_place_and_is_a_change(
    store: Any, a_user: Any, a_room: Any
) -> None:
    ada, ben, room = a_user(), a_user(), a_room()
    for number in (1, 2, 3):
        store.add_message(room, ada.id, f"line {number}", str(number), number)
    assert store.delete_message(room, 2, ben.id) is None
    assert store.delete_message(room, 9, ada.id) is None
    assert store.last_change(room) == 3
    gone = store.delete_message(room, 2, ada.id)
    assert (gone.id, gone.change, gone.text, gone.deleted) == (2, 4, "", True)
    assert store.delete_message(room, 2, ada.id) == gone
    assert store.changed_since(room, 3, 10) == [gone]
    assert [message.text for message in store.messages_before(room, 9, 9)] == [
        "line 1",
        "",
        "line 3",
    ]
    after = store.add_message(room, ada.id, "line 4", "4", 4)
    assert (after.id, after.change) == (4, 5)


def test_messages_have_the_name_that_their_author_has_now(
    store: Any, a_user: Any, a_room: Any
) -> None:
    ada, room, renamed = a_user(), a_room(), uuid4().hex[:16]
    store.add_message(room, ada.id, "hello", "key", 1)
    store.rename(ada.id, renamed)
    assert [message.name for message in store.messages_before(room, 9, 9)] == [renamed]


def test_people_who_write_at_once_leave_no_gap(
    app: Any, store: Any, a_user: Any, a_room: Any
) -> None:
    users, room = [a_user() for _ in range(4)], a_room()

    def write(number: int) -> Any:
        with app.app_context():
            author = users[number % 4].id
            said = store.add_message(room, author, "hello", str(number), number)
            return store.delete_message(room, said.id, author) if number % 5 == 0 else said

    with ThreadPoolExecutor(4) as pool:
        kept = list(pool.map(write, range(20)))
    assert sorted(message.id for message in kept) == list(range(1, 21))
    changes = [message.change for message in store.changed_since(room, 0, 99)]
    assert changes == sorted(set(changes))
    assert store.last_change(room) == 24


def test_what_a_person_sent_lately_is_counted(store: Any, a_user: Any, a_room: Any) -> None:
    ada, ben, one, two = a_user(), a_user(), a_room(), a_room()
    for number, room in enumerate([one, two, two]):
        store.add_message(room, ada.id, "hello", str(number), 1000 + number)
    assert store.count_sent(ada.id, 999, but="") == 3
    assert store.count_sent(ada.id, 1000, but="") == 2
    assert store.count_sent(ada.id, 1000, but="2") == 1
    assert store.count_sent(ben.id, 0, but="") == 0


def test_the_end_of_a_long_history_is_found_by_an_index(
    app: Any, store: Any, a_room: Any, a_user: Any
) -> None:
    ada, room = a_user(), a_room()
    fill(app, room, ada.id, 3000)
    assert [message.id for message in store.messages_before(room, 2**31 - 1, 2)] == [2999, 3000]
    assert [message.id for message in store.messages_before(room, 1501, 2)] == [1499, 1500]
    assert [message.id for message in store.changed_since(room, 2998, 50)] == [2999, 3000]
    assert store.add_message(room, ada.id, "next", "next", 1).id == 3001


def fill(app: Any, room: str, author: str, count: int) -> None:
    """Make a history without saying each of its messages."""
    rows: list[dict[str, Any]] = [
        {"room": room, "id": n, "change": n, "text": f"line {n}", "sent": 1, "deleted": False}
        | {"author": author, "key": str(n)}
        for n in range(1, count + 1)
    ]
    store = app.extensions["chat"].store
    if hasattr(store, "close"):
        store._db.messages.insert_many(rows)
        return
    from chatroom.models.tables import MessageRow, RoomRow, db
    from sqlalchemy import insert, update

    with app.app_context():
        for row in rows:
            row["author"] = int(author)
        db.session.execute(insert(MessageRow), rows)
        counted = {"messages": count, "changes": count}
        db.session.execute(update(RoomRow).where(RoomRow.name == room).values(counted))
        db.session.commit()


# Who is here


def test_a_person_with_several_pages_is_here_once(store: Any, a_user: Any, a_room: Any) -> None:
    ada, ben, room, other = a_user(), a_user(), a_room(), a_room()
    sids = [uuid4().hex for _ in range(4)]
    store.arrive(sids[0], room, ada.id, "worker", 100)
    store.arrive(sids[1], room, ada.id, "worker", 100)
    store.arrive(sids[2], room, ben.id, "worker", 100)
    store.arrive(sids[3], other, ben.id, "worker", 100)
    assert sorted(store.here(room, 50)) == sorted([(ada.id, ada.name), (ben.id, ben.name)])
    assert sorted(store.pages_of(ada.id)) == sorted([(sids[0], room), (sids[1], room)])
    store.depart(sids[0])
    assert len(store.here(room, 50)) == 2
    store.depart(sids[1])
    store.depart(sids[1])
    assert store.here(room, 50) == [(ben.id, ben.name)]
    store.arrive(sids[2], other, ben.id, "worker", 100)
    assert store.here(room, 50) == []
    assert store.here(other, 50) == [(ben.id, ben.name)]


def test_pages_of_a_worker_that_is_silent_are_forgotten(
    store: Any, a_user: Any, a_room: Any
) -> None:
    ada, ben, room = a_user(), a_user(), a_room()
    alive, dead = uuid4().hex, uuid4().hex
    store.arrive(uuid4().hex, room, ada.id, alive, 100)
    store.arrive(uuid4().hex, room, ben.id, dead, 100)
    store.beat(alive, 200, 90)
    assert len(store.here(room, 90)) == 2
    assert store.here(room, 150) == [(ada.id, ada.name)]
    store.beat(alive, 300, 150)
    assert store.pages_of(ben.id) == []
    assert store.here(room, 0) == [(ada.id, ada.name)]


# Limits


def test_attempts_are_counted_until_they_are_forgiven(store: Any) -> None:
    what, now = f"login {uuid4().hex}", time.time()
    assert [store.attempt(what, now + n, now - 5) for n in range(3)] == [1, 2, 3]
    assert store.attempt(what, now + 3, now + 2) == 2
    assert store.attempt("other " + what, now, now - 5) == 1
    store.forgive(what, now + 1)
    assert store.attempt(what, now + 4, now - 5) == 4
    store.forgive(what)
    assert store.attempt(what, now, now - 5) == 1


def test_attempts_of_long_ago_are_gone(store: Any) -> None:
    what, now = f"login {uuid4().hex}", time.time()
    store.attempt(what, now - 4000, 0)
    assert store.attempt(what, now, 0) == 1
