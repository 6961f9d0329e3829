"""``SQLAlchemy``: what an application makes once and gives to its app."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload
from weakref import WeakKeyDictionary

import sqlalchemy as sa
import sqlalchemy.exc as sa_exc
import sqlalchemy.orm as sa_orm

from ..callables import beside_loop
from ..concurrency import run_in_pool
from ..ctx import has_app_context
from ..flask_mode import is_flask_mode
from ..globals import current_app
from . import asynchronous, errors, lookup, track_modifications
from .cli import add_models_to_shell as _add_models_to_shell
from .engines import AppEngines
from .keyset import KeysetPagination
from .migrating import register
from .model import BindMixin, DefaultMeta, DefaultMetaNoName, Model, NameMixin
from .pagination import Pagination, SelectPagination
from .query import Query
from .session import ContextRegistry, Session, close
from .table import _Table

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine
    from typing_extensions import TypeVar as DefaultingTypeVar

    from ..app import Vial

    class LegacyModel(Model, sa_orm.DeclarativeBase):
        """What checkers see as ``db.Model`` where no ``model_class`` was given."""

    M = DefaultingTypeVar("M", default=LegacyModel)
else:
    M = TypeVar("M")

__all__ = ["SQLAlchemy"]

T = TypeVar("T")
BindKeys = str | None | list[str | None]
QueryClass = type[Query[Any]]
# In the class their names mean its attributes.
_QUERY, _MODEL = Query, Model


class SQLAlchemy(Generic[M]):
    """A database, or several, for an app.

    :param metadata: of the default bind, for instance with a naming convention.
    :param session_options: for the session, such as ``expire_on_commit``; ``class_`` and
        ``scopefunc`` too.
    :param query_class: what the legacy ``Model.query`` is made of.
    :param model_class: a declarative base, whose subclasses are models; or what the default
        ``db.Model`` is to inherit from.
    :param engine_options: for all engines; the config overrides them.
    :param add_models_to_shell: whether ``vial shell`` knows ``db`` and the models.
    :param disable_autonaming: do not make tables' names of models' names.
    """

    #: What models inherit from.
    Model: type[M]
    #: The sync session of the current app context.
    session: sa_orm.scoped_session[Session]
    #: The async one, for ``async def`` views.
    async_session: asynchronous.AsyncScopedSession
    #: All metadata, by bind key; None is the default one's.
    metadatas: dict[str | None, sa.MetaData]
    Query: QueryClass
    Table: type[_Table]

    if TYPE_CHECKING:  # found by __getattr__; named here for what checkers make of them
        select = staticmethod(sa.select)
        mapped_column = staticmethod(sa_orm.mapped_column)

    @overload
    def __init__(
        self: SQLAlchemy[LegacyModel],
        app: Vial | None = None,
        *,
        metadata: sa.MetaData | None = None,
        session_options: dict[str, Any] | None = None,
        query_class: QueryClass = _QUERY,
        engine_options: dict[str, Any] | None = None,
        add_models_to_shell: bool = True,
        disable_autonaming: bool = False,
    ) -> None: ...
    @overload
    def __init__(
        self,
        app: Vial | None = None,
        *,
        metadata: sa.MetaData | None = None,
        session_options: dict[str, Any] | None = None,
        query_class: QueryClass = _QUERY,
        model_class: type[M],
        engine_options: dict[str, Any] | None = None,
        add_models_to_shell: bool = True,
        disable_autonaming: bool = False,
    ) -> None: ...
    def __init__(
        self,
        app: Any = None,
        *,
        metadata: sa.MetaData | None = None,
        session_options: dict[str, Any] | None = None,
        query_class: QueryClass = _QUERY,
        model_class: Any = _MODEL,
        engine_options: dict[str, Any] | None = None,
        add_models_to_shell: bool = True,
        disable_autonaming: bool = False,
    ) -> None:
        self.Query = query_class
        self.metadatas = {}
        self.session = self._make_scoped_session(session_options or {})
        self.async_session = asynchronous.make_async_session(
            self, {"query_cls": query_class, **(session_options or {})}
        )
        if metadata is not None:
            self._adopt(metadata)
        self.Table = type("Table", (_Table,), {"_db": self})
        self.Model = self._make_declarative_base(model_class, disable_autonaming)
        self._engine_options = engine_options or {}
        self._app_engines: WeakKeyDictionary[Vial, AppEngines] = WeakKeyDictionary()
        self._add_models_to_shell = add_models_to_shell
        if app is not None:
            self.init_app(app)

    def __repr__(self) -> str:
        if not has_app_context() or self._app() not in self._app_engines:
            return "<SQLAlchemy>"
        default, others = self.engines.get(None), len(self.engines) - (None in self.engines)
        parts = [type(self).__name__, default and repr(default.url), others and f"+{others}"]
        return f"<{' '.join(part for part in parts if part)}>"

    def init_app(self, app: Vial) -> None:
        """Read the config of an app and make its engines; they connect when they are used.

        :raises RuntimeError: when the app has an instance already, or the config names no database
            in Flask mode.
        """
        if "sqlalchemy" in app.extensions:
            raise RuntimeError(
                "A 'SQLAlchemy' instance has already been registered on this app."
                " Import and use that instance instead."
            )
        config = app.config
        config.setdefault("SQLALCHEMY_RECORD_QUERIES", False)
        config.setdefault("SQLALCHEMY_TRACK_MODIFICATIONS", False)
        config.setdefault("SQLALCHEMY_ECHO", False)
        config.setdefault("SQLALCHEMY_ASYNC_DRIVERS", {})
        config.setdefault("SQLALCHEMY_ASYNC_ENGINE_OPTIONS", {})
        engines = AppEngines(app, self._options_by_bind(app))
        for key in engines.options:
            self._make_metadata(key)
        self._app_engines[app] = engines
        app.extensions["sqlalchemy"] = self
        app.teardown_appcontext(beside_loop(self._teardown_session, self._teardown_on_loop))
        app.on_shutdown(engines.dispose)
        if engines.is_modern:
            errors.register(app)
        if self._add_models_to_shell:
            app.shell_context_processor(_add_models_to_shell)
        register(app, self)

    def _options_by_bind(self, app: Vial) -> dict[str | None, dict[str, Any]]:
        config, binds = app.config, {}
        for key, given in (config.setdefault("SQLALCHEMY_BINDS", {}) or {}).items():
            bind = {"url": given} if isinstance(given, (str, sa.URL)) else dict(given)
            if "url" not in bind:
                raise RuntimeError(f"SQLALCHEMY_BINDS[{key!r}] has no 'url'.")
            binds[key] = {**self._engine_options, **bind}
        options = config.setdefault("SQLALCHEMY_ENGINE_OPTIONS", {}) or {}
        own = {**self._engine_options, **options}
        uri = config.setdefault("SQLALCHEMY_DATABASE_URI", None)
        if uri is not None or not ("url" in own or binds):
            own.setdefault("url", _default_uri(app) if uri is None else uri)
        if "url" in own:
            binds[None] = {**binds.get(None, {}), **own}
        for options in binds.values():
            options.setdefault("echo", config["SQLALCHEMY_ECHO"])
            options.setdefault("echo_pool", config["SQLALCHEMY_ECHO"])
        return binds

    # -- sessions ------------------------------------------------------------------------------

    def _make_scoped_session(self, options: dict[str, Any]) -> sa_orm.scoped_session[Session]:
        options = dict(options)
        scope = options.pop("scopefunc", None)
        factory = self._make_session_factory(options)
        session = sa_orm.scoped_session(factory, scope)
        if scope is None:
            session.registry = ContextRegistry(factory)
        track_modifications._listen(session)
        return session

    def _make_session_factory(self, options: dict[str, Any]) -> sa_orm.sessionmaker[Session]:
        options = {"class_": Session, "query_cls": self.Query, **options}
        return sa_orm.sessionmaker(db=self, **options)

    def _teardown_session(self, exc: BaseException | None) -> None:
        """Give the connections of a context back."""
        try:
            if self.session.registry.has():
                close(self.session())
        finally:
            self.session.registry.clear()
            asynchronous.end(self.async_session)

    async def _teardown_on_loop(self, exc: BaseException | None) -> None:
        """The same beside a loop; a thread is asked only if there is a connection to give back."""
        try:
            await asynchronous.end_here(self.async_session)
        finally:
            if self.session.registry.has():
                await run_in_pool(self._teardown_session, exc, to_end=True, begun=True)

    # -- models --------------------------------------------------------------------------------

    def _adopt(self, metadata: sa.MetaData) -> sa.MetaData:
        metadata.info["bind_key"] = None
        self.metadatas[None] = metadata
        return metadata

    def _make_metadata(self, bind_key: str | None) -> sa.MetaData:
        known = self.metadatas.get(bind_key)
        if known is not None:
            return known
        convention = None
        if bind_key is not None:
            convention = self._make_metadata(None).naming_convention
        metadata = sa.MetaData(naming_convention=convention, info={"bind_key": bind_key})
        self.metadatas[bind_key] = metadata
        return metadata

    def _make_declarative_base(self, model_class: Any, disable_autonaming: bool = False) -> Any:
        bases = (sa_orm.DeclarativeBase, sa_orm.DeclarativeBaseNoMeta)
        if issubclass(model_class, bases):
            self._adopt(model_class.metadata)
            return self._from_base(model_class, disable_autonaming)
        if not isinstance(model_class, sa_orm.DeclarativeMeta):
            model_class = sa_orm.declarative_base(
                metadata=self._make_metadata(None),
                cls=model_class,
                name="Model",
                metaclass=DefaultMetaNoName if disable_autonaming else DefaultMeta,
            )
        else:
            self._adopt(model_class.metadata)
        model_class.__fsa__ = self
        model_class.query_class = self.Query
        return model_class

    def _from_base(self, base: Any, disable_autonaming: bool) -> Any:
        """A declarative base of one's own, with what it lacks of ``db.Model``."""
        own = {"__fsa__": self, "query_class": self.Query}
        mixins = (BindMixin, Model) if disable_autonaming else (BindMixin, NameMixin, Model)
        missing = tuple(mixin for mixin in mixins if not issubclass(base, mixin))
        for name, value in own.items():
            setattr(base, name, value)
        if not missing:
            return base
        metaclass: Any = type(base)
        return metaclass("Model", (*missing, base), {**own, "__abstract__": True})

    # -- engines -------------------------------------------------------------------------------

    @staticmethod
    def _app() -> Vial:
        return current_app._get_current_object()  # type: ignore[attr-defined, no-any-return]

    def _engines(self) -> AppEngines:
        engines = self._app_engines.get(self._app())
        if engines is None:
            raise RuntimeError(
                "The current app is not registered with this 'SQLAlchemy' instance."
                " Did you forget to call 'init_app', or did you create multiple 'SQLAlchemy'"
                " instances?"
            )
        return engines

    @property
    def metadata(self) -> sa.MetaData:
        """That of the default bind."""
        return self.metadatas[None]

    @property
    def engines(self) -> Mapping[str | None, sa.Engine]:
        """Those of the current app, by bind key; None is the default one."""
        return self._engines().sync

    @property
    def engine(self) -> sa.Engine:
        """The default one of the current app."""
        return self.engines[None]

    @property
    def async_engines(self) -> Mapping[str | None, AsyncEngine]:
        """Those of the current app for the running event loop, by bind key."""
        return self._engines().of_loop()

    @property
    def async_engine(self) -> AsyncEngine:
        """The default one of them."""
        return self.async_engines[None]

    def get_engine(self, bind_key: str | None = None, **kwargs: Any) -> sa.Engine:
        """``db.engines[bind_key]``, under the name that old programs know.

        :param kwargs: ``bind``, the former name of ``bind_key``; ``app`` is not needed.
        """
        return self.engines[kwargs.get("bind", bind_key)]

    async def dispose(self) -> None:
        """Close the connections of the current app; for scripts with an event loop of their own.

        Servers do so at the end of each worker.
        """
        await self.async_session.remove()
        await self._engines().dispose()

    def _call_for_binds(self, bind_key: BindKeys, operation: str) -> None:
        if bind_key == "__all__":
            keys = list(self.metadatas)
        elif bind_key is None or isinstance(bind_key, str):
            keys = [bind_key]
        else:
            keys = bind_key
        for key in keys:
            engine = self.engines.get(key)
            if engine is None:
                what = f"Bind key '{key}' is not in 'SQLALCHEMY_BINDS' config."
                if key is None:
                    what = "'SQLALCHEMY_DATABASE_URI' config is not set."
                raise sa_exc.UnboundExecutionError(what)
            getattr(self.metadatas[key], operation)(bind=engine)

    def create_all(self, bind_key: BindKeys = "__all__") -> None:
        """Make the tables that are missing; changes none that exists."""
        self._call_for_binds(bind_key, "create_all")

    def drop_all(self, bind_key: BindKeys = "__all__") -> None:
        """Drop all tables, with what is in them."""
        self._call_for_binds(bind_key, "drop_all")

    def reflect(self, bind_key: BindKeys = "__all__") -> None:
        """Read the tables of the databases into the metadata."""
        self._call_for_binds(bind_key, "reflect")

    # -- for views -----------------------------------------------------------------------------

    def get_or_404(
        self, entity: type[T], ident: Any, *, description: str | None = None, **kwargs: Any
    ) -> T:
        """The object with a primary key, or 404; ``kwargs`` are those of ``Session.get()``."""
        return lookup.get_or_404(self.session(), entity, ident, description, **kwargs)

    def first_or_404(self, statement: sa.Select[Any], *, description: str | None = None) -> Any:
        """The first thing of the first row, or 404."""
        return lookup.first_or_404(self.session(), statement, description)

    def one_or_404(self, statement: sa.Select[Any], *, description: str | None = None) -> Any:
        """The first thing of the only row; 404 where there is none, or more than one."""
        return lookup.one_or_404(self.session(), statement, description)

    def paginate(
        self,
        select: sa.Select[Any],
        *,
        page: int | None = None,
        per_page: int | None = None,
        max_per_page: int | None = None,
        error_out: bool = True,
        count: bool = True,
    ) -> Pagination:
        """One page of the first things of the rows, which ``?page=`` and ``?per_page=`` choose;
        see :class:`~vial.sqlalchemy.pagination.Pagination`."""
        return SelectPagination(
            select=select,
            session=self.session(),
            page=page,
            per_page=per_page,
            max_per_page=max_per_page,
            error_out=error_out,
            count=count,
        )

    def paginate_keyset(
        self,
        select: sa.Select[Any],
        *,
        cursor: str | None = None,
        per_page: int | None = None,
        max_per_page: int | None = None,
        error_out: bool = True,
    ) -> KeysetPagination:
        """One page of a select of a model, which ``?cursor=`` finds by what it begins after.

        Ordered as the select is, then by primary key; the columns must not be nullable. Cursors
        are signed, which needs a ``SECRET_KEY``; a bad one is 404, or with ``error_out=False`` the
        first page.
        """
        return KeysetPagination(
            self.session(), select, cursor, per_page, max_per_page, error_out=error_out
        )

    # -- the rest of SQLAlchemy ------------------------------------------------------------------

    def _with_query_class(self, options: dict[str, Any]) -> dict[str, Any]:
        options.setdefault("query_class", self.Query)
        if "backref" in options:
            backref = options["backref"]
            name, rest = (backref, {}) if isinstance(backref, str) else backref
            rest.setdefault("query_class", self.Query)
            options["backref"] = (name, rest)
        return options

    def relationship(self, *args: Any, **kwargs: Any) -> sa_orm.RelationshipProperty[Any]:
        """SQLAlchemy's, with our query class for dynamic ones."""
        return sa_orm.relationship(*args, **self._with_query_class(kwargs))

    def dynamic_loader(self, argument: Any, **kwargs: Any) -> sa_orm.RelationshipProperty[Any]:
        """SQLAlchemy's, with our query class."""
        return sa_orm.dynamic_loader(argument, **self._with_query_class(kwargs))

    def __getattr__(self, name: str) -> Any:
        """Every name of ``sqlalchemy`` and ``sqlalchemy.orm``."""
        if not name.startswith("_"):
            for module in (sa, sa_orm):  # sa.event included
                if hasattr(module, name):
                    return getattr(module, name)
        raise AttributeError(
            f"'SQLAlchemy' object has no attribute {name!r}, and neither sqlalchemy nor"
            " sqlalchemy.orm has one.",
            name=name,
            obj=self,
        )


def _default_uri(app: Vial) -> str:
    if is_flask_mode(app):
        raise RuntimeError("Either 'SQLALCHEMY_DATABASE_URI' or 'SQLALCHEMY_BINDS' must be set.")
    return "sqlite:///app.db"
