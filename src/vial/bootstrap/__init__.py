"""Pages with Bootstrap 5: Bootstrap-Flask's interface (2.6), and Flask-Bootstrap's (3.3.7).

Style sheets, scripts and icons are in the package; no page asks another host for anything, unless
``BOOTSTRAP_SERVE_LOCAL`` says so. What is unlike the originals is listed in ``docs/bootstrap.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .cdn import ConditionalCDN, StaticCDN, WebCDN, bootstrap_find_resource
from .extension import Bootstrap, Bootstrap4, Bootstrap5
from .fields import is_hidden_field_filter
from .tables import get_table_titles

if TYPE_CHECKING:
    from .switch import SwitchField as SwitchField

__all__ = [
    "Bootstrap",
    "Bootstrap4",
    "Bootstrap5",
    "ConditionalCDN",
    "StaticCDN",
    "WebCDN",
    "bootstrap_find_resource",
    "get_table_titles",
    "is_hidden_field_filter",
]


def _late(name: str) -> Any:
    """``SwitchField``, which needs WTForms: nothing else here does."""
    if name != "SwitchField":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .switch import SwitchField

    return SwitchField


if not TYPE_CHECKING:  # checkers would take any name for one of this module
    __getattr__ = _late
