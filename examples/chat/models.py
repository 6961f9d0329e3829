"""What the chat knows: which input it takes, what was said in each room, and who is here."""

from __future__ import annotations

import os
import re
import sqlite3
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, NamedTuple

NAME_LIMIT, ROOM_LIMIT, TEXT_LIMIT, KEY_LIMIT = 24, 32, 1000, 64
"""The longest name, room, message, and mark of a message, in characters."""
PAGE = 100
"""How many messages of a room are sent at once."""


class Refused(ValueError):
    """Input that the chat does not take. The text is for the person who sent it."""


def clean_name(value: str) -> str:
    """The name a person asked for, with its spaces tidied. Raises Refused."""
    name = unicodedata.normalize("NFKC", " ".join(value.split()))
    _check_length("name", name, NAME_LIMIT)
    if not name.isprintable():
        raise Refused("A name cannot have invisible characters.")
    return name


def clean_room(value: str) -> str:
    """The room a person asked for, in the form it has in an address: "Tea time" is "tea-time"."""
    room = unicodedata.normalize("NFKC", "-".join(value.split())).lower()
    _check_length("room name", room, ROOM_LIMIT)
    if not re.fullmatch(r"[\w-]+", room):
        raise Refused("A room name has letters, digits, - and _ only.")
    return room


def clean_text(value: str) -> str:
    """A message without the blank space around it. Never cut: too long is Refused."""
    if not isinstance(value, str):
        raise Refused("A message is text.")
    text = value.strip()
    _check_length("message", text, TEXT_LIMIT)
    return text


def _check_length(what: str, value: str, limit: int) -> None:
    if not value:
        raise Refused(f"Please enter a {what}.")
    if len(value) > limit:
        raise Refused(f"This {what} has {len(value):,} characters; at most {limit:,} fit.")
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON can carry half of a surrogate pair; SQLite cannot
        raise Refused(f"This {what} has a broken character.") from None


def _check_number(value: int) -> None:
    if not isinstance(value, int) or abs(value) > 2**53:  # JavaScript counts no further
        raise Refused("This is not the number of a message.")


