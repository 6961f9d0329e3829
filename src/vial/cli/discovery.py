"""From what a person typed to an app object. Names and order of search are Flask 3.1.3's."""

from __future__ import annotations

import ast
import inspect
import os
import sys
import traceback
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import Any, Literal, overload

import click

from ..app import Vial
from ..hints.files import names_in
from ..hints.modules import explain_import, hides
from ..hints.names import did_you_mean, listed

#: Files looked for in the current directory when nothing was named. The first two are Flask's.
DEFAULT_FILES = ("wsgi.py", "app.py", "main.py")
_APP_NAMES = ("app", "application")
_FACTORY_NAMES = ("create_app", "make_app")


class NoAppException(click.UsageError):
    """No app was found, or it could not be loaded; the text says where and what to do."""


def find_best_app(module: ModuleType) -> Vial:
    """The app of a module: ``app`` or ``application``, else its only app, else what
    ``create_app()`` or ``make_app()`` returns.

    :raises NoAppException: when there is none, or more than one.
    """
    for name in _APP_NAMES:
        app = getattr(module, name, None)
        if isinstance(app, Vial):
            return app
    apps = {id(value): name for name, value in vars(module).items() if isinstance(value, Vial)}
    if len(apps) == 1:
        return vars(module)[apps.popitem()[1]]  # type: ignore[no-any-return]
    if apps:
        raise NoAppException(
            f"Module '{module.__name__}' has several applications."
            f" Say which one: '{module.__name__}:name'. There are {listed(apps.values())}."
        )
    for name in _FACTORY_NAMES:
        app = _app_from_factory(module, name)
        if app is not None:
            return app
    raise NoAppException(
        f"Module '{module.__name__}' has no application: no object made by Flask(...) or Vial(...)"
        " and no function 'create_app' or 'make_app' that returns one."
        f" If it goes by another name, say '{module.__name__}:name'."
    )


def _app_from_factory(module: ModuleType, name: str) -> Vial | None:
    factory = getattr(module, name, None)
    if not inspect.isfunction(factory):
        return None
    app = _call(
        factory,
        (),
        {},
        f"'{module.__name__}:{name}' needs arguments. Give them:"
        f" '{module.__name__}:{name}(\"value\")'.",
    )
    return app if isinstance(app, Vial) else None


def _call(
    factory: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], complaint: str
) -> Any:
    try:
        return factory(*args, **kwargs)
    except TypeError as e:
        # One frame deep, the call itself did not fit; deeper, it is the program's own error.
        if e.__traceback__ is not None and e.__traceback__.tb_next is None:
            raise NoAppException(f"{complaint} ({e})") from e
        raise


def find_app_by_string(module: ModuleType, app_name: str) -> Vial:
    """The app that ``app_name`` means in a module: a variable, or a call of a factory with
    literal arguments.

    :raises NoAppException: for any other expression, an unknown name, or no app.
    """
    name, args, kwargs = _parse_app_name(app_name)
    try:
        found = getattr(module, name)
    except AttributeError as e:
        near = did_you_mean(name, [n for n in vars(module) if n[:1] != "_"])
        raise NoAppException(f"Module '{module.__name__}' has no attribute {name!r}.{near}") from e
    if inspect.isfunction(found):
        where = f"{module.__name__}:{app_name}"
        found = _call(found, args, kwargs, f"'{where}' does not fit the factory's parameters.")
    if isinstance(found, Vial):
        return found
    raise NoAppException(
        f"'{module.__name__}:{app_name}' is no application but {type(found).__name__!r}."
    )


def _parse_app_name(app_name: str) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    try:
        expression: ast.expr | None = ast.parse(app_name.strip(), mode="eval").body
    except SyntaxError:
        expression = None
    match expression:
        case ast.Name(id=name):
            return name, (), {}
        case ast.Call(func=ast.Name(id=name)):
            return name, *_literal_arguments(expression, app_name)
        case _:
            raise NoAppException(
                f"{app_name!r} is neither a variable name nor a call like 'create_app(\"dev\")'."
            )


