"""Flask mode: ``import flask`` means Vial, also where the real Flask is installed.

:func:`install_as_flask` puts finders on :data:`sys.meta_path`. ``flask.x`` is then the very module
object ``vial.x``, so that classes are identical under both names. Only ``flask`` and ``flask.app``
are modules of their own: they know :class:`Flask`, which has Flask's defaults.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, cast

from werkzeug.datastructures import ImmutableDict

from .app import Vial
from .ctx import has_app_context
from .defaults import FLASK
from .globals import current_app

if TYPE_CHECKING:
    from importlib.metadata import Distribution

__all__ = ["FLASK_VERSION", "Flask", "install_as_flask", "is_flask_mode"]

#: The version whose behaviour Vial has; what ``flask.__version__`` says in Flask mode.
FLASK_VERSION = "3.1.3"

#: Flask's extensions that Vial has a battery for, each with its module.
_BATTERIES = {
    "flask_socketio": "vial.socketio",
    "flask_login": "vial.login",
    "flask_wtf": "vial.forms",
    "flask_sqlalchemy": "vial.sqlalchemy",
    "flask_migrate": "vial.sqlalchemy.migrating",
    "flask_bootstrap": "vial.bootstrap",
    "flask_script": "vial.script",
}
_TARGETS = {"flask": "vial", **_BATTERIES}
#: Batteries that the ``vial`` command takes even where the real ones are installed: Flask-SocketIO
#: needs a WSGI server, and `vial run` is none; Flask-Script 2.0.6 imports what Flask 2.0 removed.
PREFERRED = frozenset({"flask_script", "flask_socketio"})

#: Names that modules of Flask only import from one another. Editors make programs import them from
#: any of these modules: ``from flask.cli import current_app``, ``from flask.app import T_route``.
_ELSEWHERE = {
    "globals": ("current_app", "request", "request_ctx", "session"),
    "helpers": (
        "get_debug_flag",
        "get_flashed_messages",
        "get_load_dotenv",
        "send_from_directory",
        "stream_with_context",
    ),
    "packages": ("find_package",),
    "sansio.app": ("App",),
    "sansio.blueprints": ("Blueprint",),
    "sansio.scaffold": ("Scaffold", "setupmethod"),
    "sessions": ("SecureCookieSessionInterface", "SessionInterface", "SessionMixin"),
    "templating": ("DispatchingJinjaLoader", "Environment"),
    "cli": ("AppGroup",),
}
_RENAMED = {"SansioBlueprint": "Blueprint"}
_MODULES = {"cli": "vial.cli", "ft": "vial.typing"}
#: What ``from flask import *`` binds, as Flask has no ``__all__``: its submodules too, and nothing
#: that could take the place of a name that the program has from elsewhere.
_NOT_STARRED = {
    "EventStream",
    "Markup",
    "ServerSentEvent",
    "UnsafeRedirect",
    "Vial",
    "escape",
    "install_as_flask",
    "websocket",
}
_STARRED = """
app blueprints cli config ctx globals helpers json logging sansio sessions signals templating typing
wrappers
""".split()  # noqa: SIM905 - a table to read


class Flask(Vial):
    """The application class that programs written for Flask get: Vial with Flask's defaults."""

    default_config: ClassVar[Any] = ImmutableDict(FLASK)


def is_flask_mode(app: Any = None) -> bool:
    """Whether an app has Flask's defaults, and so what is built on it does as Flask's extensions.

    :param app: the current one if not given; without one it has not.
    """
    if app is None and has_app_context():
        app = current_app._get_current_object()  # type: ignore[attr-defined]
    return isinstance(app, Flask)


def install_as_flask(batteries: bool | Collection[str] | None = None) -> None:
    """Make ``flask`` and its submodules mean Vial from here on; the ``vial`` command does so.

    Called again, it changes only what ``batteries`` says.

    :param batteries: whether ``flask_socketio``, ``flask_login`` and so on mean Vial's batteries:
        None where the real ones are not installed, True always, False never; or the names of
        those that always do, with the others as for None.
    :raises RuntimeError: when the real Flask is imported already, because modules that hold its
        classes would go on with them.
    """
    _refuse_if_imported()
    sys.modules.setdefault("flask", _FLASK)
    sys.meta_path[:] = [f for f in sys.meta_path if not isinstance(f, _Finder)]
    always: Collection[str] = _BATTERIES if batteries is True else batteries or ()
    sys.meta_path.insert(0, _Finder(always))
    if batteries is not False:
        # Last in line: asked only for what nobody else has.
        sys.meta_path.append(_Finder(_BATTERIES))


