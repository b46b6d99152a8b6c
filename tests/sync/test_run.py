"""The night road with a real lake: what is published, what is not, and that the counts add up."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from replica import Lake, Mode, ReplicaSettings
from schemas import Dataset, ForeignKey, Limit, RowCount, Rule
from sync import (
    CprSpec,
    CsvSpec,
    FolderSpec,
    Outcome,
    Progress,
    RunReport,
    SourceSpec,
    SourceUnreachable,
    Stage,
    generate,
    generate_changes,
    run_source,
)
from sync.testdata import PRODUCTION
from sync.testdata.places import municipalities_csv
from tests.sync.conftest import FixedClock, real_data

NEXT = date(2026, 11, 2)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake.open(tmp_path / "lake", ReplicaSettings(), write=True) as opened:
        yield opened


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


def cpr(inbox: Path, **settings: object) -> SourceSpec:
    spec = SourceSpec(
        name="cpr-persons",
        dataset="cpr.persons",  # type: ignore[arg-type]
        connector=FolderSpec(path=inbox, pattern="d??????.l*"),
        decoder=CprSpec(),
        mode=Mode.DELTA,
    )
    return dataclasses.replace(spec, **settings)  # type: ignore[arg-type]


def registers(inbox: Path) -> SourceSpec:
    return SourceSpec(
        name="municipalities",
        dataset="municipality.municipalities",  # type: ignore[arg-type]
        connector=FolderSpec(path=inbox, pattern="*.csv"),
        decoder=CsvSpec(),
        mode=Mode.FULL,
    )


def run(spec: SourceSpec, dataset: Dataset, lake: Lake, *, accept: bool = False) -> RunReport:
    assert isinstance(spec.connector, FolderSpec)
    work = spec.connector.path.parent / "work"
    report = run_source(spec, dataset, lake, clock=FixedClock(), work=work, accept=accept)
    assert list(work.iterdir()) == []
    for file in report.files:
        assert file.lines_in == file.lines_envelope + file.lines_passed + file.lines_quarantined
        if file.outcome is not Outcome.REFUSED:
            assert file.rows_in == file.published + file.unchanged + file.rows_quarantined
        assert sum(file.reasons.values()) == file.lines_quarantined
    return report


def mirrored(lake: Lake, dataset: Dataset) -> dict[str, dict[str, object]]:
    return {row[dataset.key]: row for row in lake.scan(dataset).read_all().to_pylist()}


class TestTheRealDelivery:
    def test_is_mirrored_whole_and_loads_nothing_the_second_time(
        self, lake: Lake, inbox: Path, persons: Dataset
    ) -> None:
        delivery = real_data("cpr", "layout_a_80_persons.txt").read_bytes()
        (inbox / "d011119.l110901").write_bytes(delivery)
        first = run(cpr(inbox), persons, lake)
        assert (first.outcome, first.rows_in, first.published, first.lines_in) == (Outcome.PUBLISHED, 80, 80, 1_100)
        rows = mirrored(lake, persons)
        assert rows["0901414025"]["address_text"]["street_address"] == "Toregårdsvej 9,5 tv"  # type: ignore[index]
        info = lake.info(persons)
        assert info is not None
        assert info.as_of == datetime(2001, 11, 19, 23, tzinfo=UTC)

        second = run(cpr(inbox), persons, lake)
        assert (second.outcome, second.files) == (Outcome.NOTHING_NEW, ())
        assert lake.info(persons) == info

        (inbox / "d011120.l110901").write_bytes(delivery)
        assert run(cpr(inbox), persons, lake).outcome is Outcome.NOTHING_NEW


class TestARun:
    def test_publishes_a_status_extract_and_then_its_changes(self, lake: Lake, inbox: Path, persons: Dataset) -> None:
        (inbox / "d261030.l990001").write_bytes(b"".join(generate(400, 1)))
        assert run(cpr(inbox), persons, lake).published == 400
        before = mirrored(lake, persons)
        (inbox / "d261102.l990001").write_bytes(b"".join(generate_changes(400, 1, NEXT, PRODUCTION)))
        report = run(cpr(inbox), persons, lake)
        assert (report.outcome, report.files[0].inserted, report.files[0].updated) == (Outcome.PUBLISHED, 1, 13)
        assert report.warnings == ()
        after = mirrored(lake, persons)
        places = [(before[key]["municipality_code"], after[key]["municipality_code"]) for key in before]
        assert sum(was != now and now is not None for was, now in places) == 4  # a family moved
        assert sum(was is not None and now is None for was, now in places) == 1  # and somebody died
        assert len(after) == 401

    def test_follows_a_person_to_another_number(self, lake: Lake, inbox: Path, persons: Dataset) -> None:
        whole = b"".join(generate(400, 1))
        (inbox / "d261030.l990001").write_bytes(whole)
        run(cpr(inbox), persons, lake)
        before = mirrored(lake, persons)
        changed = next(row for row in before.values() if row["status"] == "60")
        now = before[changed["current_pnr"]]  # type: ignore[index]
        assert changed["pnr"] in [former["pnr"] for former in now["former_numbers"]]  # type: ignore[attr-defined]
        assert now["status"] != "60"

        # Somebody else's number changes: both numbers are in the change extract, under the same person id.
        old, new = next((key, f"{key[:9]}{(int(key[9]) + 2) % 10}") for key, row in before.items() if row["person_id"])
        lines = [line for line in whole.splitlines() if line[3:13] == old.encode()]
        moved = [line[:3] + new.encode() + line[13:] for line in lines] + [f"022{new}{old}1980-01-01".encode()]
        left = [line for line in lines if line[:3] not in (b"002", b"02B", b"060", b"037")]
        left = [line[:13] + new.encode() + b"60" + line[25:] if line[:3] == b"001" else line for line in left]
        start = b"000" + b"0" * 10 + b"990001" + b"2026110220261030"
        body = [*moved, *left]
        delivery = b"\n".join([start, *body, b"999" + b"9" * 10 + f"{len(body):08}".encode(), b""])
        (inbox / "d261102.l990001").write_bytes(delivery)
        report = run(cpr(inbox), persons, lake)
        assert (report.outcome, report.quarantined, report.published) == (Outcome.PUBLISHED, 0, 2)
        after = mirrored(lake, persons)
        assert (after[old]["status"], after[old]["current_pnr"]) == ("60", new)
        assert [former["pnr"] for former in after[new]["former_numbers"]] == [old]  # type: ignore[attr-defined]
        assert after[new]["person_id"] == before[old]["person_id"] is not None

    def test_loads_several_files_in_the_order_of_their_names(self, lake: Lake, inbox: Path, persons: Dataset) -> None:
        (inbox / "d261102.l990001").write_bytes(b"".join(generate_changes(400, 1, NEXT, PRODUCTION)))
        (inbox / "d261030.l990001").write_bytes(b"".join(generate(400, 1)))
        report = run(cpr(inbox), persons, lake)
        assert [file.file for file in report.files] == ["d261030.l990001", "d261102.l990001"]
        assert report.files[1].updated == 13

    def test_follows_a_whole_source_back_to_what_it_was(self, lake: Lake, inbox: Path, municipalities: Dataset) -> None:
        head = b"code,name,region,cvr,population\n"
        for name, code in (("a", b"0101"), ("b", b"0147"), ("c", b"0101"), ("d", b"0101")):
            (inbox / f"{name}.csv").write_bytes(head + code + b",Navn,Hovedstaden,64942212,1\n")
            spec = dataclasses.replace(registers(inbox), max_deleted_share=1.0)
            outcome = run(spec, municipalities, lake).outcome
            assert outcome is (Outcome.NOTHING_NEW if name == "d" else Outcome.PUBLISHED)
            assert set(mirrored(lake, municipalities)) == {code.decode()}

    def test_finds_nothing_to_do_in_a_file_that_says_what_the_mirror_holds(
        self, lake: Lake, inbox: Path, persons: Dataset
    ) -> None:
        delivery = b"".join(generate(40, 1))
        (inbox / "d261030.l990001").write_bytes(delivery)
        run(cpr(inbox), persons, lake)
        (inbox / "d261031.l990001").write_bytes(delivery.replace(b"\n", b"\r\n"))
        report = run(cpr(inbox), persons, lake)
        assert (report.outcome, report.unchanged, report.published) == (Outcome.UNCHANGED, 40, 0)

    def test_stores_every_line_that_it_holds_back_with_its_reason(
        self, lake: Lake, inbox: Path, persons: Dataset
    ) -> None:
        lines = b"".join(generate(40, 1)).split(b"\n")
        index = next(i for i, line in enumerate(lines) if line.startswith(b"004"))
        broken, owner = lines[index][:15], lines[index][3:13]
        lines[index] = broken
        (inbox / "d261030.l990001").write_bytes(b"\n".join(lines))
        report = run(cpr(inbox), persons, lake)
        assert (report.outcome, report.published, report.quarantined) == (Outcome.PUBLISHED, 39, 1)
        assert report.reasons["line_cut"] == 1
        assert owner.decode() not in mirrored(lake, persons)
        stored = lake.quarantined(persons).to_pylist()
        assert len(stored) == report.lines_quarantined
        (line,) = (row for row in stored if row["rule"] == "line_cut")
        assert (line["file"], line["line"], line["text"]) == ("d261030.l990001", index + 1, broken.decode())
        assert line["reason"] == "004 BESKYTTYPE at 14+4: not 4 digits"

    def test_keeps_the_former_version_of_a_person_it_holds_back(
        self, lake: Lake, inbox: Path, persons: Dataset
    ) -> None:
        delivery = b"".join(generate(40, 1))
        (inbox / "d261030.l990001").write_bytes(delivery)
        run(cpr(inbox), persons, lake)
        before = mirrored(lake, persons)
        lines = delivery.replace(b"Pr\xf8ve", b"Nyere").split(b"\n")
        index = next(i for i, line in enumerate(lines) if line.startswith(b"004"))
        owner = lines[index][3:13].decode()
        lines[index] = lines[index][:15]
        (inbox / "d261031.l990001").write_bytes(b"\n".join(lines))
        run(cpr(inbox), persons, lake)
        assert mirrored(lake, persons)[owner] == before[owner]

    def test_publishes_nothing_of_a_delivery_that_was_cut_off(self, lake: Lake, inbox: Path, persons: Dataset) -> None:
        delivery = b"".join(generate(40, 1))
        path = inbox / "d261030.l990001"
        path.write_bytes(delivery[:-500])
        report = run(cpr(inbox), persons, lake)
        assert (report.outcome, report.files[0].code) == (Outcome.REFUSED, "delivery_incomplete")
        assert lake.info(persons) is None
        assert lake.runs() == []
        path.write_bytes(delivery)
        assert run(cpr(inbox), persons, lake).published == 40

    def test_publishes_nothing_when_too_much_is_held_back_and_says_why(
        self, lake: Lake, inbox: Path, persons: Dataset
    ) -> None:
        delivery = b"".join(generate(40, 1)).replace(b"\n009", b"\n778")
        (inbox / "d261030.l990001").write_bytes(delivery)
        report = run(cpr(inbox), persons, lake)
        assert (report.outcome, report.files[0].code) == (Outcome.REFUSED, "quarantine_too_large")
        assert report.reasons["unknown_record"] == 40
        assert report.quarantined == 40
        assert lake.info(persons) is None

    def test_stops_at_the_first_file_that_is_refused(self, lake: Lake, inbox: Path, persons: Dataset) -> None:
        (inbox / "d261030.l990001").write_bytes(b"".join(generate(40, 1))[:-500])
        (inbox / "d261102.l990001").write_bytes(b"".join(generate_changes(40, 1, NEXT, PRODUCTION)))
        report = run(cpr(inbox), persons, lake)
        assert [file.file for file in report.files] == ["d261030.l990001"]

    def test_never_deletes_persons_because_a_delivery_lacks_them(
        self, lake: Lake, inbox: Path, persons: Dataset
    ) -> None:
        (inbox / "d261030.l990001").write_bytes(b"".join(generate(40, 1)))
        run(cpr(inbox), persons, lake)
        (inbox / "d261102.l990001").write_bytes(b"".join(generate(8, 1)))
        assert run(cpr(inbox), persons, lake).deleted == 0
        assert len(mirrored(lake, persons)) == 40

    def test_refuses_a_full_load_that_would_delete_too_much(self, lake: Lake, inbox: Path, persons: Dataset) -> None:
        full = cpr(inbox, mode=Mode.FULL)
        (inbox / "d261030.l990001").write_bytes(b"".join(generate(40, 1)))
        run(full, persons, lake)
        (inbox / "d261102.l990001").write_bytes(b"".join(generate(8, 1)))
        report = run(full, persons, lake)
        assert (report.outcome, report.files[0].code) == (Outcome.REFUSED, "source_shrank")
        assert len(mirrored(lake, persons)) == 40

    def test_tells_how_far_it_is(self, lake: Lake, inbox: Path, persons: Dataset) -> None:
        (inbox / "d261030.l990001").write_bytes(b"".join(generate(40, 1)))
        told: list[Progress] = []
        run_source(cpr(inbox), persons, lake, clock=FixedClock(), work=inbox.parent / "work", progress=told.append)
        assert [each.stage for each in told] == [Stage.READING, Stage.DECODING, Stage.PUBLISHING, Stage.PUBLISHING]
        assert told[0].done == told[0].total == (inbox / "d261030.l990001").stat().st_size
        assert told[1].done == 40

    def test_says_itself_in_one_line_without_personal_data(self, lake: Lake, inbox: Path, persons: Dataset) -> None:
        (inbox / "d261030.l990001").write_bytes(b"".join(generate(40, 1)))
        line = run(cpr(inbox), persons, lake).one_line()
        assert line.startswith("cpr-persons: published: 40 rows in, 40 published, 0 unchanged, 0 held back in ")

    def test_raises_when_the_folder_is_not_there(self, lake: Lake, tmp_path: Path, persons: Dataset) -> None:
        with pytest.raises(SourceUnreachable):
            run(cpr(tmp_path / "nowhere"), persons, lake)


class TestAFullLoadOfMunicipalities:
    HEAD = "code,name,region,cvr,population\n"

    def test_publishes_all_98(self, lake: Lake, inbox: Path, municipalities: Dataset) -> None:
        (inbox / "municipalities.csv").write_bytes(municipalities_csv())
        report = run(registers(inbox), municipalities, lake)
        assert (report.outcome, report.published) == (Outcome.PUBLISHED, 98)
        rows = mirrored(lake, municipalities)
        assert rows["0751"]["name"] == "Aarhus"
        assert {row["region_code"] for row in rows.values()} == {"1081", "1082", "1083", "1084", "1085"}
        assert sum(row["population"] for row in rows.values()) == 5_805_991  # type: ignore[misc]

    def test_deletes_what_the_file_lacks(self, lake: Lake, inbox: Path, municipalities: Dataset) -> None:
        path = inbox / "municipalities.csv"
        path.write_bytes(municipalities_csv())
        run(registers(inbox), municipalities, lake)
        path.write_bytes(b"".join(municipalities_csv().splitlines(keepends=True)[:-1]))
        report = run(registers(inbox), municipalities, lake)
        assert (report.deleted, report.unchanged) == (1, 97)

    def test_deletes_nothing_when_a_line_was_held_back(self, lake: Lake, inbox: Path, municipalities: Dataset) -> None:
        path = inbox / "municipalities.csv"
        path.write_bytes(municipalities_csv())
        run(registers(inbox), municipalities, lake)
        path.write_bytes(municipalities_csv().replace(b"623404", b"many"))
        report = run(registers(inbox), municipalities, lake)
        assert (report.deleted, report.unchanged, report.quarantined) == (0, 97, 1)
        assert report.warnings == ("municipalities.csv: nothing was deleted, since 1 lines were held back",)

    def test_holds_back_rows_that_break_the_contract(self, lake: Lake, inbox: Path, municipalities: Dataset) -> None:
        rows = ["0101,København,,64942212,1", "101,Kort,,64942212,1", "0147,Frederiksberg,,11259979,-1"]
        (inbox / "municipalities.csv").write_text(self.HEAD + "\n".join(rows), encoding="utf-8")
        spec = dataclasses.replace(registers(inbox), max_quarantine_share=0.9)
        report = run(spec, municipalities, lake)
        assert report.reasons == {"pattern": 1, "minimum": 1}
        assert (report.published, report.quarantined) == (1, 2)
        stored = {row["line"]: row["rule"] for row in lake.quarantined(municipalities).to_pylist()}
        assert stored == {3: "pattern", 4: "minimum"}

    def test_holds_back_a_company_number_without_its_check_digit(
        self, lake: Lake, inbox: Path, municipalities: Dataset
    ) -> None:
        (inbox / "municipalities.csv").write_text(self.HEAD + "0101,Kbh,,64942213,1\n0147,F,,11259979,1\n", "utf-8")
        report = run(dataclasses.replace(registers(inbox), max_quarantine_share=0.9), municipalities, lake)
        assert (report.published, report.reasons) == (1, {"check_digit": 1})

    def test_follows_keys_into_the_mirror(self, lake: Lake, inbox: Path, municipalities: Dataset) -> None:
        (inbox / "municipalities.csv").write_bytes(municipalities_csv())
        other = dataclasses.replace(
            municipalities,
            name="friends",
            rules=(
                Rule(
                    name="foreign_key",
                    test=ForeignKey(path=("code",), dataset=municipalities.id, column="code"),
                    reason="code: not there",
                ),
            ),
        )
        spec = dataclasses.replace(registers(inbox), name="friends", dataset=other.id, max_quarantine_share=0.9)
        first = run(spec, other, lake)
        assert (first.outcome, first.files[0].code) == (Outcome.REFUSED, "reference_not_ready")
        run(registers(inbox), municipalities, lake)
        assert run(spec, other, lake).published == 98
        (inbox / "municipalities.csv").write_text(self.HEAD + "0101,Kbh,,64942212,1\n0999,Ny,,,1\n", "utf-8")
        report = run(dataclasses.replace(spec, mode=Mode.DELTA), other, lake)
        assert report.reasons == {"foreign_key": 1}

    def test_is_refused_by_a_limit_of_the_contract_unless_an_operator_accepts(
        self, lake: Lake, inbox: Path, municipalities: Dataset
    ) -> None:
        (inbox / "municipalities.csv").write_bytes(municipalities_csv())
        limit = Limit(operator="mustBeGreaterThan", values=(98,))
        many = dataclasses.replace(
            municipalities, rules=(Rule(name="row_count", test=RowCount(), reason="rows", limit=limit),)
        )
        refused = run(registers(inbox), many, lake).files[0]
        assert (refused.outcome, refused.code, refused.rows_in) == (Outcome.REFUSED, "quality_refused", 98)
        assert lake.info(many) is None
        accepted = run(registers(inbox), many, lake, accept=True)
        assert accepted.published == 98
        assert any("accepted: rows: 98 of 98 rows" in warning for warning in accepted.warnings)
