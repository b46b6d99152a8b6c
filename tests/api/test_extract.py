"""Extracts over HTTPS: streamed, finished, resumed, cut; and their end on record."""

import base64
import csv
import gzip
import hashlib
import http.client
import json
import re
import socket
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lxml import etree

from api.errors import RangeUnsatisfiable
from api.rest.ranges import matches, wanted_range
from kernel import CallAnswered, RowsDelivered
from tests.api.conftest import Connect
from tests.api.house import MUNICIPALITIES, Client, House, serving
from tests.waiting import eventually

PATH = "/v1/services/municipalities-extract/extract"


def deliveries(house: House) -> list[RowsDelivered]:
    return [fact for fact in house.facts if isinstance(fact, RowsDelivered)]


class TestTheFile:
    def test_comes_in_four_formats(self, client: Client) -> None:
        text = client.get(f"{PATH}?format=csv").body.decode()
        assert [row["name"] for row in csv.DictReader(text.splitlines())] == ["Odense", "Aalborg"]
        lines = client.get(f"{PATH}?format=ndjson").body.splitlines()
        assert [json.loads(line)["name"] for line in lines] == ["Odense", "Aalborg"]
        parquet = pq.read_table(pa.BufferReader(client.get(f"{PATH}?format=parquet").body))
        assert parquet["code"].to_pylist() == ["0461", "0851"]
        arrow = pa.ipc.open_stream(client.get(f"{PATH}?format=arrow").body).read_all()
        assert arrow["population"].to_pylist() == [204_895, 215_312]

    def test_is_csv_unless_said_otherwise_and_has_the_columns_asked_for(self, client: Client) -> None:
        reply = client.get(f"{PATH}?columns=name,code")
        rows = list(csv.reader(reply.body.decode().splitlines()))
        assert rows == [["code", "name"], ["0461", "Odense"], ["0851", "Aalborg"]]
        assert reply.headers["content-type"] == "text/csv; charset=utf-8; header=present"
        assert 'filename="municipalities-extract_' in reply.headers["content-disposition"]

    def test_is_ready_the_second_time_with_its_hash_and_length(self, client: Client) -> None:
        first, second = (client.get(f"{PATH}?columns=code,cvr") for _ in range(2))
        assert first.body == second.body
        assert "etag" not in first.headers
        digest = hashlib.sha256(second.body)
        assert second.headers["etag"] == f'"{digest.hexdigest()}"'
        assert second.headers["content-length"] == str(len(second.body))
        assert second.headers["repr-digest"] == f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"

    def test_says_how_fresh_it_is_and_whether_it_may_be_kept(self, client: Client) -> None:
        public, personal = client.get(PATH), client.get("/v1/services/cpr-persons-extract/extract")
        assert int(public.headers["knudepunkt-snapshot"]) > 0
        assert int(public.headers["age"]) >= 3_590
        assert (public.headers["cache-control"], personal.headers["cache-control"]) == ("private, no-cache", "no-store")

    def test_withholds_what_the_agreement_does_not_let_out(self, client: Client, connect: Connect) -> None:
        path = "/v1/services/cpr-persons-extract/extract?format=ndjson&columns=pnr,name"
        assert b"Hemmelig" not in client.get(path).body
        seen = connect("two").get(path).body
        assert b"Hemmelig" in seen
        assert b"Carl" not in seen

    @pytest.mark.parametrize(
        ("query", "status", "code"),
        [
            ("format=xlsx", 400, "parameter_invalid"),
            ("compression=lzma", 400, "parameter_invalid"),
            ("format=parquet&compression=zstd", 400, "format_impossible"),
            ("columns=shoe_size", 400, "column_unknown"),
            ("columns=", 400, "parameter_invalid"),
            ("columns=6101701001", 400, "parameter_invalid"),
        ],
    )
    def test_a_request_that_cannot_be_met_is_explained(
        self, client: Client, query: str, status: int, code: str
    ) -> None:
        reply = client.get(f"{PATH}?{query}")
        assert (reply.status, reply.code) == (status, code)
        assert "6101701001" not in reply.body.decode()

    def test_comes_as_xml_that_follows_the_schema(self, client: Client) -> None:
        schema = etree.XMLSchema(etree.fromstring(client.get("/v1/services/cpr-persons-extract/extract.xsd").body))
        path = "/v1/services/cpr-persons-extract/extract?format=xml"
        for query in ("", "&columns=pnr,name,protections"):
            schema.assertValid(etree.fromstring(client.get(path + query).body))

    def test_comes_compressed_and_says_so(self, client: Client) -> None:
        bare = client.get(f"{PATH}?columns=code,name")
        packed = client.get(f"{PATH}?columns=code,name&compression=gzip")
        assert gzip.decompress(packed.body) == bare.body
        assert packed.headers["content-type"] == "application/gzip"
        assert packed.headers["content-disposition"].endswith('.csv.gz"')
        assert "content-encoding" not in packed.headers


