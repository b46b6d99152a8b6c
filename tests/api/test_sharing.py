"""The open bulk face, with the official client of Delta Sharing, through real TLS."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import delta_sharing
import pytest
from delta_sharing.protocol import DeltaSharingProfile, Table
from delta_sharing.rest_client import DataSharingRestClient

from api import make_app
from api.sharing import SharingDesk
from api.sharing.desk import FileAddress
from control import Sharing
from control.errors import SharingTokenInvalid
from kernel import Channel, RowsDelivered, ServiceName
from runtime.sharing import TokenBook
from tests.api.house import ANNA, BENT, CARL, MUNICIPALITIES, PERSONS, Client, House, serving

pytestmark = pytest.mark.filterwarnings("ignore")
KEY = b"k" * 32


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House.open(tmp_path_factory.mktemp("house")) as house:
        yield house


@pytest.fixture(scope="module")
def port(house: House) -> Iterator[int]:
    book = TokenBook(house.control, lambda: house._watcher[0].current().version)
    desk = SharingDesk(book.find, KEY, house.root / "extracts", house.root / "changes")
    with serving(house, make_app(replace(house.doors(), sharing=desk))) as (_, port):
        yield port


@pytest.fixture
def trusting(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's libraries trust the house's authority, as they would a public one."""
    authority = str(house.root / "trust" / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", authority)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", authority)


def profile(house: House, port: int, agreement: str = "one") -> DeltaSharingProfile:
    _, text = Sharing(house.control).make(house.agreements[agreement], timedelta(days=1))
    house.settle()
    return DeltaSharingProfile(1, f"https://localhost:{port}/sharing", text, None)


def table(house: House, service: str, schema: str = "municipality", agreement: str = "one") -> Table:
    return Table(name=service, share=house.agreements[agreement], schema=schema)


def url(house: House, port: int, tmp_path: Path, service: str, schema: str, agreement: str = "one") -> str:
    made = profile(house, port, agreement)
    file = tmp_path / f"{agreement}.share"
    file.write_text(
        json.dumps({"shareCredentialsVersion": 1, "endpoint": made.endpoint, "bearerToken": made.bearer_token})
    )
    return f"{file}#{house.agreements[agreement]}.{schema}.{service}"


