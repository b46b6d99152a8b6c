"""An instance keeps the environment that it was founded for."""

import sqlite3
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from runtime.environment import settings_of
from runtime.founding import found_instance
from runtime.instance import InstanceExists
from runtime.migrated import NEWEST, MigrationNeeded, open_control
from runtime.migrations import config_for


def test_production_cannot_be_turned_into_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = found_instance(tmp_path, environment="production")
    assert settings_of(instance).environment == "production"
    monkeypatch.setenv("KNUDEPUNKT_ENVIRONMENT", "test")
    with pytest.raises(InstanceExists, match="of the production environment, and its settings say test"):
        settings_of(instance)
    with pytest.raises(InstanceExists):
        found_instance(tmp_path, environment="test")


def test_founding_again_changes_nothing(tmp_path: Path) -> None:
    found_instance(tmp_path, environment="production")
    with pytest.raises(InstanceExists, match="is an instance of the production"):
        found_instance(tmp_path, environment="test")
    assert settings_of(found_instance(tmp_path, environment="production")).environment == "production"


def test_the_test_authority_vouches_for_nobody_in_production(tmp_path: Path) -> None:
    assert list(found_instance(tmp_path / "production", environment="production").trust.iterdir()) == []
    assert len(list(found_instance(tmp_path / "test", environment="test").trust.iterdir())) == 1


def test_a_control_database_of_another_release_is_told_and_init_brings_it_along(tmp_path: Path) -> None:
    instance = found_instance(tmp_path, environment="test")
    settings = settings_of(instance)
    open_control(instance, settings).close()
    with sqlite3.connect(instance.control_url.removeprefix("sqlite:///")) as db:
        db.execute("UPDATE alembic_version SET version_num = '0009'")
    db.close()
    with pytest.raises(MigrationNeeded, match="at version 0009") as told:
        open_control(instance, settings)
    assert "knudepunkt init" in (told.value.remedy or "")


def test_the_newest_version_is_the_one_that_migrations_end_at(tmp_path: Path) -> None:
    assert ScriptDirectory.from_config(config_for("sqlite://")).get_heads() == [NEWEST]
