import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel import SnapshotId
from replica import QUARANTINE, DatasetNotReady, Delivery, KeysRepeated, Lake, LakeBusy, Mode, reading
from schemas import Column, Dataset, Kind
from tests.replica.builders import DAY, PERSONS, SETTINGS, a_delivery, a_row


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake.open(tmp_path / "lake", SETTINGS, write=True) as opened:
        opened.prepare(PERSONS)
        yield opened


def keys(lake: Lake) -> list[str]:
    found: list[str] = lake.scan(PERSONS, columns=["pnr"]).read_all()["pnr"].to_pylist()
    return found


class TestPublish:
    def test_adds_replaces_and_leaves_alone(self, lake: Lake) -> None:
        lake.publish(PERSONS, a_delivery([a_row("0000000001"), a_row("0000000002")]))
        done = lake.publish(
            PERSONS, a_delivery([a_row("0000000001"), a_row("0000000002", status="90"), a_row("0000000003")])
        )
        assert (done.inserted, done.updated, done.unchanged, done.deleted, done.rows) == (1, 1, 1, 0, 3)

    def test_of_a_full_delivery_deletes_what_it_lacks(self, lake: Lake) -> None:
        lake.publish(PERSONS, a_delivery([a_row("0000000001"), a_row("0000000002")]))
        done = lake.publish(PERSONS, a_delivery([a_row("0000000002")], Mode.FULL))
        assert (done.deleted, done.unchanged, done.rows) == (1, 1, 1)
        assert keys(lake) == ["0000000002"]

    def test_of_a_delta_deletes_only_what_it_names(self, lake: Lake) -> None:
        lake.publish(PERSONS, a_delivery([a_row("0000000001"), a_row("0000000002")]))
        done = lake.publish(PERSONS, a_delivery([], deletes=["0000000001", "0000000009"]))
        assert (done.deleted, done.rows) == (1, 1)

    def test_appends_without_changing_what_is_there(self, lake: Lake) -> None:
        lake.publish(PERSONS, a_delivery([a_row("0000000001")]))
        done = lake.publish(PERSONS, a_delivery([a_row("0000000001", status="90"), a_row("0000000002")], Mode.APPEND))
        assert (done.inserted, done.unchanged) == (1, 1)
        assert lake.scan(PERSONS, columns=["status"]).read_all()["status"].to_pylist() == ["01", "01"]

    def test_of_nothing_new_makes_no_new_snapshot_of_the_dataset_and_keeps_the_run(self, lake: Lake) -> None:
        first = lake.publish(PERSONS, a_delivery([a_row("0000000001")]))
        later = datetime.now(UTC) + timedelta(hours=1)
        second = lake.publish(PERSONS, a_delivery([a_row("0000000001")], as_of=later, run="second"))
        info = lake.info(PERSONS)
        assert (second.changed, second.snapshot) == (False, first.snapshot)
        assert info is not None
        assert (info.snapshot, info.as_of) == (first.snapshot, later)
        assert [run.run for run in lake.runs("a source", 1)] == ["second"]

    def test_sees_a_change_deep_inside_a_row(self, lake: Lake) -> None:
        kept = [{"type": "0001", "from_date": DAY, "to_date": None}]
        ended = [{"type": "0001", "from_date": DAY, "to_date": DAY}]
        lake.publish(PERSONS, a_delivery([a_row("0000000001", protections=kept)]))
        assert lake.publish(PERSONS, a_delivery([a_row("0000000001", protections=ended)])).updated == 1

    def test_takes_columns_of_any_name(self, lake: Lake) -> None:
        names = ("key", "place", "what", "low", "high", "t", "i", "select")
        dataset = Dataset(
            register="odd", name="names", key="key", columns=tuple(Column(name=name, kind=Kind.TEXT) for name in names)
        )
        lake.prepare(dataset)
        for value in ("a", "b"):
            rows = [dict.fromkeys(names, value) | {"key": key} for key in ("1", "2")]
            lake.publish(dataset, a_delivery(rows, dataset=dataset))
        done = lake.publish(dataset, a_delivery([], deletes=["1"], dataset=dataset))
        assert (done.deleted, done.rows) == (1, 1)
        assert lake.scan(dataset).read_all().to_pylist() == [dict.fromkeys(names, "b") | {"key": "2"}]

    def test_refuses_a_key_that_stands_twice_and_publishes_nothing(self, lake: Lake) -> None:
        with pytest.raises(KeysRepeated):
            lake.publish(PERSONS, a_delivery([a_row("0000000001"), a_row("0000000001", status="90")]))
        assert lake.info(PERSONS) is None

    def test_keeps_rows_quarantine_and_run_together(self, lake: Lake) -> None:
        delivery = a_delivery([a_row("0000000001")], run="the run", cursor='{"day": 1}', lines_quarantined=1)
        held = {
            "register": "cpr", "dataset": "persons", "run": "the run", "source": "a source", "file": "d1", "line": 7,
            "rule": "line_cut", "reason": "cut", "text": "001", "frame": "000", "at": datetime.now(UTC),
        }  # fmt: skip
        held_table = pa.Table.from_pylist([held], schema=QUARANTINE)
        lake.publish(PERSONS, Delivery(rows=delivery.rows, mode=delivery.mode, quarantine=held_table, run=delivery.run))
        last = lake.last_run("a source")
        assert last is not None
        assert (last.cursor, last.lines_quarantined) == ('{"day": 1}', 1)
        assert lake.quarantined(PERSONS, "the run").to_pylist() == [held]

    def test_tells_of_all_at_once_what_it_tells_of_each(self, lake: Lake) -> None:
        assert (lake.infos(), lake.last_runs()) == ({}, {})
        lake.publish(PERSONS, a_delivery([a_row("0000000001")], run="first"))
        lake.publish(PERSONS, a_delivery([a_row("0000000001"), a_row("0000000002")], run="second"))
        lake.publish(PERSONS, a_delivery([a_row("0000000001"), a_row("0000000002")], run="nothing new"))
        assert lake.infos() == {PERSONS.id: lake.info(PERSONS)}
        assert lake.last_runs() == {"a source": lake.last_run("a source")}
        assert lake.last_runs()["a source"].run == "nothing new"


