"""Defects of DuckLake, replayed with DuckLake itself, and what guards us against them."""

import threading
from pathlib import Path
from typing import Any

import duckdb
import pytest

from replica import CatalogueShared, Lake, Mode, Upkeep
from replica.engine import attach_lake, connect
from tests.replica.builders import PERSONS, SETTINGS, a_delivery, a_row
from tests.replica.test_history import NOW_OVER, lake, people, publish

__all__ = ["lake"]


class TestDefectsOfTheLakeBelow:
    """Replayed with DuckLake itself, to see what we are guarded against, and that we are."""

    def raw(self, folder: Path, catalogue: str) -> tuple[duckdb.DuckDBPyConnection, duckdb.DuckDBPyConnection]:
        con = connect(folder / "scratch", memory_limit="500MB", threads=1)
        con.execute(f"ATTACH 'ducklake:{catalogue}' AS lake (DATA_PATH '{folder / 'data'}', DATA_INLINING_ROW_LIMIT 0)")
        con.execute("CREATE TABLE lake.t (id INTEGER); INSERT INTO lake.t VALUES (1)")
        return con, con.cursor()

    def expire_beside(self, one: duckdb.DuckDBPyConnection, other: duckdb.DuckDBPyConnection) -> None:
        """duckdb/ducklake#1472: snapshots expire that are newer than an open transaction."""
        other.execute("BEGIN; SELECT * FROM lake.t").fetchall()
        one.execute("INSERT INTO lake.t VALUES (2)")
        one.execute("CALL ducklake_merge_adjacent_files('lake')")
        one.execute("CREATE TABLE lake.unrelated (i INTEGER)")
        newest = one.execute("SELECT max(snapshot_id) FROM lake.snapshots()").fetchall()[0][0]
        one.execute(
            "SELECT snapshot_id FROM ducklake_expire_snapshots('lake', versions => $s)", {"s": [newest - 2, newest - 1]}
        ).fetchall()
        other.execute("DELETE FROM lake.t WHERE id = 1")
        other.execute("COMMIT")

    def test_expiry_beside_an_open_transaction_loses_its_delete(self, tmp_path: Path) -> None:
        one, other = self.raw(tmp_path, f"{tmp_path}/catalogue.duckdb")
        with one, other:
            self.expire_beside(one, other)
            # The delete was committed, and its row is there. If this fails one day, DuckLake has mended it.
            assert one.execute("SELECT id FROM lake.t ORDER BY id").fetchall() == [(1,), (2,)]

    def test_on_our_catalogue_the_older_transaction_is_refused(self, tmp_path: Path) -> None:
        con = connect(tmp_path / "scratch", memory_limit="500MB", threads=1)
        attach_lake(con, "lake", tmp_path, read_only=False, encrypted=False)
        con.execute("CREATE TABLE lake.t (id INTEGER); INSERT INTO lake.t VALUES (1)")
        with con, con.cursor() as other:
            with pytest.raises(duckdb.Error, match="database is locked"):
                self.expire_beside(con, other)
            assert con.execute("SELECT id FROM lake.t ORDER BY id").fetchall() == [(1,), (2,)]

    def test_maintenance_waits_for_a_publication_and_never_runs_inside_one(self, lake: Lake) -> None:
        publish(lake, {"1": "a", "2": "a"})
        publishing, upkeep = threading.Event(), list[Upkeep]()

        def maintain() -> None:
            publishing.wait()
            upkeep.append(lake.maintain(NOW_OVER))

        beside = threading.Thread(target=maintain)
        beside.start()

        def check(_: Any) -> None:
            publishing.set()
            beside.join(0.3)
            assert not upkeep

        lake.publish(PERSONS, a_delivery([a_row("2", status="b")], Mode.FULL), check)
        beside.join()
        assert upkeep
        assert people(lake) == {"2": "b"}

    def test_a_neighbour_in_the_catalogues_file_makes_a_commit_fail(self, tmp_path: Path) -> None:
        """duckdb/ducklake#1309"""
        con = connect(tmp_path / "scratch", memory_limit="500MB", threads=1)
        attach_lake(con, "lake", tmp_path, read_only=False, encrypted=False)
        con.execute(f"ATTACH '{tmp_path}/catalog.sqlite' AS plain (TYPE sqlite)")
        con.execute("CREATE TABLE plain.neighbour (i INTEGER); CREATE TABLE lake.t (id INTEGER)")
        with con, con.cursor() as other:
            con.execute("BEGIN; INSERT INTO lake.t VALUES (1)")
            other.execute("INSERT INTO plain.neighbour VALUES (1)")
            with pytest.raises(duckdb.Error, match="database is locked"):
                con.execute("COMMIT")

    def test_a_catalogue_with_a_neighbour_is_not_written_to(self, lake: Lake, tmp_path: Path) -> None:
        lake.__exit__()
        con = connect(tmp_path / "scratch", memory_limit="500MB", threads=1)
        con.execute(f"ATTACH '{tmp_path}/lake/catalog.sqlite' AS plain (TYPE sqlite)")
        con.execute("CREATE TABLE plain.neighbour (i INTEGER)")
        con.close()
        with pytest.raises(CatalogueShared, match="neighbour"):
            Lake.open(tmp_path / "lake", SETTINGS, write=True)

    def test_a_deletion_from_a_merged_file_is_told_under_the_snapshot_of_its_row(self, tmp_path: Path) -> None:
        """Why Lake.changes balances rows by their ids and asks no feed when a row went."""
        con = connect(tmp_path / "scratch", memory_limit="500MB", threads=1)
        attach_lake(con, "lake", tmp_path, read_only=False, encrypted=False)
        with con:
            con.execute("CREATE TABLE lake.t (id INTEGER)")
            for number in range(2):
                con.execute("INSERT INTO lake.t VALUES ($n)", {"n": number})
            con.execute("CALL ducklake_merge_adjacent_files('lake')")
            con.execute("DELETE FROM lake.t WHERE id = 1")
            newest = con.execute("SELECT max(snapshot_id) FROM lake.snapshots()").fetchall()[0][0]
            told = con.execute(
                f"SELECT snapshot_id, id FROM ducklake_table_deletions('lake', 'main', 't', 2, {newest})"
            )
            assert told.fetchall() == [(3, 1)]
            assert newest == 5
