"""Delta Sharing as its clients expect it: refusals, what one use is, ends of answers, addresses that are renewed."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import duckdb
import pytest

from api.sharing.answers import Question
from api.sharing.desk import Refresh
from api.sharing.errors import SharingRequestInvalid
from api.sharing.refusals import error_code
from control import ServiceTerms, Sharing
from kernel import CallAnswered, CallRefused, Channel, Limits, Operation, RowsDelivered
from runtime.reference import every_error
from tests.api.house import AALBORG, MUNICIPALITIES, House, Reply
from tests.api.shared import KEY, Asking, profile, profile_text, sharing

CALLERS = {
    "INVALID_PARAMETER_VALUE", "UNSUPPORTED_OPERATION", "MALFORMED_REQUEST", "RESOURCE_DOES_NOT_EXIST",
    "UNAUTHENTICATED", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
}  # fmt: skip
OURS = {"INTERNAL_ERROR", "UNAVAILABLE"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House.open(tmp_path_factory.mktemp("house")) as house:
        yield house


@pytest.fixture(scope="module")
def port(house: House) -> Iterator[int]:
    with sharing(house) as port:
        yield port


@pytest.fixture(scope="module")
def one(house: House, port: int) -> Asking:
    return Asking(house, port, profile(house, port).bearer_token)


def limited(house: House, port: int, **limits: int) -> Asking:
    """A new system whose agreement has few calls."""
    name = f"few-{uuid4()}"
    house.add_system(name)
    house.agree(name, name, AALBORG, {"municipalities-extract": ServiceTerms()}, Limits(**limits))
    house.settle()
    return Asking(house, port, profile(house, port, name).bearer_token, name)


def lines(reply: Reply) -> list[dict[str, Any]]:
    assert reply.status == 200, reply.body
    return [json.loads(line) for line in reply.body.splitlines()]


def ensure_refusal(reply: Reply, status: int, code: str, error: str) -> None:
    """A problem document with the protocol's fields beside its own, in one line."""
    assert (reply.status, reply.code, reply.json["errorCode"]) == (status, code, error)
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json["message"].startswith(reply.json["detail"])
    assert reply.json["message"].endswith(reply.json.get("remedy", ""))
    assert b"\n" not in reply.body


