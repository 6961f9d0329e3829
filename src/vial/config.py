"""The configuration of an app: a ``dict`` that fills itself from files, objects and variables."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import ModuleType
from typing import IO, Any, Generic, Protocol, Self, TypeVar, overload

from werkzeug.utils import import_string

T = TypeVar("T")


class _Configured(Protocol):
    @property
    def config(self) -> Config: ...


class ConfigAttribute(Generic[T]):
    """An attribute of the app that reads and writes ``app.config[name]``.

    ``get_converter`` is applied to the value when it is read, not when it is stored.
    """

    def __init__(self, name: str, get_converter: Callable[[Any], T] | None = None) -> None:
        self.__name__ = name
        self.get_converter = get_converter

    @overload
    def __get__(self, obj: None, owner: type[Any]) -> Self: ...

    @overload
    def __get__(self, obj: _Configured, owner: type[Any]) -> T: ...

    def __get__(self, obj: _Configured | None, owner: type[Any] | None = None) -> T | Self:
        if obj is None:
            return self
        value: T = obj.config[self.__name__]
        return value if self.get_converter is None else self.get_converter(value)

    def __set__(self, obj: _Configured, value: Any) -> None:
        obj.config[self.__name__] = value


class Config(dict[str, Any]):
    """Settings by upper-case name; the source of each is one of the ``from_`` methods.

    Names with lower-case letters are left out wherever a source is read, so that a settings file
    can keep helpers of its own. Relative file names are below ``root_path``. Flask 3.1.3.
    """

    def __init__(
        self, root_path: str | os.PathLike[str], defaults: dict[str, Any] | None = None
    ) -> None:
        super().__init__(defaults or {})
        self.root_path = root_path

    def from_envvar(self, variable_name: str, silent: bool = False) -> bool:
        """Read the Python file that an environment variable names (see :meth:`from_pyfile`).

        An unset or empty variable raises :exc:`RuntimeError`, or with ``silent`` gives ``False``.
        """
        filename = os.environ.get(variable_name)
        if filename:
            return self.from_pyfile(filename, silent=silent)
        if silent:
            return False
        raise RuntimeError(
            f"The environment variable {variable_name!r} is not set, so there is no configuration "
            "to load. Set it to the path of a configuration file, or pass silent=True."
        )

    def from_prefixed_env(
        self, prefix: str = "FLASK", *, loads: Callable[[str], Any] = json.loads
    ) -> bool:
        """Read every environment variable called ``PREFIX_NAME`` into ``NAME``, in sorted order.

        Values go through ``loads`` and stay strings where it fails. ``PREFIX_A__B`` sets the key
        ``B`` of the dict ``A``, which is made when it is not there.
        Raises :exc:`TypeError` when ``A`` holds something that takes no keys.
        """
        prefix = f"{prefix}_"
        for variable in sorted(os.environ):
            if variable.startswith(prefix):
                value: Any = os.environ[variable]
                with suppress(Exception):
                    value = loads(value)
                self._set_nested(variable, variable.removeprefix(prefix).split("__"), value)
        return True

    def _set_nested(self, variable: str, path: list[str], value: Any) -> None:
        target: Any = self
        *parents, last = path
        try:
            for parent in parents:
                if parent not in target:
                    target[parent] = {}
                target = target[parent]
            target[last] = value
        except TypeError:
            raise TypeError(
                f"The environment variable {variable!r} sets a key inside "
                f"{'.'.join(parents)!r}, which already holds {target!r} and not a dict. "
                "Unset one of the two."
            ) from None

    def from_pyfile(self, filename: str | os.PathLike[str], silent: bool = False) -> bool:
        """Run a Python file and take its upper-case names.

        A missing file raises :exc:`OSError`, or with ``silent`` gives ``False``.
        """
        filename = os.path.join(self.root_path, filename)
        module = ModuleType("config")
        module.__file__ = filename
        try:
            with open(filename, "rb") as file:
                exec(compile(file.read(), filename, "exec"), module.__dict__)  # noqa: S102
        except OSError as error:
            return _missing(error, silent, (errno.ENOENT, errno.EISDIR, errno.ENOTDIR))
        self.from_object(module)
        return True

    def from_object(self, obj: object | str) -> None:
        """Take the upper-case attributes of a module, class or object, or of the import it names.

        Properties are read from an instance only: of a class with properties, pass an instance.
        The keys of a ``dict`` are no attributes; use :meth:`from_mapping` for one.
        """
        if isinstance(obj, str):
            obj = import_string(obj)
        for key in dir(obj):
            if key.isupper():
                self[key] = getattr(obj, key)

    def from_file(
        self,
        filename: str | os.PathLike[str],
        load: Callable[[IO[Any]], Mapping[str, Any]],
        silent: bool = False,
        text: bool = True,
    ) -> bool:
        """Read a file with ``load``, which takes it open for text (or bytes) and gives a mapping.

        For TOML: ``config.from_file("config.toml", load=tomllib.load, text=False)``.
        A missing file raises :exc:`OSError`, or with ``silent`` gives ``False``.
        """
        filename = os.path.join(self.root_path, filename)
        try:
            with open(filename, "r" if text else "rb") as file:
                mapping = load(file)
        except OSError as error:
            return _missing(error, silent, (errno.ENOENT, errno.EISDIR))
        return self.from_mapping(mapping)

    def from_mapping(self, mapping: Mapping[str, Any] | None = None, **kwargs: Any) -> bool:
        """Take the upper-case keys of a mapping and of the keyword arguments; always ``True``."""
        for key, value in {**dict(mapping or ()), **kwargs}.items():
            if key.isupper():
                self[key] = value
        return True

    def get_namespace(
        self, namespace: str, lowercase: bool = True, trim_namespace: bool = True
    ) -> dict[str, Any]:
        """Return the settings whose names begin with ``namespace``, named to be keyword arguments.

        ``IMAGE_STORE_PATH`` in the namespace ``IMAGE_STORE_`` becomes ``path``; without
        ``trim_namespace`` it keeps the prefix, without ``lowercase`` its capitals.
        """
        start = len(namespace) if trim_namespace else 0
        names = {key: key[start:] for key in self if key.startswith(namespace)}
        return {name.lower() if lowercase else name: self[key] for key, name in names.items()}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {dict.__repr__(self)}>"


def _missing(error: OSError, silent: bool, expected: tuple[int, ...]) -> bool:
    """Give ``False`` for a file that may be missing; raise the error with a clearer text else."""
    if silent and error.errno in expected:
        return False
    error.strerror = f"Unable to load configuration file ({error.strerror})"
    raise error
