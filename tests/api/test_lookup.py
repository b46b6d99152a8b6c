"""Lookups over the wire: what is answered, what is on record, and that nothing leaves before it is."""

import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.errors import NotOnRecord
from kernel import CallAnswered, CallRefused
from tests.api.conftest import Connect
from tests.api.house import AALBORG, ANNA, BENT, CARL, CLOCK, NOBODY, Client, House
from usage import LedgerUnavailable, subject_hash


class TestOneKey:
    def test_the_record_comes_back_whole(self, client: Client) -> None:
        reply = client.lookup("cpr-persons", {"key": ANNA})
        assert reply.status == 200
        record = reply.json["record"]
        assert record["name"] == {**dict.fromkeys(record["name"]), "given_names": "Anna Ærø", "surname": "Prøve"}
        assert record["birth_date"] == "1970-01-01"
        assert record["status_from"] == "1970-01-01T12:30:00"
        assert record["address"]["house_number"] == "012"
        assert reply.json["withheld"] == []
        assert reply.json["service"] == "cpr-persons"

    def test_snapshot_age_and_trace_are_on_the_answer_and_it_may_not_be_kept(self, client: Client) -> None:
        asked = int(CLOCK.now().timestamp())
        reply = client.lookup("cpr-persons", {"key": ANNA})
        assert reply.headers["knudepunkt-snapshot"] == str(reply.json["snapshot"])
        told = re.fullmatch(r"@(\d+)", reply.headers["knudepunkt-as-of"])
        assert told is not None
        # To the second; each of the two moments was rounded by itself.
        assert asked - 1 <= int(told[1]) + int(reply.headers["age"]) <= CLOCK.now().timestamp() + 1
        assert int(reply.headers["age"]) > 3_590
        assert reply.headers["knudepunkt-trace"] == reply.json["trace"]
        assert reply.headers["cache-control"] == "no-store"
        assert reply.json["as_of"].endswith("Z")

    @pytest.mark.parametrize("columns", [["name"], ["pnr"], ["name", "pnr"], ["protections"], ["status", "name"]])
    def test_any_choice_of_columns_is_answered(self, client: Client, columns: list[str]) -> None:
        reply = client.lookup("cpr-persons", {"key": ANNA, "columns": columns})
        assert reply.status == 200
        assert set(reply.json["record"]) == set(columns)

    def test_the_callers_trace_is_used(self, house: House, client: Client) -> None:
        trace = "0af7651916cd43dd8448eb211c80319c"
        reply = client.lookup("cpr-persons", {"key": ANNA}, traceparent=f"00-{trace}-b7ad6b7169203331-01")
        assert reply.json["trace"] == trace == house.facts[-1].trace

    @pytest.mark.parametrize("bad", ["00-" + "0" * 32 + "-b7ad6b7169203331-01", "nonsense", ""])
    def test_a_trace_that_cannot_be_used_is_replaced(self, client: Client, bad: str) -> None:
        trace = client.lookup("cpr-persons", {"key": ANNA}, traceparent=bad).json["trace"]
        assert re.fullmatch("[0-9a-f]{32}", trace)
        assert trace != "0" * 32

    def test_a_key_without_a_record_is_404_and_on_record_as_answered(self, house: House, client: Client) -> None:
        reply = client.lookup("cpr-persons", {"key": NOBODY})
        assert (reply.status, reply.code) == (404, "record_not_found")
        assert reply.headers["knudepunkt-snapshot"]
        fact = house.facts[-1]
        assert isinstance(fact, CallAnswered)
        assert (fact.status, fact.keys, fact.rows) == (404, 1, 0)

    def test_a_protected_person_is_shown_without_name_and_address(self, client: Client) -> None:
        reply = client.lookup("cpr-persons", {"key": BENT})
        assert reply.json["record"]["name"] is None
        assert reply.json["record"]["address"] is None
        assert reply.json["record"]["municipality_code"] == "0851"
        assert {"name", "address", "address_text"} <= set(reply.json["withheld"])
        assert "Hemmelig" not in reply.body.decode()

    def test_an_agreement_may_see_the_protected_within_its_rows_and_columns(self, connect: Connect) -> None:
        client = connect("two")
        seen = client.lookup("cpr-persons", {"keys": [ANNA, BENT, CARL]}).json
        assert [entry["record"]["name"]["given_names"] for entry in seen["records"]] == ["Anna Ærø", "Bent Hemmelig"]
        assert all(set(entry["record"]) == {"pnr", "status", "name"} for entry in seen["records"])
        assert seen["missing"] == [CARL]
        refused = client.lookup("cpr-persons", {"key": ANNA, "columns": ["address"]})
        assert (refused.status, refused.code) == (403, "columns_not_covered")


