import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from replica import DatasetNotReady, Lake, LookupReader, Lookups, Mode, refresh_segments
from replica.parts import Pointer
from replica.reading import PACKED_ROWS
from schemas import Column, Dataset, Kind
from tests.replica.builders import DAY, PERSONS, SETTINGS, a_delivery, a_row

WORDS = Dataset(
    register="r",
    name="words",
    key="word",
    columns=(Column(name="word", kind=Kind.TEXT, required=True), Column(name="number", kind=Kind.INTEGER)),
)


def reader_of(root: Path, dataset: Dataset = PERSONS) -> LookupReader:
    return Lookups(root / "segments", [dataset.id]).reader(dataset.id)


def published(
    root: Path, rows: list[dict[str, Any]], mode: Mode = Mode.DELTA, *, dataset: Dataset = PERSONS, **more: Any
) -> None:
    with Lake.open(root / "lake", SETTINGS, write=True) as lake:
        lake.prepare(dataset)
        lake.publish(dataset, a_delivery(rows, mode, dataset=dataset, **more))
        refresh_segments(lake, dataset, root / "segments", SETTINGS)


class TestLookup:
    def test_maps_its_rows_and_copies_none(self, tmp_path: Path) -> None:
        """Of a dataset whose segments hold a column that no lookup reads, too."""
        published(tmp_path, [a_row(f"{number:010}", name="et langt navn " * 20) for number in range(3_000)])
        (rows,) = (tmp_path / "segments").rglob("rows.arrow")
        before = pa.total_allocated_bytes()
        reader = reader_of(tmp_path)
        assert reader.get("0000000007") is not None
        assert pa.total_allocated_bytes() - before < rows.stat().st_size / 10

    def test_gives_the_whole_row(self, tmp_path: Path) -> None:
        # With line ends that only Unicode knows, quotes, and dates that must come back as dates.
        odd = 'a\u2028b\u0085c\n"d"\\ æøå'
        row = a_row(
            "0102034567",
            name=odd,
            protections=[
                {"type": odd, "from_date": DAY, "to_date": None},
                {"type": None, "from_date": None, "to_date": DAY},
            ],
        )
        published(tmp_path, [row, a_row("0000000001")])
        assert reader_of(tmp_path).get("0102034567") == row

    def test_gives_chosen_columns(self, tmp_path: Path) -> None:
        published(tmp_path, [a_row("0000000001")])
        reader = reader_of(tmp_path)
        assert reader.get("0000000001", ("status", "pnr")) == {"status": "01", "pnr": "0000000001"}
        assert reader.get("0000000001", ("protections",)) == {"protections": []}

    @pytest.mark.parametrize(
        "key", ["", "1", "01", "00000000001", "x", "000000000x", "٠٠٠٠٠٠٠٠٠١", "0000000001\0", "-1"]
    )
    def test_does_not_take_one_key_for_another(self, tmp_path: Path, key: str) -> None:
        published(tmp_path, [a_row("0000000001")])
        assert reader_of(tmp_path).get(key) is None

    def test_of_many_keys_is_of_one_snapshot_and_in_their_order(self, tmp_path: Path) -> None:
        published(tmp_path, [a_row(f"{n:010d}") for n in range(10)])
        found, info = reader_of(tmp_path).get_many(["0000000007", "9999999999", "0000000002"])
        assert list(found) == ["0000000007", "0000000002"]
        assert info.rows == 10

    @pytest.mark.parametrize("keys", [["0000000007"], ["9999999999"], ["0000000007"] * 2, ["9999999999"] * 2, []])
    def test_of_many_keys_that_are_one_or_none(self, tmp_path: Path, keys: list[str]) -> None:
        published(tmp_path, [a_row(f"{n:010d}") for n in range(10)])
        reader = reader_of(tmp_path)
        found, _ = reader.get_many(keys, ("status", "protections"))
        assert found == {key: {"status": "01", "protections": []} for key in keys if key < "9"}

    def test_knows_keys_of_any_shape(self, tmp_path: Path) -> None:
        words = ["a", "ab", "æ", "851", "0851", "x" * 40, "å b"]
        published(tmp_path, [{"word": word, "number": n} for n, word in enumerate(words)], dataset=WORDS)
        reader = reader_of(tmp_path, WORDS)
        assert [reader.get(word) for word in words] == [{"word": w, "number": n} for n, w in enumerate(words)]
        assert [reader.get(word) for word in ("", "x" * 41, "ø", "a\0", "0850")] == [None] * 5

    def test_finds_rows_on_both_sides_of_a_batch(self, tmp_path: Path) -> None:
        rows = [{"word": f"{n:07d}", "number": n} for n in range(PACKED_ROWS + 3)]
        published(tmp_path, rows, dataset=WORDS)
        reader = reader_of(tmp_path, WORDS)
        for n in (0, PACKED_ROWS - 1, PACKED_ROWS, PACKED_ROWS + 2):
            assert reader.get(f"{n:07d}") == {"word": f"{n:07d}", "number": n}

    def test_before_the_first_publication_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetNotReady):
            reader_of(tmp_path)