class TestRefusals:
    @pytest.mark.parametrize(
        ("path", "method", "status", "code", "error"),
        [
            ("/nothing", "GET", 404, "route_unknown", "RESOURCE_DOES_NOT_EXIST"),
            ("/shares/none", "GET", 404, "sharing_unknown", "RESOURCE_DOES_NOT_EXIST"),
            ("/shares/{}/schemas/none/tables", "GET", 404, "sharing_unknown", "RESOURCE_DOES_NOT_EXIST"),
            ("/shares/{}/schemas/cpr/tables/none/version", "GET", 404, "sharing_unknown", "RESOURCE_DOES_NOT_EXIST"),
            ("/files/none?sp=none", "GET", 404, "sharing_unknown", "RESOURCE_DOES_NOT_EXIST"),
            ("/shares", "DELETE", 405, "method_not_allowed", "UNSUPPORTED_OPERATION"),
            ("/shares?maxResults=-1", "GET", 400, "sharing_request_invalid", "INVALID_PARAMETER_VALUE"),
            ("/shares?x=1", "GET", 400, "parameter_invalid", "INVALID_PARAMETER_VALUE"),
        ],
    )
    def test_of_paths(
        self, house: House, one: Asking, path: str, method: str, status: int, code: str, error: str
    ) -> None:
        ensure_refusal(one.call(method, f"/sharing{path.format(house.agreements['one'])}"), status, code, error)

    @pytest.mark.parametrize(
        ("what", "body", "code", "error"),
        [
            ("query", [], "sharing_request_invalid", "MALFORMED_REQUEST"),
            ("query", {"version": "x"}, "sharing_request_invalid", "INVALID_PARAMETER_VALUE"),
            ("query", {"startingVersion": 1}, "sharing_unsupported", "UNSUPPORTED_OPERATION"),
            ("queries/1", {}, "sharing_unsupported", "UNSUPPORTED_OPERATION"),
            ("temporary-table-credentials", {}, "sharing_unsupported", "UNSUPPORTED_OPERATION"),
            ("changes", None, "sharing_request_invalid", "INVALID_PARAMETER_VALUE"),
            ("version?startingTimestamp=2931-01-01T00:00:00Z", None, "sharing_request_invalid",
             "INVALID_PARAMETER_VALUE"),
        ],
    )  # fmt: skip
    def test_of_questions(self, one: Asking, what: str, body: Any, code: str, error: str) -> None:
        ensure_refusal(one.ask(what, body), 400, code, error)

    def test_of_a_version_that_is_not_kept(self, one: Asking) -> None:
        ensure_refusal(one.ask("query", {"version": 0}), 410, "history_expired", "RESOURCE_DOES_NOT_EXIST")

    def test_of_who_shows_no_good_token_ask_for_one(self, one: Asking) -> None:
        missing = one.call("GET", "/sharing/shares", Authorization="Basic eDp5")
        ensure_refusal(missing, 401, "sharing_token_missing", "UNAUTHENTICATED")
        assert missing.headers["www-authenticate"] == "Bearer"
        unknown = replace(one, token="x").call("GET", "/sharing/shares")
        ensure_refusal(unknown, 401, "sharing_token_unknown", "UNAUTHENTICATED")
        assert unknown.headers["www-authenticate"] == 'Bearer error="invalid_token"'

    def test_of_who_has_used_up_the_limits(self, house: House, port: int) -> None:
        few = limited(house, port, calls_per_minute=1)
        assert few.ask("query", {}).status == 200
        for what, body in (("query", {}), ("metadata", None), ("version", None)):
            reply = few.ask(what, body)
            ensure_refusal(reply, 429, "rate_limited", "RESOURCE_EXHAUSTED")
            assert int(reply.headers["retry-after"]) > 0

    def test_before_anybody_looks_at_the_token(self, one: Asking) -> None:
        """Of a header that only a proxy may send."""
        ensure_refusal(
            one.call("GET", "/sharing/shares", Client_Cert=":eA==:"), 400, "client_cert_header_refused",
            "INVALID_PARAMETER_VALUE",
        )  # fmt: skip

    def test_of_ours_and_of_what_cannot_be_put_on_record(self, house: House, one: Asking) -> None:
        with patch.object(house, "many", -1):
            # No file of this view is there yet.
            reply = one.ask("query", {}, "schemas/cpr/tables/cpr-persons-extract")
        ensure_refusal(reply, 503, "extract_broken", "UNAVAILABLE")
        with patch.object(house, "failing", OSError("full")):
            ensure_refusal(one.ask("version"), 503, "not_on_record", "UNAVAILABLE")
        with patch("api.sharing.answers.Question.version", side_effect=ZeroDivisionError("secret")):
            reply = one.ask("version")
        ensure_refusal(reply, 500, "house_fault", "INTERNAL_ERROR")
        assert b"secret" not in reply.body

    def test_are_on_record_with_all_that_is_known(self, house: House, one: Asking) -> None:
        one.ask("query", {"version": "x"})
        fact = house.refused()
        assert (fact.channel, fact.service, fact.operation) == (
            Channel.SHARING, "municipalities-extract", Operation.EXTRACT,
        )  # fmt: skip
        assert (fact.agreement, fact.municipality_cvr) == (house.agreements["one"], AALBORG)
        assert fact.system is not None

    def test_of_every_kind_have_a_code_that_is_known(self) -> None:
        for kind in every_error():
            error = kind.__new__(kind)
            error.rule = None
            assert error_code(error) in (CALLERS if kind.status < 500 else OURS), kind

    def test_elsewhere_are_as_before(self, one: Asking) -> None:
        assert "errorCode" not in one.call("GET", "/nothing").json


