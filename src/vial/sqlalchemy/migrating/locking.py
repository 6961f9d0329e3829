"""One process migrates a database at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy import Connection

#: An advisory lock of PostgreSQL is a number, and holds for one database.
KEY = int.from_bytes(b"vial db", "big")
#: A lock of MariaDB and MySQL has a name of up to 64 characters, and holds for the server.
NAME = "CONCAT('vial db ', LEFT(DATABASE(), 50))"
#: For each dialect what takes a lock, if it is free, and what gives it back.
LOCKS = {
    "postgresql": (
        f"SELECT pg_try_advisory_lock({KEY})",
        f"SELECT pg_advisory_unlock({KEY})",
    ),
    "mysql": (f"SELECT GET_LOCK({NAME}, 0)", f"SELECT RELEASE_LOCK({NAME})"),
}
LOCKS["mariadb"] = LOCKS["mysql"]
#: Seconds between two tries.
PAUSE = 0.2


@contextmanager
def exclusive(connection: Connection) -> Iterator[None]:
    """Wait until no other process migrates this database, and keep others out meanwhile.

    The lock belongs to the connection: it goes with the process. SQLite needs none: see
    :func:`.environment.run`.
    """
    if connection.dialect.name not in LOCKS:
        yield
        return
    take, give_back = LOCKS[connection.dialect.name]
    is_told = False
    while not _ask(connection, take):
        if not is_told:
            click.echo("Waiting: another process migrates this database.", err=True)
            is_told = True
        time.sleep(PAUSE)
    try:
        yield
    finally:
        if not connection.invalidated:
            connection.rollback()
            _ask(connection, give_back)


def _ask(connection: Connection, statement: str) -> bool:
    # Who waits has no transaction open: CREATE INDEX CONCURRENTLY of the other waits for all.
    with connection.begin():
        return bool(connection.exec_driver_sql(statement).scalar())
