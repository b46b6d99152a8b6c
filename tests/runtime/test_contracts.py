"""Contracts are planned and applied on a real instance: rows stay, agreements are named, nothing half done."""

import json
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from control import OrganisationKind, ServiceTerms, Step, Terms
from kernel import DatasetId, ServiceName, SystemClock, Window
from replica import Lake, Lookups
from runtime.cli import app
from runtime.contracts import ContractNotApplied
from runtime.founding import found_instance
from runtime.instance import Instance
from runtime.mirroring import Mirroring
from runtime.settings import load_settings
from runtime.wiring import open_control
from tests.schemas.builders import a_contract, a_service, custom, write

SHIPS = DatasetId("ships.ships")
NAME: dict[str, Any] = {"name": "name", "logicalType": "string"}
FLAG: dict[str, Any] = {"name": "flag", "logicalType": "string"}
SOURCE = """\
name: ships
dataset: ships.ships
connector: {kind: folder, path: inbox/ships}
decoder: {kind: csv}
mode: delta
"""


@dataclass(frozen=True)
class Yard:
    """An instance with one register of its own, and what its tests do to it."""

    instance: Instance

    def promise(self, *columns: dict[str, Any], version: str = "1.0.0", **dataset: Any) -> None:
        contract = deepcopy(a_contract(*columns, **dataset)) | {"version": version}
        folder = write(self.instance.registers / "ships", contract=contract, services=(a_service(),))
        (folder / "ships.source.yaml").write_text(SOURCE, "utf-8")

    def deliver(self, *lines: str) -> None:
        inbox = self.instance.inbox / "ships"
        inbox.mkdir(exist_ok=True)
        (inbox / f"{len(list(inbox.iterdir()))}.csv").write_text("\n".join(lines) + "\n", "utf-8")
        mirroring = self.mirroring()
        with self.lake() as lake:
            (source,) = mirroring.named(["ships"])
            report = mirroring.run(source, lake)
        assert report.ok, report.message

    def lake(self) -> Lake:
        return Lake.open(self.instance.lake, load_settings(self.instance.settings_file).replica, write=True)

    def mirroring(self) -> Mirroring:
        return Mirroring.of(self.instance, load_settings(self.instance.settings_file), SystemClock())

    def rows(self) -> list[dict[str, Any]]:
        dataset = self.mirroring().registers.dataset(SHIPS)
        with self.lake() as lake:
            found: list[dict[str, Any]] = lake.scan(dataset).read_all().to_pylist()
        return found

    def run(self, *arguments: str) -> tuple[int, Any]:
        """Exit code and JSON of `knudepunkt contract ...`."""
        done = CliRunner().invoke(app, ["contract", *arguments, "--json", "--instance", str(self.instance.root)])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, json.loads(done.stdout)

    def plan(self, *drafts: Path) -> dict[str, Any]:
        _, plans = self.run("plan", *map(str, drafts))
        (found,) = (each for each in plans if each["register"] == "ships")
        assert isinstance(found, dict)
        return found


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    made = Yard(found_instance(tmp_path / "instance", environment="test"))
    made.promise(NAME)
    made.deliver("imo,tonnage,name", "1,10,Ask", "2,20,")
    return made


def agree(yard: Yard, columns: frozenset[str] | None) -> None:
    settings = load_settings(yard.instance.settings_file)
    with open_control(yard.instance, settings) as store:
        municipality = store.find_organisation("11111111") or store.add_organisation(
            OrganisationKind.MUNICIPALITY, "11111111", "Korsbæk"
        )
        supplier = store.find_organisation("12345678") or store.add_organisation(
            OrganisationKind.SUPPLIER, "12345678", "Leverandør"
        )
        system = store.add_system(
            supplier.id, f"Havn {columns and sorted(columns)}", purpose="p", contact="c@example.dk"
        )
        terms = Terms(
            services={ServiceName("ships"): ServiceTerms(columns=columns)}, purpose="p", legal_basis="l", reason="r"
        )
        now = datetime.now(UTC)
        window = Window(now - timedelta(days=1), now + timedelta(days=1))
        drafted = store.draft_agreement(municipality.id, system.id, terms, window)
        store.step(drafted.id, Step.REQUEST, by="test")