@pytest.mark.usefixtures("trusting")
class TestTheOfficialClient:
    def test_lists_what_the_agreement_covers(self, house: House, port: int) -> None:
        client = delta_sharing.SharingClient(profile(house, port))
        (share,) = client.list_shares()
        assert share.name == house.agreements["one"]
        assert [each.name for each in client.list_schemas(share)] == ["authority", "cpr", "municipality", "road"]
        assert {each.name for each in client.list_all_tables()} == {
            "authorities-extract", "cpr-persons-extract", "municipalities-extract", "roads-extract",
        }  # fmt: skip

    def test_loads_a_table(self, house: House, port: int, tmp_path: Path) -> None:
        got = delta_sharing.load_as_pandas(url(house, port, tmp_path, "municipalities-extract", "municipality"))
        assert list(got["code"]) == [each["code"] for each in MUNICIPALITIES]
        assert list(got["population"]) == [each["population"] for each in MUNICIPALITIES]

    def test_takes_less_when_it_asks_for_less(self, house: House, port: int, tmp_path: Path) -> None:
        where = url(house, port, tmp_path, "municipalities-extract", "municipality")
        assert len(delta_sharing.load_as_pandas(where, limit=1)) == 1

    def test_sees_persons_as_the_agreement_shows_them(self, house: House, port: int, tmp_path: Path) -> None:
        wide = delta_sharing.load_as_pandas(url(house, port, tmp_path, "cpr-persons-extract", "cpr"))
        named = {row["pnr"]: row["name"] for row in wide.to_dict("records")}
        assert named[ANNA]["surname"] == "Prøve"
        assert named[BENT] is None
        narrow = delta_sharing.load_as_pandas(url(house, port, tmp_path, "cpr-persons-extract", "cpr", "two"))
        assert sorted(narrow.columns) == ["name", "pnr", "status"]
        assert set(narrow["pnr"]) == {ANNA, BENT}
        assert all(row["name"] is not None for row in narrow.to_dict("records"))

    def test_asks_for_the_version_and_reads_an_earlier_one(self, house: House, port: int, tmp_path: Path) -> None:
        where = url(house, port, tmp_path, "roads-extract", "road")
        house.publish("road.roads", [road("0851", "0001", "Gammelvej")])
        first = delta_sharing.get_table_version(where)
        house.publish("road.roads", [road("0851", "0001", "Nyvej"), road("0851", "0002", "Andenvej")])
        assert delta_sharing.get_table_version(where) > first
        assert set(delta_sharing.load_as_pandas(where)["name"]) == {"Nyvej", "Andenvej"}
        assert set(delta_sharing.load_as_pandas(where, version=first)["name"]) == {"Gammelvej"}

    def test_reads_the_change_feed(self, house: House, port: int, tmp_path: Path) -> None:
        where = url(house, port, tmp_path, "cpr-persons-extract", "cpr")
        before = delta_sharing.get_table_version(where)
        changed = [PERSONS[0] | {"status": "03"}, PERSONS[1]]
        house.publish("cpr.persons", changed)
        try:
            feed = delta_sharing.load_table_changes_as_pandas(where, starting_version=before + 1)
            kinds = {row["pnr"]: row["_change_type"] for row in feed.to_dict("records")}
            assert kinds == {ANNA: "update_postimage", CARL: "delete"}
            assert set(feed["_commit_version"]) == {delta_sharing.get_table_version(where)}
            whole = delta_sharing.load_table_changes_as_pandas(where, starting_version=0)
            assert set(whole["_change_type"]) == {"insert"}
            assert set(whole["pnr"]) == {ANNA, BENT}
        finally:
            house.publish("cpr.persons", PERSONS)

    def test_is_counted_once_for_each_query_and_file(self, house: House, port: int, tmp_path: Path) -> None:
        where = url(house, port, tmp_path, "municipalities-extract", "municipality")
        before = len(house.facts)
        delta_sharing.load_as_pandas(where)
        delivered = [each for each in house.facts[before:] if isinstance(each, RowsDelivered)]
        assert [(each.rows, each.channel, each.agreement) for each in delivered] == [
            (len(MUNICIPALITIES), Channel.SHARING, house.agreements["one"])
        ]
        assert {each.trace for each in delivered} <= {each.trace for each in house.facts[before:]}


def road(municipality: str, code: str, name: str) -> dict[str, Any]:
    return {"road": f"{municipality}{code}", "municipality_code": municipality, "road_code": code, "name": name}


