"""Migrations: they end at the tables of the rooms, twice is once, and a crash leaves the old database."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, inspect
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from control.engine import open_engine, reading
from runtime.migrations import METADATA, MigrationRefused, upgrade


@pytest.fixture
def fresh(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / '100% æøå' / 'control.sqlite'}"


@pytest.fixture
def upgraded(fresh: str) -> str:
    Path(fresh.removeprefix("sqlite:///")).parent.mkdir()
    upgrade(fresh)
    return fresh


class TestUpgrade:
    def test_it_ends_at_the_tables_of_the_rooms(self, upgraded: str) -> None:
        engine = open_engine(upgraded)
        with reading(engine) as db:
            context = MigrationContext.configure(db, opts={"compare_type": True, "compare_server_default": True})
            assert compare_metadata(context, METADATA) == []  # type: ignore[arg-type]
        engine.dispose()

    def test_the_constraints_have_the_names_of_the_rooms(self, upgraded: str) -> None:
        # What alembic's comparison leaves out: checks, and the names of keys.
        engine = open_engine(upgraded)
        found = inspect(engine)
        for table in (table for each in METADATA for table in each.sorted_tables):
            checks = {str(each.name) for each in table.constraints if isinstance(each, CheckConstraint)}
            assert {each["name"] for each in found.get_check_constraints(table.name)} == checks
            assert found.get_pk_constraint(table.name)["name"] == table.primary_key.name
            assert {each["name"] for each in found.get_foreign_keys(table.name)} == {
                each.name for each in table.foreign_key_constraints
            }
        engine.dispose()

    def test_a_second_time_changes_nothing(self, upgraded: str) -> None:
        path = upgraded.removeprefix("sqlite:///")
        with sqlite3.connect(path) as db:
            db.execute("UPDATE policy_version SET version = 7")
            before = list(db.iterdump())
        upgrade(upgraded)
        with sqlite3.connect(path) as again:
            assert list(again.iterdump()) == before
        db.close()
        again.close()

    def test_two_processes_that_upgrade_at_once_queue(self, fresh: str) -> None:
        Path(fresh.removeprefix("sqlite:///")).parent.mkdir()
        command = [sys.executable, "-c", "import sys, runtime.migrations as m; m.upgrade(sys.argv[1])", fresh]
        both = [subprocess.Popen(command, cwd=Path(__file__).parents[2]) for _ in range(2)]
        assert [process.wait(60) for process in both] == [0, 0]

    def test_one_that_fails_half_way_leaves_nothing(self, fresh: str) -> None:
        path = Path(fresh.removeprefix("sqlite:///"))
        path.parent.mkdir()
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE agreements (in_the_way)")
        db.close()
        with pytest.raises(Exception, match="already exists"):
            upgrade(fresh)
        with sqlite3.connect(path) as db:
            assert db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall() == [("agreements",)]
            db.execute("DROP TABLE agreements")
        db.close()
        upgrade(fresh)

    def test_a_database_of_a_newer_release_is_refused(self, upgraded: str) -> None:
        with sqlite3.connect(upgraded.removeprefix("sqlite:///")) as db:
            db.execute("UPDATE alembic_version SET version_num = '9999'")
        db.close()
        with pytest.raises(MigrationRefused, match="9999"):
            upgrade(upgraded)


class TestTables:
    def test_they_can_be_made_on_postgresql(self) -> None:
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        for table in (table for each in METADATA for table in each.sorted_tables):
            assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=dialect))
            for index in table.indexes:
                assert " INDEX " in str(CreateIndex(index).compile(dialect=dialect))
