"""What alembic runs. Batch mode, since SQLite cannot alter a table in place."""

from alembic import context

from control.engine import open_engine, writing
from runtime.migrations import METADATA

engine = open_engine(context.config.get_main_option("sqlalchemy.url") or "")
try:
    # One transaction for all: the database is of the old version or of the new one, and two that upgrade at once queue.
    with writing(engine) as connection:
        context.configure(
            connection=connection, target_metadata=list(METADATA), render_as_batch=True, transactional_ddl=True
        )
        context.run_migrations()
finally:
    engine.dispose()