@pytest.mark.usefixtures("trusting")
class TestTokens:
    def ask(self, house: House, port: int, path: str, token: str | None, method: str = "GET") -> tuple[int, str]:
        client = Client(house, port, certificate=None)
        try:
            body = b"{}" if method == "POST" else None
            reply = client.call(method, path, body, {} if token is None else {"Authorization": f"Bearer {token}"})
        finally:
            client.close()
        return reply.status, reply.code if reply.status >= 400 else ""

    def test_are_needed(self, house: House, port: int) -> None:
        assert self.ask(house, port, "/sharing/shares", None) == (401, "sharing_token_missing")
        for token in ("x", "a" * 5_000, "' or 1=1 --"):
            assert self.ask(house, port, "/sharing/shares", token) == (401, "sharing_token_unknown")

    def test_stand_in_the_database_as_hashes_only(self, house: House, port: int) -> None:
        made = profile(house, port)
        assert made.bearer_token
        assert made.bearer_token.encode() not in (house.root / "control.sqlite").read_bytes()

    def test_that_are_revoked_open_nothing_nor_do_addresses_that_they_were_given(self, house: House, port: int) -> None:
        token, text = Sharing(house.control).make(house.agreements["one"], timedelta(days=1))
        house.settle()
        client = DataSharingRestClient(DeltaSharingProfile(1, f"https://localhost:{port}/sharing", text, None), 0)
        address = client.list_files_in_table(table(house, "municipalities-extract")).add_files[0].url
        path = address.partition(str(port))[2]
        assert self.ask(house, port, path, None)[0] == 200
        Sharing(house.control).revoke(token.id)
        house.settle()
        assert self.ask(house, port, "/sharing/shares", text) == (401, "sharing_token_unknown")
        assert self.ask(house, port, path, None) == (404, "sharing_unknown")

    def test_end_by_themselves_and_within_a_year(self, house: House, port: int) -> None:
        _, text = Sharing(house.control).make(house.agreements["one"], timedelta(microseconds=1))
        house.settle()
        assert self.ask(house, port, "/sharing/shares", text)[1] == "sharing_token_unknown"
        with pytest.raises(SharingTokenInvalid):
            Sharing(house.control).make(house.agreements["one"], timedelta(days=366))

    def test_show_one_agreement_and_no_other(self, house: House, port: int) -> None:
        text = profile(house, port, "two").bearer_token
        other = house.agreements["one"]
        for path in (f"/shares/{other}", f"/shares/{other}/all-tables", f"/shares/{other}/schemas/cpr/tables"):
            assert self.ask(house, port, f"/sharing{path}", text) == (404, "sharing_unknown")
        query = f"/sharing/shares/{other}/schemas/cpr/tables/cpr-persons-extract/query"
        assert self.ask(house, port, query, text, "POST") == (404, "sharing_unknown")
        mine = f"/sharing/shares/{house.agreements['two']}/schemas/municipality/tables/municipalities-extract/metadata"
        assert self.ask(house, port, mine, text) == (404, "sharing_unknown")

    @pytest.mark.parametrize(
        ("path", "body", "code"),
        [
            ("query", b"[]", "sharing_request_invalid"),
            ("query", b"{", "sharing_request_invalid"),
            ("query", b'{"version": "x"}', "sharing_request_invalid"),
            ("query", b'{"version": 1, "timestamp": "2031-01-01T00:00:00Z"}', "sharing_request_invalid"),
            ("query", b'{"timestamp": "yesterday"}', "sharing_request_invalid"),
            ("changes", None, "sharing_request_invalid"),
            ("changes?startingVersion=-1", None, "sharing_request_invalid"),
            ("changes?startingVersion=999999999", None, "sharing_request_invalid"),
            ("changes?startingTimestamp=2031-01-01", None, "parameter_invalid"),
            ("version?x=1", None, "parameter_invalid"),
        ],
    )
    def test_do_not_help_a_question_that_makes_no_sense(
        self, house: House, port: int, path: str, body: bytes | None, code: str
    ) -> None:
        text = profile(house, port).bearer_token
        base = f"/sharing/shares/{house.agreements['one']}/schemas/municipality/tables/municipalities-extract"
        client = Client(house, port, certificate=None)
        reply = client.call(
            "POST" if body is not None else "GET", f"{base}/{path}", body, {"Authorization": f"Bearer {text}"}
        )
        client.close()
        assert (reply.status, reply.code) == (400, code)

    def test_cannot_be_used_where_certificates_are(self, house: House, port: int) -> None:
        text = profile(house, port).bearer_token
        assert self.ask(house, port, "/v1/services/municipalities-extract/extract", text)[0] == 401


class TestAddresses:
    GIVEN = FileAddress("a" * 64, False, "token", ServiceName("x-extract"), 2_000_000_000)

    def test_are_read_back_by_the_key_that_signed_them(self) -> None:
        assert FileAddress.read(self.GIVEN.signed(KEY), KEY, 1_900_000_000) == self.GIVEN

    @pytest.mark.parametrize("text", ["", "x", "A" * 300, "../../etc/passwd", "%00", "æ"])
    def test_that_nobody_signed_are_nothing(self, text: str) -> None:
        with pytest.raises(Exception, match="no file"):
            FileAddress.read(text, KEY, 0)

    def test_of_another_key_changed_or_over_are_nothing(self) -> None:
        signed = self.GIVEN.signed(KEY)
        for text, key, now in (
            (signed, b"o" * 32, 1.0),
            (signed, KEY, 2_000_000_000.0),
            (signed[:-4] + "AAAA", KEY, 1.0),
            ("B" + signed[1:], KEY, 1.0),
        ):
            with pytest.raises(Exception, match="no file"):
                FileAddress.read(text, key, now)