def reading(house: House, file: Path, url: str, times: int, form: str) -> list[dict[str, Any]]:
    """What the official client got, in a process of its own."""
    authority = str(house.root / "trust" / "authority.pem")
    done = subprocess.run(
        [sys.executable, "-m", "tests.api.reader", f"{file}#{url}", str(times), form],
        env=os.environ | {"SSL_CERT_FILE": authority, "REQUESTS_CA_BUNDLE": authority},
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


class TestOneUse:
    """A query with its files, and what is asked before it."""

    @pytest.mark.parametrize("form", ["either", "delta"])
    def test_of_the_official_client_counts_once(self, house: House, port: int, tmp_path: Path, form: str) -> None:
        """Against limits, in the record of calls, and as rows that were handed out."""
        few = limited(house, port, calls_per_day=2)
        agreement = house.agreements[few.agreement]
        file = tmp_path / "analyst.share"
        file.write_text(profile_text(profile(house, port, few.agreement)))
        before = len(house.facts)
        *got, refused = reading(house, file, f"{agreement}.municipality.municipalities-extract", 3, form)
        assert got == [{"rows": len(MUNICIPALITIES)}] * 2
        # This is all that the client shows.
        for told in ("429", "RESOURCE_EXHAUSTED", "'errorCode'", "'message'", "used up", "call again after"):
            assert told in refused["refused"]

        facts = [fact for fact in house.facts[before:] if getattr(fact, "agreement", None) == agreement]
        answered = [fact.operation for fact in facts if isinstance(fact, CallAnswered)]
        delivered = [fact.rows for fact in facts if isinstance(fact, RowsDelivered)]
        assert answered.count(Operation.EXTRACT) == 2
        assert set(answered) <= {Operation.EXTRACT, Operation.DESCRIBE}
        assert delivered == [len(MUNICIPALITIES)] * 2
        assert [fact.code for fact in facts if isinstance(fact, CallRefused)] == ["quota_exhausted"]

    def test_of_changes_counts_once(self, house: House, port: int) -> None:
        few = limited(house, port, calls_per_day=1)
        assert few.ask("version").status == 200
        assert few.ask("changes?startingVersion=0").status == 200
        assert few.ask("changes?startingVersion=0").status == 429


def test_who_waits_for_many_files_keeps_nobody_else_waiting(house: House, port: int, one: Asking) -> None:
    """More questions than there are threads, each with a file that does not come."""
    go_on, begun, plain = threading.Event(), threading.Semaphore(0), Question.query

    def slowly(question: Question, asked: Any) -> tuple[int, bytes]:
        if question.asker.share == house.agreements["one"]:
            begun.release()
            assert go_on.wait(60)
        return plain(question, asked)

    other = limited(house, port, calls_per_day=10)
    with patch.object(Question, "query", slowly), ThreadPoolExecutor(80) as threads:
        waiting = [threads.submit(one.ask, "query", {}) for _ in range(80)]
        try:
            assert all(begun.acquire(timeout=60) for _ in range(8))
            # Another agreement's question for a file, and this one's own for what needs none.
            assert other.ask("query", {}).status == 200
            assert one.ask("version").status == 200
            assert not any(each.done() for each in waiting)
            # No more than those are waited for.
            assert not begun.acquire(timeout=0.1)
        finally:
            go_on.set()
        assert {each.result().status for each in waiting} == {200}


class TestTheEndOfAnAnswer:
    def test_is_told_to_who_reads_it_and_to_nobody_else(self, one: Asking) -> None:
        for what, body in (("query", {}), ("changes?startingVersion=0", None)):
            for form in ("parquet", "delta"):
                asked = f"responseformat={form};includeEndStreamAction=true;asyncquery=true"
                reply = one.ask(what, body, delta_sharing_capabilities=asked)
                told = f"responseformat={form};includeendstreamaction=true"
                assert reply.headers["delta-sharing-capabilities"] == told
                *_, file, end = lines(reply)
                (of_file,) = file.values()
                assert end == {"endStreamAction": {"minUrlExpirationTimestamp": of_file["expirationTimestamp"]}}
            plain = one.ask(what, body)
            assert "delta-sharing-capabilities" not in plain.headers
            assert not any("endStreamAction" in line for line in lines(plain))

    def test_is_told_of_changes_that_are_none(self, house: House, one: Asking) -> None:
        version = int(one.ask("version").headers["delta-table-version"])
        # Of another table, and then of this one.
        house.publish("cpr.persons", [])
        between = house.lake.info(house.dataset("cpr.persons"))
        assert between is not None
        for rows in (MUNICIPALITIES[:1], MUNICIPALITIES):
            house.publish("municipality.municipalities", rows)
        span = f"changes?startingVersion={version + 1}&endingVersion={between.snapshot}"
        *_, end = lines(one.ask(span, delta_sharing_capabilities="includeendstreamaction=true"))
        assert end == {"endStreamAction": {}}

    def test_is_no_part_of_what_a_table_is(self, one: Asking) -> None:
        reply = one.ask("metadata", delta_sharing_capabilities="responseformat=delta;includeendstreamaction=true")
        assert reply.headers["delta-sharing-capabilities"] == "responseformat=delta"
        assert [next(iter(line)) for line in lines(reply)] == ["protocol", "metaData"]


class TestRenewedAddresses:
    """Of a query that outlives its first ones, as Spark's may."""

    def test_lead_to_the_same_file_also_when_the_table_has_changed(self, house: House, port: int) -> None:
        few = limited(house, port, calls_per_day=1)
        first = few.ask("query", {"includeRefreshToken": True, "maxFiles": 10})
        *_, file, end = lines(first)
        token = end["endStreamAction"]["refreshToken"]
        house.publish("municipality.municipalities", MUNICIPALITIES[:1])
        try:
            before = len(house.facts)
            again = few.ask("query", {"includeRefreshToken": True, "refreshToken": token})
            *_, renewed, next_end = lines(again)
            assert renewed["file"]["id"] == file["file"]["id"]
            assert again.headers["delta-table-version"] == first.headers["delta-table-version"]
            address = renewed["file"]["url"].partition(str(port))[2]
            assert few.call("GET", address).status == 200
            # It is the same use, also when it is renewed once more.
            facts = house.facts[before:]
            assert [each.operation for each in facts if isinstance(each, CallAnswered)] == [Operation.DESCRIBE]
            assert not any(isinstance(each, RowsDelivered) for each in facts)
            later = next_end["endStreamAction"]["refreshToken"]
            assert later == token
            assert few.ask("query", {"refreshToken": later}).status == 200
            assert few.ask("query", {}).status == 429
        finally:
            house.publish("municipality.municipalities", MUNICIPALITIES)

    def test_are_nobody_elses(self, house: House, port: int, one: Asking) -> None:
        *_, end = lines(one.ask("query", {"includeRefreshToken": True}))
        token = end["endStreamAction"]["refreshToken"]
        other = Asking(house, port, profile(house, port).bearer_token)
        for asking, told in (
            (other, token),
            (one, token[:-2]),
            (one, f"{token}x"),
            (one, "."),
            (one, "æ.æ"),
            (one, ""),
        ):
            ensure_refusal(
                asking.ask("query", {"refreshToken": told}), 400, "sharing_request_invalid", "INVALID_PARAMETER_VALUE"
            )
        # Of the same token, and another table.
        path = "schemas/road/tables/roads-extract"
        house.publish("road.roads", [])
        reply = one.ask("query", {"refreshToken": token}, path)
        assert 400 <= reply.status < 500

    def test_end_with_the_use_that_they_belong_to(self) -> None:
        text = Refresh("plan", "token", 7, 100).signed(KEY)
        assert Refresh.read(text, KEY, "token", 99.9) == Refresh("plan", "token", 7, 100)
        for key, token, now in ((KEY, "token", 100.0), (KEY, "another", 1.0), (b"x" * 32, "token", 1.0)):
            with pytest.raises(SharingRequestInvalid):
                Refresh.read(text, key, token, now)

    def test_are_not_given_where_the_token_was_revoked(self, house: House, port: int) -> None:
        token, text = Sharing(house.control).make(house.agreements["one"], timedelta(days=1))
        house.settle()
        mine = Asking(house, port, text)
        *_, end = lines(mine.ask("query", {"includeRefreshToken": True}))
        Sharing(house.control).revoke(token.id)
        house.settle()
        assert mine.ask("query", {"refreshToken": end["endStreamAction"]["refreshToken"]}).status == 401


class TestHints:
    """Are hints: a client reads no less than it asked for, and may leave the rest."""

    @pytest.mark.parametrize(
        "hint",
        [
            {"predicateHints": ["code = '0851'"], "limitHint": 1},
            {"jsonPredicateHints": json.dumps({"op": "equal", "children": []})},
            {"limitHint": 0, "maxFiles": 1},
        ],
    )
    def test_leave_nothing_out(self, one: Asking, hint: dict[str, Any]) -> None:
        (*_, file), (*_, whole) = lines(one.ask("query", hint)), lines(one.ask("query", {}))
        assert file["file"]["id"] == whole["file"]["id"]
        assert json.loads(file["file"]["stats"]) == {"numRecords": len(MUNICIPALITIES)}

    def test_of_changes(self, one: Asking) -> None:
        plain = lines(one.ask("changes?startingVersion=0"))
        asked = "changes?startingVersion=0&includeHistoricalMetadata=true&maxFiles=5"
        assert [next(iter(line)) for line in lines(one.ask(asked))] == [next(iter(line)) for line in plain]
        assert [next(iter(line)) for line in plain] == ["protocol", "metaData", "add"]


def test_lists_and_shares_are_told_as_the_protocol_says(house: House, one: Asking) -> None:
    share = house.agreements["one"]
    for path in ("/shares", f"/shares/{share.upper()}", f"/shares/{share}/schemas", f"/shares/{share}/all-tables"):
        reply = one.call("GET", f"/sharing{path}")
        assert (reply.status, reply.headers["content-type"]) == (200, "application/json; charset=utf-8")
    assert one.call("GET", f"/sharing/shares/{share}").json == {"share": {"name": share, "id": share}}


def test_duckdb_reads_an_address(house: House, one: Asking) -> None:
    """Which asks how long the file is, and for the parts of it that it needs."""
    *_, file = lines(one.ask("query", {}))
    (extension,) = Path(duckdb.__file__).parent.with_name("duckdb_extension_httpfs").rglob("*.duckdb_extension")
    with duckdb.connect() as db:
        db.execute(f"load '{extension}'")
        db.execute(f"set ca_cert_file = '{house.root / 'trust' / 'authority.pem'}'")
        got = db.execute("select code, population from read_parquet(?)", [file["file"]["url"]]).fetchall()
    assert got == [(each["code"], each["population"]) for each in MUNICIPALITIES]


def test_nothing_personal_stands_in_an_address(house: House, one: Asking) -> None:
    house.publish("cpr.persons", [{"pnr": "6101701001", "status": "01"}])
    *_, file = lines(one.ask("query", {}, "schemas/cpr/tables/cpr-persons-extract"))
    assert "6101701001" not in file["file"]["url"]
