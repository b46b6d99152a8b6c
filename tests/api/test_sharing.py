"""The open bulk face, with the official client of Delta Sharing, through real TLS."""

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import delta_sharing
import pytest
from delta_sharing.protocol import DeltaSharingProfile
from delta_sharing.rest_client import DataSharingRestClient
from requests.exceptions import HTTPError

from api.sharing import tidy_changes
from api.sharing.desk import FileAddress
from api.sharing.errors import SharingUnknown
from control import ServiceTerms, Sharing
from control.errors import SharingTokenInvalid
from kernel import Channel, Limits, RowsDelivered, ServiceName
from tests.api.house import AALBORG, ANNA, BENT, CARL, MUNICIPALITIES, PERSONS, Client, House
from tests.api.shared import KEY, profile, profile_text, sharing, table

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House.open(tmp_path_factory.mktemp("house")) as house:
        yield house


@pytest.fixture(scope="module")
def port(house: House) -> Iterator[int]:
    with sharing(house) as port:
        yield port


@pytest.fixture
def trusting(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's libraries trust the house's authority, as they would a public one."""
    authority = str(house.root / "trust" / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", authority)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", authority)


def url(house: House, port: int, tmp_path: Path, service: str, schema: str, agreement: str = "one") -> str:
    file = tmp_path / f"{agreement}.share"
    file.write_text(profile_text(profile(house, port, agreement)))
    return f"{file}#{house.agreements[agreement]}.{schema}.{service}"


@dataclass(frozen=True, slots=True)
class History:
    """The three versions of the authorities from place 1 on, and a time after each; at place 0 a time before all."""

    versions: list[int]
    times: list[str]


@pytest.fixture(scope="module")
def history(house: House) -> History:
    def now() -> str:
        return house.control.clock.now().isoformat().replace("+00:00", "Z")

    versions, times = [0], [now()]
    for names in ({"1": "a", "2": "b"}, {"1": "c", "2": "b"}, {"1": "c", "3": "d"}):
        if len(versions) == 3:
            house.publish("municipality.municipalities", MUNICIPALITIES[:1])
            house.publish("municipality.municipalities", MUNICIPALITIES)
        house.publish("authority.authorities", [authority(code, name) for code, name in names.items()])
        info = house.lake.info(house.dataset("authority.authorities"))
        assert info is not None
        versions.append(info.snapshot)
        times.append(now())
    return History(versions, times)


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

    def test_reads_a_version_by_its_time(self, house: House, port: int, tmp_path: Path, history: History) -> None:
        where = url(house, port, tmp_path, "authorities-extract", "authority")
        for place, names in ((1, {"a", "b"}), (2, {"c", "b"}), (3, {"c", "d"})):
            assert set(delta_sharing.load_as_pandas(where, timestamp=history.times[place])["short_name"]) == names
            since = delta_sharing.get_table_version(where, starting_timestamp=history.times[place - 1])
            assert since == history.versions[place]
        with pytest.raises(HTTPError, match="no version that new"):
            delta_sharing.get_table_version(where, starting_timestamp=history.times[3])
        with pytest.raises(HTTPError, match="of that moment"):
            delta_sharing.load_as_pandas(where, timestamp=history.times[0])

    @pytest.mark.parametrize("delta", [False, True])
    def test_reads_the_change_feed_between_versions_and_times(
        self, house: House, port: int, tmp_path: Path, history: History, delta: bool
    ) -> None:
        """Each span by its versions, and by times that mean the same."""
        where = url(house, port, tmp_path, "authorities-extract", "authority")
        versions, times = history.versions, history.times

        def feed(**span: Any) -> set[tuple[str, str, str | None]]:
            got = delta_sharing.load_table_changes_as_pandas(where, use_delta_format=delta, **span)
            rows = got.astype(object).where(got.notna(), None).to_dict("records")
            return {(row["_change_type"], row["authority_code"], row["short_name"]) for row in rows}

        for first, last, told in (
            (1, 1, {("insert", "1", "a"), ("insert", "2", "b")}),
            (1, 3, {("insert", "1", "c"), ("insert", "3", "d")}),
            (2, 2, {("update_postimage", "1", "c")}),
            (2, 3, {("update_postimage", "1", "c"), ("insert", "3", "d"), ("delete", "2", None)}),
            (3, 3, {("insert", "3", "d"), ("delete", "2", None)}),
        ):
            assert feed(starting_version=versions[first], ending_version=versions[last]) == told
            assert feed(starting_timestamp=times[first - 1], ending_timestamp=times[last]) == told
            assert feed(starting_version=versions[first], ending_timestamp=times[last]) == told
            if last == 3:
                assert feed(starting_timestamp=times[first - 1]) == told
        # Between the last two publications of this table others were made.
        assert versions[3] - versions[2] > 2
        assert feed(starting_version=versions[2] + 1, ending_version=versions[3] - 1) == set()
        for backward in (
            {"starting_version": versions[3], "ending_version": versions[2]},
            {"starting_timestamp": times[3], "ending_timestamp": times[2]},
        ):
            with pytest.raises(HTTPError, match="400"):
                feed(**backward)

    def test_leaves_no_change_feed_behind_when_its_extract_is_gone(
        self, house: House, port: int, tmp_path: Path, history: History
    ) -> None:
        where = url(house, port, tmp_path, "authorities-extract", "authority")
        files, changes = house.root / "extracts", house.root / "changes"
        for path in changes.iterdir():
            path.unlink()
        span = {"starting_version": history.versions[2], "ending_version": history.versions[2]}
        delta_sharing.load_table_changes_as_pandas(where, **span)
        (feed,) = changes.iterdir()
        (changes / ".x.part").write_bytes(b"left by a crash")
        assert tidy_changes(changes, files, house.control.clock.now() - timedelta(hours=1)) == 0
        assert len(list(changes.iterdir())) == 2
        (files / f"{feed.stem}.manifest.json").unlink()
        assert tidy_changes(changes, files, house.control.clock.now() + timedelta(hours=1)) == 1
        assert list(changes.iterdir()) == []
        # Asked for again, it is made again.
        assert len(delta_sharing.load_table_changes_as_pandas(where, **span)) == 1

    @pytest.mark.parametrize("service", ["municipalities-extract", "cpr-persons-extract"])
    def test_reads_the_same_through_deltas_own_library(
        self, house: House, port: int, tmp_path: Path, service: str
    ) -> None:
        """Which asks for responseformat=delta, builds a Delta log of the answer, and reads nested columns, dates and
        times without a zone by itself.
        """
        schema = "cpr" if service.startswith("cpr") else "municipality"
        where = url(house, port, tmp_path, service, schema)
        plain = delta_sharing.load_as_pandas(where, use_delta_format=False)
        kernel = delta_sharing.load_as_pandas(where, use_delta_format=True)
        assert rows_in(kernel) == rows_in(plain)
        assert len(plain) > 0
        version = delta_sharing.get_table_version(where)
        feed = delta_sharing.load_table_changes_as_pandas(where, starting_version=version, use_delta_format=True)
        assert set(feed["_change_type"]) <= {"insert", "update_postimage", "delete"}
        assert delta_sharing.get_table_metadata(where, use_delta_format=True) is not None

    def test_is_answered_in_a_form_that_it_reads(self, house: House, port: int) -> None:
        """Of several parquet, which every client reads; in none that is offered, not at all."""
        client = Client(house, port, None)
        path = f"/sharing/shares/{house.agreements['one']}/schemas/municipality/tables/municipalities-extract/metadata"
        token = {"Authorization": f"Bearer {profile(house, port).bearer_token}"}
        for told, form, line in (
            (None, None, "format"), ("readerfeatures=deletionvectors", None, "format"),
            ("responseformat=delta,parquet;readerfeatures=timestampntz", "responseformat=parquet", "format"),
            ("readerFeatures=x;responseFormat=Delta", "responseformat=delta", "deltaMetadata"),
        ):  # fmt: skip
            headers = token | ({} if told is None else {"delta-sharing-capabilities": told})
            reply = client.call("GET", path, None, headers)
            assert reply.headers.get("delta-sharing-capabilities") == form
            assert line in json.loads(reply.body.splitlines()[1])["metaData"]
        refused = client.call("GET", path, None, token | {"delta-sharing-capabilities": "responseformat=orc"})
        client.close()
        assert (refused.status, refused.code) == (400, "sharing_request_invalid")

    def test_lists_page_by_page(self, house: House, port: int) -> None:
        client = DataSharingRestClient(profile(house, port), 0)
        (share,) = client.list_shares(max_results=1).shares
        whole = client.list_all_tables(share)
        assert whole.next_page_token is None
        for most in (1, 2, 3, 100):
            found, token = [], None
            while True:
                page = client.list_all_tables(share, max_results=most, page_token=token)
                assert len(page.tables) <= most
                found += page.tables
                if (token := page.next_page_token) is None:
                    break
            assert found == list(whole.tables)
        nothing = client.list_schemas(share, max_results=0)
        assert nothing.schemas == []
        rest = client.list_schemas(share, page_token=nothing.next_page_token)
        assert rest == client.list_schemas(share)
        assert client.list_tables(rest.schemas[0], max_results=1).next_page_token is None

    def test_is_counted_once_for_each_query_and_file(self, house: House, port: int, tmp_path: Path) -> None:
        where = url(house, port, tmp_path, "municipalities-extract", "municipality")
        before = len(house.facts)
        delta_sharing.load_as_pandas(where)
        delivered = [each for each in house.facts[before:] if isinstance(each, RowsDelivered)]
        assert [(each.rows, each.channel, each.agreement) for each in delivered] == [
            (len(MUNICIPALITIES), Channel.SHARING, house.agreements["one"])
        ]
        assert {each.trace for each in delivered} <= {each.trace for each in house.facts[before:]}


def rows_in(frame: Any) -> list[str]:
    """Rows as texts, in which what is missing is always the same."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return sorted(
        re.sub(r"\bnan\b|\bNaT\b", "None", repr({name: plain(each) for name, each in row.items()})) for row in rows
    )


def plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return str(value)


def authority(code: str, name: str) -> dict[str, Any]:
    return {"authority_code": code, "short_name": name}


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

    def test_stand_in_no_line_of_a_log_or_the_ledger(
        self, house: House, port: int, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Not even where they are sent to the wrong place, nor does the signature of an address."""
        caplog.set_level(logging.DEBUG)
        text, base = profile(house, port).bearer_token, f"/sharing/shares/{house.agreements['one']}"
        query = f"{base}/schemas/municipality/tables/municipalities-extract/query"
        client = Client(house, port, None)
        reply = client.call("POST", query, b"{}", {"Authorization": f"Bearer {text}"})
        address = json.loads(reply.body.splitlines()[-1])["file"]["url"].partition(str(port))[2]
        for path in (address, f"/sharing/shares?token={text}", f"/sharing/files/{text}", f"/sharing/shares/{text}"):
            client.call("GET", path, None, {"Authorization": f"Bearer {text}"})
        client.call("GET", "/v1/services/municipalities-extract/extract", None, {"Authorization": f"Bearer {text}"})
        client.close()
        written = "".join((*capfd.readouterr(), caplog.text, *map(repr, house.facts)))
        written += "".join(file.read_text() for file in (house.root / "ledger").rglob("*") if file.is_file())
        assert house.agreements["one"] in written
        for secret in (text, address.partition("?sp=")[2]):
            assert secret not in written

    def test_count_against_the_agreements_limits(self, house: House, port: int) -> None:
        name = f"few-{uuid4()}"
        house.add_system(name)
        house.agree(name, name, AALBORG, {"municipalities-extract": ServiceTerms()}, Limits(calls_per_minute=2))
        house.settle()
        text = profile(house, port, name).bearer_token
        of_table = f"/sharing/shares/{house.agreements[name]}/schemas/municipality/tables/municipalities-extract"
        # What a table is, and its version, is asked before it is used.
        for what in ("version", "metadata") * 2:
            assert self.ask(house, port, f"{of_table}/{what}", text) == (200, "")
        said = [self.ask(house, port, f"{of_table}/query", text, "POST") for _ in range(3)]
        assert said == [(200, ""), (200, ""), (429, "rate_limited")]
        # Who has nothing left is told before the query.
        for what in ("version", "metadata", "changes?startingVersion=1"):
            assert self.ask(house, port, f"{of_table}/{what}", text) == (429, "rate_limited")
        # Lists are free.
        assert self.ask(house, port, "/sharing/shares", text) == (200, "")

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
            ("changes?startingTimestamp=2031-01-01", None, "sharing_request_invalid"),
            ("changes?startingTimestamp=2931-01-01T00:00:00Z", None, "sharing_request_invalid"),
            ("changes?startingVersion=1&startingTimestamp=2031-01-01T00:00:00Z", None, "sharing_request_invalid"),
            ("changes?startingVersion=9&endingVersion=8", None, "sharing_request_invalid"),
            ("version?startingTimestamp=2931-01-01T00:00:00Z", None, "sharing_request_invalid"),
            ("query", b'{"startingVersion": 1}', "sharing_unsupported"),
            ("query", b'{"pageToken": "x"}', "sharing_request_invalid"),
            ("query", b'{"refreshToken": "x.y"}', "sharing_request_invalid"),
            ("query", b'{"refreshToken": ["\\u00e6"]}', "sharing_request_invalid"),
            ("changes?startingVersion=1&pageToken=x", None, "sharing_request_invalid"),
            ("queries/1", b"{}", "sharing_unsupported"),
            ("temporary-table-credentials", b"{}", "sharing_unsupported"),
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
    """What they say is signed, not secret: the file's digest, the token's id, the service and the end."""

    GIVEN = FileAddress("a" * 64, False, "token", ServiceName("x-extract"), 2_000_000_000)

    def test_are_read_back_by_the_key_that_signed_them(self) -> None:
        assert FileAddress.read(*parts(self.GIVEN.signed(KEY)), KEY, 1_900_000_000) == self.GIVEN

    @pytest.mark.parametrize("text", ["", "x", "A" * 300, "../../etc/passwd", "%00", "æ"])
    def test_that_nobody_signed_are_nothing(self, text: str) -> None:
        body, signature = parts(self.GIVEN.signed(KEY))
        for pair in ((text, text), (body, text), (text, signature)):
            with pytest.raises(SharingUnknown):
                FileAddress.read(*pair, KEY, 0)

    def test_of_another_key_changed_or_over_are_nothing(self) -> None:
        body, signature = parts(self.GIVEN.signed(KEY))
        for text, mac, key, now in (
            (body, signature, b"o" * 32, 1.0),
            (body, signature, KEY, 2_000_000_000.0),
            (body, signature[:-4] + "AAAA", KEY, 1.0),
            ("B" + body[1:], signature, KEY, 1.0),
        ):
            with pytest.raises(SharingUnknown):
                FileAddress.read(text, mac, key, now)


def parts(signed: str) -> tuple[str, str]:
    text, _, signature = signed.partition("?sp=")
    return text, signature
