"""Contracts are planned and applied on a real instance: rows stay, agreements are named, nothing half done."""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from control import Agreements, OrganisationKind, ServiceTerms, Terms
from kernel import DatasetId, ServiceName, SystemClock, Window
from replica import Lake, Lookups
from runtime.checking import load_among
from runtime.cli import app
from runtime.contract_plans import plan_contracts
from runtime.contracts import (
    ContractBreaks,
    ContractCannotApply,
    ContractNotApplied,
    apply_contract,
    only_accepted,
)
from runtime.environment import settings_of
from runtime.founding import found_instance
from runtime.instance import Instance
from runtime.migrated import open_control
from runtime.mirroring import Mirroring
from runtime.settings import Settings
from schemas import Change, load_registers
from sync import load_sources
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


@dataclass
class Yard:
    """An instance with one register of its own, and what its tests do to it. The lake is opened once."""

    instance: Instance
    lake: Lake

    def promise(self, *columns: dict[str, Any], version: str = "1.0.0", **dataset: Any) -> None:
        contract = deepcopy(a_contract(*columns, **dataset)) | {"version": version}
        folder = write(self.instance.registers / "ships", contract=contract, services=(a_service(),))
        (folder / "ships.source.yaml").write_text(SOURCE, "utf-8")

    def deliver(self, *lines: str) -> None:
        inbox = self.instance.inbox / "ships"
        inbox.mkdir(exist_ok=True)
        (inbox / f"{len(list(inbox.iterdir()))}.csv").write_text("\n".join(lines) + "\n", "utf-8")
        mirroring = self.mirroring()
        (source,) = mirroring.named(["ships"])
        report = mirroring.run(source, self.lake)
        assert report.ok, report.message

    def mirroring(self) -> Mirroring:
        # Without the registers that are shipped, which take longer to read than all else.
        registers = load_registers(self.instance.registers)
        sources = load_sources(self.instance.registers, root=self.instance.root)
        return Mirroring(self.instance, self.settings, registers, sources, SystemClock())

    @property
    def settings(self) -> Settings:
        return settings_of(self.instance)

    def rows(self) -> list[dict[str, Any]]:
        dataset = self.mirroring().registers.dataset(SHIPS)
        found: list[dict[str, Any]] = self.lake.scan(dataset).read_all().to_pylist()
        return found

    def plans(self, *drafts: Path) -> dict[str, dict[str, Any]]:
        registers = load_among(self.instance.registers, drafts=drafts)
        with open_control(self.instance, self.settings) as control:
            found = plan_contracts(registers, self.lake, control, datetime.now(UTC))
        return {each.register: each.as_dict() for each in found}

    def apply(self, *, accept: bool = False) -> tuple[Change, ...]:
        mirroring = self.mirroring()
        (contract,) = (each for each in mirroring.registers.contracts if each.register == "ships")
        return apply_contract(
            contract, self.lake, datetime.now(UTC), refresh=lambda each: mirroring.refresh(self.lake, each),
            allowed=only_accepted("ships", accept=accept),
        )  # fmt: skip

    def run(self, *arguments: str) -> Result:
        """`knudepunkt contract ...`, with the lake out of its way."""
        self.lake.__exit__()
        return CliRunner().invoke(app, ["contract", *arguments, "--instance", str(self.instance.root)])


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    instance = found_instance(tmp_path / "instance", environment="test")
    with Lake.open(instance.lake, settings_of(instance).replica, write=True) as lake:
        made = Yard(instance, lake)
        made.promise(NAME)
        made.deliver("imo,tonnage,name", "1,10,Ask", "2,20,")
        yield made


def agree(yard: Yard, columns: frozenset[str] | None) -> None:
    with open_control(yard.instance, yard.settings) as store:
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
        Agreements(store, None).request(municipality.id, system.id, terms, window)