class TestConditionsAndRanges:
    @pytest.fixture
    def ready(self, client: Client) -> tuple[Client, bytes, str]:
        body = client.get(PATH).body
        return client, body, client.get(PATH).headers["etag"]

    def test_what_the_caller_has_is_not_sent_again(self, house: House, ready: tuple[Client, bytes, str]) -> None:
        client, _, etag = ready
        reply = client.get(PATH, If_None_Match=etag)
        assert (reply.status, reply.body) == (304, b"")
        assert reply.headers["etag"] == etag
        assert client.get(PATH, If_None_Match='"other"').status == 200

    def test_a_cut_download_goes_on_where_it_stopped(self, house: House, ready: tuple[Client, bytes, str]) -> None:
        client, body, etag = ready
        house.facts.clear()
        reply = client.get(PATH, Range="bytes=20-", If_Range=etag)
        assert (reply.status, reply.body) == (206, body[20:])
        assert reply.headers["content-range"] == f"bytes 20-{len(body) - 1}/{len(body)}"
        (delivery,) = deliveries(house)
        assert (delivery.whole, delivery.size_bytes) == (True, len(body) - 20)

    def test_a_range_in_the_middle_is_no_whole_delivery(self, house: House, ready: tuple[Client, bytes, str]) -> None:
        client, body, _ = ready
        house.facts.clear()
        assert client.get(PATH, Range="bytes=5-9").body == body[5:10]
        assert deliveries(house)[0].whole is False

    def test_a_range_of_another_file_gets_the_whole(self, ready: tuple[Client, bytes, str]) -> None:
        client, body, _ = ready
        assert client.get(PATH, Range="bytes=20-", If_Range='"other"').body == body

    def test_a_range_behind_the_end_says_how_long_the_file_is(self, ready: tuple[Client, bytes, str]) -> None:
        client, body, _ = ready
        reply = client.get(PATH, Range=f"bytes={len(body)}-")
        assert (reply.status, reply.code) == (416, "range_unsatisfiable")
        assert reply.headers["content-range"] == f"bytes */{len(body)}"

    def test_head_tells_without_sending(self, house: House, ready: tuple[Client, bytes, str]) -> None:
        client, body, etag = ready
        house.facts.clear()
        reply = client.call("HEAD", PATH)
        assert (reply.status, reply.body) == (200, b"")
        assert (reply.headers["etag"], reply.headers["content-length"]) == (etag, str(len(body)))
        assert deliveries(house) == []

    def test_head_knows_no_ranges(self, ready: tuple[Client, bytes, str]) -> None:
        client, body, _ = ready
        for asked in ("bytes=1-2", f"bytes={len(body)}-"):
            reply = client.call("HEAD", PATH, headers={"Range": asked})
            assert (reply.status, reply.headers["content-length"]) == (200, str(len(body)))

    def test_head_starts_no_production(self, house: House, client: Client) -> None:
        path = f"{PATH}?columns=region,name"
        reply = client.call("HEAD", path)
        assert reply.status == 200
        assert "etag" not in reply.headers
        assert "content-length" not in reply.headers
        assert "etag" not in client.get(path).headers

    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ("bytes=0-4", (0, 5)),
            ("bytes=5-", (5, 10)),
            ("bytes=-3", (7, 10)),
            ("bytes=-30", (0, 10)),
            ("bytes=3-99", (3, 10)),
            ("bytes=4-3", None),
            ("bytes=0-1,3-4", None),
            ("lines=0-1", None),
            ("bytes=-", None),
            ("bytes=a-b", None),
        ],
    )
    def test_ranges_are_read_as_the_standard_says(self, header: str, expected: tuple[int, int] | None) -> None:
        assert wanted_range(header, None, '"e"', 10) == expected

    @pytest.mark.parametrize("header", ["bytes=10-", "bytes=-0", "bytes=11-12"])
    def test_a_range_that_is_not_there_is_refused(self, header: str) -> None:
        with pytest.raises(RangeUnsatisfiable):
            wanted_range(header, None, '"e"', 10)

    def test_tags_are_compared_weakly_when_the_caller_asks_whether_it_has_the_file(self) -> None:
        assert matches('"a", W/"e"', '"e"')
        assert matches("*", '"e"')
        assert not matches('"a"', '"e"')
        assert not matches(None, '"e"')


class TestTheManifest:
    def test_the_link_leads_to_it_and_it_tells_what_was_received(self, client: Client) -> None:
        reply = client.get(f"{PATH}?columns=code,population")
        link = reply.headers["link"]
        assert link.endswith('; rel="describedby"')
        manifest = client.get(link[1 : link.index(">")]).json
        assert manifest["sha256"] == hashlib.sha256(reply.body).hexdigest()
        assert (manifest["rows"], manifest["bytes"]) == (2, len(reply.body))
        assert manifest["columns"] == ["code", "population"]

    def test_another_agreement_does_not_see_it(self, client: Client, connect: Connect) -> None:
        link = client.get("/v1/services/cpr-persons-extract/extract").headers["link"]
        reply = connect("two").get(link[1 : link.index(">")])
        assert (reply.status, reply.code) == (404, "file_not_found")

    @pytest.mark.parametrize("name", ["..", "%2e%2e%2fsecret", ".hidden", "x" * 300, "%00"])
    def test_no_name_leads_off_the_shelf(self, client: Client, name: str) -> None:
        assert client.get(f"/v1/services/municipalities-extract/files/{name}.manifest.json").status == 404


