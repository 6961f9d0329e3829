"""What the chat room keeps, whatever it is kept in: `sql.py` and `mongo.py` are two ways."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from vial.login import UserMixin


@dataclass(frozen=True)
class User(UserMixin):
    """A person with an account. `stamp` changes when all of their sessions must end."""

    id: str
    username: str
    name: str
    password: str
    stamp: str

    def get_id(self) -> str:
        return f"{self.id}.{self.stamp}"


@dataclass(frozen=True)
class Room:
    """A room, and how many people and messages are in it."""

    name: str
    people: int
    messages: int


@dataclass(frozen=True)
class Message:
    """A message as it stands now.

    In each room the ids run 1, 2, 3, … without a gap. So do the changes, of which saying and
    deleting are one each: a page that has all up to a change knows what it misses. `sent` is
    milliseconds since 1970; `key` is the author's mark, by which a second try is known.
    """

    room: str
    id: int
    change: int
    author: str
    name: str
    text: str
    sent: int
    key: str
    deleted: bool


class Store(ABC):
    """All names and texts that come here are clean. What is not there is None.

    A call is a transaction: it is done when it returns. Any thread may call, and any process.
    """

    # People

    @abstractmethod
    def add_user(self, username: str, name: str, password: str, stamp: str) -> User:
        """`password` is a hash. Raises Taken if there is such a user name or display name."""

    @abstractmethod
    def user(self, id: str) -> User | None: ...

    @abstractmethod
    def user_named(self, username: str) -> User | None: ...

    @abstractmethod
    def rename(self, id: str, name: str) -> None:
        """Give a person another display name. Raises Taken if somebody else has it."""

    @abstractmethod
    def set_password(self, id: str, password: str, stamp: str) -> None: ...

    # Rooms

    @abstractmethod
    def add_room(self, name: str, creator: str | None = None) -> None:
        """Raises Taken if there is one."""

    @abstractmethod
    def has_room(self, name: str) -> bool: ...

    @abstractmethod
    def rooms(self, after: str = "", limit: int = 50) -> list[Room]:
        """The rooms whose names come after that one, by name."""

    @abstractmethod
    def rooms_of(self, user: str) -> list[str]:
        """The names of the rooms a person is in, sorted."""

    @abstractmethod
    def rooms_made_by(self, user: str) -> int: ...

    @abstractmethod
    def join(self, room: str, user: str) -> None:
        """Once more does no harm."""

    @abstractmethod
    def leave(self, room: str, user: str) -> None: ...

    @abstractmethod
    def is_member(self, room: str, user: str) -> bool: ...

    # Messages

    @abstractmethod
    def add_message(self, room: str, author: str, text: str, key: str, sent: int) -> Message:
        """Keep a message; with the key of one that is kept already, return that one."""

    @abstractmethod
    def delete_message(self, room: str, id: int, author: str) -> Message | None:
        """Take the text out of a message, if it is theirs."""

    @abstractmethod
    def last_change(self, room: str) -> int: ...

    @abstractmethod
    def changed_since(self, room: str, change: int, limit: int) -> list[Message]:
        """What changed after that change, in the order of the changes."""

    @abstractmethod
    def messages_before(self, room: str, id: int, limit: int) -> list[Message]:
        """The newest before that one, the oldest of them first."""

    @abstractmethod
    def count_sent(self, author: str, since: int, but: str) -> int:
        """How many messages a person has sent after that moment, without that of a key."""

    # Who is here. A page that is open is a row, of the worker process that has its connection.

    @abstractmethod
    def arrive(self, sid: str, room: str, user: str, worker: str, now: float) -> None: ...

    @abstractmethod
    def depart(self, sid: str) -> None: ...

    @abstractmethod
    def beat(self, worker: str, now: float, stale: float) -> None:
        """A worker is alive: its pages are here now. Forget those last seen before `stale`."""

    @abstractmethod
    def here(self, room: str, stale: float) -> list[tuple[str, str]]:
        """Ids and names of the people with a page open, each once."""

    @abstractmethod
    def pages_of(self, user: str) -> list[tuple[str, str]]:
        """The connection and the room of each page that a person has open."""

    # Limits

    @abstractmethod
    def attempt(self, what: str, now: float, since: float) -> int:
        """Note an attempt, and count those since then; this one is among them."""

    @abstractmethod
    def forgive(self, what: str, at: float | None = None) -> None:
        """Forget the attempts: all, or that of a moment."""