class TestAPlan:
    def test_has_nothing_to_say_of_what_is_applied(self, yard: Yard) -> None:
        assert "ships" not in yard.plans()

    def test_counts_the_rows_of_the_mirror(self, yard: Yard) -> None:
        query = "SELECT COUNT(*) FROM {object} WHERE tonnage > 15 OR name IS NULL"
        rule = {"type": "sql", "query": query, "mustBe": 0}
        yard.promise(NAME | {"required": True}, FLAG, quality=[rule], version="1.1.0")
        found = yard.plans()["ships"]
        told = {change["what"]: (change["place"], change["grade"], change["rows"]) for change in found["changes"]}
        assert told == {
            "required_added": ("ships.name", "compatible", {"touched": None, "empty": None, "broken": 1}),
            "column_added": ("ships.flag", "additive", {"touched": None, "empty": 2, "broken": None}),
            "rule_added": ("ships", "compatible", {"touched": None, "empty": None, "broken": 1}),
        }
        assert (found["grade"], found["fault"], found["refused"]) == ("additive", None, False)

    def test_names_who_reads_what_breaks(self, yard: Yard) -> None:
        agree(yard, None)
        agree(yard, frozenset({"imo", "name"}))
        agree(yard, frozenset({"imo", "tonnage"}))
        yard.promise(NAME | {"name": "title", "customProperties": custom(previousName="name")}, version="1.1.0")
        found = yard.plans()["ships"]
        assert (found["grade"], found["fault"], found["refused"]) == (
            "breaking", "the change is breaking: raise the major version, 2.0.0", True,
        )  # fmt: skip
        (affected,) = found["affected"]
        assert (affected["service"], affected["agreements"]) == ("ships", 2)
        assert affected["municipalities"] == ("Korsbæk",)
        assert affected["systems"] == ("Havn None", "Havn ['imo', 'name']")
        (renamed,) = found["changes"]
        assert renamed["rows"]["touched"] == 2

    def test_may_be_made_of_a_draft_elsewhere(self, yard: Yard, tmp_path: Path) -> None:
        draft = a_contract() | {"version": "2.0.0"}
        found = yard.plans(write(tmp_path / "drafts" / "ships", contract=draft, services=(a_service(),)))["ships"]
        assert [change["what"] for change in found["changes"]] == ["column_dropped"]
        assert not found["refused"]
        assert set(yard.rows()[0]) == {"imo", "tonnage", "name"}

    def test_says_what_the_command_line_prints(self, yard: Yard) -> None:
        yard.promise(version="1.1.0")
        done = yard.run("plan")
        assert done.exit_code == 1
        assert "breaking   ships.name: is promised no more (2 rows touched)" in done.stdout
        assert "raise the major version, 2.0.0" in done.stdout


class TestApplying:
    def test_keeps_rows_and_brings_lookups_along(self, yard: Yard) -> None:
        title = NAME | {"name": "title", "customProperties": custom(previousName="name")}
        yard.promise(title, FLAG, version="2.0.0")
        assert {change.what for change in yard.apply()} == {"column_renamed", "column_added"}
        assert yard.apply() == ()
        row = {"imo": "1", "tonnage": 10, "title": "Ask", "flag": None}
        assert yard.rows()[0] == row
        assert Lookups(yard.instance.segments, [SHIPS]).reader(SHIPS).get("1") == row
        yard.deliver("imo,tonnage,title,flag", "1,10,Ask,DK")
        assert yard.rows()[0]["flag"] == "DK"

    def test_refuses_what_breaks_without_a_major_version_or_leave(self, yard: Yard) -> None:
        before = yard.lake.applied()["ships"]
        yard.promise(version="1.1.0")
        with pytest.raises(ContractBreaks, match="raise the major version"):
            yard.apply()
        assert yard.lake.applied()["ships"] == before
        yard.apply(accept=True)
        assert yard.lake.applied()["ships"].version == "1.1.0"
        assert set(yard.rows()[0]) == {"imo", "tonnage"}

    def test_refuses_what_no_table_can_follow(self, yard: Yard) -> None:
        yard.promise(NAME | {"logicalType": "integer"}, version="2.0.0")
        with pytest.raises(ContractCannotApply, match=r"ships\.name string becomes integer"):
            yard.apply(accept=True)
        assert yard.plans()["ships"]["refused"]

    def test_from_the_command_line(self, yard: Yard) -> None:
        yard.promise(NAME, FLAG, version="1.1.0")
        done = yard.run("apply", "--json")
        assert {"register": "ships", "version": "1.1.0", "changes": ["column_added"]} in json.loads(done.stdout)


class TestARunOfASource:
    def test_follows_what_only_adds(self, yard: Yard) -> None:
        yard.promise(NAME, FLAG, version="1.1.0")
        yard.deliver("imo,tonnage,name,flag", "3,30,Elm,SE")
        assert [row["flag"] for row in yard.rows()] == [None, None, "SE"]

    def test_leaves_what_breaks_to_somebody_who_decides(self, yard: Yard) -> None:
        yard.promise(version="2.0.0")
        with pytest.raises(ContractNotApplied, match=r"ships\.name is promised no more"):
            yard.deliver("imo,tonnage", "3,30")
        yard.apply()
        yard.deliver("imo,tonnage", "3,30")
        assert [row["imo"] for row in yard.rows()] == ["1", "2", "3"]

    def test_sees_a_change_of_a_code_list(self, yard: Yard) -> None:
        listed = FLAG | {"customProperties": custom(codeList={"column": "name", "file": "flags.csv"})}
        flags = yard.instance.registers / "ships" / "flags.csv"
        flags.write_text("code,text\nAsk,DK\n", "utf-8")
        yard.promise(NAME, listed, version="1.1.0")
        yard.deliver("imo,tonnage,name", "1,10,Ask")
        flags.write_text("code,text\nAsk,NO\n", "utf-8")
        (change,) = yard.plans()["ships"]["changes"]
        assert change["what"] == "derivation_changed"
        assert yard.rows()[0]["flag"] == "DK"
