"""Databases to test with, each of its own name, dropped at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa


def _server(variable: str, usual: str, driver: str) -> sa.URL:
    return sa.make_url(os.environ.get(variable, usual)).set(drivername=driver)


#: Where to ask for a database; SQLite is a file. The environment may name other servers.
SERVERS = {
    "postgresql": _server(
        "TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432", "postgresql+psycopg"
    ).set(database="postgres"),
    "mariadb": _server("TEST_MARIADB", "mariadb://root@127.0.0.1:3306", "mariadb+pymysql"),
}
#: For parametrized fixtures: SQLite always, the servers as service tests.
EACH = ["sqlite", *(pytest.param(name, marks=pytest.mark.service) for name in SERVERS)]


@contextmanager
def database(name: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database of one kind."""
    if name == "sqlite":
        yield f"sqlite:///{folder}/test.db"
        return
    server = SERVERS[name]
    own = f"vial_{uuid4().hex[:12]}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            letters = " CHARACTER SET utf8mb4" if name == "mariadb" else ""
            connection.exec_driver_sql(f"CREATE DATABASE {own}{letters}")
        try:
            yield server.set(database=own).render_as_string(hide_password=False)
        finally:
            force = " WITH (FORCE)" if name == "postgresql" else ""
            with engine.connect() as connection:
                connection.exec_driver_sql(f"DROP DATABASE {own}{force}")
    finally:
        engine.dispose()
