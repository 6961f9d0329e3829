"""Validators that are ``async def``: awaited once all others have passed their field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import update_wrapper
from typing import Any

from wtforms import ValidationError
from wtforms.fields import Field
from wtforms.validators import StopValidation

from ..callables import is_async

Validator = Callable[[Any, Any], Any]
Waiting = list[tuple[Any, Field, Validator]]
#: Methods of forms that are no validators.
_OWN = {"validate_async", "validate_on_submit_async"}
_waiting: ContextVar[Waiting | None] = ContextVar("vial.forms.waiting", default=None)


class _Later:
    """Stands for an async validator where WTForms, which awaits nothing, calls it."""

    def __init__(self, validator: Validator) -> None:
        self.validator = validator
        self.field_flags = getattr(validator, "field_flags", {})

    def __call__(self, form: Any, field: Field) -> None:
        waiting = _waiting.get()
        if waiting is None:
            name = getattr(self.validator, "__qualname__", type(self.validator).__name__)
            raise TypeError(
                f"The validator {name} of the field {field.name!r} is async. In an async view write"
                " 'await form.validate_on_submit_async()' in place of 'form.validate_on_submit()'."
            )
        waiting.append((form, field, self.validator))


def later(validators: Iterable[Validator]) -> list[Validator]:
    """These validators, with those that are async put off."""
    return [_Later(v) if is_async(v) else v for v in validators]


def put_off(cls: type) -> None:
    """Put off those of a form's own ``validate_…`` methods that are async."""
    for name in dir(cls):
        if name.startswith("validate_") and name not in _OWN:
            method = getattr(cls, name)
            if is_async(method):
                setattr(cls, name, _method(method))


@contextmanager
def waiting() -> Iterator[Waiting]:
    """Inside, async validators are noted; outside they are an error."""
    noted: Waiting = []
    token = _waiting.set(noted)
    try:
        yield noted
    finally:
        _waiting.reset(token)


async def pass_all(noted: Waiting) -> bool:
    """Await what was noted, of fields without errors; a field's errors get what they say."""
    passed = True
    for form, field, validator in noted:
        if field.errors:
            continue
        try:
            await validator(form, field)
        except (ValidationError, StopValidation) as e:
            field.errors = [str(e.args[0] if e.args else "")]
            passed = False
    return passed


def merged(extra: Mapping[str, Sequence[Validator]] | None) -> dict[str, list[Validator]]:
    """What a caller adds to the validators of fields, with those that are async put off."""
    return {name: later(validators) for name, validators in (extra or {}).items()}


def _method(method: Any) -> Callable[[Any, Field], None]:
    put_off = _Later(method)

    def validate(form: Any, field: Field) -> None:
        put_off(form, field)

    return update_wrapper(validate, method)
