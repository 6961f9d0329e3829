"""What Alembic gets wrong in the migrations that it writes.

A column with ``sa.Enum`` needs a type of PostgreSQL made before it; of two tables with one type
each makes it; a table that is dropped leaves its types behind. MariaDB keeps an index that a
foreign key of a table uses, and Alembic drops it before the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from alembic.autogenerate import renderers
from alembic.operations import ops
from sqlalchemy import Column, Connection, Enum, MetaData, inspect
from sqlalchemy.dialects import postgresql

from .changes import flat

Enums = dict[str, postgresql.ENUM]
#: In the options of a migration: names of types that no table is to make.
SHARED = "shared_enums"


class StatementOp(ops.MigrateOperation):
    """A line of a migration for PostgreSQL; other databases pass it by."""

    def __init__(self, statement: str) -> None:
        self.statement = statement


@renderers.dispatch_for(StatementOp)
def _render(autogen_context: Any, op: StatementOp) -> list[str]:
    # The printer indents what follows a colon, up to an empty line.
    return [
        'if op.get_context().dialect.name == "postgresql":',
        f"op.execute({op.statement!r})",
        "",
    ]


def complete(context: Any, upgrade_ops: Any, downgrade_ops: Any) -> None:
    """Mend a migration, both ways.

    :param context: Alembic's, with the database as it is and the metadata as it is to be.
    """
    for container in (upgrade_ops, downgrade_ops):
        _leave_indexes_to_tables(container)
    metadata = context.opts["target_metadata"]
    added = _enums(_new_columns(upgrade_ops))
    removed = _enums(_new_columns(downgrade_ops))
    after = _enums(c for table in metadata.tables.values() for c in table.columns)
    before = _existing(context.connection, metadata, upgrade_ops)
    new = {name: kind for name, kind in added.items() if name not in before}
    gone = {name: kind for name, kind in removed.items() if name not in after}
    shared = context.opts[SHARED] = (before & after.keys()) | _repeated(upgrade_ops, downgrade_ops)
    _add_types(upgrade_ops, shared, made=new, dropped=gone)
    _add_types(downgrade_ops, shared, made=gone, dropped=new)


def _leave_indexes_to_tables(container: Any) -> None:
    """Drop no index of a table that is dropped: it goes with the table, in every database."""
    drops = [op for op in container.ops if isinstance(op, ops.DropTableOp)]
    dropped = {(op.table_name, op.schema) for op in drops}
    for op in list(container.ops):
        if isinstance(op, ops.ModifyTableOps) and (op.table_name, op.schema) in dropped:
            op.ops = [one for one in op.ops if not isinstance(one, ops.DropIndexOp)]
            if not op.ops:
                container.ops.remove(op)


def _existing(connection: Connection, metadata: MetaData, upgrade_ops: Any) -> set[str]:
    """Names of the types there are; where types have no names, those of columns that stay."""
    if connection.dialect.name == "postgresql":
        return {str(kind["name"]) for kind in inspect(connection).get_enums()}  # type: ignore[attr-defined]
    new = {(table, column.name) for table, column in _columns(upgrade_ops)}
    columns = (column for table in metadata.tables.values() for column in table.columns)
    return set(_enums(c for c in columns if (c.table.name, c.name) not in new))


def _repeated(*containers: Any) -> set[str]:
    """Names of types that several tables would make."""
    repeated: set[str] = set()
    for container in containers:
        seen: set[str] = set()
        for _, column in _columns(container):
            names = _enums([column]).keys()
            repeated |= seen & names
            seen |= names
    return repeated


def _columns(container: Any) -> Iterator[tuple[str, Column[Any]]]:
    """The columns that these operations add, with the names of their tables."""
    for op, table in flat(container):
        if isinstance(op, ops.CreateTableOp):
            yield from ((op.table_name, column) for column in op.to_table().columns)
        elif isinstance(op, ops.AddColumnOp):
            yield table, op.column


def _new_columns(container: Any) -> Iterator[Column[Any]]:
    for _, column in _columns(container):
        yield column


def _enums(columns: Iterable[Column[Any]]) -> Enums:
    """The types of these columns that have a name in PostgreSQL."""
    found = {}
    for column in columns:
        kind = column.type
        kind = getattr(kind, "item_type", kind)  # of an array
        if isinstance(kind, Enum) and kind.name and kind.native_enum:
            found[kind.name] = postgresql.ENUM(*kind.enums, name=kind.name, schema=kind.schema)
    return found


def render_enum(kind: Any, autogen_context: Any) -> str | None:
    """A type that no table is to make, as it is written in the migration; None for others."""
    if not isinstance(kind, Enum) or kind.name not in autogen_context.opts.get(SHARED, ()):
        return None
    autogen_context.imports.add("from sqlalchemy.dialects import postgresql")
    text = f"{', '.join(map(repr, kind.enums))}, name={kind.name!r}"
    if kind.schema is not None:
        text += f", schema={kind.schema!r}"
    made = f"postgresql.ENUM({text}, create_type=False)"
    return f"sa.Enum({text}).with_variant({made}, 'postgresql')"


def _add_types(container: Any, shared: set[str], made: Enums, dropped: Enums) -> None:
    """Make types before everything, but those that one table makes; drop them after all."""
    tables = [op for op, _ in flat(container) if isinstance(op, ops.CreateTableOp)]
    with_table = _enums(column for op in tables for column in op.to_table().columns)
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for name, kind in made.items():
        if name in shared or name not in with_table:
            text = str(postgresql.CreateEnumType(kind).compile(dialect=dialect))
            container.ops.insert(0, StatementOp(text))
    for kind in dropped.values():
        text = str(postgresql.DropEnumType(kind).compile(dialect=dialect))
        container.ops.append(StatementOp(text))
