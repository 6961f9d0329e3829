"""Asking every hint that fits an exception, once something failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from werkzeug.exceptions import BadRequestKeyError

from . import calls, data, files, modules, templates, urls

if TYPE_CHECKING:
    from ..app import Vial

Hint = Callable[["Vial", "Exception"], "str | None"]

#: In the order in which they are asked.
_HINTS: list[tuple[type[Exception], Callable[..., str | None]]] = [
    (BadRequestKeyError, data.missing_field),
    (KeyError, data.missing_header),
    (KeyError, data.missing_key),
    (AttributeError, data.missing_attribute),
    (AttributeError, data.missing_on_g),
    (TypeError, data.no_json_value),
    (TypeError, data.body_that_is_none),
    (TypeError, calls.view_that_does_not_fit),
    (TypeError, calls.hook_that_does_not_fit),
    (TypeError, calls.context_processor_without_dict),
    (TypeError, calls.positional_template_values),
    (Exception, calls.attribute_that_is_no_function),
    (Exception, calls.function_for_a_name),
    (Exception, calls.await_that_is_wrong),
    (LookupError, urls.no_url),  # Werkzeug's BuildError
    (ValueError, urls.value_that_does_not_fit),
    (OSError, files.missing_file),
    (AttributeError, modules.shadowed_attribute),
    (ImportError, modules.failed_import),
    (Exception, templates.failed),
]


def explain(app: Vial, error: BaseException) -> None:
    """Add what is known about an exception to its notes; at most once, whoever calls."""
    for kind, hint in _HINTS:
        if isinstance(error, kind):
            _note(error, hint, app)


def _note(error: BaseException, hint: Callable[..., str | None], app: Vial) -> None:
    """Add what a hint says, if anything, once."""
    try:
        text = hint(app, error)
    except Exception:  # whatever a hint stumbles on must not hide the error itself
        return
    if text and f"Hint: {text}" not in getattr(error, "__notes__", ()):
        error.add_note(f"Hint: {text}")
