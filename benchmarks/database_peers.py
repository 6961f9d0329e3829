"""A page that reads rows of a table and renders them, as a user of each framework writes it.

Each builder returns a WSGI application for each database, by its name, and imports its framework
only when it is called. All read by the ORM of their framework, with pooled or kept connections, and
render the same template file; Django by its own template engine.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from markupsafe import escape

TEMPLATES = str(Path(__file__).parent / "templates")
TABLE = "benchmark_note"
TITLE = "Notes & <queries>"
ROWS = [
    {"id": n, "author": f"author {n % 7}", "text": f"note {n}: <b>bold</b> & plain"}
    for n in range(1, 201)
]
SHOWN = 20

Application = Callable[..., Any]


def flask_like(
    module: str, class_name: str, extension: str, urls: dict[str, str]
) -> dict[str, Application]:
    """Flask-SQLAlchemy's API, and so vial.sqlalchemy's too: the text of both is the same."""
    web, sqlalchemy = importlib.import_module(module), importlib.import_module(extension)

    def application(name: str, url: str) -> Application:
        app = getattr(web, class_name)(__name__, template_folder=TEMPLATES, static_folder=None)
        app.config["SQLALCHEMY_DATABASE_URI"] = url
        db = sqlalchemy.SQLAlchemy(app)

        class Note(db.Model):  # type: ignore[name-defined,misc]
            __tablename__ = TABLE
            id = db.Column(db.Integer, primary_key=True)
            author = db.Column(db.String(80), nullable=False)
            text = db.Column(db.String(200), nullable=False)

        @app.get(f"/{name}")
        def notes() -> Any:
            found = db.session.scalars(db.select(Note).order_by(Note.id.desc()).limit(SHOWN))
            return web.render_template("notes.html", title=TITLE, notes=found)

        return app  # type: ignore[no-any-return]

    return {name: application(name, url) for name, url in urls.items()}


def vial(urls: dict[str, str]) -> dict[str, Application]:
    return flask_like("vial", "Vial", "vial.sqlalchemy", urls)


def flask(urls: dict[str, str]) -> dict[str, Application]:
    return flask_like("flask", "Flask", "flask_sqlalchemy", urls)


def django(urls: dict[str, str]) -> dict[str, Application]:
    """A process has one Django, so one application answers for all databases."""
    import django as framework
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler
    from django.db import models
    from django.shortcuts import render
    from django.urls import path

    databases = {name: django_database(url) for name, url in urls.items()}
    templates = {"BACKEND": "django.template.backends.django.DjangoTemplates"}
    settings.configure(
        SECRET_KEY="a benchmark has no secrets",
        ALLOWED_HOSTS=["*"],
        # The one of its usual middlewares that gives the answer its length.
        MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
        DATABASES={"default": {}, **databases},
        TEMPLATES=[templates | {"DIRS": [TEMPLATES]}],
    )
    framework.setup(set_prefix=False)

    class Note(models.Model):
        id = models.AutoField(primary_key=True)
        author = models.CharField(max_length=80)
        text = models.CharField(max_length=200)

        class Meta:
            app_label = "benchmark"
            db_table = TABLE

    def view(name: str) -> Callable[[Any], Any]:
        def notes(request: Any) -> Any:
            found = Note.objects.using(name).order_by("-id")[:SHOWN]
            return render(request, "notes.html", {"title": TITLE, "notes": found})

        return notes

    settings.ROOT_URLCONF = tuple(path(name, view(name)) for name in urls)
    return dict.fromkeys(urls, WSGIHandler())


def django_database(url: str) -> dict[str, Any]:
    """A connection that is kept, as its users have it in production."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        file = parts.path.removeprefix("/")
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": file, "CONN_MAX_AGE": None}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path[1:],
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": None,
    }


def floor(urls: dict[str, str]) -> dict[str, Application]:
    """SQLAlchemy's ORM and Jinja alone, without a framework: what the others add their share to."""
    from jinja2 import Environment, FileSystemLoader
    from sqlalchemy import Column, Integer, String, create_engine, select
    from sqlalchemy.orm import DeclarativeBase, Session

    class Base(DeclarativeBase):
        pass

    class Note(Base):
        __tablename__ = TABLE
        id = Column(Integer, primary_key=True)
        author = Column(String(80), nullable=False)
        text = Column(String(200), nullable=False)

    jinja = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, auto_reload=False)

    def application(url: str) -> Application:
        engine = create_engine(url)

        def notes(environ: Any, start_response: Any) -> Any:
            with Session(engine) as session:
                found = session.scalars(select(Note).order_by(Note.id.desc()).limit(SHOWN))
                page = jinja.get_template("notes.html").render(title=TITLE, notes=found).encode()
            headers = [
                ("Content-Type", "text/html; charset=utf-8"),
                ("Content-Length", str(len(page))),
            ]
            start_response("200 OK", headers)
            return [page]

        return notes

    return {name: application(url) for name, url in urls.items()}


@contextmanager
def filled(urls: Iterable[str]) -> Iterator[None]:
    """The table that all read is there, in each of these databases."""
    from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine

    metadata = MetaData()
    table = Table(
        TABLE,
        metadata,
        Column("id", Integer, primary_key=True),
        Column("author", String(80), nullable=False),
        Column("text", String(200), nullable=False),
    )
    engines = [create_engine(url) for url in urls]
    for engine in engines:
        metadata.drop_all(engine)
        metadata.create_all(engine)
        with engine.begin() as connection:
            connection.execute(table.insert(), ROWS)
    yield
    for engine in engines:
        metadata.drop_all(engine)
        engine.dispose()


def page() -> str:
    """What each of them must answer."""
    items = "".join(
        f"<li>{row['id']}: {escape(row['text'])} ({row['author']})</li>"
        for row in ROWS[: -SHOWN - 1 : -1]
    )
    return f"<!doctype html>\n<title>{escape(TITLE)}</title>\n<ul>{items}</ul>"
