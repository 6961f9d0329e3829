"""What a migration that was found by comparing is going to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from alembic.autogenerate import RevisionContext
from alembic.operations import ops


def flat(container: Any, table: str = "") -> Iterator[tuple[Any, str]]:
    """The single operations, each with the name of the table that it changes, if it does."""
    for op in container.ops:
        if isinstance(op, ops.ModifyTableOps):
            yield from flat(op, op.table_name)
        else:
            yield op, table


def changes(found: RevisionContext) -> Iterator[tuple[Any, str]]:
    """The operations for all databases; see :func:`flat`."""
    for script in found.generated_revisions:
        for upgrade_ops in script.upgrade_ops_list:
            yield from flat(upgrade_ops)


def losses(found: RevisionContext) -> Iterator[str]:
    """Sentences on where rows are lost, or where the migration fails if there are any."""
    for op, table in changes(found):
        if isinstance(op, ops.DropTableOp):
            yield f"the migration drops the table {op.table_name!r} and all its rows."
        elif isinstance(op, ops.DropColumnOp):
            yield (
                f"the migration drops the column '{table}.{op.column_name}' and what is in it. If"
                " it was renamed, write alter_column(..., new_column_name=...) instead."
            )
        elif isinstance(op, ops.AddColumnOp) and _needs_default(op.column):
            yield (
                f"the column '{table}.{op.column.name}' is NOT NULL and has no server_default: the"
                " migration fails where the table has rows."
            )


def _needs_default(column: Any) -> bool:
    return not (column.nullable or column.server_default is not None or column.computed)