class TestAPlan:
    def test_has_nothing_to_say_of_what_is_applied(self, yard: Yard) -> None:
        code, plans = yard.run("plan")
        assert code == 0
        assert "ships" not in {each["register"] for each in plans}

    def test_counts_the_rows_of_the_mirror(self, yard: Yard) -> None:
        yard.promise(NAME | {"required": True}, FLAG, version="1.1.0")
        found = yard.plan()
        told = {change["what"]: (change["place"], change["grade"], change["rows"]) for change in found["changes"]}
        assert told == {
            "required_added": ("ships.name", "compatible", {"touched": None, "empty": None, "broken": 1}),
            "column_added": ("ships.flag", "additive", {"touched": None, "empty": 2, "broken": None}),
        }
        assert (found["grade"], found["fault"], found["refused"]) == ("additive", None, False)

    def test_counts_rows_that_break_a_new_rule(self, yard: Yard) -> None:
        query = "SELECT COUNT(*) FROM {object} WHERE tonnage > 15 OR name IS NULL"
        yard.promise(NAME, quality=[{"type": "sql", "query": query, "mustBe": 0}], version="1.0.1")
        (change,) = yard.plan()["changes"]
        assert (change["what"], change["rows"]["broken"]) == ("rule_added", 1)

    def test_names_who_reads_what_breaks(self, yard: Yard) -> None:
        agree(yard, None)
        agree(yard, frozenset({"imo", "name"}))
        agree(yard, frozenset({"imo", "tonnage"}))
        yard.promise(NAME | {"name": "title", "customProperties": custom(previousName="name")}, version="1.1.0")
        code, plans = yard.run("plan")
        (found,) = (each for each in plans if each["register"] == "ships")
        assert code == 1
        assert (found["grade"], found["fault"], found["refused"]) == (
            "breaking", "the change is breaking: raise the major version, 2.0.0", True,
        )  # fmt: skip
        (affected,) = found["affected"]
        assert (affected["service"], affected["agreements"]) == ("ships", 2)
        assert affected["municipalities"] == ["Korsbæk"]
        assert affected["systems"] == ["Havn None", "Havn ['imo', 'name']"]
        (renamed,) = found["changes"]
        assert renamed["rows"]["touched"] == 2

    def test_may_be_made_of_a_draft_elsewhere(self, yard: Yard, tmp_path: Path) -> None:
        draft = write(
            tmp_path / "drafts" / "ships", contract=a_contract() | {"version": "2.0.0"}, services=(a_service(),)
        )
        found = yard.plan(draft)
        assert [change["what"] for change in found["changes"]] == ["column_dropped"]
        assert not found["refused"]
        assert {"imo", "tonnage", "name"} == set(yard.rows()[0])

    def test_is_printed_for_people(self, yard: Yard) -> None:
        yard.promise(version="1.1.0")
        done = CliRunner().invoke(app, ["contract", "plan", "--instance", str(yard.instance.root)])
        assert "breaking   ships.name: is promised no more (2 rows touched)" in done.stdout
        assert "raise the major version, 2.0.0" in done.stdout


class TestApplying:
    def test_keeps_rows_and_brings_lookups_along(self, yard: Yard) -> None:
        title = NAME | {"name": "title", "customProperties": custom(previousName="name")}
        yard.promise(title, FLAG, version="2.0.0")
        code, _ = yard.run("apply")
        assert code == 0
        assert yard.rows()[0] == {"imo": "1", "tonnage": 10, "title": "Ask", "flag": None}
        lookups = Lookups(yard.instance.segments, [SHIPS])
        assert lookups.reader(SHIPS).get("1") == {"imo": "1", "tonnage": 10, "title": "Ask", "flag": None}
        yard.deliver("imo,tonnage,title,flag", "1,10,Ask,DK")
        assert yard.rows()[0]["flag"] == "DK"

    def test_refuses_what_breaks_without_a_major_version_or_leave(self, yard: Yard) -> None:
        yard.promise(version="1.1.0")
        with pytest.raises(Exception, match="raise the major version"):
            yard.run("apply")
        assert "name" in self.columns(yard)
        yard.run("apply", "--accept-breaking")
        assert "name" not in self.columns(yard)

    def test_refuses_what_no_table_can_follow(self, yard: Yard) -> None:
        yard.promise(NAME | {"logicalType": "integer"}, version="2.0.0")
        with pytest.raises(Exception, match=r"ships\.name string becomes integer"):
            yard.run("apply", "--accept-breaking")
        assert yard.plan()["refused"]

    @staticmethod
    def columns(yard: Yard) -> list[str]:
        """As the lake has them, whatever the files say."""
        with yard.lake() as lake:
            text = lake.applied()["ships"].files["ships.odcs.yaml"]
        return [name for name in ("imo", "tonnage", "name") if f"name: {name}" in text]


class TestARunOfASource:
    def test_follows_what_only_adds(self, yard: Yard) -> None:
        yard.promise(NAME, FLAG, version="1.1.0")
        yard.deliver("imo,tonnage,name,flag", "3,30,Elm,SE")
        assert [row["flag"] for row in yard.rows()] == [None, None, "SE"]

    def test_leaves_what_breaks_to_somebody_who_decides(self, yard: Yard) -> None:
        yard.promise(version="2.0.0")
        with pytest.raises(ContractNotApplied, match=r"ships\.name is promised no more"):
            yard.deliver("imo,tonnage", "3,30")
        yard.run("apply")
        yard.deliver("imo,tonnage", "3,30")
        assert [row["imo"] for row in yard.rows()] == ["1", "2", "3"]

    def test_sees_a_change_of_a_code_list(self, yard: Yard) -> None:
        listed = FLAG | {"customProperties": custom(codeList={"column": "name", "file": "flags.csv"})}
        folder = yard.instance.registers / "ships"
        (folder / "flags.csv").write_text("code,text\nAsk,DK\n", "utf-8")
        yard.promise(NAME, listed, version="1.1.0")
        yard.deliver("imo,tonnage,name", "1,10,Ask")
        (folder / "flags.csv").write_text("code,text\nAsk,NO\n", "utf-8")
        (change,) = yard.plan()["changes"]
        assert change["what"] == "derivation_changed"
        assert yard.rows()[0]["flag"] == "DK"