class TestScan:
    def test_gives_the_rows_of_an_earlier_snapshot(self, lake: Lake) -> None:
        first = lake.publish(PERSONS, a_delivery([a_row("0000000001")]))
        lake.publish(PERSONS, a_delivery([a_row("0000000001", status="90"), a_row("0000000002")]))
        old = lake.scan(PERSONS, snapshot=first.snapshot, columns=["pnr", "status"]).read_all().to_pylist()
        assert old == [{"pnr": "0000000001", "status": "01"}]

    def test_is_sorted_by_key_whatever_the_order_of_deliveries(self, lake: Lake) -> None:
        for number in (5, 1, 9, 3):
            lake.publish(PERSONS, a_delivery([a_row(f"{number:010d}")]))
        assert keys(lake) == sorted(keys(lake))

    def test_is_read_range_by_range_when_it_is_large(self, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
        rows = [a_row(f"{number:010d}", status=f"{number % 7:02d}") for number in range(3_000)]
        lake.publish(PERSONS, a_delivery(rows))
        lake.publish(PERSONS, a_delivery(rows[::3], deletes=[row["pnr"] for row in rows[1::3]]))
        allowed = {"status": frozenset({"01", "02"})}
        one = [lake.scan(PERSONS, rows=given).read_all() for given in (None, allowed)]
        monkeypatch.setattr(reading, "SAMPLE_ROWS", 8)
        monkeypatch.setattr(reading, "RANGE_ROWS", 64)
        monkeypatch.setattr(reading, "FIRST_ROWS", 50)
        begun: list[bool] = []
        answered = reading._answered

        def counted(*given: Any) -> Any:
            begun.append(True)
            return answered(*given)

        monkeypatch.setattr(reading, "_answered", counted)
        assert [lake.scan(PERSONS, rows=given).read_all() for given in (None, allowed)] == one
        assert len(begun) > 20

    def test_leaves_rows_outside_the_scope_out(self, lake: Lake) -> None:
        lake.publish(PERSONS, a_delivery([a_row("0000000001"), a_row("0000000002", status="90")]))
        found = lake.scan(PERSONS, columns=["pnr"], rows={"status": frozenset({"90", "80"})}).read_all()
        assert found["pnr"].to_pylist() == ["0000000002"]

    def test_withholds_what_is_protected_in_every_row_where_no_rule_says_whose(self, lake: Lake) -> None:
        lake.publish(PERSONS, a_delivery([a_row("0000000001")]))
        ruleless = replace(PERSONS, protection=None)
        assert lake.scan(ruleless, columns=["name"], hide_protected_on=DAY).read_all()["name"].to_pylist() == [None]
        assert lake.scan(ruleless, columns=["name"]).read_all()["name"].to_pylist() == ["navn 0000000001"]

    def test_takes_values_as_values_and_never_as_sql(self, lake: Lake) -> None:
        lake.publish(PERSONS, a_delivery([a_row("0000000001")]))
        found = lake.scan(PERSONS, rows={"status": frozenset({"01' OR '1'='1", "'); DROP TABLE x; --"})}).read_all()
        assert found.num_rows == 0

    def test_refuses_a_column_that_is_not_there(self, lake: Lake) -> None:
        lake.publish(PERSONS, a_delivery([a_row("0000000001")]))
        with pytest.raises(KeyError):
            lake.scan(PERSONS, columns=["pnr", 'x" FROM y --'])

    def test_of_nothing_published_says_so(self, lake: Lake) -> None:
        with pytest.raises(DatasetNotReady, match="not been mirrored"):
            lake.scan(PERSONS)


dates = st.none() | st.dates(date(2031, 2, 7), date(2031, 2, 13))
protections = st.none() | st.lists(
    st.fixed_dictionaries({"type": st.sampled_from(["0001", "0002", None]), "from_date": dates, "to_date": dates}),
    max_size=3,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(protections, min_size=1, max_size=12))
def test_sql_and_python_agree_on_who_is_protected(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[object]
) -> None:
    rows = [a_row(f"{number:010d}", protections=each) for number, each in enumerate(drawn)]
    with Lake.open(tmp_path_factory.mktemp("lake"), SETTINGS, write=True) as lake:
        lake.prepare(PERSONS)
        lake.publish(PERSONS, a_delivery(rows))
        shown = lake.scan(PERSONS, hide_protected_on=DAY).read_all().to_pylist()
    assert PERSONS.protection is not None
    for row, seen in zip(rows, shown, strict=True):
        assert (seen["name"] is None) == PERSONS.protection.active(row, DAY)
        assert seen["status"] == "01"


class TestChanges:
    def test_nets_what_happened_to_each_key(self, lake: Lake) -> None:
        start = lake.publish(PERSONS, a_delivery([a_row("0000000001"), a_row("0000000002")])).snapshot
        lake.publish(PERSONS, a_delivery([a_row("0000000001", status="70"), a_row("0000000003")]))
        lake.publish(PERSONS, a_delivery([a_row("0000000001", status="90"), a_row("0000000004")]))
        end = lake.publish(PERSONS, a_delivery([], deletes=["0000000002", "0000000003"])).snapshot
        found = lake.changes(PERSONS, start, end).to_pylist()
        assert [(row["_change"], row["pnr"], row["status"]) for row in found] == [
            ("update", "0000000001", "90"),
            ("delete", "0000000002", None),
            ("insert", "0000000004", "01"),
        ]

    def test_of_no_span_is_empty(self, lake: Lake) -> None:
        at = lake.publish(PERSONS, a_delivery([a_row("0000000001")])).snapshot
        assert lake.changes(PERSONS, at, at).num_rows == 0
        assert lake.changes(PERSONS, at, SnapshotId(at - 1)).num_rows == 0


class TestWriter:
    def test_is_one_at_a_time(self, lake: Lake, tmp_path: Path) -> None:
        with pytest.raises(LakeBusy):
            Lake.open(tmp_path / "lake", SETTINGS, write=True)

    def test_does_not_keep_readers_of_other_processes_out(self, lake: Lake, tmp_path: Path) -> None:
        lake.publish(PERSONS, a_delivery([a_row("0000000001")]))
        script = (
            "import sys; from pathlib import Path; from replica import Lake; from tests.replica.builders import *\n"
            "with Lake.open(Path(sys.argv[1]), SETTINGS, write=False) as lake: print(lake.info(PERSONS).rows)"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "lake")], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "1"

    def test_of_an_encrypted_lake_leaves_no_text_in_its_files(self, lake: Lake, tmp_path: Path) -> None:
        lake.publish(PERSONS, a_delivery([a_row("0000000001", name="Kanariefugl")]))
        files = list((tmp_path / "lake" / "data").rglob("*.parquet"))
        assert files
        assert not any(b"Kanariefugl" in path.read_bytes() for path in files)

    def test_writes_nothing_outside_the_lake(self, lake: Lake, tmp_path: Path) -> None:
        lake.publish(PERSONS, a_delivery([a_row("0000000001")]))
        assert [entry.name for entry in tmp_path.iterdir()] == ["lake"]
