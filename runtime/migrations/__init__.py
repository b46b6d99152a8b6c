"""Migrations of the control database: `upgrade(url)` brings it to the newest version, whatever it is now."""

from pathlib import Path

from alembic import command
from alembic.config import Config


def config_for(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def upgrade(url: str) -> None:
    """Bring the database to the newest version; one that is there already is left as it is."""
    command.upgrade(config_for(url), "head")
