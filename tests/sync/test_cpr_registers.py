"""The road register and the authority register, delivered in the same manner as the persons."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from kernel import DatasetId
from replica import Lake, ReplicaSettings
from schemas import SHIPPED, Dataset, load_registers
from sync import DeliveryIncomplete, DeliveryUnreadable, Outcome, RunReport, load_sources
from sync.sources.cpr import CprDecoder, Manner, load_layout
from sync.sources.decoded import Decoded
from sync.testdata import authority_register, road_register
from sync.testdata.places import Municipality
from tests.sync.conftest import real_data
from tests.sync.reading import decoded_by
from tests.sync.test_run import mirrored, run

DAY = date(2026, 11, 2)
PLACE = Municipality("0851", "Aalborg")


@pytest.fixture(scope="module")
def roads() -> Dataset:
    return load_registers(SHIPPED).dataset(DatasetId("road.roads"))


@pytest.fixture(scope="module")
def authorities() -> Dataset:
    return load_registers(SHIPPED).dataset(DatasetId("authority.authorities"))


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake.open(tmp_path / "lake", ReplicaSettings(), write=True) as opened:
        yield opened


def decode(layout: str, delivery: bytes, dataset: Dataset, **manner: Any) -> Decoded:
    return decoded_by(CprDecoder(load_layout(layout), dataset.arrow, Manner(**manner)), delivery)


def load(dataset: Dataset, lake: Lake, root: Path, name: str, *deliveries: bytes) -> RunReport:
    """Load deliveries by the shipped source."""
    (source,) = (each for each in load_sources(SHIPPED, root=root) if each.dataset == dataset.id)
    folder = root / "inbox" / dataset.register
    folder.mkdir(parents=True, exist_ok=True)
    for number, delivery in enumerate(deliveries):
        (folder / f"{name}{number}").write_bytes(delivery)
    return run(source, dataset, lake)


class TestTheRealRoads:
    def test_are_read_with_their_ranges(self, roads: Dataset) -> None:
        delivery = real_data("cpr", "roads.txt").read_bytes()
        decoded = decode("roads", delivery, roads, enveloped=False)
        # One line is about a road whose name stands elsewhere in the register.
        assert decoded.quarantine.select("line", "rule").rows() == [(32, "road_incomplete")]
        rows = {row["road"]: row for row in decoded.rows.to_pylist()}
        lines = delivery.decode("iso-8859-1").splitlines()
        assert set(rows) == {line[3:11] for line in lines if line.startswith("001")}
        told = Counter((line[3:11], line[:3]) for line in lines)
        for key, row in rows.items():
            counts = {"002": "residences", "003": "towns", "004": "post_districts", "005": "notes"}
            assert {code: told[key, code] for code in counts} == {code: len(row[name]) for code, name in counts.items()}
        assert rows["07300012"]["name"] == "Abildgårdsvej"
        assert rows["07300012"]["post_districts"][1] == {
            "from_house_number": "002",
            "to_house_number": "018",
            "parity": "L",
            "registered": datetime(2002, 9, 9, 12, 0),  # noqa: DTZ001 -- as delivered
            "postcode": "8983",
            "name": "Gjerlev J",
        }
        assert rows["07300004"]["notes"][0]["text"] == "HUSNR.1 - BØRNEINSTITUTION -"

    def test_are_refused_where_a_whole_delivery_is_expected(self, roads: Dataset) -> None:
        with pytest.raises(DeliveryUnreadable, match="start record"):
            decode("roads", real_data("cpr", "roads.txt").read_bytes(), roads)


class TestRoads:
    def test_are_published_by_the_shipped_source_and_one_that_is_gone_is_deleted(
        self, roads: Dataset, lake: Lake, tmp_path: Path
    ) -> None:
        whole = road_register(DAY)
        assert load(roads, lake, tmp_path, "d261102.l", whole).published == 1_386
        road: dict[str, Any] = mirrored(lake, roads)["08510137"]
        assert (road["municipality_code"], road["road_code"], road["name"]) == ("0851", "0137", "Øvelsesstræde")
        assert {(each["from_house_number"], each["to_house_number"], each["parity"]) for each in road["towns"]} == {
            ("101", "999", "U"),
            ("101", "999", "L"),
        }
        lines = [line for line in whole.splitlines() if line[3:11] != b"08510137"]
        fewer = b"\n".join([*lines[:-1], f"999{len(lines) - 2:08}".encode(), b""])
        second = load(roads, lake, tmp_path, "d261202.l", fewer)
        assert (second.outcome, second.deleted) == (Outcome.PUBLISHED, 1)
        assert "08510137" not in mirrored(lake, roads)

    def test_keep_districts_notes_and_former_names_by_road(self, roads: Dataset) -> None:
        decoded = decode("roads", road_register(DAY, [PLACE]), roads)
        rows = {row["road_code"]: row for row in decoded.rows.to_pylist()}
        assert rows["0174"]["parishes"][0]["name"] == "Prøve Sogn"
        assert rows["0174"]["election_districts"][0]["code"] == "01"
        assert rows["0174"]["notes"][0]["text"] == "Adgang kun fra gården"
        assert rows["0174"]["residences"][0]["locality"] == "Øvelsesgården"
        assert rows["0211"]["name_history"][0]["name"] == "Gammel Testvej"
        assert rows["0211"]["as_delivered"] == [{"field": "name_history[0].valid_to", "text": "199912312400"}]

    def test_with_a_broken_line_are_held_back_whole(self, roads: Dataset) -> None:
        spoilt = road_register(DAY, [PLACE]).replace(b"00408510100001 999 U", b"00408510100001 999 X9x")
        decoded = decode("roads", spoilt, roads)
        assert set(decoded.quarantine["rule"]) == {"wrong_type", "road_held_back"}
        assert decoded.rows.num_rows == 13

    def test_cut_off_are_refused(self, roads: Dataset) -> None:
        with pytest.raises(DeliveryIncomplete):
            decode("roads", road_register(DAY, [PLACE])[:-13], roads)


class TestAuthorities:
    def test_are_published_by_the_shipped_source(self, authorities: Dataset, lake: Lake, tmp_path: Path) -> None:
        assert load(authorities, lake, tmp_path, "d261102.l", authority_register(DAY)).published == 102
        rows = mirrored(lake, authorities)
        assert (rows["0851"]["type"], rows["0851"]["name"]) == ("05", "Aalborg Kommune")
        assert rows["0851"]["email"] == "post@example.dk"
        assert rows["0851"]["address_line_1"] == "Rådhuspladsen 1"
        sweden = rows["5120"]
        assert (sweden["country_alpha_2"], sweden["country_alpha_3"], sweden["country_numeric"]) == ("SE", "SWE", "752")
        assert sweden["supplements"] == [{"text": "fiktivt"}]
        assert rows["0199"]["valid_to"] is not None
        assert rows["0851"]["valid_to"] is None


@pytest.mark.parametrize(("layout", "name"), [("roads", "road.roads"), ("authorities", "authority.authorities")])
def test_every_field_has_a_column_that_names_it(layout: str, name: str) -> None:
    dataset = load_registers(SHIPPED).dataset(DatasetId(name))
    for record in load_layout(layout).subjects:
        for field in record.fields:
            holder = dataset.column(record.column or field.column)
            inner = holder.item.fields if holder.item else holder.fields
            column = next((each for each in inner if each.name == field.column), holder)
            assert f"{record.code}.{field.name}" in (column.source or "").split(", ")
