"""The HTTP connector: pages, positions, patience, and whom it tells what."""

import json
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync import SourceFaulty, SourceInvalid, SourceUnreachable, SourceUntrusted
from sync.connectors.secret import Secret
from sync.sources import Connector, Offered
from sync.sources.http_pages import csv_page, json_page
from tests.sync.connectors.authority import Authority, new_authority
from tests.sync.connectors.http_server import HttpPeer, serve_http
from tests.sync.connectors.kinds import http_spec
from tests.sync.connectors.peer import CHANGED, FEW, MANY, SECRET, as_csv

PAGED: dict[str, Any] = {"path": "/api", "records": "data", "paging": {"kind": "next", "path": "links.next"}}
SINCE: dict[str, Any] = {"parameter": "since", "path": "id"}


def only(connector: Connector, since: dict[str, str] | None = None) -> tuple[Offered, bytes]:
    (offered,) = connector.offered(since or {})
    with connector.open(offered) as stream:
        return offered, stream.read()


class TestPages:
    @pytest.mark.parametrize(
        "paging",
        [
            {"kind": "link"},
            {"kind": "next", "path": "links.next"},
            {"kind": "number", "parameter": "page"},
            {"kind": "cursor", "parameter": "page", "path": "following"},
        ],
        ids=lambda paging: paging["kind"],
    )
    def test_of_every_kind_become_one_stream_of_lines(self, http: HttpPeer, work: Path, paging: dict[str, str]) -> None:
        http.rows = MANY
        with http_spec(http, work, path="/api", records="data", paging=paging).connect(work) as connector:
            offered, data = only(connector)
        assert [json.loads(line)["id"] for line in data.splitlines()] == [key for key, _ in MANY]
        assert offered.name == "api.ndjson"

    @pytest.mark.parametrize("kind", ["link", "number"])
    def test_of_csv_become_one_file_with_one_header(self, http: HttpPeer, work: Path, kind: str) -> None:
        http.rows = MANY
        spec = http_spec(http, work, path="/pages.csv", format="csv", paging={"kind": kind})
        with spec.connect(work) as connector:
            assert only(connector)[1] == as_csv(MANY)

    def test_without_records_are_an_empty_file_when_everything_is_asked_for(self, http: HttpPeer, work: Path) -> None:
        http.rows = []
        with http_spec(http, work, **PAGED).connect(work) as connector:
            assert only(connector)[1] == b""

    def test_keep_the_digits_of_numbers(self) -> None:
        assert (
            json_page(b'[{"a": 1.50, "b": 12345678901234567.8}]', "@").data == b'{"a":1.50,"b":12345678901234567.8}\n'
        )

    def test_of_csv_with_other_headers_do_not_go_together(self, http: HttpPeer, work: Path) -> None:
        http.rows, http.mischief.fault = MANY, "changes its columns"
        spec = http_spec(http, work, path="/pages.csv", format="csv", paging={"kind": "link"})
        with spec.connect(work) as connector, pytest.raises(SourceFaulty, match="same header"):
            connector.offered({})

    def test_of_csv_may_end_as_they_like(self) -> None:
        assert csv_page(b"id,name\r\n1,Ada").data == b"1,Ada\n"
        assert csv_page(b"").records == csv_page(b"id,name").records == 0

    @settings(max_examples=50)
    @given(st.binary() | st.recursive(st.none() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(
        st.sampled_from(["data", "id"]), v)).map(lambda value: json.dumps(value).encode()))  # fmt: skip
    def test_are_read_or_refused_whatever_they_hold(self, data: bytes) -> None:
        try:
            page = json_page(data, "data")
        except SourceFaulty:
            return
        assert page.data.count(b"\n") == page.records


class TestPositions:
    def test_a_document_is_not_fetched_again_while_it_is_as_before(self, http: HttpPeer, work: Path) -> None:
        http.rows = FEW
        spec = http_spec(http, work, path="/doc.csv", format="csv")
        with spec.connect(work) as connector:
            (offered,) = connector.offered({})
            assert offered.modified == CHANGED
            assert connector.offered(offered.position) == ()
            http.rows = MANY
            assert only(connector, dict(offered.position))[1] == as_csv(MANY)

    def test_only_what_is_new_is_asked_for(self, http: HttpPeer, work: Path) -> None:
        http.rows = FEW
        with http_spec(http, work, **PAGED, changes=SINCE).connect(work) as connector:
            offered, _ = only(connector)
            assert connector.offered(offered.position) == ()
            http.rows = [*FEW, ("3", "Cy")]
            newer, data = only(connector, dict(offered.position))
        assert data == b'{"id":"3","name":"Cy","weight":1.5}\n'
        assert [asked[1].get("since") for asked in http.asked] == [None, "2", "2"]
        assert newer.position["at"] == "3"

    def test_begin_where_the_source_file_says(self, http: HttpPeer, work: Path) -> None:
        http.rows = FEW
        with http_spec(http, work, **PAGED, changes={**SINCE, "first": "1"}).connect(work) as connector:
            assert b"Bo" in only(connector)[1]
        assert http.asked[0][1]["since"] == "1"

    def test_may_stand_in_the_body(self, http: HttpPeer, work: Path) -> None:
        http.rows = MANY
        changes = {"parameter": "since", "path": "until", "of": "body"}
        with http_spec(http, work, **PAGED, changes=changes).connect(work) as connector:
            assert only(connector)[0].position["at"] == MANY[-1][0]

    def test_of_another_address_mean_nothing(self, http: HttpPeer, work: Path) -> None:
        http.rows = FEW
        with http_spec(http, work, **PAGED, changes=SINCE).connect(work) as connector:
            position = only(connector)[0].position
        with http_spec(http, work, **PAGED, changes=SINCE, parameters={"kind": "all"}).connect(work) as connector:
            assert only(connector, dict(position))[1].count(b"\n") == 2

    def test_that_the_source_does_not_give_are_missed(self, http: HttpPeer, work: Path) -> None:
        http.rows = FEW
        spec = http_spec(http, work, **PAGED, changes={**SINCE, "path": "changed"})
        with spec.connect(work) as connector, pytest.raises(SourceFaulty, match="no position at `changed`"):
            connector.offered({})


