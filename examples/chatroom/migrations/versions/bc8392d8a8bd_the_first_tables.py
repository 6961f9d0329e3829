"""The first tables.

Revision bc8392d8a8bd, after nothing; made on 2026-11-21 16:25:50.719732.
"""

import sqlalchemy as sa
from alembic import op

revision = "bc8392d8a8bd"
down_revision = None
branch_labels = None
depends_on = None

# MariaDB would say that "André" is "andre".
EXACT = {
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("what", sa.String(length=128), nullable=False),
        sa.Column("at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        **EXACT,
    )
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attempts_at"), ["at"], unique=False)
        batch_op.create_index("ix_attempts_what_at", ["what", "at"], unique=False)

    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("username", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=24), nullable=False),
        sa.Column("name_key", sa.String(length=96), nullable=False),
        sa.Column("password", sa.String(length=255), nullable=False),
        sa.Column("stamp", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name_key", name=op.f("uq_users_name_key")),
        sa.UniqueConstraint("username", name=op.f("uq_users_username")),
        **EXACT,
    )
    op.create_table(
        "pages",
        sa.Column("sid", sa.String(length=64), nullable=False),
        sa.Column("room", sa.String(length=32), nullable=False),
        sa.Column("user", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(length=64), nullable=False),
        sa.Column("seen", sa.Float(precision=53), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name=op.f("fk_pages_user")),
        sa.PrimaryKeyConstraint("sid", name=op.f("pk_pages")),
        **EXACT,
    )
    with op.batch_alter_table("pages", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pages_room"), ["room"], unique=False)
        batch_op.create_index(batch_op.f("ix_pages_seen"), ["seen"], unique=False)
        batch_op.create_index(batch_op.f("ix_pages_user"), ["user"], unique=False)
        batch_op.create_index(batch_op.f("ix_pages_worker"), ["worker"], unique=False)

    op.create_table(
        "rooms",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("creator", sa.Integer(), nullable=True),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["creator"], ["users.id"], name=op.f("fk_rooms_creator")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_rooms")),
        **EXACT,
    )
    with op.batch_alter_table("rooms", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rooms_creator"), ["creator"], unique=False)

    op.create_table(
        "members",
        sa.Column("room", sa.String(length=32), nullable=False),
        sa.Column("user", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["room"], ["rooms.name"], name=op.f("fk_members_room")),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name=op.f("fk_members_user")),
        sa.PrimaryKeyConstraint("room", "user", name=op.f("pk_members")),
        **EXACT,
    )
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_members_user"), ["user"], unique=False)

    op.create_table(
        "messages",
        sa.Column("room", sa.String(length=32), nullable=False),
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("change", sa.Integer(), nullable=False),
        sa.Column("author", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["author"], ["users.id"], name=op.f("fk_messages_author")),
        sa.ForeignKeyConstraint(["room"], ["rooms.name"], name=op.f("fk_messages_room")),
        sa.PrimaryKeyConstraint("room", "id", name=op.f("pk_messages")),
        sa.UniqueConstraint("author", "room", "key", name=op.f("uq_messages_author")),
        sa.UniqueConstraint("room", "change", name=op.f("uq_messages_room")),
        **EXACT,
    )
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.create_index("ix_messages_author_sent", ["author", "sent"], unique=False)


def downgrade() -> None:
    for table in ("messages", "members", "rooms", "pages", "users", "attempts"):
        op.drop_table(table)