class TestManyKeys:
    def test_each_key_is_in_the_records_or_among_the_missing(self, house: House, client: Client) -> None:
        seen = client.lookup("cpr-persons", {"keys": [NOBODY, CARL, ANNA], "columns": ["status"]}).json
        assert [(entry["key"], entry["record"]) for entry in seen["records"]] == [
            (CARL, {"status": "90"}),
            (ANNA, {"status": "01"}),
        ]
        assert seen["missing"] == [NOBODY]
        fact = house.facts[-1]
        assert isinstance(fact, CallAnswered)
        assert (fact.status, fact.keys, fact.rows, fact.municipality_cvr) == (200, 3, 2, AALBORG)

    def test_a_hundred_are_answered_as_one_is(self, client: Client) -> None:
        keys = [f"61017{number:05}" for number in range(99)] + [ANNA]
        seen = client.lookup("cpr-persons", {"keys": keys, "columns": ["pnr"]}).json
        assert seen["records"] == [{"key": ANNA, "record": {"pnr": ANNA}, "withheld": []}]
        assert seen["missing"] == keys[:-1]

    def test_the_agreement_limits_them(self, client: Client) -> None:
        reply = client.lookup("cpr-persons", {"keys": [ANNA] * 101})
        assert (reply.status, reply.code) == (400, "too_many_keys")
        assert reply.json["rule"] == "agreement.limits.keys_per_call"


class TestPublicKeys:
    def test_a_record_has_an_address(self, client: Client) -> None:
        reply = client.get("/v1/services/municipalities/records/0851?columns=code,name")
        assert reply.json["record"] == {"code": "0851", "name": "Aalborg"}
        assert client.call("HEAD", "/v1/services/municipalities/records/0851").status == 200
        assert client.get("/v1/services/municipalities/records/0999").code == "record_not_found"

    def test_personal_keys_have_none(self, client: Client) -> None:
        reply = client.get(f"/v1/services/cpr-persons/records/{ANNA}")
        assert (reply.status, reply.code) == (400, "personal_key_in_url")
        assert ANNA not in reply.body.decode()
        assert "POST" in reply.json["remedy"]


