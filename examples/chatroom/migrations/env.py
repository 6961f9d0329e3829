"""What Alembic runs for `vial db`, inside the application's context."""

from vial.sqlalchemy.migrating.environment import run

run()
