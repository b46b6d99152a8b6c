"""Source descriptions: the shipped ones, and what is wrong with others."""

from pathlib import Path

import pytest

from replica import Mode
from schemas import SHIPPED
from sync import CprSpec, CsvSpec, Every, FolderSpec, SourceInvalid, load_sources
from sync.sources.cpr import Manner

GOOD = """
name: towns
dataset: town.towns
connector: {kind: folder, path: inbox/towns, pattern: "*.csv"}
decoder: {kind: csv, delimiter: ";"}
mode: full
schedule: {cron: "30 20 * * mon-fri"}
"""


class TestTheShippedSources:
    def test_are_persons_and_municipalities_below_the_instance(self) -> None:
        shipped = {source.name: source for source in load_sources(SHIPPED, root=Path("/instance"))}
        assert set(shipped) == {
            "authorities", "classes", "cpr-persons", "cvr-companies", "cvr-units", "municipalities", "roads",
        }  # fmt: skip
        persons, municipalities = shipped["cpr-persons"], shipped["municipalities"]
        assert (shipped["roads"].dataset, shipped["roads"].mode) == ("road.roads", Mode.FULL)
        assert (persons.name, persons.dataset, persons.mode) == ("cpr-persons", "cpr.persons", Mode.DELTA)
        assert isinstance(persons.connector, FolderSpec)
        assert persons.connector.path == Path("/instance/inbox/cpr")
        assert persons.decoder == CprSpec(layout="a", manner=Manner(strict=True))
        assert persons.schedule == Every(60)
        assert (municipalities.name, municipalities.mode) == ("municipalities", Mode.FULL)
        assert isinstance(municipalities.decoder, CsvSpec)


class TestASourceDescription:
    def test_of_an_operator_is_read_beside_the_shipped_ones(self, tmp_path: Path) -> None:
        (tmp_path / "towns.source.yaml").write_text(GOOD)
        (town,) = [each for each in load_sources(SHIPPED, tmp_path, root=tmp_path) if each.name == "towns"]
        assert town.decoder == CsvSpec(delimiter=";")
        assert town.max_quarantine_share == 0.1

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            (("kind: folder", "kind: ftp"), "connector: .*'folder', 'sftp'"),
            (("mode: full", "mode: sometimes"), "mode"),
            (("mode: full", "mode: full\nowner: me"), "owner"),
            (('{cron: "30 20 * * mon-fri"}', "{}"), "either every_s or cron"),
            (('{cron: "30 20 * * mon-fri"}', '{cron: "30 20 * * 1"}'), "day of the week"),
            (("name: towns", "name: [unclosed"), "towns.source.yaml"),
            ((GOOD, "just text"), "towns.source.yaml"),
        ],
    )
    def test_that_cannot_be_used_is_refused_with_its_file_and_place(
        self, tmp_path: Path, change: tuple[str, str], problem: str
    ) -> None:
        (tmp_path / "towns.source.yaml").write_text(GOOD.replace(*change))
        with pytest.raises(SourceInvalid, match=problem) as refused:
            load_sources(tmp_path, root=tmp_path)
        assert "towns.source.yaml" in refused.value.message

    def test_may_not_have_the_name_of_another(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            (tmp_path / f"{name}.source.yaml").write_text(GOOD)
        with pytest.raises(SourceInvalid, match="two sources named towns"):
            load_sources(tmp_path, root=tmp_path)