def _refuse_if_imported() -> None:
    found = sys.modules.get("flask")
    if found is not None and found is not _FLASK:
        raise RuntimeError(
            f"'flask' was imported already, from {getattr(found, '__file__', 'somewhere')}:"
            " install_as_flask() comes too late. Call it before anything imports flask, at the top"
            " of the program, or start the program with the 'vial' command."
        )


class _Facade(ModuleType):
    """A module with the attributes of another one, and :class:`Flask`."""

    def __init__(self, name: str, target: str) -> None:
        super().__init__(name, f"{target}, for programs written for Flask.")
        self._target = target
        # importlib.util.find_spec("flask"), a usual test for its presence, returns this.
        self.__spec__ = ModuleSpec(name, cast(Any, _AliasLoader(target)), is_package=True)
        self.__path__ = []  # only _Finder knows what is inside

    @property
    def __all__(self) -> list[str]:
        names = {*importlib.import_module(self._target).__all__, "Flask"}
        return sorted((names - _NOT_STARRED).union(_STARRED) if self is _FLASK else names)

    def __getattr__(self, name: str) -> Any:
        if name == "Flask":
            return Flask
        if f"{self.__name__}.{name}" in _FACADES:
            return importlib.import_module(f"{self.__name__}.{name}")
        try:
            return getattr(importlib.import_module(self._target), name)
        except AttributeError:
            # Flask imports its submodules at once, so `import flask; flask.cli` works there.
            is_submodule = self is _FLASK and not name.startswith("__")
            if not is_submodule or find_spec(f"{self._target}.{name}") is None:
                raise
            return importlib.import_module(f"{self.__name__}.{name}")

    def __dir__(self) -> Iterable[str]:
        return sorted({"Flask", *dir(importlib.import_module(self._target))})


class _Finder:
    """Finds the modules of the packages that are aliases, and whole packages among ``tops``."""

    def __init__(self, tops: Iterable[str]) -> None:
        self._tops = frozenset(tops)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        top, dot, rest = fullname.partition(".")
        if top not in _TARGETS or not (_is_alias(top) if dot else top in self._tops):
            return None
        name = f"{_TARGETS[top]}{dot}{rest}"
        found = find_spec(name)
        if found is None:
            return None
        loader = cast(Any, _AliasLoader(name))
        is_package = found.submodule_search_locations is not None
        return ModuleSpec(fullname, loader, origin=found.origin, is_package=is_package)

    def find_distributions(self, context: Any = None) -> Iterator[Distribution]:
        """Extensions ask ``importlib.metadata.version("flask")``."""
        if context is not None and (context.name or "").lower() == "flask":
            yield _flask_distribution()


def _is_alias(top: str) -> bool:
    module = sys.modules.get(top)
    return module is _FLASK or getattr(module, "__name__", None) == _TARGETS[top]


class _AliasLoader:
    def __init__(self, target: str) -> None:
        self._target = target

    def create_module(self, spec: ModuleSpec) -> None:
        """An ordinary module, which exec_module() replaces."""

    def exec_module(self, module: ModuleType) -> None:
        # A module may replace itself in sys.modules while it is loaded; the import system takes
        # what is there afterwards.
        name = module.__name__
        target = importlib.import_module(self._target)
        vars(target).setdefault("__getattr__", partial(_from_elsewhere, name))
        sys.modules[name] = _FACADES.get(name) or target

    def get_code(self, fullname: str) -> CodeType | None:
        """For ``python -m flask``."""
        spec = find_spec(self._target)
        return spec.loader.get_code(self._target) if spec and spec.loader else None  # type: ignore[attr-defined]


def _from_elsewhere(module: str, name: str) -> Any:
    """What a module lacks that the module of Flask has by an import."""
    name = _RENAMED.get(name, name)
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    for home, names in _ELSEWHERE.items():
        if name in names:
            return getattr(importlib.import_module(f"vial.{home}"), name)
    # Type variables are named alike.
    variables = vars(importlib.import_module(_MODULES["ft"]))
    if (name == "F" or name.startswith("T_")) and name in variables:
        return variables[name]
    raise AttributeError(f"module {module!r} has no attribute {name!r}")


def _flask_distribution() -> Distribution:
    # importlib.metadata takes as long to import as everything else here.
    from importlib.metadata import Distribution

    class FlaskDistribution(Distribution):
        def read_text(self, filename: str) -> str | None:
            if filename == "METADATA":
                return f"Metadata-Version: 2.1\nName: Flask\nVersion: {FLASK_VERSION}\n"
            return None

        def locate_file(self, path: Any) -> Any:
            raise FileNotFoundError(f"{path}: Vial stands in for Flask; no file of Flask is here.")

    return FlaskDistribution()


_FLASK = _Facade("flask", "vial")
_FLASK.__version__ = FLASK_VERSION  # type: ignore[attr-defined]
_FACADES = {"flask.app": _Facade("flask.app", "vial.app")}
