"""Models: names of tables, inheritance, binds, and the bases they can have."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import (
    DeclarativeBase,
    DeclarativeBaseNoMeta,
    Mapped,
    MappedAsDataclass,
    declarative_base,
    declared_attr,
    mapped_column,
)

from vial import Vial
from vial.sqlalchemy import ModelMixin, SQLAlchemy
from vial.sqlalchemy.model import Model, camel_to_snake_case


def bases() -> list[Any]:
    class New(DeclarativeBase): ...

    class NoMeta(DeclarativeBaseNoMeta): ...

    class Data(MappedAsDataclass, DeclarativeBase): ...

    class DataNoMeta(MappedAsDataclass, DeclarativeBaseNoMeta): ...

    class Typed(ModelMixin, DeclarativeBase): ...

    class TypedNoMeta(ModelMixin, DeclarativeBaseNoMeta): ...

    class TypedData(ModelMixin, MappedAsDataclass, DeclarativeBase): ...

    class Own(Model): ...

    return [Model, Own, New, NoMeta, Data, DataNoMeta, Typed, TypedNoMeta, TypedData]


@pytest.fixture(params=range(len(bases())), ids=[b.__name__ for b in bases()])
def db(request: Any, tmp_path: Path) -> Any:
    app = Vial("models", instance_path=str(tmp_path))
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
    app.config["SQLALCHEMY_BINDS"] = {"other": "sqlite://"}
    db = SQLAlchemy(app, model_class=bases()[request.param])
    with app.app_context():
        yield db
        db.session.remove()
        for engine in db.engines.values():
            engine.dispose()


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("User", "user"),
        ("HTTPRequest", "http_request"),
        ("FooBARBaz", "foo_bar_baz"),
        ("Base64URL", "base64_url"),
        ("A1B", "a1_b"),
        ("UserAPI2", "user_api2"),
        ("XMLHttpReq2Go", "xml_http_req2_go"),
        ("snake_Case", "snake__case"),
        ("ABC", "abc"),
    ],
)
def test_names_of_tables_are_made_of_names_of_classes(name: str, table: str) -> None:
    assert camel_to_snake_case(name) == table


def test_a_model_has_a_table_a_query_and_a_repr(db: Any) -> None:
    class TodoItem(db.Model):
        id: Mapped[int] = mapped_column(primary_key=True)
        text: Mapped[str]

    db.create_all()
    item = TodoItem(id=3, text="wash")
    assert TodoItem.__tablename__ == "todo_item"
    db.session.add(item)
    db.session.commit()
    assert TodoItem.query.filter_by(text="wash").one_or_404() is item
    assert db.session.scalars(db.select(TodoItem)).one() is item
    if not issubclass(db.Model, MappedAsDataclass):  # whose repr is that of dataclasses
        assert repr(item) == "<TodoItem 3>"


def test_a_subclass_without_a_key_shares_the_table_and_one_with_a_key_has_its_own(db: Any) -> None:
    class Animal(db.Model):
        id: Mapped[int] = (
            mapped_column(primary_key=True, init=False)
            if is_data(db)
            else (mapped_column(primary_key=True))
        )
        kind: Mapped[str] = mapped_column(**no_init(db))
        __mapper_args__: ClassVar[Any] = {
            "polymorphic_on": "kind",
            "polymorphic_identity": "animal",
        }

    class Cat(Animal):
        __mapper_args__: ClassVar[Any] = {"polymorphic_identity": "cat"}

    class WildDog(Animal):
        id: Mapped[int] = mapped_column(sa.ForeignKey("animal.id"), primary_key=True, **no_init(db))
        __mapper_args__: ClassVar[Any] = {"polymorphic_identity": "dog"}

    assert Cat.__table__ is Animal.__table__
    assert WildDog.__table__.name == "wild_dog"
    db.create_all()
    db.session.add_all([Animal(), Cat(), Cat(), WildDog()])
    db.session.commit()
    assert db.paginate(db.select(Cat)).total == 2
    assert db.paginate(db.select(WildDog)).total == 1
    assert db.paginate(db.select(Animal)).total == 4


def is_data(db: Any) -> bool:
    return issubclass(db.Model, MappedAsDataclass)


def no_init(db: Any) -> dict[str, Any]:
    return {"init": False} if is_data(db) else {}


def test_a_name_of_ones_own_or_of_a_mixin_is_kept(db: Any) -> None:
    class Named:
        @declared_attr.directive
        def __tablename__(cls) -> str:
            return f"x_{cls.__name__.lower()}"  # type: ignore[attr-defined]

    class Own(db.Model):
        __tablename__ = "mine"
        id: Mapped[int] = mapped_column(primary_key=True)

    class Mixed(Named, db.Model):
        id: Mapped[int] = mapped_column(primary_key=True)

    class Abstract(db.Model):
        __abstract__ = True
        id: Mapped[int] = mapped_column(primary_key=True)

    class Concrete(Abstract):
        pass

    assert [c.__table__.name for c in (Own, Mixed, Concrete)] == ["mine", "x_mixed", "concrete"]


def test_a_bind_key_chooses_database_and_metadata(db: Any) -> None:
    class Here(db.Model):
        id: Mapped[int] = mapped_column(primary_key=True)

    class There(db.Model):
        __bind_key__ = "other"
        id: Mapped[int] = mapped_column(primary_key=True)

    db.create_all()
    assert There.metadata is db.metadatas["other"]
    assert sa.inspect(db.engine).get_table_names() == ["here"]
    assert sa.inspect(db.engines["other"]).get_table_names() == ["there"]
    db.session.add_all([Here(id=1), There(id=1)])
    db.session.commit()
    assert len(db.session.execute(db.select(There.__table__)).all()) == 1
    table = db.Table("link", sa.Column("id", sa.Integer), bind_key="other")
    assert table.metadata is db.metadatas["other"]


def test_a_base_made_by_a_function_works_too() -> None:
    db: Any = SQLAlchemy(model_class=declarative_base(cls=Model))

    class Thing(db.Model):
        __tablename__ = "thing"
        id = db.Column(db.Integer, primary_key=True)

    assert db.metadata.tables["thing"] is Thing.__table__
