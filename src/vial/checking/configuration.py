"""V501 to V511: what is fine while developing and not in production.

What is judged is the configuration of the loaded app, so the environment of production has to be
there. Sources only tell in which line a value was set, and what was switched on by hand.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from .findings import Finding
from .project import Project, text_of
from .sources import Function, Source

_KEY_LENGTH = 16  # bytes: fewer can be tried through
_WELL_KNOWN = ("secret", "dev", "changeme", "change-me", "change_me", "your", "password", "key")

_DEBUG = (
    "V504",
    "Debug mode shows visitors the source, and lets some run code.",
    "Leave it to 'vial run --debug'.",
)

Setting = tuple[str, ast.expr, Source]


def settings(project: Project) -> Iterator[Setting]:
    """Where sources set configuration: ``app.config["X"] = …``, ``app.secret_key = …``, a class
    or module that has an X, ``from_mapping(X=…)``."""
    for source in project.sources:
        for node in source.nodes:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    yield from ((key, node.value, source) for key in _keys(target))
            elif isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
                if name in ("from_mapping", "update", "setdefault"):
                    yield from ((k.arg, k.value, source) for k in node.keywords if k.arg)


def _keys(target: ast.expr) -> Iterator[str]:
    """The key that an assignment sets. Names count too: those of modules and classes that
    ``from_object`` reads; which of them is in use, the loaded configuration says."""
    match target:
        case ast.Subscript(slice=ast.Constant(value=str(key))):
            yield key
        case ast.Attribute(attr="secret_key" | "debug" | "testing" as name):
            yield name.upper()
        case ast.Name(id=name):
            yield name


#: Each key with its code, when it is wrong, what that means and what to set it to.
_RULES: tuple[tuple[str, str, Callable[[Any], bool], str, str], ...] = (
    ("TESTING", "V505", lambda c: bool(c["TESTING"]), "is on: errors are not handled.", "False"),
    (
        "SESSION_COOKIE_SECURE",
        "V506",
        lambda c: c["SECRET_KEY"] and c["SESSION_COOKIE_SECURE"] is False,
        "is off: the session cookie also travels without TLS.",
        "True",
    ),
    (
        "SESSION_COOKIE_SAMESITE",
        "V507",
        lambda c: c["SECRET_KEY"] and not c["SESSION_COOKIE_SAMESITE"],
        "is not set: requests from other sites carry the session cookie.",
        "'Lax'",
    ),
    (
        "SESSION_COOKIE_HTTPONLY",
        "V508",
        lambda c: c["SECRET_KEY"] and not c["SESSION_COOKIE_HTTPONLY"],
        "is off: scripts can read the session cookie.",
        "True",
    ),
    (
        # Outside of requests URLs are made only where there is a SERVER_NAME.
        "PREFERRED_URL_SCHEME",
        "V510",
        lambda c: c["SERVER_NAME"] and c["PREFERRED_URL_SCHEME"] == "http",
        "is 'http': URLs made outside of requests, as for mails, are not https.",
        "'https'",
    ),
    (
        "MAX_CONTENT_LENGTH",
        "V511",
        lambda c: c["MAX_CONTENT_LENGTH"] is None,
        "is None: a request can send as much as it likes.",
        "16 * 1024 * 1024, or what you need",
    ),
)


def configuration(project: Project) -> Iterator[Finding]:
    """What the loaded configuration says, where the program set it or made the app.

    Keys that a program took out of its configuration have no default and are not judged.
    """
    config = defaultdict(lambda: None, project.app.config)
    yield from _secret(project)
    for key, code, is_wrong, text, value in _RULES:
        if key in config and is_wrong(config):
            yield _about(project, code, key, f"{key} {text}", f"Set {key} = {value}.")


def _about(project: Project, code: str, key: str, message: str, cure: str) -> Finding:
    """A finding where the key is set, or where the app is made."""
    live = project.app.config.get(key)
    for name, value, source in settings(project):
        if name == key and isinstance(value, ast.Constant) and value.value == live:
            return project.at(source, value.lineno, code, message, cure)
    return _at_beginning(project, code, message, cure)


def _at_beginning(project: Project, code: str, message: str, cure: str) -> Finding:
    """A finding about the app as a whole."""
    source, line = project.beginning
    if source is None:
        return Finding(project.app.import_name, 1, code, message, cure)
    return project.at(source, line, code, message, cure)


def _secret(project: Project) -> Iterator[Finding]:
    """V501 to V503: one of them at most, the worst. The key is that of the loaded app, so what
    another configuration has in the source does not matter."""
    key = project.app.secret_key
    cure = "Make one by 'python -c \"import secrets; print(secrets.token_hex())\"' and give it to"
    cure += " the program in an environment variable."
    if not key:
        yield _at_beginning(project, "V501", "There is no SECRET_KEY: sessions fail.", cure)
        return
    written = _where_written(project, key)
    if is_weak(key):
        message = "The SECRET_KEY can be guessed, and with it every session forged."
        yield (
            project.at(*written, "V502", message, cure)
            if written
            else _at_beginning(project, "V502", message, cure)
        )
    elif written:
        message = "The SECRET_KEY is in the source: who can read it can forge every session."
        yield project.at(*written, "V503", message, cure)


def is_weak(key: str | bytes) -> bool:
    """Whether a key is short, of few different characters, or one of those in tutorials."""
    text = key.decode("latin-1") if isinstance(key, bytes) else str(key)
    lower = text.lower()
    return (
        len(text) < _KEY_LENGTH
        or len(set(text)) < 6
        or (len(text) < 32 and any(word in lower for word in _WELL_KNOWN))
    )


def _where_written(project: Project, key: Any) -> tuple[Source, int] | None:
    """The literal that the key came from. A default, as in ``os.environ.get(name, "dev")``,
    is one when it was used."""
    for name, value, source in settings(project):
        if name == "SECRET_KEY":
            for node in ast.walk(value):
                if isinstance(node, ast.Constant) and node.value == key:
                    return source, node.lineno
    return None


def debug_settings(project: Project) -> Iterator[Finding]:
    """V504: debug mode that the program or its environment switches on."""
    found = False
    for key, value, source in settings(project):
        is_on = isinstance(value, ast.Constant) and value.value is True
        if key == "DEBUG" and is_on and not _is_conditional(source, value):
            found = True
            yield project.at(source, value.lineno, *_DEBUG)
    if project.app.debug and not found:
        yield _at_beginning(project, *_DEBUG)


def _is_conditional(source: Source, node: ast.AST) -> bool:
    """Whether something decides about a setting: a condition, or the choice of a class."""
    return any(isinstance(up, ast.If | ast.ClassDef | Function) for up in source.above(node))


def open_origins(project: Project, source: Source) -> Iterator[Finding]:
    """V509."""
    for call in source.calls:
        name = source.dotted(call.func)
        for keyword in call.keywords:
            is_open = keyword.arg == "cors_allowed_origins" and text_of(keyword.value) == "*"
            if is_open or (name.endswith(".CORS") and _allows_all(keyword)):
                yield _open(project, source, keyword.value.lineno)
        if name == "flask_cors.CORS" and not {"origins", "resources"} & {
            k.arg for k in call.keywords
        }:
            yield _open(project, source, call.lineno)
    for node in source.nodes:
        match node:
            case ast.Assign(
                targets=[ast.Subscript(slice=ast.Constant(value="Access-Control-Allow-Origin"))],
                value=ast.Constant(value="*") as value,
            ):
                yield _open(project, source, value.lineno)


def _allows_all(keyword: ast.keyword) -> bool:
    return keyword.arg == "origins" and text_of(keyword.value) == "*"


def _open(project: Project, source: Source, line: int) -> Finding:
    return project.at(
        source,
        line,
        "V509",
        "Pages of every site may ask this application and read the answers.",
        "Name the origins that may: ['https://shop.example'].",
    )
