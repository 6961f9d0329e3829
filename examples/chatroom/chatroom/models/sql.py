"""The store in SQLite, PostgreSQL or MariaDB."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from vial import Vial
from vial.sqlalchemy.migrating import Migrate, upgrade

from .rules import Taken, name_key
from .store import Message, Room, Store, User
from .tables import AttemptRow, MemberRow, MessageRow, PageRow, RoomRow, UserRow, db

T = TypeVar("T")
MIGRATIONS = Path(__file__).parents[2] / "migrations"
TRIES = 4
"""How often a transaction is tried that got in the way of another one."""


class SqlStore(Store):
    def _do(self, work: Callable[[Session], T]) -> T:
        """Run a transaction, which must not matter if it is run again."""
        for left in reversed(range(TRIES)):
            try:
                result = work(db.session())
                db.session.commit()
                return result
            except OperationalError:  # a deadlock, or SQLite was busy for too long
                db.session.rollback()
                if not left:
                    raise
            except BaseException:
                db.session.rollback()
                raise
        raise AssertionError("unreachable")

    def _do_if_free(self, what: str, work: Callable[[Session], T]) -> T:
        try:
            return self._do(work)
        except IntegrityError:
            raise Taken(f"This {what} is taken.") from None

    def _change(self, statement: Any) -> int:
        return self._do(lambda s: int(s.execute(statement).rowcount))  # type: ignore[attr-defined]

    def _all(self, query: Select[Any]) -> list[Any]:
        return self._do(lambda s: list(s.execute(query).all()))

    def _one(self, query: Select[Any]) -> Any:
        return self._do(lambda s: s.execute(query).scalar())

    # People

    def add_user(self, username: str, name: str, password: str, stamp: str) -> User:
        def work(s: Session) -> User:
            row = UserRow(
                username=username,
                name=name,
                name_key=name_key(name),
                password=password,
                stamp=stamp,
            )
            s.add(row)
            s.flush()
            return to_user(row)

        return self._do_if_free("user name or display name", work)

    def user(self, id: str) -> User | None:
        return self._find_user(UserRow.id == int(id)) if id.isdecimal() else None

    def user_named(self, username: str) -> User | None:
        return self._find_user(UserRow.username == username)

    def _find_user(self, condition: Any) -> User | None:
        def work(s: Session) -> User | None:
            row = s.execute(select(UserRow).where(condition)).scalar()
            return row and to_user(row)

        return self._do(work)

    def rename(self, id: str, name: str) -> None:
        values = {"name": name, "name_key": name_key(name)}
        statement = update(UserRow).where(UserRow.id == int(id)).values(values)
        self._do_if_free("display name", lambda s: s.execute(statement))

    def set_password(self, id: str, password: str, stamp: str) -> None:
        values = {"password": password, "stamp": stamp}
        self._change(update(UserRow).where(UserRow.id == int(id)).values(values))

    # Rooms

    def add_room(self, name: str, creator: str | None = None) -> None:
        values = {"name": name, "creator": creator and int(creator), "messages": 0, "changes": 0}
        self._do_if_free("room name", lambda s: s.execute(insert(RoomRow).values(values)))

    def has_room(self, name: str) -> bool:
        return self._one(select(RoomRow.name).where(RoomRow.name == name)) is not None

    def rooms(self, after: str = "", limit: int = 50) -> list[Room]:
        people = (
            select(func.count()).where(MemberRow.room == RoomRow.name).correlate(RoomRow)
        ).scalar_subquery()
        query = select(RoomRow.name, people, RoomRow.messages).where(RoomRow.name > after)
        return [Room(*row) for row in self._all(query.order_by(RoomRow.name).limit(limit))]

    def rooms_of(self, user: str) -> list[str]:
        query = select(MemberRow.room).where(MemberRow.user == int(user))
        return sorted(row[0] for row in self._all(query))

    def rooms_made_by(self, user: str) -> int:
        return int(self._one(select(func.count()).where(RoomRow.creator == int(user))))

    def join(self, room: str, user: str) -> None:
        try:
            self._change(insert(MemberRow).values(room=room, user=int(user)))
        except IntegrityError:
            if not self.is_member(room, user):
                raise

    def leave(self, room: str, user: str) -> None:
        theirs = (MemberRow.room == room) & (MemberRow.user == int(user))
        self._change(delete(MemberRow).where(theirs))

    def is_member(self, room: str, user: str) -> bool:
        theirs = (MemberRow.room == room) & (MemberRow.user == int(user))
        return self._one(select(MemberRow.room).where(theirs)) is not None

    # Messages. The row of the room is locked by its update: one change after the other.

    def add_message(self, room: str, author: str, text: str, key: str, sent: int) -> Message:
        def work(s: Session) -> Message:
            step = {"messages": RoomRow.messages + 1, "changes": RoomRow.changes + 1}
            s.execute(update(RoomRow).where(RoomRow.name == room).values(step))
            kept = s.execute(in_room(room, MessageRow.author == int(author), MessageRow.key == key))
            row = kept.one_or_none()
            if row:
                s.rollback()
                return to_message(row)
            counted = select(RoomRow.messages, RoomRow.changes).where(RoomRow.name == room)
            id, change = s.execute(counted).one()
            values = {"room": room, "id": id, "change": change, "author": int(author)}
            values |= {"text": text, "key": key, "sent": sent, "deleted": False}
            s.execute(insert(MessageRow).values(values))
            return to_message(s.execute(in_room(room, MessageRow.id == id)).one())

        return self._do(work)

    def delete_message(self, room: str, id: int, author: str) -> Message | None:
        def work(s: Session) -> Message | None:
            step = {"changes": RoomRow.changes + 1}
            s.execute(update(RoomRow).where(RoomRow.name == room).values(step))
            theirs = in_room(room, MessageRow.id == id, MessageRow.author == int(author))
            row = s.execute(theirs).one_or_none()
            if row is None or row.deleted:
                s.rollback()
                return row and to_message(row)
            change = s.execute(select(RoomRow.changes).where(RoomRow.name == room)).scalar_one()
            gone = {"text": "", "deleted": True, "change": change}
            it = (MessageRow.room == room) & (MessageRow.id == id)
            s.execute(update(MessageRow).where(it).values(gone))
            return to_message(s.execute(theirs).one())

        return self._do(work)

    def last_change(self, room: str) -> int:
        return self._one(select(RoomRow.changes).where(RoomRow.name == room)) or 0

    def changed_since(self, room: str, change: int, limit: int) -> list[Message]:
        query = in_room(room, MessageRow.change > change).order_by(MessageRow.change)
        return list(map(to_message, self._all(query.limit(limit))))

    def messages_before(self, room: str, id: int, limit: int) -> list[Message]:
        query = in_room(room, MessageRow.id < id).order_by(MessageRow.id.desc())
        return list(map(to_message, self._all(query.limit(limit))))[::-1]

    def count_sent(self, author: str, since: int, but: str) -> int:
        theirs = (MessageRow.author == int(author)) & (MessageRow.sent > since)
        return int(self._one(select(func.count()).where(theirs, MessageRow.key != but)))

    # Who is here

    def arrive(self, sid: str, room: str, user: str, worker: str, now: float) -> None:
        def work(s: Session) -> None:
            s.execute(delete(PageRow).where(PageRow.sid == sid))
            values = {"sid": sid, "room": room, "user": int(user), "worker": worker, "seen": now}
            s.execute(insert(PageRow).values(values))

        self._do(work)

    def depart(self, sid: str) -> None:
        self._change(delete(PageRow).where(PageRow.sid == sid))

    def beat(self, worker: str, now: float, stale: float) -> None:
        self._change(update(PageRow).where(PageRow.worker == worker).values(seen=now))
        self._change(delete(PageRow).where(PageRow.seen < stale))

    def here(self, room: str, stale: float) -> list[tuple[str, str]]:
        query = select(UserRow.id, UserRow.name).join(PageRow, PageRow.user == UserRow.id)
        found = self._all(query.where(PageRow.room == room, PageRow.seen >= stale).distinct())
        return [(str(id), name) for id, name in found]

    def pages_of(self, user: str) -> list[tuple[str, str]]:
        query = select(PageRow.sid, PageRow.room).where(PageRow.user == int(user))
        return [(sid, room) for sid, room in self._all(query)]

    # Limits

    def attempt(self, what: str, now: float, since: float) -> int:
        self._change(delete(AttemptRow).where(AttemptRow.at < now - 3600))
        self._change(insert(AttemptRow).values(what=what, at=now))
        recent = (AttemptRow.what == what) & (AttemptRow.at >= since)
        return int(self._one(select(func.count()).where(recent)))

    def forgive(self, what: str, at: float | None = None) -> None:
        when = [] if at is None else [AttemptRow.at == at]
        self._change(delete(AttemptRow).where(AttemptRow.what == what, *when))


def in_room(room: str, *conditions: Any) -> Select[Any]:
    """The messages of a room, with the names that their authors have now."""
    columns = [column for column in MessageRow.__table__.columns if column.name != "room"]
    query = select(MessageRow.room, *columns, UserRow.name)
    return query.join(UserRow, UserRow.id == MessageRow.author).where(
        MessageRow.room == room, *conditions
    )


def to_message(row: Any) -> Message:
    values = {**row._mapping, "author": str(row.author)}
    return Message(**values)


def to_user(row: UserRow) -> User:
    return User(str(row.id), row.username, row.name, row.password, row.stamp)


def init_app(app: Vial) -> Store:
    """Keep everything of this app in its database; `vial db upgrade` makes the tables."""
    db.init_app(app)
    Migrate(app, db, directory=MIGRATIONS)
    if app.config["PREPARE_STORE"]:
        with app.app_context():
            upgrade()
    return SqlStore()
