"""The control database of an instance, opened; and whether it is of this release, found out without alembic, which
takes long to import.
"""

from pathlib import Path
from typing import Final

from sqlalchemy import text

from control import ControlStore
from kernel import OperatorMistake
from runtime.clock import CLOCK
from runtime.instance import Instance
from runtime.settings import Settings

NEWEST: Final = max(path.name[:4] for path in (Path(__file__).parent / "migrations" / "versions").glob("[0-9]*.py"))
"""The revision that `upgrade` ends at: files are named by their revision, and stand in one line."""


class MigrationNeeded(OperatorMistake):
    code = "migration_needed"
    title = "The control database is of another release"


def ensure_newest(store: ControlStore) -> None:
    """Raises MigrationNeeded for a database that this release has not brought to its own version yet."""
    with store.reading() as db:
        found = db.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found != NEWEST:
        raise MigrationNeeded(
            f"the control database is at version {found}, and this release works with {NEWEST}",
            remedy="stop the platform, copy the instance's `control/` for safety, and run `knudepunkt init` on the "
            "instance: it is brought to the newest version, and nothing else is changed",
        )


def open_control(instance: Instance, settings: Settings) -> ControlStore:
    """Raises ControlNotReady, MigrationNeeded."""
    store = ControlStore(instance.control_url, environment=settings.environment, clock=CLOCK)
    try:
        ensure_newest(store)
    except MigrationNeeded:
        store.close()
        raise
    return store
