"""The public surface of Flask 3.1.3 and that of Vial in Flask mode, compared by introspection."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from . import surface

pytestmark = pytest.mark.slow  # together, not each

#: What differs on purpose, and why. What Vial has beyond Flask is no difference.
DIFFERENT = {
    "flask:redirect": "takes external=, which app.redirect() of Vial's own mode asks for",
    "flask.helpers:redirect": "the same function",
    "flask.cli:cli": "the command is called vial",
    "flask.wrappers:Request.form_data_parser_class": "a subclass, which bounds headers of parts",
}


def in_flask_mode(paths: list[str]) -> dict[str, str]:
    command = [sys.executable, surface.__file__]
    asked = json.dumps(paths)
    answer = subprocess.run(command, input=asked, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(answer.stdout)  # type: ignore[no-any-return]


def test_flasks_public_surface_is_vials_but_for_a_short_table_of_differences() -> None:
    expected = {path: surface.describe(path) for path in surface.paths()}
    found = in_flask_mode([*expected])
    differences = {
        path: f"{path}: Flask {words}, Vial {found[path]}"
        for path, words in expected.items()
        if words != found[path]
    }
    unexplained = [line for path, line in differences.items() if path not in DIFFERENT]
    assert not unexplained, "\n".join(unexplained)
    assert sorted(differences) == sorted(DIFFERENT), "a row of the table is not true any more"
    assert len(expected) > 1300
    assert len(DIFFERENT) < 15


#: What a star import binds in Flask besides its own: of `import typing as t` and of __future__.
NOT_FLASKS = {"t", "annotations"}
STAR = "{}\nspace = {{}}\nexec('from flask import *', space)\nprint(*sorted(space))"
FLASK_MODE = "import vial; vial.install_as_flask()"


def printed(source: str) -> str:
    return subprocess.run([sys.executable, "-c", source], stdout=-1, text=True, check=True).stdout


@pytest.mark.slow
def test_a_star_import_binds_what_flasks_does() -> None:
    flasks = {*printed(STAR.format("")).split()} - NOT_FLASKS
    assert {*printed(STAR.format(FLASK_MODE)).split()} == flasks
    assert {"Flask", "json", "sessions", "app"} <= flasks


@pytest.mark.slow
def test_modules_that_a_bare_import_brings_have_the_names_of_their_own() -> None:
    source = "import flask\nprint(flask.app.Flask is flask.Flask, flask.app.__name__)"
    assert printed(f"{FLASK_MODE}\n{source}") == printed(source) == "True flask.app\n"
