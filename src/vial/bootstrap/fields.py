"""What a field of a form is, and its control with Bootstrap's classes.

Fields are known by their widgets and by the names of their classes: WTForms is not imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["control", "has_files", "is_hidden_field_filter", "kind", "messages", "problems"]

#: The kinds that an ``<input type>`` tells.
_INPUTS = {"hidden", "submit", "checkbox", "file", "range", "color"}
_CHOICES = {"radio": "radios", "checkbox": "checkboxes"}
_CLASSES = {
    "select": "form-select",
    "range": "form-range",
    "color": "form-control form-control-color",
    "checkbox": "form-check-input",
    "switch": "form-check-input",
}


def kind(field: Any) -> str:
    """``hidden``, ``submit``, ``checkbox``, ``switch``, ``radios``, ``checkboxes``, ``select``,
    ``file``, ``range``, ``color``, ``form``, ``list``, or ``input`` for all others."""
    names = {cls.__name__ for cls in type(field).__mro__}
    if "FieldList" in names:
        return "list"
    if "FormField" in names:
        return "form"
    if "SwitchField" in names:
        return "switch"
    return _kind_by_widget(field, names)


def _kind_by_widget(field: Any, names: set[str]) -> str:
    widget = getattr(field, "widget", None)
    input_type = getattr(widget, "input_type", None)
    if input_type in _INPUTS:
        return str(input_type)
    if hasattr(widget, "prefix_label"):  # a list of inputs
        of_each = getattr(getattr(field, "option_widget", None), "input_type", None)
        return _CHOICES.get(str(of_each), "input")
    if input_type is None and ("SelectFieldBase" in names or hasattr(widget, "multiple")):
        return "select"
    return "input"


def is_hidden_field_filter(field: Any) -> bool:
    """Whether the visitor does not see this field."""
    return kind(field) == "hidden"


def has_files(form: Iterable[Any]) -> bool:
    """Whether a form, or one inside it, has a field for files."""
    return any(
        has_files(field) if kind(field) in ("form", "list") else kind(field) == "file"
        for field in form
    )


def messages(field: Any) -> list[Any]:
    """A field's own errors, without those of the fields inside it."""
    errors = getattr(field, "errors", None) or ()
    if isinstance(errors, Mapping):
        errors = errors.get(None) or ()
    return [error for error in errors if not isinstance(error, list | tuple | Mapping)]


def problems(fields: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """Every error below a form, each with its field."""
    for field in fields:
        yield from ((field, message) for message in messages(field))
        if kind(field) in ("form", "list"):
            yield from problems(field)


def control(field: Any, kwargs: Mapping[str, Any], field_kind: str = "", classes: str = "") -> Any:
    """The field's HTML, with Bootstrap's classes and what reads its errors to those who listen.

    :param kwargs: attributes that the page gives; a class comes after Bootstrap's, and stands for
        that of the field's ``render_kw``.
    :param classes: instead of those of its kind.
    """
    attributes = dict(kwargs)
    given = getattr(field, "render_kw", None) or {}
    own = attributes.pop("class", None) or attributes.pop("class_", None) or given.get("class")
    names = [classes or _CLASSES.get(field_kind, "form-control")]
    names += ["is-invalid"] if messages(field) else []
    attributes["class"] = " ".join([*names, str(own)] if own else names)
    return field(**attributes, **_described(field, {**given, **attributes}))


def _described(field: Any, given: Mapping[str, Any]) -> dict[str, str]:
    """ARIA's attributes for a field with a description or errors."""
    found = messages(field)
    if "aria-describedby" in given or not (found or getattr(field, "description", None)):
        return {}
    ids = [f"{field.id}-error-{n}" for n in range(1, len(found) + 1)] or [f"{field.id}-help"]
    invalid = {"aria-invalid": "true"} if found and "aria-invalid" not in given else {}
    return {"aria-describedby": " ".join(ids), **invalid}