class TestTheLedgerComesFirst:
    def test_who_was_asked_about_is_on_record_under_a_keyed_hash_alone(self, house: House, client: Client) -> None:
        client.lookup("cpr-persons", {"key": ANNA})
        lines = b"".join(path.read_bytes() for path in (house.root / "ledger").rglob("*.jsonl"))
        assert subject_hash(b"k" * 32, ANNA).encode() in lines
        assert ANNA.encode() not in lines

    def test_public_keys_are_nobody(self, house: House, client: Client) -> None:
        client.lookup("municipalities", {"key": "0851"})
        fact = house.facts[-1]
        assert isinstance(fact, CallAnswered)
        assert fact.subjects == ()

    @pytest.mark.parametrize(
        ("failure", "code"),
        [
            (LedgerUnavailable("the disk is full", retry_after_s=30), "ledger_unavailable"),
            (OSError("the disk is gone"), "not_on_record"),
        ],
    )
    @pytest.mark.parametrize(
        "call",
        [
            lambda client: client.lookup("cpr-persons", {"key": ANNA}),
            lambda client: client.lookup("cpr-persons", {"keys": [ANNA]}),
            lambda client: client.lookup("cpr-persons", {"key": NOBODY}),
            lambda client: client.lookup("cpr-persons", {"key": ANNA, "columns": ["shoe_size"]}),
            lambda client: client.get("/v1/services/municipalities/records/0851"),
            lambda client: client.get("/v1/services/municipalities-extract/extract"),
        ],
    )
    def test_what_cannot_be_put_on_record_does_not_leave(
        self, house: House, client: Client, failure: Exception, code: str, call: Callable[[Client], object]
    ) -> None:
        house.failing = failure
        reply = call(client)
        assert (reply.status, reply.code) == (503, code)  # type: ignore[attr-defined]
        assert reply.headers["retry-after"] == "30"  # type: ignore[attr-defined]
        assert "Ærø" not in reply.body.decode()  # type: ignore[attr-defined]
        assert "Aalborg" not in reply.body.decode()  # type: ignore[attr-defined]
        assert house.facts == []

    def test_that_is_a_matter_of_trying_again_later(self) -> None:
        assert NotOnRecord.status == 503


