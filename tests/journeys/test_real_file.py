"""The register's own kind of file, through the command line to a lookup."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kernel import DatasetId
from replica import LookupReader, Lookups
from tests.journeys.platform import knudepunkt
from tests.sync.conftest import real_data
from tests.sync.slow_reader import account, read

FILE = ("cpr", "layout_a_80_persons.txt")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    knudepunkt("init", "--environment", "production", instance=tmp_path / "instance")
    return tmp_path / "instance"


def delivered(root: Path, content: bytes, name: str = "d011119.l110901") -> dict[str, Any]:
    (root / "inbox" / "cpr" / name).write_bytes(content)
    done = knudepunkt("sync", "cpr-persons", "--json", instance=root, check=False)
    assert "Traceback" not in done.stderr
    report: dict[str, Any] = json.loads(done.stdout)[0]
    assert done.returncode == (1 if report["outcome"] == "refused" else 0)
    return report


def reader_of(root: Path) -> LookupReader:
    return Lookups(root / "segments", [DatasetId("cpr.persons")]).reader(DatasetId("cpr.persons"))


def test_every_field_of_every_person_comes_back_from_a_lookup(root: Path) -> None:
    content = real_data(*FILE).read_bytes()
    report = delivered(root, content)
    assert (report["outcome"], report["rows_in"], report["published"], report["quarantined"]) == (
        "published",
        80,
        80,
        0,
    )
    readings = [each for each in read(content) if each.pnr]
    reader = reader_of(root)
    seen: Counter[str] = Counter()
    for pnr in {each.pnr for each in readings}:
        row = reader.get(pnr)
        assert row is not None
        seen += account([each for each in readings if each.pnr == pnr], row)
    assert sum(seen.values()) == sum(len(each.values) for each in readings) > 5_000


def test_the_same_file_again_publishes_nothing(root: Path) -> None:
    content = real_data(*FILE).read_bytes()
    delivered(root, content)
    before = reader_of(root).info
    assert delivered(root, content, "d011120.l110901")["outcome"] == "nothing_new"
    assert reader_of(root).info.snapshot == before.snapshot


def test_broken_lines_are_held_back_and_the_counts_add_up(root: Path) -> None:
    lines = real_data(*FILE).read_bytes().split(b"\n")
    persons = [number for number, line in enumerate(lines) if line.startswith(b"001")]
    names = [number for number, line in enumerate(lines) if line.startswith(b"008")]
    lines[names[3]] = lines[names[3]][:9]
    lines[persons[7]] = lines[persons[7]][:23] + b"xx" + lines[persons[7]][25:]
    lines.insert(persons[9], b"777" + lines[persons[9]][3:13] + b"what is this")
    content = b"\n".join(lines).replace(b"00001098", b"00001099")
    report = delivered(root, content)
    assert report["outcome"] == "published"
    assert report["rows_in"] == report["published"] + report["unchanged"] + report["quarantined"]
    assert report["reasons"].keys() >= {"line_cut", "wrong_type", "unknown_record", "person_held_back"}
    assert sum(report["reasons"].values()) == report["lines_quarantined"]
    assert reader_of(root).info.rows == report["published"] < 80


def test_a_delivery_without_its_end_record_is_not_published_at_all(root: Path) -> None:
    content = real_data(*FILE).read_bytes()
    report = delivered(root, content[: content.rindex(b"999")])
    assert report["outcome"] == "refused"
    assert "end record" in report["message"]
    assert not (root / "segments" / "cpr.persons" / "pointer.json").exists()
