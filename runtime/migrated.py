"""The control database of an instance, opened; and whether it is of this release, found out without alembic, which
takes long to import.
"""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, insert, select, text

from control import ControlStore
from control.tables import ENVIRONMENT
from kernel import OperatorMistake
from runtime.clock import CLOCK
from runtime.control_address import control_url
from runtime.instance import Instance, InstanceExists
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
            remedy="stop the platform, copy the control database for safety (the instance's `control/`, or with "
            "pg_dump), and run `knudepunkt init` on the instance: it is brought to the newest version, and nothing "
            "else is changed",
        )


def open_control(instance: Instance, settings: Settings) -> ControlStore:
    """Raises ControlNotReady, MigrationNeeded, InstanceExists."""
    store = ControlStore(control_url(instance, settings.control), environment=settings.environment, clock=CLOCK)
    try:
        ensure_newest(store)
        with store.reading() as db:
            ensure_environment(db, settings)
    except BaseException:
        store.close()
        raise
    return store


def found_control(instance: Instance, settings: Settings) -> None:
    """Write down which environment a database is of that was just made or brought to this release. Raises
    InstanceExists when it is of the other: of a machine that shares it, or of another instance.
    """
    store = ControlStore(control_url(instance, settings.control), environment=settings.environment, clock=CLOCK)
    with store, store.noting() as db:
        if db.execute(select(ENVIRONMENT.c.name)).first() is None:
            db.execute(insert(ENVIRONMENT).values(id=1, name=settings.environment))
        ensure_environment(db, settings)


def ensure_environment(db: Connection, settings: Settings) -> None:
    """Requests are approved at once in the test environment: its settings must not open a database of the other."""
    found = db.execute(select(ENVIRONMENT.c.name)).scalar()
    if found is not None and found != settings.environment:
        raise InstanceExists(
            f"the control database is of the {found} environment, and the settings say {settings.environment}",
            remedy="name a database of this environment in `[control] url`; a database never changes its environment",
        )
