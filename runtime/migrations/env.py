"""What alembic runs. Batch mode, since SQLite cannot alter a table in place."""

from alembic import context

from control.store import open_engine
from control.tables import METADATA

engine = open_engine(context.config.get_main_option("sqlalchemy.url") or "")
with engine.begin() as connection:
    context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True, transactional_ddl=True)
    context.run_migrations()
engine.dispose()