def _literal_arguments(call: ast.Call, text: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    try:
        args = tuple(ast.literal_eval(arg) for arg in call.args)
        kwargs = {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg is not None}
    except ValueError:
        raise NoAppException(
            f"The arguments in {text!r} must be literal values: strings, numbers, lists, ..."
        ) from None
    return args, kwargs


def prepare_import(path: str) -> str:
    """Put the directory that a file or package is imported from on ``sys.path``, and return the
    module's dotted name."""
    path = os.path.realpath(path)
    stem, extension = os.path.splitext(path)
    if extension == ".py":
        path = stem
    if os.path.basename(path) == "__init__":
        path = os.path.dirname(path)
    directory, name = os.path.split(path)
    while os.path.exists(os.path.join(directory, "__init__.py")):
        directory, package = os.path.split(directory)
        name = f"{package}.{name}"
    if sys.path[:1] != [directory]:
        sys.path.insert(0, directory)
    return name


@overload
def locate_app(
    module_name: str, app_name: str | None, raise_if_not_found: Literal[True] = True
) -> Vial: ...


@overload
def locate_app(
    module_name: str, app_name: str | None, raise_if_not_found: Literal[False] = ...
) -> Vial | None: ...


def locate_app(
    module_name: str, app_name: str | None, raise_if_not_found: bool = True
) -> Vial | None:
    """Import a module and return its app.

    :param app_name: as :func:`find_app_by_string`; :func:`find_best_app` decides without it.
    :param raise_if_not_found: False returns None when the module itself does not exist.
    :raises NoAppException: with the whole traceback when an import inside the module failed.
    """
    try:
        __import__(module_name)
    except ImportError as e:
        # One frame deep, the module itself is missing; deeper, something that it imports.
        if e.__traceback__ is not None and e.__traceback__.tb_next is not None:
            explain_import(e)
            raise NoAppException(
                f"While importing '{module_name}', an import failed:\n\n{traceback.format_exc()}"
            ) from None
        if raise_if_not_found:
            raise NoAppException(_no_module(module_name)) from None
        return None
    except Exception as e:
        explain_import(e)
        raise
    module = sys.modules[module_name]
    if not raise_if_not_found and getattr(module, "__file__", None) is None:
        return None  # a mere folder of that name
    return _find_app(module, app_name)


def _no_module(name: str) -> str:
    """What to say of a module that is not there."""
    folder = sys.path[0] or os.getcwd()
    near = did_you_mean(name, map(_stem, names_in(folder)))
    return f"Could not import '{name}'.{near} It was looked for in {folder}."


def _stem(name: str) -> str:
    return name.removesuffix(".py")


def _find_app(module: ModuleType, app_name: str | None) -> Vial:
    return find_best_app(module) if app_name is None else find_app_by_string(module, app_name)


def load_target(path: str, app_name: str | None) -> Vial:
    """The app of a file or module, as typed after ``vial run``.

    :raises NoAppException: when it does not exist or has no app.
    """
    _check_name(path if path.endswith(".py") else f"{path}.py")
    if path.endswith(".py"):
        if not os.path.isfile(path):
            folder, name = os.path.split(path)
            near = did_you_mean(name, [n for n in names_in(folder or ".") if n.endswith(".py")])
            raise NoAppException(f"There is no file {path!r} (looked in {os.getcwd()}).{near}")
        if "." in os.path.basename(path)[:-3]:
            return _find_app(_import_file(path), app_name)
    return locate_app(prepare_import(path), app_name)


def _check_name(path: str) -> None:
    """Refuse a program that has the name of a library that is loaded already: it would be taken
    for the library."""
    name = os.path.basename(path)[:-3]
    loaded = sys.modules.get(name)
    same = getattr(loaded, "__file__", None) == os.path.realpath(path)
    if loaded is not None and hides(name) and os.path.isfile(path) and not same:
        raise NoAppException(
            f"The file {path!r} has the name of the module {name!r} that programs import, and is"
            " taken for it. Give it another name, such as 'main.py' (and delete its __pycache__)."
        )


def _import_file(path: str) -> ModuleType:
    """A file whose name Python cannot import, such as ``test.mongo.py``."""
    prepare_import(path)
    name = os.path.basename(path)[:-3].replace(".", "_")
    spec = spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_default() -> Vial:
    """The app of the current directory, or of a ``wsgi`` or ``app`` that can be imported.

    :raises NoAppException: when none of :data:`DEFAULT_FILES` exists, or it has no app.
    """
    for name in DEFAULT_FILES:
        if os.path.isfile(name) or os.path.isfile(os.path.join(name[:-3], "__init__.py")):
            return locate_app(prepare_import(name), None)
    # As in Flask, a module of the name may also be installed or on PYTHONPATH.
    for name in DEFAULT_FILES[:2]:
        app = locate_app(prepare_import(name), None, raise_if_not_found=False)
        if app is not None:
            return app
    raise NoAppException(
        "No application was named. Name its file or module ('vial run hello.py',"
        " 'vial run package:app'), use '--app' or the FLASK_APP environment variable, or put it in"
        f" one of {', '.join(DEFAULT_FILES)} in the current directory."
    )
