"""Pages that work with a database, in sync and async views, for many requests at once.

The database is the one of ``SQLALCHEMY_DATABASE_URI``. What a request must not share with another
is marked with the number of the request, and looked at again after it has waited.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from vial import Vial, request, stream_with_context
from vial.sqlalchemy import SQLAlchemy

app = Vial(__name__, static_folder=None)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["SQLALCHEMY_DATABASE_URI"]
# Fewer than the requests that come at once, so that they wait for one another.
app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_size": 4, "max_overflow": 4, "pool_timeout": 30}
db = SQLAlchemy(app)


class Entry(db.Model):
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]
    lane: Mapped[str]


#: What requests that are under way work with, by the identity of the session.
under_way: dict[int, int] = {}
lock = threading.Lock()
#: Of a stream.
ROWS = 20
mistakes: list[str] = []


def claim(session: Any, number: int) -> None:
    with lock:
        other = under_way.setdefault(id(session), number)
    if other != number or session.info.setdefault("number", number) != number:
        mistakes.append(f"request {number} has the session of {other}: {session.info}")


def release(session: Any) -> None:
    with lock:
        under_way.pop(id(session), None)


def still_mine(session: Any, number: int) -> None:
    if session.info.get("number") != number:
        mistakes.append(f"request {number} finds {session.info}")


@app.get("/sync/hello")
def hello() -> str:
    """For whoever waits until the server is up."""
    return "hello"


@app.get("/make")
def make() -> str:
    db.drop_all()
    db.create_all()
    return "made"


@app.get("/sync/work/<int:number>")
def work(number: int) -> dict[str, int]:
    session = db.session()
    claim(session, number)
    try:
        db.session.add(Entry(number=number, lane="sync"))
        db.session.flush()
        time.sleep(0.01)
        still_mine(db.session(), number)
        fail_if_asked()
        db.session.commit()
        return {"number": found(db.session.scalars(mine(number)).all())}
    finally:
        release(session)


@app.get("/async/work/<int:number>")
async def work_async(number: int) -> dict[str, int]:
    session = db.async_session()
    claim(session, number)
    try:
        session.add(Entry(number=number, lane="async"))
        await session.flush()
        await asyncio.sleep(0.01)
        still_mine(db.async_session(), number)
        fail_if_asked()
        await session.commit()
        return {"number": found((await session.scalars(mine(number))).all())}
    finally:
        release(session)


def mine(number: int) -> Any:
    return db.select(Entry).filter_by(number=number)


def found(entries: Any) -> int:
    (entry,) = entries
    return int(entry.number)


def fail_if_asked() -> None:
    if "fail" in request.args:
        raise LookupError("the view failed on purpose")


@app.get("/sync/stream/<int:number>")
def stream(number: int) -> Any:
    """Reads row by row; a client may leave in between."""

    def rows() -> Iterator[str]:
        session = db.session()
        claim(session, number)
        try:
            for n in range(ROWS):
                yield f"{db.session.scalar(db.select(db.literal(n)))} {'-' * 2000}\n"
                time.sleep(0.001)
            still_mine(db.session(), number)
        finally:
            release(session)

    return stream_with_context(rows())


@app.get("/async/stream/<int:number>")
async def stream_async(number: int) -> Any:
    async def rows() -> AsyncIterator[str]:
        session = db.async_session()
        claim(session, number)
        try:
            for n in range(ROWS):
                yield f"{await session.scalar(db.select(db.literal(n)))} {'-' * 2000}\n"
                await asyncio.sleep(0.001)
            still_mine(db.async_session(), number)
        finally:
            release(session)

    return stream_with_context(rows())


@app.get("/sync/read")
def read() -> str:
    return str(db.session.scalar(text("SELECT 1")))


@app.get("/async/read")
async def read_async() -> str:
    return str(await db.async_session.scalar(text("SELECT 1")))


@app.get("/state")
async def state() -> dict[str, Any]:
    """What is taken from the pools, and what went wrong, in this process."""
    count = db.select(db.func.count()).select_from(Entry)
    async with db.async_engine.connect() as connection:
        entries = await connection.scalar(count)
    return {
        "taken": db.engine.pool.checkedout(),  # type: ignore[attr-defined]
        "taken async": db.async_engine.pool.checkedout(),  # type: ignore[attr-defined]
        "mistakes": mistakes,
        "under way": len(under_way),
        "entries": entries,
    }
