"""The tables, for databases that speak SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from vial.sqlalchemy import SQLAlchemy

from . import rules

# MariaDB would say that "André" is "andre"; which names are one, `rules.py` decides.
EXACT: dict[str, Any] = {
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
}


class Base(DeclarativeBase):
    # Constraints have names, so that a migration can change and drop them.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(model_class=Base)


class UserRow(db.Model):
    __tablename__ = "users"
    __table_args__ = EXACT

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(rules.USERNAME), unique=True)
    name: Mapped[str] = mapped_column(String(rules.NAME))
    # A letter can become several when case is folded.
    name_key: Mapped[str] = mapped_column(String(rules.NAME * 4), unique=True)
    password: Mapped[str] = mapped_column(String(255))
    stamp: Mapped[str] = mapped_column(String(64))


class RoomRow(db.Model):
    __tablename__ = "rooms"
    __table_args__ = EXACT

    name: Mapped[str] = mapped_column(String(rules.ROOM), primary_key=True)
    creator: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
    messages: Mapped[int] = mapped_column(default=0)
    changes: Mapped[int] = mapped_column(default=0)


class MemberRow(db.Model):
    __tablename__ = "members"
    __table_args__ = EXACT

    room: Mapped[str] = mapped_column(ForeignKey("rooms.name"), primary_key=True)
    user: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)


class MessageRow(db.Model):
    __tablename__ = "messages"

    room: Mapped[str] = mapped_column(ForeignKey("rooms.name"), primary_key=True)
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    change: Mapped[int]
    author: Mapped[int] = mapped_column(ForeignKey("users.id"))
    text: Mapped[str] = mapped_column(Text)
    sent: Mapped[int] = mapped_column(BigInteger)
    key: Mapped[str] = mapped_column(String(rules.KEY))
    deleted: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (
        UniqueConstraint("room", "change"),
        UniqueConstraint("author", "room", "key"),
        Index("ix_messages_author_sent", "author", "sent"),
        EXACT,
    )


class PageRow(db.Model):
    """A page that somebody has open."""

    __tablename__ = "pages"
    __table_args__ = EXACT

    sid: Mapped[str] = mapped_column(String(64), primary_key=True)
    room: Mapped[str] = mapped_column(String(rules.ROOM), index=True)
    user: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    worker: Mapped[str] = mapped_column(String(64), index=True)
    seen: Mapped[float] = mapped_column(Float(53), index=True)


class AttemptRow(db.Model):
    __tablename__ = "attempts"

    id: Mapped[int] = mapped_column(primary_key=True)
    what: Mapped[str] = mapped_column(String(128))
    at: Mapped[float] = mapped_column(Float(53), index=True)

    __table_args__ = (Index("ix_attempts_what_at", "what", "at"), EXACT)
