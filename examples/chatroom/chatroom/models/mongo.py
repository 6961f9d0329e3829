"""The store in MongoDB. One server is enough: nothing here needs transactions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from threading import Lock
from typing import Any

from bson import ObjectId
from bson.errors import InvalidId
from pymongo import ASCENDING as UP
from pymongo import DESCENDING as DOWN
from pymongo import MongoClient
from pymongo.errors import DuplicateKeyError

from vial import Vial

from .rules import Taken, name_key
from .store import Message, Room, Store, User

Document = dict[str, Any]
TRIES = 200
"""How often a message looks for its number, when others write to the same room at once."""
INDEXES = [
    ("users", ["username"], True),
    ("users", ["name_key"], True),
    ("rooms", ["creator"], False),
    ("members", ["room", "user"], True),
    ("members", ["user"], False),
    ("messages", ["room", "id"], True),
    ("messages", ["room", "change"], True),
    ("messages", ["author", "room", "key"], True),
    ("messages", ["author", "sent"], False),
    ("pages", ["room"], False),
    ("pages", ["user"], False),
    ("pages", ["worker"], False),
    ("attempts", ["what", "at"], False),
]


class MongoStore(Store):
    def __init__(self, url: str) -> None:
        """`url` names the database too: mongodb://host:27017/chatroom."""
        self._client: MongoClient[Document] = MongoClient(
            url, connect=False, serverSelectionTimeoutMS=5000, tz_aware=True
        )
        self._db = self._client.get_default_database("chatroom")
        self._writing = Lock()  # threads of one process need not race for a number

    def close(self) -> None:
        self._client.close()

    def prepare(self) -> None:
        """Make the indexes, which are what makes names unique and pages quick."""
        for collection, keys, unique in INDEXES:
            self._db[collection].create_index([(key, UP) for key in keys], unique=unique)

    # People

    def add_user(self, username: str, name: str, password: str, stamp: str) -> User:
        document = {"username": username, "name": name, "name_key": name_key(name)}
        document |= {"password": password, "stamp": stamp}
        try:
            self._db.users.insert_one(document)
        except DuplicateKeyError:
            raise Taken("This user name or display name is taken.") from None
        return to_user(document)

    def user(self, id: str) -> User | None:
        try:
            found = self._db.users.find_one({"_id": ObjectId(id)})
        except InvalidId:
            return None
        return found and to_user(found)

    def user_named(self, username: str) -> User | None:
        found = self._db.users.find_one({"username": username})
        return found and to_user(found)

    def rename(self, id: str, name: str) -> None:
        try:
            self._set_user(id, name=name, name_key=name_key(name))
        except DuplicateKeyError:
            raise Taken("This display name is taken.") from None

    def set_password(self, id: str, password: str, stamp: str) -> None:
        self._set_user(id, password=password, stamp=stamp)

    def _set_user(self, id: str, **values: str) -> None:
        self._db.users.update_one({"_id": ObjectId(id)}, {"$set": values})

    def _names(self, ids: Iterable[str]) -> dict[str, str]:
        wanted = {"_id": {"$in": [ObjectId(id) for id in set(ids)]}}
        return {str(one["_id"]): one["name"] for one in self._db.users.find(wanted, {"name": 1})}

    # Rooms

    def add_room(self, name: str, creator: str | None = None) -> None:
        try:
            self._db.rooms.insert_one({"_id": name, "creator": creator})
        except DuplicateKeyError:
            raise Taken("This room name is taken.") from None

    def has_room(self, name: str) -> bool:
        return self._db.rooms.find_one({"_id": name}) is not None

    def rooms(self, after: str = "", limit: int = 50) -> list[Room]:
        found = self._db.rooms.find({"_id": {"$gt": after}}).sort("_id", UP).limit(limit)
        return [self._room(document["_id"]) for document in found]

    def _room(self, name: str) -> Room:
        people = self._db.members.count_documents({"room": name})
        return Room(name, people, self._last(name, "id"))

    def rooms_of(self, user: str) -> list[str]:
        return sorted(found["room"] for found in self._db.members.find({"user": user}))

    def rooms_made_by(self, user: str) -> int:
        return self._db.rooms.count_documents({"creator": user})

    def join(self, room: str, user: str) -> None:
        theirs = {"room": room, "user": user}
        with suppress(DuplicateKeyError):  # by another request at the same time
            self._db.members.update_one(theirs, {"$set": theirs}, upsert=True)

    def leave(self, room: str, user: str) -> None:
        self._db.members.delete_one({"room": room, "user": user})

    def is_member(self, room: str, user: str) -> bool:
        return self._db.members.find_one({"room": room, "user": user}) is not None

    # Messages. A number is taken by being the first to write it, which the unique indexes decide.
    # So there is never a gap, not even for a moment, that a page could take for a lost message.

    def add_message(self, room: str, author: str, text: str, key: str, sent: int) -> Message:
        kept = {"author": author, "room": room, "key": key}
        values = {**kept, "text": text, "sent": sent, "deleted": False}
        with self._writing:
            for _ in range(TRIES):
                found = self._db.messages.find_one(kept)
                if found:
                    return self._to_messages([found])[0]
                numbers = {"id": self._last(room, "id") + 1, "change": self.last_change(room) + 1}
                try:
                    self._db.messages.insert_one({**values, **numbers})
                except DuplicateKeyError:
                    continue
        raise RuntimeError(f"Too many people write to {room} at once.")

    def delete_message(self, room: str, id: int, author: str) -> Message | None:
        theirs = {"room": room, "id": id, "author": author}
        with self._writing:
            for _ in range(TRIES):
                found = self._db.messages.find_one(theirs)
                if found is None:
                    return None
                if found["deleted"]:
                    return self._to_messages([found])[0]
                gone = {"text": "", "deleted": True, "change": self.last_change(room) + 1}
                try:
                    self._db.messages.update_one({"_id": found["_id"]}, {"$set": gone})
                except DuplicateKeyError:
                    continue
        raise RuntimeError(f"Too many people write to {room} at once.")

    def last_change(self, room: str) -> int:
        return self._last(room, "change")

    def _last(self, room: str, number: str) -> int:
        found = self._db.messages.find_one({"room": room}, {number: 1}, sort=[(number, DOWN)])
        return found[number] if found else 0

    def changed_since(self, room: str, change: int, limit: int) -> list[Message]:
        found = self._db.messages.find({"room": room, "change": {"$gt": change}})
        return self._to_messages(found.sort("change", UP).limit(limit))

    def messages_before(self, room: str, id: int, limit: int) -> list[Message]:
        found = self._db.messages.find({"room": room, "id": {"$lt": id}})
        return self._to_messages(found.sort("id", DOWN).limit(limit))[::-1]

    def count_sent(self, author: str, since: int, but: str) -> int:
        recent = {"author": author, "sent": {"$gt": since}, "key": {"$ne": but}}
        return self._db.messages.count_documents(recent)

    def _to_messages(self, found: Iterable[Mapping[str, Any]]) -> list[Message]:
        documents = [{key: one[key] for key in one if key != "_id"} for one in found]
        names = self._names(one["author"] for one in documents)
        return [Message(name=names[one["author"]], **one) for one in documents]

    # Who is here

    def arrive(self, sid: str, room: str, user: str, worker: str, now: float) -> None:
        values = {"room": room, "user": user, "worker": worker, "seen": now}
        self._db.pages.replace_one({"_id": sid}, values, upsert=True)

    def depart(self, sid: str) -> None:
        self._db.pages.delete_one({"_id": sid})

    def beat(self, worker: str, now: float, stale: float) -> None:
        self._db.pages.update_many({"worker": worker}, {"$set": {"seen": now}})
        self._db.pages.delete_many({"seen": {"$lt": stale}})

    def here(self, room: str, stale: float) -> list[tuple[str, str]]:
        found = self._db.pages.find({"room": room, "seen": {"$gte": stale}}, {"user": 1})
        return list(self._names(page["user"] for page in found).items())

    def pages_of(self, user: str) -> list[tuple[str, str]]:
        return [(page["_id"], page["room"]) for page in self._db.pages.find({"user": user})]

    # Limits

    def attempt(self, what: str, now: float, since: float) -> int:
        self._db.attempts.delete_many({"at": {"$lt": now - 3600}})
        self._db.attempts.insert_one({"what": what, "at": now})
        return self._db.attempts.count_documents({"what": what, "at": {"$gte": since}})

    def forgive(self, what: str, at: float | None = None) -> None:
        when = {} if at is None else {"at": at}
        self._db.attempts.delete_many({"what": what, **when})


def to_user(found: Mapping[str, Any]) -> User:
    fields = ("username", "name", "password", "stamp")
    return User(str(found["_id"]), *(found[field] for field in fields))


def init_app(app: Vial) -> Store:
    """Keep everything of this app in MongoDB; `vial prepare` makes the indexes."""
    store = MongoStore(app.config["MONGO_URL"])
    app.cli.command("prepare", help="Make the indexes of MongoDB.")(store.prepare)
    if app.config["PREPARE_STORE"]:
        store.prepare()
    return store
