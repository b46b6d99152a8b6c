"""Bodies that are too large, too deep, too many, or no JSON at all; at services and at the administration."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.administration.staff import ADMIN, Office
from tests.api.house import AALBORG, SUPPLIER, House
from tests.attacks.harness import (
    LOOKUP,
    Said,
    attack,
    case,
    ensure_nothing_personal,
    ensure_on_record,
    ensure_refused,
    post,
    request,
    talk,
)

JSON = "Content-Type: application/json"
_COLUMNS = {"key": "0851", "columns": [f"c{n}" for n in range(10_000)]}
PERSONS, SEARCH = "/v1/services/cpr-persons/lookup", "/v1/services/cpr-person-search/search"


class TestNoJson:
    @pytest.mark.parametrize(
        "body",
        [
            case("empty", "an empty body", b"", by="body_invalid"),
            case("half", "half an object", b'{"key": ', by="body_invalid"),
            case("nan", "NaN", b'{"key": NaN}', by="body_invalid"),
            case("infinity", "Infinity", b'{"key": -Infinity}', by="body_invalid"),
            case("huge-number", "a number of 100,000 digits", b'{"key": ' + b"9" * 100_000 + b"}", by="body_invalid"),
            case("huge-exponent", "1e400", b'{"key": 1e400}', by="body_invalid"),
            case("deep-lists", "100,000 lists in each other", b"[" * 100_000, by="body_invalid"),
            case("deep-closed", "10,000 closed lists in each other", b'{"key": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
                 by="body_invalid"),
            case("deep-objects", "20,000 objects in each other", b'{"key": ' * 20_000, by="body_invalid"),
            case("two-documents", "two documents", b'{"key": "0851"}{"key": "0461"}', by="body_invalid"),
            case("comment", "a comment", b'{"key": /* x */ "0851"}', by="body_invalid"),
            case("single-quotes", "quotes of another kind", b"{'key': '0851'}", by="body_invalid"),
            case("utf-16", "UTF-16", '{"key": "0851"}'.encode("utf-16"), by="body_invalid"),
            case("bad-utf-8", "bytes that are no UTF-8", b'{"key": "\xff\xfe"}', by="body_invalid"),
            case("surrogate", "half a surrogate pair", b'{"key": "\\ud800"}', by="body_invalid"),
            case("nul", "NUL in a key", b'{"key": "0851\\u0000"}', by="body_invalid or key_invalid"),
            case("xml", "XML that reads a file",
                 b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>', by="body_invalid"),
            case("form", "a form", b"key=0851&columns=code", by="body_invalid"),
            case("gzip", "a compressed body that does not say so", b"\x1f\x8b\x08\0" + bytes(20), by="body_invalid"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("path", [LOOKUP, SEARCH])
    def test_is_refused_without_its_content(self, house: House, port: int, path: str, body: bytes) -> None:
        said = talk(house, port, post(path, body))
        last = ensure_refused(said, "body_invalid", "key_invalid", "column_value_invalid")
        assert b"passwd" not in last.body
        ensure_on_record(house, "body_invalid", "key_invalid")

    @attack("the same at the administration", by="body_invalid")
    @pytest.mark.parametrize(
        "body",
        [
            b'{"name": ',
            b"[" * 100_000,
            b'{"name": NaN}',
            b'{"name": "\\ud800"}',
            b"9" * 100_000,
            b"\xff",
            b"null",
            b"[]",
        ],
        ids=["half", "deep", "nan", "surrogate", "number", "utf-8", "null", "list"],
    )
    def test_at_the_administration(self, house: House, office: Office, body: bytes) -> None:
        path = f"{ADMIN}/organisations/{office.organisation(SUPPLIER)}/systems"
        ensure_refused(talk(house, office.port, post(path, body), certificate="supplier-user"), "body_invalid")
        ensure_on_record(house, "body_invalid")


class TestTooMuch:
    @pytest.mark.parametrize(
        ("path", "document"),
        [
            case("keys", "1,001 keys", LOOKUP, {"keys": ["0851"] * 1_001}, by="too_many_keys"),
            case("more-keys", "a hundred thousand keys", LOOKUP, {"keys": ["0851"] * 100_000}, by="too_many_keys"),
            case("keys-of-agreement", "more keys than the agreement lets through", LOOKUP, {"keys": ["0851"] * 101},
                 by="too_many_keys"),
            case("long-key", "a key of 100,000 signs", LOOKUP, {"key": "1" * 100_000}, by="key_invalid"),
            case("columns", "10,000 columns", LOOKUP, _COLUMNS, by="column_unknown"),
            case("fields", "10,000 fields that there are not", LOOKUP, {f"f{n}": 1 for n in range(10_000)},
                 by="body_invalid"),
            case("no-keys", "no keys", LOOKUP, {"keys": []}, by="body_invalid"),
            case("key-and-keys", "a key and keys", LOOKUP, {"key": "0851", "keys": ["0461"]}, by="body_invalid"),
            case("key-of-another-kind", "an object as a key", LOOKUP, {"key": {"$ne": None}}, by="body_invalid"),
            case("prototype", "fields that an object has in other languages", LOOKUP,
                 {"key": "0851", "__proto__": {"operator": True}}, by="body_invalid"),
            case("conditions", "1,000 conditions", SEARCH, {"where": [{"column": "status", "eq": "01"}] * 1_000},
                 by="body_invalid"),
            case("orders", "100 columns to sort by", SEARCH, {"sort": ["status"] * 100}, by="body_invalid"),
            case("limit", "a page of a billion", SEARCH, {"limit": 10**9}, by="search_invalid"),
            case("limit-negative", "a page of -1", SEARCH, {"limit": -1}, by="search_invalid"),
            case("limit-true", "a page of `true`", SEARCH, {"limit": True}, by="body_invalid"),
            case("values", "10,000 values to look among", SEARCH,
                 {"where": [{"column": "status", "in": ["01"] * 10_000}]}, by="body_invalid"),
            case("long-value", "a value of 500,000 signs", SEARCH,
                 {"where": [{"column": "name.surname", "prefix": "x" * 500_000}]}, by="body_invalid"),
        ],
    )  # fmt: skip
    def test_is_refused(self, house: House, port: int, path: str, document: Any, by: str) -> None:
        said = ensure_refused(talk(house, port, post(path, document)), by)
        assert len(said.body) < 2_000
        ensure_on_record(house, by)

    @pytest.mark.parametrize(
        "sent",
        [
            case("said", "a body that says that it has 100 MB", lambda: request("POST", LOOKUP, JSON,
                 "Content-Length: 100000000"), by="body_too_large"),
            case("unsaid", "a body in chunks that turns out to have 3 MB",
                 lambda: request("POST", LOOKUP, JSON, "Transfer-Encoding: chunked")
                 + b"10000\r\n" .join([b"", *[b"x" * 65_536 + b"\r\n"] * 48]) + b"0\r\n\r\n", by="body_too_large"),
            case("continue", "a body of 100 MB that asks first", lambda: request("POST", LOOKUP, JSON,
                 "Expect: 100-continue", "Content-Length: 100000000"), by="body_too_large"),
        ],
    )  # fmt: skip
    def test_a_large_body_is_not_read(self, house: House, port: int, sent: Callable[[], bytes]) -> None:
        ensure_refused(talk(house, port, sent()), "body_too_large")
        ensure_on_record(house, "body_too_large")

    @attack("a body that would be 1 GB when unpacked", by="media_type_unsupported")
    def test_a_compressed_body(self, house: House, port: int) -> None:
        for coding in ("gzip", "deflate", "br", "zstd", "gzip, gzip"):
            sent = request("POST", LOOKUP, JSON, f"Content-Encoding: {coding}", body=b"\x1f\x8b" + bytes(100))
            ensure_refused(talk(house, port, sent), "media_type_unsupported")

    @attack("JSON that says that it is a page, XML or a form", by="media_type_unsupported")
    def test_another_kind_of_body(self, house: House, port: int) -> None:
        for kind in ("text/html", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data", ""):
            sent = request("POST", LOOKUP, f"Content-Type: {kind}", body=b'{"key": "0851"}')
            ensure_refused(talk(house, port, sent), "media_type_unsupported")

    @attack("the same field twice, to be read one way here and another way elsewhere", by="the last counts, once")
    def test_a_field_twice(self, house: House, port: int) -> None:
        said = talk(house, port, post(LOOKUP, b'{"key": "0461", "key": "0851"}'))[-1]
        assert said.json["record"]["code"] == "0851"
        assert getattr(house.facts[-1], "keys", None) == 1


class TestTooMuchAtTheAdministration:
    @pytest.mark.parametrize(
        "more",
        [
            case("long-name", "a name of 100,000 signs", {"name": "x" * 100_000}, by="system_invalid"),
            case("long-purpose", "a purpose of 500,000 signs", {"purpose": "x" * 500_000}, by="system_invalid"),
            case("endpoints", "1,000 endpoints", {"endpoints": [f"https://a{n}.example/" for n in range(1_000)]},
                 by="system_invalid"),
            case("unknown", "a field that there is not", {"id": "00000000-0000-0000-0000-000000000000"},
                 by="body_invalid"),
            case("owner", "another's organisation in the body", {"organisation": "x"}, by="body_invalid"),
            case("retired", "a state of one's own", {"retired": None}, by="body_invalid"),
            case("kind", "a number for a name", {"name": 5}, by="body_invalid"),
            case("inner-endpoint", "a file as an endpoint", {"endpoints": ["file:///etc/passwd"]}, by="system_invalid"),
            case("password", "a password in an endpoint", {"endpoints": ["https://a:b@example.dk/"]},
                 by="system_invalid"),
        ],
    )  # fmt: skip
    def test_is_refused(self, house: House, office: Office, more: dict[str, Any], by: str) -> None:
        path = f"{ADMIN}/organisations/{office.organisation(SUPPLIER)}/systems"
        before = len(house.control.systems())
        asked = {"name": "x", "purpose": "prøve", "contact": "drift@example.dk"} | more
        said = ensure_refused(talk(house, office.port, post(path, asked), certificate="supplier-user"), by)
        assert len(said.body) < 2_000
        assert len(house.control.systems()) == before
        ensure_on_record(house, by)

    @attack("a signing request of one megabyte", by="certificate_not_issued")
    def test_a_huge_request(self, house: House, office: Office) -> None:
        path = f"{ADMIN}/systems/{office.system('huge request')}/certificates"
        text = "-----BEGIN CERTIFICATE REQUEST-----\n" + "A" * 900_000 + "\n-----END CERTIFICATE REQUEST-----\n"
        said = talk(house, office.port, post(path, {"signing_request": text}), certificate="supplier-user")
        ensure_refused(said, "certificate_not_issued")

    @attack("a page of the audit trail of a billion lines", by="parameter_invalid")
    def test_a_huge_page(self, house: House, office: Office) -> None:
        said = talk(house, office.port, request("GET", f"{ADMIN}/audit?limit=1000000000"), certificate="supplier-user")
        ensure_refused(said, "parameter_invalid")


def test_nothing_of_a_refused_body_comes_back(house: House, port: int) -> None:
    said: Said = talk(house, port, post(PERSONS, {"key": "6101701001", "6101701002": json.dumps({"a": AALBORG})}))[-1]
    assert said.code == "body_invalid"
    ensure_nothing_personal(said.body)
