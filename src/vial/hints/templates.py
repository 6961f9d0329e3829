"""Hints about templates. Errors are told by name: Jinja is loaded where something is rendered."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from .frames import frames
from .names import did_you_mean, listed, near_file

if TYPE_CHECKING:
    from ..app import Vial

_UNDEFINED = re.compile(r"'(\w+)' is undefined")
_NO_ATTRIBUTE = re.compile(r"'.+' has no attribute '(\w+)'")
_UNKNOWN = re.compile(r"No (filter|test) named '(\w+)'")


def failed(app: Vial, error: Exception) -> str | None:
    """What is known of an error of Jinja's.

    ``'usr' is undefined``, ``No filter named 'upcase'``, a template that was not found.
    """
    if not type(error).__module__.startswith("jinja2"):
        return None
    hint = {
        "TemplateNotFound": _not_found,
        "TemplatesNotFound": _not_found,
        "UndefinedError": _undefined,
        "TemplateAssertionError": _unknown,
        "TemplateRuntimeError": _unknown,
    }.get(type(error).__name__)
    return None if hint is None else hint(app, error)


def _undefined(app: Vial, error: Any) -> str | None:
    """``{{ usr.name }}`` where the variable is ``user``."""
    found = _UNDEFINED.match(str(error))
    if found is None:
        return _no_attribute(str(error))
    name = found[1]
    names: set[str] = set()
    where = ""
    for frame in frames(error):
        if "__jinja_exception__" in frame.f_globals and not names:  # Jinja's, of template source
            names = set(frame.f_locals)
            file = os.path.basename(frame.f_code.co_filename)
            where = "" if file.startswith("<") else f" {file!r}"
    given = sorted(names - app.jinja_env.globals.keys())
    return (
        f"No variable {name!r} was passed to the template{where}.{did_you_mean(name, names)} It has"
        f" {listed(given) or 'none'}, and url_for, request, session, g, config and the like. Pass"
        f" it: render_template(…, {name}=…)."
    )


def _no_attribute(text: str) -> str | None:
    """``{{ user.nmae.x }}``, and attributes of ``None``."""
    if text.startswith("'None' has no attribute"):
        return "The value is None: nothing was found, or it was passed before it was set."
    if _NO_ATTRIBUTE.match(text):
        return "Where it may be missing, write {{ x.name | default('') }} or {% if x.name %}."
    return None


def _unknown(app: Vial, error: Any) -> str | None:
    """``{{ x | upcase }}``: a filter or test that nobody added."""
    found = _UNKNOWN.match(str(error.message))
    if found is None:
        return None
    kind, name = found.groups()
    known = app.jinja_env.filters if kind == "filter" else app.jinja_env.tests
    return (
        f"Jinja has no {kind} {name!r}, and the app added none.{did_you_mean(name, known)}"
        f" @app.template_{kind}() adds one."
    )


def _not_found(app: Vial, error: Any) -> str | None:
    """A template that is elsewhere, nearly of that name, or nowhere."""
    name = str(error.name)
    known = app.jinja_env.list_templates() if app.jinja_env.loader is not None else []
    if "\\" in name:
        return (
            f"Names of templates have '/' in them on every system: {name.replace(chr(92), '/')!r}."
        )
    if name.partition("/")[2] in known:
        return f"Names start inside of the templates folder: render {name.partition('/')[2]!r}."
    same = [other for other in known if other.rpartition("/")[2] == name.rpartition("/")[2]]
    if same:
        return f"There is {listed(same)}: names include the folders inside of the templates folder."
    return _elsewhere(app, name) or near_file(name, known).strip() or _nothing(app, known)


def _elsewhere(app: Vial, name: str) -> str | None:
    """The file in a place where people put it by mistake."""
    ours = os.path.join(app.root_path, str(app.template_folder))
    folders = [app.root_path, os.path.dirname(app.root_path), os.getcwd()]
    places = [
        os.path.join(folder, *inner)
        for folder in folders
        for inner in (("templates",), ("template",), ("Templates",), (), ("static",))
    ]
    owners = [b for b in app.iter_blueprints() if b.template_folder is None]
    for place in places:
        if os.path.isfile(os.path.join(place, name)) and os.path.realpath(
            place
        ) != os.path.realpath(ours):
            return (
                f"There is one in {place!r}, which is not looked into. Move it to {ours!r}, or name"
                " the folder: template_folder='…' is relative to the module or package of the app."
            )
    for owner in owners:
        if os.path.isfile(os.path.join(owner.root_path, "templates", name)):
            return (
                f"There is one beside the blueprint {owner.name!r}, which has no templates folder:"
                f" Blueprint({owner.name!r}, __name__, template_folder='templates')."
            )
    return None


def _nothing(app: Vial, known: list[str]) -> str:
    """What is said where nothing near was found."""
    folder = os.path.join(app.root_path, str(app.template_folder))
    if not os.path.isdir(folder):
        return f"There is no folder {folder!r}: create it and put the template there."
    return f"The templates are {listed(known)}." if known else f"The folder {folder!r} is empty."