class Table:
    """A table in one SQLite file, safe to use from any thread and from several processes."""

    columns = ""

    def __init__(self, path: str) -> None:
        self._lock = Lock()
        self._db = sqlite3.connect(path, timeout=10, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute(f"CREATE TABLE IF NOT EXISTS {self.columns}")

    def close(self) -> None:
        self._db.close()


class History(Table):
    """The messages of every room.

    In each room the ids run 1, 2, 3, … without a gap, so a page can tell whether it missed one.
    """

    columns = """messages (
        room TEXT, id INTEGER, name TEXT, text TEXT, sent INTEGER, key TEXT,
        PRIMARY KEY (room, id), UNIQUE (room, name, key))"""

    def add(self, room: str, name: str, text: str, key: str) -> dict[str, Any]:
        """Keep a message and return it as kept. `sent` is milliseconds since 1970.

        `key` is the sender's own mark: sending the same one again after a lost connection
        returns the message that is already there, so nothing is said twice.
        """
        _check_length("key", str(key), KEY_LIMIT)
        row = (room, name, clean_text(text), int(time.time() * 1000), str(key), room)
        with self._lock, self._db:
            self._db.execute(
                """INSERT INTO messages
                SELECT ?, coalesce(max(id), 0) + 1, ?, ?, ?, ? FROM messages WHERE room = ?
                ON CONFLICT (room, name, key) DO NOTHING""",
                row,
            )
            found = self._db.execute(
                "SELECT * FROM messages WHERE room = ? AND name = ? AND key = ?",
                (room, name, str(key)),
            )
            return dict(found.fetchone())

    def page(self, room: str, after: int = 0, before: int = 2**53) -> list[dict[str, Any]]:
        """The newest PAGE messages with after < id < before, oldest first."""
        _check_number(after)
        _check_number(before)
        with self._lock:
            found = self._db.execute(
                """SELECT * FROM messages WHERE room = ? AND id > ? AND id < ?
                ORDER BY id DESC LIMIT ?""",
                (room, after, before, PAGE),
            )
            return [dict(row) for row in found.fetchall()][::-1]


class Tab(NamedTuple):
    """One open page: the room it shows, the name it speaks under, and the visitor it belongs to."""

    room: str
    name: str
    visitor: str


class Presence(Table):
    """Who is here now. A person is present while at least one of their tabs is.

    The server may run as several processes. Each keeps its tabs here, under its number, and the
    tabs of one that was killed are forgotten by the others.
    """

    columns = "tabs (sid TEXT PRIMARY KEY, process INTEGER, room TEXT, name TEXT, visitor TEXT)"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._db.execute("CREATE TABLE IF NOT EXISTS changes (number INTEGER)")
        with self._changing():  # of a process that had this number before
            self._db.execute("DELETE FROM tabs WHERE process = ?", (os.getpid(),))

    def enter(self, sid: str, tab: Tab) -> bool:
        """Add a tab; True if it brings a new person. Raises Refused if the name is taken."""
        with self._changing():
            self._check_free(tab)
            new = tab not in self._tabs()
            row = (sid, os.getpid(), *tab)
            self._db.execute("INSERT OR REPLACE INTO tabs VALUES (?, ?, ?, ?, ?)", row)
            return new

    def leave(self, sid: str) -> Tab | None:
        """Remove a tab; returns it if it was the last of its person."""
        with self._changing():
            tab = self._tab(sid)
            self._db.execute("DELETE FROM tabs WHERE sid = ?", (sid,))
            return None if tab in self._tabs() else tab

    def tab(self, sid: str) -> Tab:
        """The tab of a connection. Raises Refused if it has not entered a room."""
        with self._lock:
            tab = self._tab(sid)
        if tab is None:
            raise Refused("This page is not in a room any more. Please reload it.")
        return tab

    def here(self, room: str) -> tuple[list[str], int]:
        """The names of all who are in a room, and a number that grows with each change."""
        with self._lock, self._db:
            self._db.execute("BEGIN")  # both of the same moment
            names = {tab.name for tab in self._tabs() if tab.room == room}
            (number,) = self._db.execute("SELECT max(number) FROM changes").fetchone()
            return sorted(names, key=str.casefold), number

    def check_free(self, tab: Tab) -> None:
        """Raises Refused if another visitor speaks under this name, in any case, in this room."""
        with self._lock:
            self._check_free(tab)

    def _check_free(self, tab: Tab) -> None:
        for other in self._tabs():
            same_name = other.name.casefold() == tab.name.casefold()
            if same_name and other.room == tab.room and other.visitor != tab.visitor:
                raise Refused(
                    f"Somebody in #{tab.room} is called {other.name} already. Choose another name."
                )

    def _tab(self, sid: str) -> Tab | None:
        found = self._db.execute("SELECT room, name, visitor FROM tabs WHERE sid = ?", (sid,))
        row = found.fetchone()
        return None if row is None else Tab(*row)

    def _tabs(self) -> list[Tab]:
        found = self._db.execute("SELECT room, name, visitor, process FROM tabs").fetchall()
        running = {process for process in {row["process"] for row in found} if is_running(process)}
        return [Tab(*row[:3]) for row in found if row["process"] in running]

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._lock, self._db:
            self._db.execute("BEGIN IMMEDIATE")  # nobody changes anything meanwhile
            yield
            self._db.execute("INSERT INTO changes SELECT coalesce(max(number), 0) + 1 FROM changes")
            self._db.execute("DELETE FROM changes WHERE number < (SELECT max(number) FROM changes)")


def is_running(process: int) -> bool:
    """Whether there is a process with this number."""
    if os.name == "nt":  # there the chat is one process, and os.kill() would end it
        return process == os.getpid()
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's
    return True