class TestRefresh:
    def test_reaches_readers_that_are_open(self, tmp_path: Path) -> None:
        published(tmp_path, [a_row("0000000001")])
        reader = reader_of(tmp_path)
        published(tmp_path, [a_row("0000000001", status="90"), a_row("0000000002")], deletes=[])
        time.sleep(0.1)
        found = reader.get("0000000001")
        assert found is not None
        assert (found["status"], reader.get("0000000002") is not None) == ("90", True)

    def test_makes_a_delta_for_a_small_change_and_a_base_for_a_large_one(self, tmp_path: Path) -> None:
        many = [a_row(f"{n:010d}") for n in range(6_000)]
        published(tmp_path, many)
        published(tmp_path, [a_row("0000000001", status="90")])
        folder = tmp_path / "segments" / PERSONS.id
        small = Pointer.read(folder)
        assert small is not None
        assert [part.rows for part in small.parts] == [1, 6_000]
        published(tmp_path, [{**row, "status": "80"} for row in many[:3_000]])
        large = Pointer.read(folder)
        assert large is not None
        assert [part.rows for part in large.parts] == [6_000]
        assert {entry.name for entry in folder.iterdir() if entry.is_dir()} == {part.name for part in large.parts}

    def test_sweeps_what_a_killed_writer_left_even_when_nothing_changed(self, tmp_path: Path) -> None:
        published(tmp_path, [a_row("0000000001")])
        folder = tmp_path / "segments" / PERSONS.id
        (folder / ".pointer.json.part").write_text("{")
        (folder / "a part half written").mkdir()
        published(tmp_path, [a_row("0000000001")])
        assert not (folder / ".pointer.json.part").exists()
        assert not (folder / "a part half written").exists()

    def test_forgets_a_row_that_was_deleted_and_remembers_it_when_it_comes_back(self, tmp_path: Path) -> None:
        published(tmp_path, [a_row("0000000001"), a_row("0000000002")])
        published(tmp_path, [], deletes=["0000000001"])
        assert reader_of(tmp_path).get("0000000001") is None
        published(tmp_path, [a_row("0000000001", status="05")])
        found = reader_of(tmp_path).get("0000000001")
        assert found is not None
        assert found["status"] == "05"

    @pytest.mark.parametrize("damage", ["pointer.json", "rows.arrow", "schema.arrow", "all"])
    def test_makes_anew_what_is_missing_or_damaged(self, tmp_path: Path, damage: str) -> None:
        published(tmp_path, [a_row("0000000001")])
        folder = tmp_path / "segments" / PERSONS.id
        for path in [path for path in folder.rglob("*") if path.is_file() and (damage in {path.name, "all"})]:
            path.unlink() if damage != "pointer.json" else path.write_text("{")
        published(tmp_path, [a_row("0000000002")])
        reader = reader_of(tmp_path)
        assert reader.get("0000000001") is not None
        assert reader.get("0000000002") is not None

    def test_keeps_strangers_out_of_the_rows(self, tmp_path: Path) -> None:
        published(tmp_path, [a_row("0000000001")])
        folder = tmp_path / "segments" / PERSONS.id
        assert folder.stat().st_mode & 0o077 == 0
        assert all(entry.stat().st_mode & 0o077 == 0 for entry in folder.iterdir() if entry.is_dir())


WRITER = """
import sys
from pathlib import Path
from dataclasses import replace
from replica import Lake, Mode, fold_segments, refresh_segments
from replica import segments
segments.SMALL_ROWS = 0
from tests.replica.builders import DAY, PERSONS, SETTINGS, a_delivery, a_row
root = Path(sys.argv[1])
with Lake.open(root / "lake", SETTINGS, write=True) as lake:
    lake.prepare(PERSONS)
    last = lake.last_run("a source")
    turn = int(last.cursor) + 1 if last else 1
    while True:
        rows = [a_row(f"{n:010d}", status=f"{turn:02d}") for n in range(40)]
        lake.publish(PERSONS, a_delivery(rows, cursor=str(turn)))
        print(turn, flush=True)
        refresh_segments(lake, PERSONS, root / "segments", replace(SETTINGS, fold_share=10.0))
        fold_segments(PERSONS, root / "segments", replace(SETTINGS, fold_share=0.0))
        turn += 1
"""


@pytest.mark.slow
def test_kill_9_anywhere_leaves_a_whole_snapshot_that_its_cursor_matches(tmp_path: Path) -> None:
    chance = random.Random(20311231)
    acknowledged = 0
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True, env={**os.environ}
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0, 0.6))
        process.kill()
        turns = [line.strip() for line in process.communicate()[0].splitlines()]
        acknowledged = max([acknowledged, *(int(turn) for turn in turns if turn.isdigit())])
        with Lake.open(tmp_path / "lake", SETTINGS, write=True) as lake:
            last = lake.last_run("a source")
            states = set(lake.scan(PERSONS, columns=["status"]).read_all()["status"].to_pylist())
            assert last is not None
            assert states == {f"{int(last.cursor):02d}"}
            assert int(last.cursor) >= acknowledged
            refresh_segments(lake, PERSONS, tmp_path / "segments", SETTINGS)
        reader = reader_of(tmp_path)
        shown = {row["status"] for row in (reader.get(f"{n:010d}") for n in range(40)) if row is not None}
        assert shown == states
        folder = tmp_path / "segments" / PERSONS.id
        assert not [entry for entry in folder.iterdir() if entry.name.endswith(".part")]
