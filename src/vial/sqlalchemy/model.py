"""What models have of their own: a table's name, a bind key, ``query`` and a ``repr()``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import sqlalchemy as sa
import sqlalchemy.orm as sa_orm

from .query import Query

if TYPE_CHECKING:
    from .extension import SQLAlchemy

__all__ = [
    "BindMetaMixin",
    "BindMixin",
    "DefaultMeta",
    "DefaultMetaNoName",
    "Model",
    "ModelMixin",
    "NameMetaMixin",
    "NameMixin",
    "camel_to_snake_case",
    "should_set_tablename",
]

M = TypeVar("M")

#: Before a capital that follows a small letter or a digit, or that begins a word.
_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<!^)(?=[A-Z][a-z])")


def camel_to_snake_case(name: str) -> str:
    """``HTTPRequest`` → ``http_request``, as Flask-SQLAlchemy names tables."""
    return _BOUNDARY.sub("_", name).lower().lstrip("_")


class _QueryProperty:
    """``Model.query``: a legacy query of the current session."""

    def __get__(self, obj: object | None, cls: type[M]) -> Query[M]:
        session = cls.__fsa__.session()  # type: ignore[attr-defined]
        return cls.query_class(cls, session=session)  # type: ignore[attr-defined, no-any-return]


class Model:
    """The base of ``db.Model``; a subclass of it is a valid ``model_class``."""

    #: The extension whose session and metadata a model uses.
    __fsa__: ClassVar[SQLAlchemy[Any]]
    #: What :attr:`query` is made of; ``SQLAlchemy(query_class=…)`` sets it.
    query_class: ClassVar[type[Query[Any]]] = Query
    #: A legacy query for this model in the current session; new code writes ``db.select(Model)``.
    query = _QueryProperty()

    if TYPE_CHECKING:
        metadata: ClassVar[sa.MetaData]
        registry: ClassVar[sa_orm.registry]

    def __repr__(self) -> str:
        name, state = type(self).__name__, sa.inspect(self)
        assert state is not None
        if state.transient:
            return f"<{name} (transient {id(self)})>"
        if state.pending:
            return f"<{name} (pending {id(self)})>"
        return f"<{name} {', '.join(map(str, state.identity))}>"


def _bind(cls: Any) -> None:
    """Give a class that names a bind key the metadata of that key."""
    if "metadata" in cls.__dict__ or "__table__" in cls.__dict__:
        return
    if not hasattr(cls, "__bind_key__"):
        return
    if not hasattr(cls, "__fsa__"):
        raise RuntimeError(
            f"The model {cls.__name__!r} has a bind key, but no 'SQLAlchemy' object knows its base"
            " class: make that first, with model_class=, and define models after it."
        )
    metadata = cls.__fsa__._make_metadata(cls.__bind_key__)
    if metadata is not getattr(cls, "metadata", None):
        cls.metadata = metadata


def _name(cls: Any) -> None:
    """Name the table of a class that needs a name."""
    if should_set_tablename(cls):
        cls.__tablename__ = camel_to_snake_case(cls.__name__)


def _forget_no_table(cls: Any) -> None:
    """After :func:`_make_table` gave none: the class has its table from the one above it."""
    if cls.__dict__.get("__table__", cls) is None:
        del cls.__table__


def should_set_tablename(cls: type) -> bool:
    """Whether a model gets a name for its table: it, or what it inherits from, names none.

    A name that an abstract class, a mixin or a ``declared_attr`` gives is one; that of the table
    of a class above it is not, as this one may have its own (joined inheritance). Whether it has
    is known when its columns are: see :func:`_make_table`.
    """
    if _is_base(cls):
        return False
    for base in cls.__mro__:
        if "__tablename__" not in base.__dict__:
            continue
        if isinstance(base.__dict__["__tablename__"], sa_orm.declared_attr):
            return False
        is_model = _is_declarative(base) and not base.__dict__.get("__abstract__", False)
        return base is not cls and is_model
    return True


def _is_base(cls: type) -> bool:
    """An abstract class, or one that models are to be derived from."""
    bases = (sa_orm.DeclarativeBase, sa_orm.DeclarativeBaseNoMeta)
    if cls.__dict__.get("__abstract__", False) or not _is_declarative(cls):
        return True
    return any(base in bases for base in cls.__bases__) or not any(
        _is_declarative(base) for base in cls.__bases__
    )


def _is_declarative(cls: type) -> bool:
    """A base or a model of any declarative style."""
    return hasattr(cls, "registry") and hasattr(cls, "metadata")


def _make_table(cls: Any, *args: Any, **kwargs: Any) -> sa.Table | None:
    """The table of a model; none where it has no primary key and a class above it has a table:
    then it shares that one (single-table inheritance)."""
    name, metadata = args[0], args[1]
    schema = kwargs.get("schema", metadata.schema)
    known = (name if schema is None else f"{schema}.{name}") in metadata.tables
    if known or any(map(_is_key, args[2:])) or not _inherits_table(cls):
        return sa.Table(*args, **kwargs)
    if "__tablename__" in cls.__dict__:
        del cls.__tablename__
    return None


def _is_key(item: Any) -> bool:
    return isinstance(item, sa.PrimaryKeyConstraint) or getattr(item, "primary_key", False) is True


def _inherits_table(cls: type) -> bool:
    """Whether a class above it has a table."""
    return any(base.__dict__.get("__table__") is not None for base in cls.__mro__[1:])


class BindMixin:
    """For declarative classes without a metaclass of ours: ``__bind_key__`` chooses the bind."""

    #: Where the tables of a model live: a key of ``SQLALCHEMY_BINDS``.
    __bind_key__: ClassVar[str | None]

    @classmethod
    def __init_subclass__(cls, **kwargs: Any) -> None:
        _bind(cls)
        super().__init_subclass__(**kwargs)


class NameMixin:
    """The same for names of tables."""

    @classmethod
    def __init_subclass__(cls, **kwargs: Any) -> None:
        _name(cls)
        super().__init_subclass__(**kwargs)
        _forget_no_table(cls)

    @classmethod
    def __table_cls__(cls, *args: Any, **kwargs: Any) -> sa.Table | None:
        return _make_table(cls, *args, **kwargs)


class ModelMixin(BindMixin, NameMixin, Model):
    """All of ``db.Model`` for a declarative base of one's own, whose subclasses are models for
    type checkers too: ``class Base(ModelMixin, DeclarativeBase)``, given as ``model_class``."""


class BindMetaMixin(type):
    """As :class:`BindMixin`, for metaclasses."""

    __fsa__: SQLAlchemy[Any]
    metadata: sa.MetaData

    def __init__(cls, name: str, bases: tuple[type, ...], d: dict[str, Any], **kwargs: Any) -> None:
        _bind(cls)
        super().__init__(name, bases, d, **kwargs)


class NameMetaMixin(type):
    """As :class:`NameMixin`, for metaclasses."""

    __tablename__: str
    __table__: sa.Table

    def __init__(cls, name: str, bases: tuple[type, ...], d: dict[str, Any], **kwargs: Any) -> None:
        _name(cls)
        super().__init__(name, bases, d, **kwargs)
        _forget_no_table(cls)

    def __table_cls__(cls, *args: Any, **kwargs: Any) -> sa.Table | None:
        return _make_table(cls, *args, **kwargs)


class DefaultMeta(BindMetaMixin, NameMetaMixin, sa_orm.DeclarativeMeta):
    """The metaclass of ``db.Model`` where no declarative base was given."""


class DefaultMetaNoName(BindMetaMixin, sa_orm.DeclarativeMeta):
    """The same with ``disable_autonaming=True``."""
