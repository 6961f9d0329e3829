"""What a request submits, as the fields of a form want it: texts, and files where files belong.

WTForms trusts the types of what it gets. What has the wrong one is kept from the field and its
validators, and is an error of the form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import partial
from typing import Any, NoReturn

from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest
from wtforms.fields import BooleanField, Field, FieldList, FormField, StringField
from wtforms.fields import FileField as _FileField
from wtforms.validators import Email, StopValidation
from wtforms.widgets import FileInput

from ..bodies import check_fields
from ..globals import current_app, request

SUBMIT_METHODS = {"POST", "PUT", "PATCH", "DELETE"}
_KINDS = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
_KINDS |= {int: "a number", float: "a number", type(None): "null"}
#: Letters of an email address: 64 and 255 around the @ (RFC 5321 §4.5.3.1).
_LONGEST_ADDRESS = 320
_AN_INDEX = re.compile(r"[^0-9]+[0-9]+")  # after the name of a FieldList


class Submitted(MultiDict[str, Any]):
    """Texts and files by name, and the reason for each name whose value is not among them."""

    def __init__(self) -> None:
        super().__init__()
        #: What JSON had, as it came.
        self.given: dict[str, Any] = {}
        #: Names of files that no field takes.
        self.misplaced: set[str] = set()


def is_submitted() -> bool:
    """Whether there is a request that submits something."""
    return bool(request) and request.method in SUBMIT_METHODS


def submitted(form: Iterable[Field]) -> Submitted | None:
    """What the request submits to a form; None where it has no data.

    :raises werkzeug.exceptions.BadRequest: for JSON that is no object.
    """
    if not is_submitted():
        return None
    if request.files or request.form:
        return _of_form(form)
    return _of_json(request.get_json()) if request.is_json else None


def check(form: Iterable[Field], data: Submitted) -> None:
    """Refuse what has the wrong type, whatever the validators of its field say."""
    for field in leaves(form):
        if field.name in data.misplaced and field.name not in data:
            reason: str | None = "Expected text, got a file."
        elif field.name in data.given:
            reason = _mismatch(field, data.given) or _beyond(field)
        else:
            reason = _beyond(field)
        if reason is not None:
            field.pre_validate = partial(_stop, field.gettext(reason))  # type: ignore[method-assign]


def _beyond(field: Field) -> str | None:
    """Data at which validators fail with an :class:`OverflowError` or the like, or take seconds."""
    data = field.data
    if isinstance(data, str) and len(data) > _LONGEST_ADDRESS:
        is_address = any(isinstance(validator, Email) for validator in field.validators)
        return "Invalid email address." if is_address else None
    if isinstance(data, int) and data.bit_length() > 1023:
        return "Not a valid integer value."
    return "Not a valid decimal value." if isinstance(data, Decimal) and data.is_snan() else None


def _of_form(form: Iterable[Field]) -> Submitted:
    data = Submitted()
    for name in request.files:
        if any(_takes_file(field, name) for field in form):
            data.setlist(name, request.files.getlist(name))
        else:
            data.misplaced.add(name)
    for name, values in request.form.lists():
        if _is_name(name):
            data.setlist(name, [*data.getlist(name), *values])
    return data


def _of_json(given: Any) -> Submitted:
    if not isinstance(given, dict):
        kind = _KINDS.get(type(given), "something else")
        raise BadRequest(f"This form expects an object as JSON, not {kind}.")
    data = Submitted()
    data.given = given
    lists = {name: v if isinstance(v, list) else [v] for name, v in given.items()}
    check_fields(sum(map(len, lists.values())), current_app.config.get("MAX_FORM_FIELDS"))
    for name, values in lists.items():
        if _is_name(name) and all(map(_is_scalar, values)):
            data.setlist(name, [v if isinstance(v, str) else str(v).lower() for v in values])
    return data


def _is_name(name: str) -> bool:
    """Whether WTForms can look for an index in it: :class:`int` takes not every digit, nor many."""
    digits = "".join(c if c.isdigit() else " " for c in name).split()
    return all(run.isdecimal() and len(run) < 19 for run in digits)


def _is_scalar(value: Any) -> bool:
    if isinstance(value, str):  # JSON may have halves of characters, which nothing can send or keep
        return value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value)
    return isinstance(value, (int, float))


def leaves(fields: Iterable[Field]) -> Iterator[Field]:
    """The fields that have values, also those within others."""
    for field in fields:
        if isinstance(field, FormField):
            yield from leaves(field.form)
        elif isinstance(field, FieldList):
            yield from leaves(field.entries)
        else:
            yield field


def _takes_file(field: Field, name: str) -> bool:
    if isinstance(field, FormField):
        if not name.startswith(field.name + field.separator):
            return False
        inner = field.form_class(formdata=None, prefix=field.name + field.separator)
        return any(_takes_file(f, name) for f in inner)
    if isinstance(field, FieldList):
        return name.startswith(field.name) and _takes_file(_entry(field, name), name)
    if field.name != name:
        return False
    own = isinstance(field, _FileField) or isinstance(field.widget, FileInput)
    return own or not _is_of_wtforms(field)


def _entry(field: FieldList[Any], name: str) -> Field:
    """The entry of a list that a name would be of."""
    index = _AN_INDEX.match(name, len(field.name))
    options: dict[str, Any] = {"name": name[: index.end()] if index else field.name}
    options |= {"prefix": "", "translations": None, "_meta": field.meta}
    nothing: Any = None
    bound: Field = field.meta.bind_field(nothing, field.unbound_field, options)
    return bound


def _is_of_wtforms(field: Field) -> bool:
    """Whether the class reads its data as one of WTForms' does."""
    return type(field).process_formdata.__module__.startswith("wtforms.")


def _mismatch(field: Field, given: dict[str, Any]) -> str | None:
    value = given[field.name]
    if value is None and getattr(field.flags, "optional", False):
        return None
    expected, fits = _expected(field, value)
    return None if fits else f"Expected {expected}, got {_KINDS.get(type(value), 'another type')}."


def _expected(field: Field, value: Any) -> tuple[str, bool]:
    if isinstance(field, StringField) and _is_of_wtforms(field):
        return "text", isinstance(value, str) and _is_scalar(value)
    if isinstance(field, BooleanField):
        return "true or false", isinstance(value, (bool, str))
    values = value if isinstance(value, list) else [value]
    return "text or a number", all(map(_is_scalar, values))


def _stop(reason: str, form: Any) -> NoReturn:
    raise StopValidation(reason)