class TestBodies:
    @pytest.mark.parametrize(
        ("document", "says"),
        [
            ({"key": ANNA, "name": "x"}, "'name'"),
            ({"key": ANNA, NOBODY: 1}, "of that name"),
            ({}, "neither key nor keys"),
            ({"key": ANNA, "keys": [ANNA]}, "both key and keys"),
            ({"key": 610170}, "key is not a text"),
            ({"keys": []}, "keys is not a list"),
            ({"keys": [ANNA, None]}, "keys is not a list"),
            ({"key": ANNA, "columns": "name"}, "columns is not a list"),
            ([ANNA], "not a JSON object"),
            (ANNA, "not a JSON object"),
        ],
    )
    def test_a_wrong_body_is_explained_and_not_repeated(
        self, house: House, client: Client, document: object, says: str
    ) -> None:
        reply = client.lookup("cpr-persons", document)
        assert (reply.status, reply.code) == (400, "body_invalid")
        assert says in reply.json["detail"]
        assert not re.search(r"\d{6}", reply.json["detail"] + reply.json["remedy"])
        assert not re.search(r"\d{6}", house.refused().reason)

    @pytest.mark.parametrize("key", ["610170-1001", "1", "", "x" * 10_000])
    def test_a_key_of_another_shape_is_refused_without_repeating_it(self, client: Client, key: str) -> None:
        reply = client.lookup("cpr-persons", {"key": key})
        assert (reply.status, reply.code) == (400, "key_invalid")
        assert not key or len(key) < 2 or key not in reply.body.decode()

    def test_an_unknown_column_is_named(self, client: Client) -> None:
        reply = client.lookup("cpr-persons", {"key": ANNA, "columns": ["shoe_size"]})
        assert (reply.status, reply.code) == (400, "column_unknown")
        assert "shoe_size" in reply.json["detail"]

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
    def test_a_body_that_is_not_said_to_be_json_is_refused(self, client: Client, kind: str) -> None:
        reply = client.call("POST", "/v1/services/cpr-persons/lookup", b"{}", {"Content-Type": kind})
        assert (reply.status, reply.code) == (415, "media_type_unsupported")

    def test_json_may_name_its_encoding_or_not_be_named_at_all(self, client: Client) -> None:
        body = b'{"key": "%b"}' % ANNA.encode()
        for headers in ({"Content-Type": "application/JSON; charset=utf-8"}, {}):
            assert client.call("POST", "/v1/services/cpr-persons/lookup", body, headers).status == 200

    def test_a_compressed_body_is_refused(self, client: Client) -> None:
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        assert client.call("POST", "/v1/services/cpr-persons/lookup", b"{}", headers).status == 415

    def test_a_body_that_says_it_is_too_large_is_not_read(self, client: Client) -> None:
        headers = {"Content-Type": "application/json", "Content-Length": str(2**40)}
        reply = client.call("POST", "/v1/services/cpr-persons/lookup", b"", headers)
        assert (reply.status, reply.code) == (413, "body_too_large")
        assert reply.headers["connection"] == "close"

    def test_a_body_that_turns_out_too_large_is_refused_too(self, client: Client) -> None:
        pieces = (b" " * 65_536 for _ in range(17))
        headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
        reply = client.send_pieces("/v1/services/cpr-persons/lookup", pieces, headers)
        assert (reply.status, reply.code) == (413, "body_too_large")

    @given(st.binary(max_size=300))
    @settings(
        max_examples=80,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    def test_no_bytes_make_a_fault_of_ours(self, house: House, client: Client, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        reply = client.call("POST", "/v1/services/cpr-persons/lookup", body, headers)
        assert (reply.status, reply.code) == (400, "body_invalid")
        assert isinstance(house.facts[-1], CallRefused)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(st.sampled_from(["key", "keys", "columns"]) | st.text(), inner, max_size=4)
            ),
            max_leaves=8,
        )
    )
    @settings(
        max_examples=80,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    def test_no_document_makes_a_fault_of_ours(self, client: Client, document: object) -> None:
        reply = client.lookup("cpr-persons", document)
        assert 400 <= reply.status < 500


class TestAddresses:
    @pytest.mark.parametrize(
        ("method", "path", "status", "code"),
        [
            ("GET", "/nowhere", 404, "route_unknown"),
            ("GET", "/v1/services/nothing", 404, "service_unknown"),
            ("POST", "/v1/services/nothing/lookup", 404, "service_unknown"),
            ("GET", "/v1/services/municipalities/extract", 404, "operation_unknown"),
            ("POST", "/v1/services/municipalities-extract/lookup", 404, "operation_unknown"),
            ("GET", "/v1/services/cpr-persons/lookup", 405, "method_not_allowed"),
            ("DELETE", "/v1/catalogue", 405, "method_not_allowed"),
            ("POST", "/v1/services/municipalities/records/0851", 405, "method_not_allowed"),
            ("GET", "/v1/services?page=2", 400, "parameter_invalid"),
            ("GET", "/v1/services/municipalities/records/0851?columns=code&columns=name", 400, "parameter_invalid"),
            ("GET", "/v1/services/municipalities/records/0851?fields=code", 400, "parameter_invalid"),
            ("GET", "/v1/services/municipalities/records/0851?columns=6101701001", 400, "parameter_invalid"),
            ("GET", "/v1/services/municipalities/records/%FF%00", 400, "key_invalid"),
            ("GET", "/v1/services/municipalities/records/a%2Fb", 404, "operation_unknown"),
        ],
    )
    def test_what_is_not_served_is_a_problem_with_a_code(
        self, client: Client, method: str, path: str, status: int, code: str
    ) -> None:
        reply = client.call(method, path)
        assert (reply.status, reply.code) == (status, code)
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json["type"] == f"/problems/{code}"

    def test_405_says_what_is_allowed(self, client: Client) -> None:
        assert client.get("/v1/services/cpr-persons/lookup").headers["allow"] == "POST"
        assert client.call("PUT", "/v1/catalogue").headers["allow"] == "GET, HEAD"

    def test_an_unknown_parameter_is_named(self, client: Client) -> None:
        assert "'page'" in client.get("/v1/services?page=2").json["detail"]

    def test_without_a_certificate_even_an_unknown_service_is_401(self, connect: Connect) -> None:
        assert connect(None).lookup("nothing", {"key": "1"}).code == "certificate_missing"
