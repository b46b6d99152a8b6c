"""Tables follow contracts: columns come, go, get other names and wider types, and the rows stay."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from replica import AppliedContract, Lake
from replica.evolution import alter
from replica.lookup import Lookups
from replica.segments import refresh_segments
from schemas import Column, Dataset, Kind
from tests.replica.builders import SETTINGS, a_delivery

TEXT, WHOLE = Kind.TEXT, Kind.INTEGER
PLACE = Column(name="place", kind=Kind.OBJECT, fields=(Column(name="x", kind=WHOLE), Column(name="y", kind=TEXT)))
CALLS = Column(
    name="calls",
    kind=Kind.ARRAY,
    item=Column(name="item", kind=Kind.OBJECT, fields=(Column(name="port", kind=TEXT), Column(name="n", kind=WHOLE))),
)
SHIPS = Dataset(
    register="ships",
    name="ships",
    key="imo",
    columns=(
        Column(name="imo", kind=TEXT),
        Column(name="name", kind=TEXT),
        Column(name="tons", kind=WHOLE),
        PLACE,
        CALLS,
    ),
)
ROW = {"imo": "1", "name": "Ask", "tons": 7, "place": {"x": 1, "y": "a"}, "calls": [{"port": "DK", "n": 2}]}
NOW = datetime(2031, 2, 10, 12, tzinfo=UTC)


def contract(version: str = "1.1.0") -> AppliedContract:
    return AppliedContract(register="ships", version=version, applied=NOW, files={"ships.odcs.yaml": "æ"})


def ships(*columns: Column) -> Dataset:
    return replace(SHIPS, columns=columns)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake.open(tmp_path / "lake", SETTINGS, write=True) as opened:
        opened.prepare(SHIPS)
        opened.publish(SHIPS, a_delivery([ROW], dataset=SHIPS))
        yield opened


def evolved(lake: Lake, new: Dataset) -> dict[str, object]:
    lake.evolve(contract(), [(SHIPS, new)])
    (row,) = lake.scan(new).read_all().to_pylist()
    found: dict[str, object] = row
    return found


IMO, NAME, TONS = SHIPS.columns[:3]


class TestATable:
    def test_gets_columns_that_are_null_in_the_rows_there_are(self, lake: Lake) -> None:
        new = ships(IMO, Column(name="flag", kind=TEXT), *SHIPS.columns[1:])
        assert evolved(lake, new) == {**ROW, "flag": None}
        lake.publish(new, a_delivery([{**ROW, "imo": "2", "flag": "DK"}], dataset=new))
        assert lake.scan(new, columns=["imo", "flag"]).read_all()["flag"].to_pylist() == [None, "DK"]

    def test_loses_columns(self, lake: Lake) -> None:
        assert evolved(lake, ships(IMO, TONS)) == {"imo": "1", "tons": 7}

    def test_calls_columns_by_another_name_which_may_be_that_of_one_that_goes(self, lake: Lake) -> None:
        new = ships(IMO, Column(name="title", kind=TEXT, previous_name="name"), Column(name="name", kind=WHOLE))
        # The old name is taken again, so this is no renaming but a new column and another type.
        with pytest.raises(ValueError, match="name is integer, and was string"):
            lake.evolve(contract(), [(SHIPS, new)])
        assert evolved(lake, ships(IMO, Column(name="title", kind=TEXT, previous_name="name"))) == {
            "imo": "1", "title": "Ask",
        }  # fmt: skip

    def test_may_have_its_key_renamed(self, lake: Lake) -> None:
        new = replace(ships(Column(name="id", kind=TEXT, previous_name="imo"), NAME), key="id")
        assert evolved(lake, new) == {"id": "1", "name": "Ask"}

    def test_holds_wider_types(self, lake: Lake) -> None:
        assert evolved(lake, ships(IMO, replace(TONS, kind=Kind.NUMBER))) == {"imo": "1", "tons": 7.0}

    def test_follows_within_objects_and_arrays(self, lake: Lake) -> None:
        place = replace(PLACE, fields=(Column(name="z", kind=TEXT), Column(name="x", kind=Kind.NUMBER)))
        item = Column(
            name="item",
            kind=Kind.OBJECT,
            fields=(
                Column(name="at", kind=Kind.TIMESTAMP),
                Column(name="harbour", kind=TEXT, previous_name="port"),
                Column(name="n", kind=Kind.NUMBER),
            ),
        )
        new = ships(IMO, place, replace(CALLS, item=item))
        assert evolved(lake, new) == {
            "imo": "1",
            "place": {"z": None, "x": 1.0},
            "calls": [{"at": None, "harbour": "DK", "n": 2.0}],
        }
        more = {"imo": "2", "place": {"z": "q", "x": 2.5}, "calls": [{"at": None, "harbour": "SE", "n": 0.5}]}
        lake.publish(new, a_delivery([more], dataset=new))
        assert lake.scan(new).read_all().to_pylist()[1] == more

    def test_keeps_what_it_cannot_turn_into_something_else(self, lake: Lake) -> None:
        for new in (
            ships(IMO, NAME, replace(TONS, kind=TEXT)),
            replace(SHIPS, key="name"),
            ships(IMO, replace(PLACE, kind=TEXT, fields=())),
        ):
            with pytest.raises(ValueError):
                lake.evolve(contract(), [(SHIPS, new)])
        assert lake.scan(SHIPS).read_all().to_pylist() == [ROW]
        assert lake.applied() == {}

    def test_stays_as_it_is_for_a_contract_that_changes_no_column(self, lake: Lake) -> None:
        before = lake.info(SHIPS)
        lake.evolve(contract(), [(SHIPS, replace(SHIPS, title="Ships"))])
        assert lake.info(SHIPS) == before
        assert alter(SHIPS, SHIPS) == ()

    def test_that_is_not_there_yet_is_made_by_the_first_delivery(self, lake: Lake) -> None:
        boats = replace(SHIPS, name="boats")
        lake.evolve(contract(), [(boats, replace(boats, columns=(IMO,)))])
        assert lake.applied()["ships"] == contract()


class TestTheContract:
    def test_is_remembered_with_its_files(self, lake: Lake) -> None:
        lake.evolve(contract(), [])
        lake.evolve(replace(contract("2.0.0"), applied=NOW.replace(year=2032)), [])
        assert lake.applied()["ships"].version == "2.0.0"
        assert lake.applied()["ships"].files == {"ships.odcs.yaml": "æ"}

    def test_gives_the_dataset_a_snapshot_that_has_its_columns(self, lake: Lake) -> None:
        before = lake.info(SHIPS)
        new = ships(IMO, Column(name="flag", kind=TEXT))
        evolved(lake, new)
        after = lake.info(new)
        assert before is not None
        assert after is not None
        assert after.snapshot > before.snapshot
        assert (after.rows, after.as_of) == (before.rows, before.as_of)
        assert lake.scan(new, snapshot=after.snapshot).read_all().num_rows == 1


def test_a_snapshot_from_before_is_read_with_nothing_in_what_came_later(lake: Lake) -> None:
    before = lake.info(SHIPS)
    assert before is not None
    place = replace(PLACE, fields=(Column(name="z", kind=TEXT), *PLACE.fields))
    new = ships(IMO, Column(name="flag", kind=TEXT), replace(TONS, kind=Kind.NUMBER), place)
    evolved(lake, new)
    then = {"imo": "1", "flag": None, "tons": 7.0, "place": {"z": None, "x": 1, "y": "a"}}
    assert lake.scan(new, snapshot=before.snapshot).read_all().to_pylist() == [then]
    assert lake.records(new, ["1"], before.snapshot, new.names).to_pylist() == [then]


def test_lookups_follow(lake: Lake, tmp_path: Path) -> None:
    refresh_segments(lake, SHIPS, tmp_path / "segments", SETTINGS)
    new = ships(IMO, Column(name="flag", kind=TEXT), replace(TONS, kind=Kind.NUMBER))
    evolved(lake, new)
    refresh_segments(lake, new, tmp_path / "segments", SETTINGS)
    assert Lookups(tmp_path / "segments", [new.id]).reader(new.id).get("1") == {"imo": "1", "flag": None, "tons": 7.0}


KILLED = """
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from replica import Lake
from tests.replica.builders import SETTINGS
from tests.replica.test_evolution import SHIPS, contract, ships, IMO
from schemas import Column, Kind
with Lake.open(Path(sys.argv[1]), SETTINGS, write=True) as lake:
    print("ready", flush=True)
    old = SHIPS
    for number in range(10_000):
        new = ships(IMO, *(Column(name=f"c{number}_{place}", kind=Kind.TEXT) for place in range(5)))
        lake.evolve(replace(contract(f"{number}.0.0"), applied=datetime.now(UTC)), [(old, new)])
        print(number, flush=True)
        old = new
"""


def test_a_crash_leaves_the_old_contract_or_the_new(tmp_path: Path) -> None:
    with Lake.open(tmp_path / "lake", SETTINGS, write=True) as opened:
        opened.prepare(SHIPS)
        opened.publish(SHIPS, a_delivery([ROW], dataset=SHIPS))
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "lake")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    # Once it has changed something, however long that takes: in the middle of what follows.
    assert [process.stdout.readline() for _ in range(3)] == ["ready\n", "0\n", "1\n"]
    time.sleep(0.4)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with Lake.open(tmp_path / "lake", SETTINGS, write=True) as opened:
        number = int(opened.applied()["ships"].version.partition(".")[0])
        now = ships(IMO, *(Column(name=f"c{number}_{place}", kind=TEXT) for place in range(5)))
        assert opened.scan(now).read_all().num_rows == 1
        opened.publish(now, a_delivery([{"imo": "2", f"c{number}_4": "new"}], dataset=now))
        assert opened.scan(now).read_all().num_rows == 2
