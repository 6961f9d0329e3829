"""vial.sqlalchemy beside Flask-SQLAlchemy: the same names, and in Flask mode the same answers."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import flask_sqlalchemy
import flask_sqlalchemy.pagination
import pytest
from flask import Flask
from sqlalchemy import exc
from werkzeug.exceptions import HTTPException

import vial.sqlalchemy

SUBMODULES = "cli extension model pagination query record_queries session table track_modifications"

#: What is there otherwise than in Flask-SQLAlchemy; docs/sqlalchemy.md says it to users.
DIFFERENCES = {
    # Hooks for subclasses that its documentation does not have; ours are other functions.
    "SQLAlchemy._apply_driver_defaults": "in engines.py",
    "SQLAlchemy._make_engine": "in engines.py",
    "SQLAlchemy._make_table_class": "one line of __init__",
    "SQLAlchemy._set_rel_query": "_with_query_class",
    "SQLAlchemy._relation": "relationship() of SQLAlchemy 1.3",
    # Deprecated there, and here under the same name without the warning.
    "SQLAlchemy.get_engine": "the config is read as engines[key]",
    # Types of Flask and of SQLAlchemy that its modules import.
    "extension._get_2x_declarative_bases": "private",
    "extension._FSAModel": "for type checkers",
}


def pairs() -> list[tuple[str, Any, Any]]:
    """Public things that a module of theirs defines, and ours of that name."""
    found = []
    for submodule in SUBMODULES.split():
        theirs = importlib.import_module(f"flask_sqlalchemy.{submodule}")
        ours = importlib.import_module(f"vial.sqlalchemy.{submodule}")
        for name, value in vars(theirs).items():
            is_own = getattr(value, "__module__", None) == theirs.__name__
            signal = submodule == "track_modifications" and name.endswith("_committed")
            if signal or (is_own and not name.startswith("_")):
                found.append((f"{submodule}.{name}", value, getattr(ours, name, None)))
    return found


PAIRS = {name: (theirs, ours) for name, theirs, ours in pairs()}


def parameters(function: Any) -> list[tuple[str, Any, Any]]:
    """Names, kinds and defaults; of a default that is a class its name."""
    return [
        (p.name, p.kind, getattr(p.default, "__name__", p.default))
        for p in inspect.signature(function).parameters.values()
    ]


def methods(cls: type) -> list[str]:
    return [
        name
        for name, value in vars(cls).items()
        if inspect.isfunction(getattr(cls, name, None))
        and (name == "__init__" or name in PROTECTED or not name.startswith("_"))
        and f"{cls.__name__}.{name}" not in DIFFERENCES
        and value is not None
    ]


#: Methods that subclasses of Pagination write, or that programs are known to call.
PROTECTED = {"_query_items", "_query_count", "_prepare_page_args", "_make_metadata"}


def test_the_package_has_the_same_names() -> None:
    wanted = [n for n in vars(flask_sqlalchemy) if not n.startswith("_") and n not in ("t",)]
    assert [n for n in wanted if n != "annotations" and not hasattr(vial.sqlalchemy, n)] == []


def test_every_name_is_there() -> None:
    assert len(PAIRS) > 15
    assert [name for name, (_, ours) in PAIRS.items() if ours is None] == []


@pytest.mark.parametrize("name", [n for n, (t, _) in PAIRS.items() if inspect.isfunction(t)])
def test_functions_take_the_same(name: str) -> None:
    theirs, ours = PAIRS[name]
    assert parameters(ours) == parameters(theirs)


@pytest.mark.parametrize("name", [n for n, (t, _) in PAIRS.items() if inspect.isclass(t)])
def test_classes_have_the_same(name: str) -> None:
    theirs, ours = PAIRS[name]
    public = [n for n in vars(theirs) if not n.startswith("_") and n != "metadata"]
    assert set(public) - set(dir(ours)) == set()
    gaps = {
        n: (parameters(getattr(theirs, n)), parameters(getattr(ours, n)))
        for n in methods(theirs)
        if parameters(getattr(theirs, n)) != parameters(getattr(ours, n))
    }
    assert gaps == {}


def test_recorded_queries_have_the_same_attributes() -> None:
    theirs = importlib.import_module("flask_sqlalchemy.record_queries")._QueryInfo
    ours = importlib.import_module("vial.sqlalchemy.record_queries")._QueryInfo
    assert parameters(ours) == parameters(theirs)
    assert isinstance(ours.duration, property)


# -- one program, on both ------------------------------------------------------------------------


def answers(module: Any) -> list[Any]:
    """What a program sees that tries one thing after the other."""
    seen: list[Any] = []
    app = Flask("program")
    app.config.update(
        SQLALCHEMY_DATABASE_URI="sqlite://",
        SQLALCHEMY_BINDS={"meta": {"url": "sqlite://", "pool_recycle": 7}},
        SQLALCHEMY_RECORD_QUERIES=True,
    )
    db = module.SQLAlchemy(app, engine_options={"echo": False})

    class HTTPThing(db.Model):  # type: ignore[name-defined, misc]
        id = db.Column(db.Integer, primary_key=True)
        name = db.Column(db.String(20), unique=True, nullable=False)
        parts = db.relationship("Part", backref="thing", lazy="dynamic")

    class Part(db.Model):  # type: ignore[name-defined, misc]
        id = db.Column(db.Integer, primary_key=True)
        thing_id = db.Column(db.ForeignKey("http_thing.id"))
        kind = db.Column(db.String)
        __mapper_args__ = {"polymorphic_on": kind, "polymorphic_identity": "part"}  # noqa: RUF012

    class Wheel(Part):
        __mapper_args__ = {"polymorphic_identity": "wheel"}  # noqa: RUF012

    class Note(db.Model):  # type: ignore[name-defined, misc]
        __bind_key__ = "meta"
        id = db.Column(db.Integer, primary_key=True)

    def see(action: Any) -> None:
        try:
            seen.append(action())
        except HTTPException as e:
            seen.append((e.code, e.description))
        except (exc.SQLAlchemyError, RuntimeError) as e:
            seen.append((type(e).__name__, str(e).replace(" Flask app", " app")))

    pairs_table = db.Table("pairs", db.Column("id", db.Integer), bind_key="meta")
    seen += [db.metadatas.keys(), pairs_table.metadata.info, sorted(db.metadatas["meta"].tables)]
    seen += [HTTPThing.__table__.name, Wheel.__table__.name, repr(db), Note.metadata.info]
    with app.app_context():
        db.create_all()
        see(lambda: repr(db))
        see(lambda: db.engines["meta"].pool._recycle)
        db.session.add_all([HTTPThing(name=f"n{i}", parts=[Part(), Wheel()]) for i in range(45)])
        db.session.add(Note())
        db.session.commit()
        see(lambda: repr(HTTPThing.query.first()))
        see(lambda: HTTPThing.query.filter_by(name="n3").one().parts.first_or_404().kind)
        see(lambda: db.session.get(Part, 1).thing.parts.paginate(per_page=1).total)
        see(lambda: type(HTTPThing.query).__name__)
        see(lambda: Wheel.query.count())
        see(lambda: db.get_or_404(HTTPThing, 99, description="gone"))
        see(lambda: HTTPThing.query.get_or_404(99))
        see(lambda: db.one_or_404(db.select(HTTPThing)))
        see(lambda: db.first_or_404(db.select(HTTPThing).filter_by(name="zz")))
        see(lambda: db.create_all("nope"))
        see(lambda: db.create_all(["meta", None]))
        see(lambda: db.session.scalar(db.select(db.func.count(Note.id))))
        module_ = importlib.import_module(f"{module.__name__}.record_queries")
        see(lambda: module_.get_recorded_queries()[-1].statement)
        see(lambda: module.SQLAlchemy(app))
        see(lambda: module.SQLAlchemy().engine)
        see(lambda: sorted(n for n in app.make_shell_context() if n[0].isupper()))
    queries = "", "page=2", "page=3&per_page=20", "page=9", "page=0", "page=x&per_page=y"
    for query in (*queries, "per_page=0", "per_page=-2", "per_page=1000", "page=2&per_page=200"):
        for options in ({}, {"max_per_page": 30}, {"error_out": False}, {"count": False}):
            with app.test_request_context(f"/?{query}"):
                statement = db.select(HTTPThing).order_by(HTTPThing.id)
                see(lambda: page(db.paginate(statement, **options)))  # noqa: B023
                see(lambda: page(HTTPThing.query.paginate(**options)))  # noqa: B023
    return seen


def page(found: Any) -> Any:
    names = "page per_page total pages has_next has_prev next_num prev_num first last max_per_page"
    facts = [getattr(found, name) for name in names.split()]
    # Links of a page after the last one leave out the last ones there, and not here.
    edges = ({}, {"left_edge": 1, "right_current": 1}, {"left_edge": 0, "right_edge": 0})
    links = [list(found.iter_pages(**e)) for e in edges if found.page <= found.pages]
    return facts, links, [item.id for item in found], [item.id for item in found.next()]


def test_a_program_sees_the_same() -> None:
    theirs, ours = answers(flask_sqlalchemy), answers(vial.sqlalchemy)
    assert len(theirs) == len(ours) > 80
    assert [(a, b) for a, b in zip(theirs, ours, strict=True) if a != b] == []
