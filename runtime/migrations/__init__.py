"""Migrations of the control database: `upgrade(url)` brings it to the newest version, whatever it is now."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError

from control.errors import ControlNotReady, ControlUnreachable
from control.tables import METADATA as CONTROL
from extract.delivery.outbox_tables import METADATA as DELIVERY
from integrations import EVENT_TABLES
from kernel import OperatorMistake

METADATA = (CONTROL, DELIVERY, EVENT_TABLES)
"""The tables of all rooms that keep some in the control database."""


class MigrationRefused(OperatorMistake):
    code = "migration_refused"
    title = "The control database cannot be brought to this version"


def config_for(url: str) -> Config:
    # Made here and not read from an alembic.ini, so that a packaged installation needs no file beside the code.
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def upgrade(url: str) -> None:
    """Bring the database to the newest version; one that is there already is left as it is.

    Raises MigrationRefused for a database that a newer release has made, ControlNotReady for one that cannot be
    reached.
    """
    try:
        command.upgrade(config_for(url), "head")
    except ControlUnreachable as error:
        raise ControlNotReady(
            error.message,
            remedy="check `[control] url` in the settings, the server, and the password in secrets/control.password",
        ) from None
    except CommandError as error:
        raise MigrationRefused(
            f"the control database has a version that this release does not know ({error})",
            remedy="run the release that made it, or a newer one",
        ) from None
