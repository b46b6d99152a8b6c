"""How the datasets stand, told without the engine: always as the mirror itself would tell it."""

import json
from pathlib import Path

import pytest

from replica import DatasetNotReady, Lake, Standing, standing_of
from tests.loading import loaded_by, packages
from tests.replica.builders import PERSONS, SETTINGS, a_delivery, a_row


def publish(folder: Path, *numbers: int) -> Standing:
    """What the mirror says of itself after a delivery of these persons."""
    with Lake.open(folder, SETTINGS, write=True) as lake:
        lake.prepare(PERSONS)
        lake.publish(PERSONS, a_delivery([a_row(f"{number:010d}") for number in numbers]))
        return Standing(lake.infos(), lake.last_runs())


def test_it_is_told_as_the_mirror_tells_it_after_each_publication(tmp_path: Path) -> None:
    for numbers in ((1, 2), (2, 3), (3,)):
        # The last one changes no row, and is a run all the same.
        told = publish(tmp_path, *numbers)
        assert [standing_of(tmp_path, SETTINGS) for _ in range(2)] == [told] * 2
        assert len(told.infos) == len(told.runs) == 1


def test_asked_again_it_needs_no_engine(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    code = (
        "from pathlib import Path\nfrom replica import ReplicaSettings, standing_of\n"
        f"standing_of(Path({str(tmp_path)!r}), ReplicaSettings())"
    )
    first, second = (packages(loaded_by(code)) & {"duckdb", "polars", "sqlglot"} for _ in range(2))
    assert "duckdb" in first
    assert not second


@pytest.mark.parametrize("damage", ["cut", "another form", "another state", "no object", "another shape", "gone"])
def test_what_is_kept_is_believed_only_while_it_is_whole_and_of_this_state(tmp_path: Path, damage: str) -> None:
    told = publish(tmp_path, 1)
    standing_of(tmp_path, SETTINGS)
    file = tmp_path / "standing.json"
    kept = json.loads(file.read_text())
    assert file.stat().st_mode & 0o077 == 0
    match damage:
        case "cut":
            file.write_bytes(file.read_bytes()[:-20])
        case "another form":
            file.write_text(json.dumps(kept | {"form": 0, "infos": []}))
        case "another state":
            # Of a mirror that was put back from a copy: the same number, another time.
            file.write_text(
                json.dumps(kept | {"mark": [kept["mark"][0], "2020-01-01", *kept["mark"][2:]], "infos": []})
            )
        case "no object":
            file.write_text("[]")
        case "another shape":
            file.write_text(json.dumps(kept | {"infos": [{"dataset": "x"}]}))
        case _:
            file.unlink()
    assert standing_of(tmp_path, SETTINGS) == told
    assert json.loads(file.read_text()) == kept


def test_before_the_first_publication_there_is_nothing_to_tell(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotReady):
        standing_of(tmp_path, SETTINGS)