class TestOnRecord:
    def test_the_answer_is_on_record_before_and_the_delivery_after(self, house: House, client: Client) -> None:
        body = client.get(PATH).body
        answered, delivered = house.facts
        assert isinstance(answered, CallAnswered)
        assert isinstance(delivered, RowsDelivered)
        assert answered.trace == delivered.trace
        assert (delivered.whole, delivered.rows, delivered.size_bytes) == (True, 2, len(body))

    @pytest.mark.parametrize("ready", [False, True])
    def test_a_client_that_hangs_up_got_less_than_the_whole(self, house: House, ready: bool) -> None:
        house.many = 600_000
        try:
            with serving(house, folder=f"cut-{ready}") as (_, port):
                path = f"{PATH}?format=ndjson"
                client = Client(house, port)
                if ready:
                    client.get(path)
                    house.facts.clear()
                connection = client.connected()
                connection.request("GET", path)
                connection.getresponse().read(10_000)
                assert connection.sock is not None
                connection.sock.shutdown(socket.SHUT_RDWR)
                client.close()
                eventually(lambda: deliveries(house))
        finally:
            house.many = 0
        (delivery,) = deliveries(house)
        assert delivery.whole is False
        assert delivery.rows < 600_000

    def test_an_end_that_cannot_be_put_on_record_is_not_sent(self, house: House, client: Client) -> None:
        client.get(PATH)
        house.facts.clear()

        def fails_at_the_end() -> bool:
            return any(isinstance(fact, CallAnswered) for fact in house.facts)

        house.failing_when = fails_at_the_end
        try:
            connection = client.connected()
            connection.request("GET", PATH)
            answer = connection.getresponse()
            with pytest.raises((http.client.IncompleteRead, OSError)):
                answer.read()
        finally:
            house.failing_when = None
            client.close()
        assert deliveries(house) == []

    def test_a_production_that_fails_at_once_is_a_refusal(self, house: House) -> None:
        house.many = -1
        try:
            with serving(house, folder="broken") as (_, port):
                client = Client(house, port)
                reply = client.get(PATH)
                client.close()
        finally:
            house.many = 0
        assert (reply.status, reply.code) == (503, "extract_broken")
        assert house.refused().code == "extract_broken"


class TestDeltas:
    """Over the wire; what a delta holds is tested where it is made."""

    def test_goes_on_from_the_cursor_of_the_extract_before(self, tmp_path: Path) -> None:
        with House.open(tmp_path) as house, serving(house) as (_, port):
            client = Client(house, port)
            cursor = client.get(PATH).headers["knudepunkt-cursor"]
            house.publish("municipality.municipalities", [MUNICIPALITIES[0] | {"population": 1}])
            reply = client.get(f"{PATH}?format=ndjson&since={cursor}&columns=")
            assert reply.code == "parameter_invalid"
            reply = client.get(f"{PATH}?format=ndjson&since={cursor}")
            lines = [json.loads(line) for line in reply.body.splitlines()]
            assert [(row["_operation"], row["code"], row["population"]) for row in lines] == [
                ("update", "0461", 1), ("delete", "0851", None),
            ]  # fmt: skip
            assert reply.headers["knudepunkt-extract"] == "delta"
            assert "_delta_" in reply.headers["content-disposition"]
            onward = reply.headers["knudepunkt-cursor"]
            path = re.findall("<(.*)>", reply.headers["link"])[0]
            manifest = client.get(path).json
            assert (manifest["kind"], manifest["cursor_from"], manifest["cursor"]) == ("delta", cursor, onward)
            assert manifest["rows"] == 2
            assert client.get(f"{PATH}?since={onward}&columns=code").code == "view_changed"
            full = client.get(f"{PATH}?since={onward}&columns=code&otherwise=full")
            assert full.headers["knudepunkt-extract"] == "full"
            assert full.headers["knudepunkt-full-because"] == "view_changed"
            client.close()

    @pytest.mark.parametrize(
        ("query", "status", "code"),
        [
            ("since=6101701001", 400, "extract_cursor_invalid"),
            ("otherwise=full", 400, "parameter_invalid"),
            ("since=1.0.0123456789abcdef&otherwise=nothing", 400, "parameter_invalid"),
            ("since=999999.0.0123456789abcdef", 400, "extract_cursor_invalid"),
            ("since=1.0.0123456789abcdef", 410, "view_changed"),
        ],
    )
    def test_a_cursor_that_does_not_fit_is_explained(self, client: Client, query: str, status: int, code: str) -> None:
        reply = client.get(f"{PATH}?{query}")
        assert (reply.status, reply.code) == (status, code)
        assert reply.json["remedy"]
        assert "6101701001" not in reply.body.decode()
