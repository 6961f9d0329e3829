"""Fields of models and forms: ``title:str``, ``body:text:optional``, ``author:references``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import click

from .names import WIDTH, check_part, class_name, words

STRING_LENGTH = 200

# By type: the annotation, SQLAlchemy's type if the annotation does not say it, WTForms' field,
# what a test stores, what a test submits.
TYPES = {
    "str": ("str", f"String({STRING_LENGTH})", "StringField", '"A word"', "A word"),
    "text": ("str", "Text", "TextAreaField", '"Some words"', "Some words"),
    "int": ("int", "", "IntegerField", "1", "1"),
    "float": ("float", "", "FloatField", "1.5", "1.5"),
    "decimal": ("Decimal", "Numeric(12, 2)", "DecimalField", 'Decimal("1.50")', "1.50"),
    "bool": ("bool", "", "BooleanField", "True", "y"),
    "date": ("dt.date", "", "DateField", "dt.date(2026, 1, 31)", "2026-01-31"),
    "datetime": (
        *("dt.datetime", "", "DateTimeLocalField"),
        *("dt.datetime(2026, 1, 31, 12, 30)", "2026-01-31T12:30"),
    ),
}
# A column called `date` would hide the type `date` from its own annotation: so the module.
IMPORTS = {"dt": "import datetime as dt", "Decimal": "from decimal import Decimal"}
REFERENCES = "references"

# Names that classes of SQLAlchemy and WTForms have themselves, or that the lines of a model use.
MODEL_NAMES = frozenset(
    (
        *("id", "metadata", "query", "query_class", "registry"),
        *("bool", "dt", "float", "int", "mapped_column", "relationship", "str"),
    )
)
MODEL_CLASSES = frozenset(("Base", "Decimal", "ForeignKey", "Mapped", "Numeric", "String", "Text"))
FORM_NAMES = frozenset(
    (
        *("csrf_token", "data", "errors", "form_errors", "meta", "populate_obj", "process"),
        *("hidden_tag", "is_submitted", "submit", "validate", "validate_on_submit"),
    )
)


@dataclass(frozen=True)
class Field:
    """One field: ``type`` is a key of :data:`TYPES` or :data:`REFERENCES`."""

    name: str
    type: str
    optional: bool

    @property
    def annotation(self) -> str:
        """How Python calls what is in it."""
        name = "int" if self.type == REFERENCES else TYPES[self.type][0]
        return f"{name} | None" if self.optional else name

    @property
    def model(self) -> str:
        """Its lines in a model. A reference has two: the number, and the object."""
        if self.type != REFERENCES:
            return _column(self.name, self.annotation, TYPES[self.type][1])
        cls = class_name(self.name) + (" | None" if self.optional else "")
        key = f'ForeignKey("{self.name}.id")'
        column = _column(f"{self.name}_id", self.annotation, key, "index=True")
        return f'{column}\n    {self.name}: Mapped["{cls}"] = relationship()'

    @property
    def form(self) -> str:
        """Its line in a form."""
        return _fit(f"{self.name} = {TYPES[self.type][2]}", [f'"{words(self.name)}"', *self._rules])

    @property
    def _rules(self) -> list[str]:
        rules = [rule for rule in (self._presence, self._length) if rule]
        return [f"[{', '.join(rules)}]"] if rules else []

    @property
    def _presence(self) -> str:
        if self.type == "bool":
            return ""  # a box that is not ticked is a value
        if self.optional:
            return "Optional()"
        return "DataRequired()" if self.type in ("str", "text") else "InputRequired()"

    @property
    def _length(self) -> str:
        return f"Length(max={STRING_LENGTH})" if self.type == "str" else ""

    @property
    def stored(self) -> str:
        """What a test gives a model, as Python."""
        return TYPES[self.type][3]

    @property
    def submitted(self) -> str:
        """What a browser sends."""
        return TYPES[self.type][4]

    @property
    def validators(self) -> set[str]:
        """The names of what WTForms validates it with."""
        return {rule.split("(")[0] for rule in (self._presence, self._length) if rule}


def parse(
    specifications: Iterable[str], *, reserved: frozenset[str], references: bool
) -> list[Field]:
    """The fields, in their order.

    :param reserved: names that are taken.
    :param references: whether fields can be other models.
    :raises click.BadParameter: naming the field that is wrong.
    """
    fields: list[Field] = []
    for text in specifications:
        field = _parse_one(text, references)
        if field.name in reserved or field.name.startswith("validate_"):
            raise click.BadParameter(f"{text!r}: {field.name!r} is taken by the library beneath.")
        if field.name in {name for other in fields for name in (other.name, f"{other.name}_id")}:
            raise click.BadParameter(f"{text!r}: there is a field {field.name!r} already.")
        fields.append(field)
    return fields


def _parse_one(text: str, references: bool) -> Field:
    """One field by itself; :func:`parse` compares it with the others."""
    name, colon, rest = text.partition(":")
    type_, _, option = rest.partition(":")
    types = [*TYPES, *([REFERENCES] if references else [])]
    if not colon or type_ not in types or option not in ("", "optional"):
        raise click.BadParameter(
            f"{text!r} is no field: write 'name:type' or 'name:type:optional', where the type is"
            f" one of {', '.join(types)}."
        )
    if check_part("field", name) != name:
        raise click.BadParameter(f"{text!r}: write the name as {check_part('field', name)!r}.")
    return Field(name, type_, option == "optional")


def _column(name: str, annotation: str, *arguments: str) -> str:
    """A column of a model; empty arguments are left out."""
    given = [argument for argument in arguments if argument]
    return _fit(f"{name}: Mapped[{annotation}] = mapped_column", given)


def _fit(call: str, arguments: list[str]) -> str:
    """A call inside a class, broken into lines as the formatter would."""
    line = f"    {call}({', '.join(arguments)})"
    if len(line) <= WIDTH:
        return line
    return f"    {call}(\n        {', '.join(arguments)}\n    )"
