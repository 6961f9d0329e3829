"""What ``vial shell`` knows of the database."""

from __future__ import annotations

from typing import Any

from ..globals import current_app

__all__ = ["add_models_to_shell"]


def add_models_to_shell() -> dict[str, Any]:
    """The extension as ``db``, and each model by its name."""
    db = current_app.extensions["sqlalchemy"]
    models = {mapper.class_.__name__: mapper.class_ for mapper in db.Model.registry.mappers}
    return {"db": db, **models}
