"""``vial generate``: what each part is made of, and writing it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from .fields import FORM_NAMES, IMPORTS, MODEL_CLASSES, MODEL_NAMES, REFERENCES, TYPES, Field, parse
from .names import check_part, class_name, words
from .project import Project, find_project
from .registering import register
from .rendering import Files, render, write


@dataclass
class Change:
    """Files to be made, one to be added to, and what is to be done next."""

    project: Project
    made: Files = field(default_factory=dict)
    mended: Files = field(default_factory=dict)
    advice: str = ""

    def add(self, path: str, piece: str, values: dict[str, Any]) -> None:
        """A new file from a template of ``pieces/``."""
        self.made[path] = render(f"pieces/{piece}", values).encode()

    def register(self, path: str, import_: str, list_name: str, item: str) -> None:
        """One more line in an existing file's list."""
        text = register(self.project.folder / path, import_, list_name, item)
        self.mended[path] = text.encode()

    def check(self) -> None:
        """:raises click.ClickException: when a file is there already."""
        there = [path for path in self.made if os.path.lexists(self.project.folder / path)]
        if there:
            raise click.ClickException(
                f"{', '.join(there)} is there already. Nothing was made: nothing is written over."
            )

    def carry_out(self) -> None:
        """Write it all, the new files first: a list that names a file must not be without it."""
        write(self.project.folder, self.made)
        for path, content in self.mended.items():
            _replace(self.project.folder / path, content)


def _replace(path: Path, content: bytes) -> None:
    """At once: an editor or a reloader never sees half a file."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    os.chmod(file.name, path.stat().st_mode)
    os.replace(file.name, path)


def view(name: str) -> Change:
    """A blueprint, its first page or answer, and a test."""
    project, part = find_project(), check_part("view", name)
    project.need_structure("view")
    if part == "static":
        raise click.BadParameter("'static' is the address of the static files.")
    change, values = Change(project), _values(project, part)
    views = f"{project.package}/views"
    change.add(f"{views}/{part}.py", f"view_{project.kind}.py", values)
    if project.kind == "pages":
        change.add(f"{project.package}/templates/{part}/index.html", "view.html", values)
    change.add(f"tests/test_{part}.py", f"view_{project.kind}_test.py", values)
    change.register(f"{views}/__init__.py", f"from .{part} import bp as {part}", "BLUEPRINTS", part)
    change.advice = f'It is at /{values["url"]}/: url_for("{part}.index").'
    return change


def model(name: str, specifications: Sequence[str]) -> Change:
    """A model and a test."""
    project, part = find_project(), check_part("model", name)
    project.need_structure("model")
    if not project.has_database:
        raise click.ClickException(
            "This project has no database, so there is nothing to keep a model in. Make one with"
            " 'vial new NAME --database sqlite' and take over its extensions.py, models/,"
            " migrations/ and the lines of config.py and __init__.py."
        )
    if class_name(part) in MODEL_CLASSES:
        raise click.BadParameter(f"{class_name(part)!r} is the name of something that models use.")
    fields = parse(specifications, reserved=MODEL_NAMES, references=True)
    models = f"{project.package}/models"
    _check_references(project.folder / models, part, fields)
    values = _values(project, part) | _model_values(fields)
    change = Change(project)
    change.add(f"{models}/{part}.py", "model.py", values)
    change.add(f"tests/test_{part}_model.py", "model_test.py", values)
    cls = values["cls"]
    change.register(f"{models}/__init__.py", f"from .{part} import {cls}", "__all__", f'"{cls}"')
    change.advice = f'Then: vial db migrate -m "add {part}", and vial db upgrade.'
    return change


def form(name: str, specifications: Sequence[str]) -> Change:
    """A form and a test."""
    project, part = find_project(), check_part("form", name)
    project.need_structure("form")
    if project.kind == "api":
        raise click.ClickException(
            "This project is an API, which has no forms: what comes in is checked by the classes"
            f" in {project.package}/schemas/."
        )
    fields = parse(specifications, reserved=FORM_NAMES, references=False)
    if not fields:
        raise click.UsageError("A form without fields is none: add some, such as 'title:str'.")
    values = _values(project, part) | _form_values(fields)
    change = Change(project)
    change.add(f"{project.package}/forms/{part}.py", "form.py", values)
    change.add(f"tests/test_{part}_form.py", "form_test.py", values)
    change.advice = (
        '{% from "bootstrap5/form.html" import render_form %} {{ render_form(form) }} shows it.'
    )
    return change


def test(name: str) -> Change:
    """A test that asks for the first page."""
    project, part = find_project(), check_part("test", name)
    part = part.removeprefix("test_")
    change = Change(project)
    folder = "" if project.kind == "minimal" else "tests/"
    change.add(f"{folder}test_{part}.py", f"test_{project.kind}.py", _values(project, part))
    return change


def _values(project: Project, part: str) -> dict[str, Any]:
    """What every template of ``pieces/`` can name."""
    return {
        "package": project.package,
        "part": part,
        "cls": class_name(part),
        "title": words(part),
        "url": part.replace("_", "-"),
    }


def _check_references(folder: Path, part: str, fields: Iterable[Field]) -> None:
    """SQLAlchemy finds a missing model at the first query only, so it is looked for now.

    :raises click.BadParameter: naming the field.
    """
    for one in fields:
        if one.type == REFERENCES and one.name == part:
            raise click.BadParameter(
                f"'{one.name}:{REFERENCES}': a model that refers to itself is written by hand."
            )
        if one.type == REFERENCES and not (folder / f"{one.name}.py").is_file():
            raise click.BadParameter(
                f"'{one.name}:{REFERENCES}': there is no model {class_name(one.name)}. Make it"
                f" first: 'vial generate model {class_name(one.name)}'."
            )


def _model_values(fields: list[Field]) -> dict[str, Any]:
    """What the templates of a model name besides.

    ``own`` is what its test fills in, ``needed`` the references without which it cannot be kept.
    """
    own = [one for one in fields if one.type != REFERENCES]
    others = [one for one in fields if one.type == REFERENCES]
    types = {TYPES[one.type][1].partition("(")[0] for one in own} - {""}
    return {
        "fields": fields,
        "own": [one for one in own if not one.optional],
        "others": sorted(others, key=lambda one: one.name),
        "needed": [one for one in others if not one.optional],
        "imports": _imports(own),
        "test_imports": _imports(one for one in own if not one.optional),
        "sqlalchemy": sorted(types | ({"ForeignKey"} if others else set())),
        "orm": ["Mapped", "mapped_column", *(["relationship"] if others else [])],
    }


def _form_values(fields: list[Field]) -> dict[str, Any]:
    """What the templates of a form name besides."""
    return {
        "fields": fields,
        "classes": sorted({"SubmitField", *(TYPES[one.type][2] for one in fields)}),
        "validators": sorted({name for one in fields for name in one.validators}),
        "required": [one for one in fields if not one.optional and one.type != "bool"],
    }


def _imports(fields: Iterable[Field]) -> list[str]:
    """The imports for the annotations of these fields, in order."""
    names = {TYPES[one.type][0].partition(".")[0] for one in fields}
    return [line for name, line in IMPORTS.items() if name in names]
