"""${message or "No message"}.

Revision ${up_revision}, after ${comma(down_revision) if down_revision else "nothing"}; made on ${create_date}.
"""

import sqlalchemy as sa
from alembic import op
${imports or ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}
% for suffix in config.attributes.get("suffixes", [""]):
% for step in ("upgrade", "downgrade"):


def ${step}${suffix}() -> None:
    ${context.get(f"{step}s{suffix}", "pass") or "pass"}
% endfor
% endfor
