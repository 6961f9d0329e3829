"""What ``db.Table`` is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

if TYPE_CHECKING:
    from .extension import SQLAlchemy


class _Table(sa.Table):
    """A table that needs no metadata: ``db.Table("name", *columns, bind_key=None)``."""

    #: Whose metadata it belongs to; set in a subclass for each ``db``.
    _db: ClassVar[SQLAlchemy[Any]]

    if not TYPE_CHECKING:  # checkers read the signature of __init__

        def __new__(cls, *args, **kwargs):
            return super().__new__(cls, *cls._with_metadata(args, kwargs), **kwargs)

    def __init__(self, name: str, *args: Any, bind_key: str | None = None, **kwargs: Any) -> None:
        given = {"bind_key": bind_key}
        super().__init__(*self._with_metadata((name, *args), given), **kwargs)

    @classmethod
    def _with_metadata(cls, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        bind_key = kwargs.pop("bind_key", None)
        if not args or "metadata" in kwargs or (len(args) > 1 and isinstance(args[1], sa.MetaData)):
            return args
        return (args[0], cls._db._make_metadata(bind_key), *args[1:])