class TestPatience:
    @pytest.mark.parametrize("fault", ["throttles", "hangs up half way"])
    def test_outlasts_a_fault_that_passes(self, http: HttpPeer, work: Path, fault: str) -> None:
        http.rows = MANY
        http.mischief.fault, http.failing = fault, 2
        with http_spec(http, work, path="/doc.csv", format="csv").connect(work) as connector:
            assert only(connector)[1] == as_csv(MANY)
        assert len(http.asked) == 3

    @pytest.mark.parametrize("fault", ["is down for long", "is down until a date"])
    def test_does_not_wait_beyond_its_deadline_and_says_when_to_come_back(
        self, http: HttpPeer, work: Path, fault: str
    ) -> None:
        http.mischief.fault = fault
        spec = http_spec(http, work, path="/doc.csv", format="csv")
        with spec.connect(work) as connector, pytest.raises(SourceUnreachable) as said:
            connector.offered({})
        assert said.value.retry_after_s is not None
        assert said.value.retry_after_s >= 86_400
        assert len(http.asked) == 1

    @pytest.mark.parametrize("fault", ["does not understand us", "has no such document"])
    def test_is_not_spent_on_what_will_not_change(self, http: HttpPeer, work: Path, fault: str) -> None:
        http.mischief.fault = fault
        spec = http_spec(http, work, path="/doc.csv")
        with spec.connect(work) as connector, pytest.raises((SourceFaulty, SourceUnreachable)):
            connector.offered({})
        assert len(http.asked) == 1


class TestCredentials:
    @pytest.mark.parametrize(
        ("auth", "header", "value"),
        [
            ({"kind": "bearer", "secret": "token"}, "Authorization", f"Bearer {SECRET}"),
            ({"kind": "basic", "user": "us", "secret": "token"}, "Authorization", "Basic dXM6b3Blbi1zZXNhbWU="),
            ({"kind": "header", "name": "Api-Key", "secret": "token"}, "Api-Key", SECRET),
        ],
        ids=lambda value: value["kind"] if isinstance(value, dict) else "",
    )
    def test_go_into_their_header(
        self, http: HttpPeer, work: Path, auth: dict[str, str], header: str, value: str
    ) -> None:
        http.rows = FEW
        with http_spec(http, work, path="/doc.csv", auth=auth).connect(work) as connector:
            connector.offered({})
        assert http.asked[0][2][header] == value

    def test_follow_a_redirect_at_home_and_none_abroad(self, http: HttpPeer, work: Path) -> None:
        http.rows = FEW
        with http_spec(http, work, path="/moved").connect(work) as connector:
            assert only(connector)[1] == as_csv(FEW)
        assert all(headers["Authorization"] for _, _, headers in http.asked)
        with serve_http() as abroad:
            abroad.rows = FEW
            http.asked.clear()
            spec = http_spec(http, work, path="/moved", other_origins=[f"http://127.0.0.1:{abroad.port}"])
            http.mischief.fault, http.place = "leads abroad", f"http://127.0.0.1:{abroad.port}/doc.csv"
            with spec.connect(work) as connector:
                assert only(connector)[1] == as_csv(FEW)
            assert [headers["Authorization"] for _, _, headers in abroad.asked] == [None]

    def test_that_are_no_header_are_refused(self, http: HttpPeer, work: Path) -> None:
        with pytest.raises(SourceInvalid, match="cannot go into a header"):
            http_spec(http, work, path="/doc.csv", secret="sm\u00f8rrebr\u00f8d").connect(work)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return new_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def guarded(authority: Authority) -> Iterator[HttpPeer]:
    """A server with TLS that wants a certificate of its clients."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.certificate)
    context.load_cert_chain(authority.server)
    context.verify_mode = ssl.CERT_REQUIRED
    with serve_http(context) as server:
        server.rows = FEW
        yield server


class TestTls:
    def test_is_for_both_sides(self, guarded: HttpPeer, work: Path, authority: Authority) -> None:
        spec = http_spec(guarded, work, path="/doc.csv")
        url = httpx2.URL(f"https://localhost:{guarded.port}/doc.csv")
        spec = replace(spec, interface=replace(spec.interface, url=url), authority=authority.certificate)
        with replace(spec, certificate=Secret(authority.client)).connect(work) as connector:
            assert only(connector)[1] == as_csv(FEW)
        with spec.connect(work) as connector, pytest.raises(SourceUnreachable):
            connector.offered({})
        with replace(spec, authority=None).connect(work) as connector, pytest.raises(SourceUntrusted):
            connector.offered({})
        other = replace(spec.interface, url=url.copy_with(host="127.0.0.2"))
        with replace(spec, interface=other).connect(work) as connector, pytest.raises(SourceUnreachable):
            connector.offered({})

    def test_needs_files_that_are_there(self, guarded: HttpPeer, work: Path) -> None:
        spec = http_spec(guarded, work, path="/doc.csv")
        with pytest.raises(SourceInvalid, match="certificate"):
            replace(spec, certificate=Secret(work / "missing")).connect(work)
