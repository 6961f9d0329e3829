"""The chat room of examples/chatroom, and the databases that its tests run on."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import databases
import pymongo
import pytest
from pymongo.errors import PyMongoError
from serving import free_port, wait_for

PROJECT = Path(__file__).parents[2] / "examples" / "chatroom"
with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(str(PROJECT))  # not for longer: its "wsgi" is not everybody's
    importlib.import_module("chatroom")

Variables = dict[str, str]


def a_name(what: str = "vial_room") -> str:
    return f"{what}_{uuid4().hex[:12]}"


@contextmanager
def on_sql(kind: str, folder: Path) -> Iterator[Variables]:
    """The variables of the environment that name a database: a new one, gone afterwards."""
    with databases.database(kind, folder) as url:
        # Without the driver, as hosts give it.
        yield {"DATABASE_URL": re.sub(r"\+\w+", "", url, count=1)}


@contextmanager
def on_mongodb(folder: Path) -> Iterator[Variables]:
    """A database of the MongoDB that MONGO_URL names, or else of a SecantusDB.

    SecantusDB is a server of its own make, in Python, over WiredTiger, the storage engine of
    MongoDB: it speaks MongoDB's protocol on a port, to the real pymongo, and keeps unique indexes.
    It is not MongoDB. That it agrees with it in what these tests ask is what its authors say.
    """
    given = os.environ.get("MONGO_URL")
    if given:
        with a_mongo_database(given) as url:
            yield {"MONGO_URL": url}
        return
    port = free_port()
    server = Path(sys.executable).with_name("secantusd-py")
    command = [server, "--port", str(port), "--standalone", "--storage-path", folder / "mongo"]
    with (folder / "mongo.txt").open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
    try:
        with a_mongo_database(f"mongodb://127.0.0.1:{port}") as url:
            yield {"MONGO_URL": url}
    except BaseException:
        print((folder / "mongo.txt").read_text())
        raise
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def a_mongo_database(server: str) -> Iterator[str]:
    client: Any
    with pymongo.MongoClient(server, serverSelectionTimeoutMS=1000) as client:
        wait_for("an answer of MongoDB", lambda: is_up(client))
        name = a_name()
        try:
            yield f"{server.rstrip('/')}/{name}"
        finally:
            client.drop_database(name)


def is_up(client: Any) -> bool:
    try:
        client.admin.command("ping")
    except PyMongoError:
        return False
    return True


def database(kind: str, folder: Path) -> AbstractContextManager[Variables]:
    return on_mongodb(folder) if kind == "mongodb" else on_sql(kind, folder)


@contextmanager
def an_app(variables: Variables, folder: Path) -> Iterator[Any]:
    """The application, with its tables, on a database; closed afterwards."""
    from chatroom import create_app

    with pytest.MonkeyPatch.context() as patch:
        for name in ("DATABASE_URL", "MONGO_URL", "REDIS_URL", "SECRET_KEY", "VIAL_CONFIG"):
            patch.delenv(name, raising=False)
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.setenv("INSTANCE_PATH", str(folder))
        app = create_app("testing")
    try:
        yield app
    finally:
        close(app)


def close(app: Any) -> None:
    """Give the connections back."""
    store = app.extensions["chat"].store
    if hasattr(store, "close"):
        store.close()
        return
    from chatroom.models.tables import db

    with app.app_context():
        db.engine.dispose()
