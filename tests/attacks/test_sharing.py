"""The open bulk face by wrong means: tokens, signed addresses, other people's shares, questions that are none."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from typing import Any, Final
from uuid import uuid4

import pyarrow.parquet as pq
import pytest

from api.sharing.desk import FileAddress
from control import Agreements, ServiceTerms, Sharing
from kernel import SystemId
from tests.api.administration.staff import Office
from tests.api.house import AALBORG, EVERYTHING, House
from tests.api.shared import KEY, PUBLIC, sharing
from tests.attacks.harness import (
    CANARIES,
    Said,
    attack,
    case,
    ensure_nothing_personal,
    ensure_on_record,
    ensure_refused,
    post,
    request,
    talk,
)  # fmt: skip

PERSONS: Final = "schemas/cpr/tables/cpr-persons-extract"
Ask = Callable[..., Said]


@pytest.fixture(scope="module")
def shared(office: Office) -> Iterator[int]:
    """The port of a server of the same house that has the open bulk face."""
    with sharing(office.house) as port:
        yield port


@pytest.fixture
def port(shared: int) -> int:
    return shared


@pytest.fixture(scope="module")
def tokens(office: Office, shared: int) -> dict[str, str]:
    """A token for each of two agreements."""
    del shared
    made = {name: new_token(office.house, name)[1] for name in ("one", "two")}
    office.house.settle()
    return made


@pytest.fixture
def ask(house: House, port: int, tokens: dict[str, str]) -> Ask:
    def asked(
        path: str, *fields: str, token: str | None = tokens["one"], method: str = "GET", body: bytes = b"",
        certificate: str | None = None,
    ) -> Said:  # fmt: skip
        shown = () if token is None else (f"Authorization: Bearer {token}",)
        return talk(house, port, request(method, path, *shown, *fields, body=body), certificate=certificate)[-1]

    return asked


@pytest.fixture
def given(house: House, ask: Ask) -> str:
    """The path of a file whose address was given out."""
    return address_in(ask(path_of(house, "query"), method="POST", body=b"{}"))


def new_token(house: House, agreement: str, valid: timedelta = timedelta(days=1)) -> tuple[str, str]:
    made, text = Sharing(house.control).make(house.agreements[agreement], valid)
    return made.id, text


def path_of(house: House, what: str, table: str = PUBLIC, agreement: str = "one") -> str:
    return f"/sharing/shares/{house.agreements[agreement]}/{table}/{what}"


def address_in(said: Said) -> str:
    assert said.status == 200, said.body[:300]
    url: str = json.loads(said.body.splitlines()[-1])["file"]["url"]
    return url[url.index("/sharing/files/") :]


def parts_of(given: str) -> tuple[str, str]:
    """What an address says, and its signature."""
    text, _, signature = given.rpartition("/")[2].partition("?sp=")
    return text, signature


def same_but_for_the_trace(one: Said, other: Said) -> bool:
    def told(said: Said) -> Any:
        return said.status, {name: text for name, text in said.json.items() if name != "instance"}

    return bool(told(one) == told(other))


class TestTokens:
    @pytest.mark.parametrize(
        ("line", "code"),
        [
            case("none", "no token", None, "sharing_token_missing", by="sharing_token_missing"),
            case("empty", "an empty token", "Authorization: Bearer ", "sharing_token_missing",
                 by="sharing_token_missing"),
            case("basic", "a password instead of a token", "Authorization: Basic YTpi", "sharing_token_missing",
                 by="sharing_token_missing"),
            case("guessed", "a token that was guessed", "Authorization: Bearer " + "A" * 43, "sharing_token_unknown",
                 by="sharing_token_unknown"),
            case("sql", "SQL as a token", "Authorization: Bearer ' or 1=1 --", "sharing_token_unknown",
                 by="sharing_token_unknown"),
            case("long", "a token of 8,000 signs", "Authorization: Bearer " + "a" * 8_000, "sharing_token_unknown",
                 by="sharing_token_unknown"),
            case("latin", "a token that is no ASCII", "Authorization: Bearer \xe6\xf8", "header_invalid",
                 by="header_invalid"),
            case("none-algorithm", "a signed token of nobody's", "Authorization: Bearer eyJhbGciOiJub25lIn0.e30.",
                 "sharing_token_unknown", by="sharing_token_unknown"),
        ],
    )  # fmt: skip
    def test_that_are_none(self, house: House, ask: Ask, line: str | None, code: str) -> None:
        for path in ("/sharing/shares", path_of(house, "version"), path_of(house, "version", PERSONS)):
            ensure_refused([ask(path, *([line] if line else []), token=None)], code)
            ensure_on_record(house, code)

    @attack("a token with one sign altered, or in capitals", by="sharing_token_unknown")
    def test_altered(self, house: House, ask: Ask, tokens: dict[str, str]) -> None:
        text = tokens["one"]
        for altered in (text[:-1], text + "A", text.swapcase(), ("B" if text[0] == "A" else "A") + text[1:]):
            ensure_refused([ask("/sharing/shares", token=altered)], "sharing_token_unknown")
            ensure_on_record(house, "sharing_token_unknown")

    @attack("a token's id, or its hash as the database keeps it, as the token", by="sharing_token_unknown")
    def test_its_id_and_its_hash(self, house: House, ask: Ask) -> None:
        for each in Sharing(house.control).tokens():
            for text in (each.id, each.hash):
                ensure_refused([ask("/sharing/shares", token=text)], "sharing_token_unknown")

    @attack("two tokens, a good and a bad one", by="header_invalid")
    def test_two(self, house: House, ask: Ask) -> None:
        ensure_refused([ask("/sharing/shares", "Authorization: Bearer x")], "header_invalid")
        ensure_on_record(house, "header_invalid")

    @attack("a token in the query or the body, where logs would keep it", by="sharing_token_missing")
    def test_in_other_places(self, ask: Ask, tokens: dict[str, str]) -> None:
        text = tokens["one"]
        for path in (f"/sharing/shares?access_token={text}", f"/sharing/{text}/shares"):
            ensure_refused([ask(path, token=None)], "sharing_token_missing")

    @attack("a token that is over", by="sharing_token_unknown")
    def test_over(self, house: House, ask: Ask) -> None:
        _, text = new_token(house, "one", timedelta(microseconds=1))
        house.settle()
        ensure_refused([ask("/sharing/shares", token=text)], "sharing_token_unknown")

    @attack("a token that was revoked, and the address that was got with it", by="sharing_token_unknown")
    def test_revoked(self, house: House, ask: Ask) -> None:
        token, text = new_token(house, "one")
        house.settle()
        address = address_in(ask(path_of(house, "query"), token=text, method="POST", body=b"{}"))
        assert ask(address, token=None).status == 200
        Sharing(house.control).revoke(token)
        house.settle()
        ensure_refused([ask("/sharing/shares", token=text)], "sharing_token_unknown")
        ensure_refused([ask(address, token=None)], "sharing_unknown")
        ensure_on_record(house, "sharing_unknown")

    @attack("a token that is over, revoked or guessed, told apart by the words", by="the same words")
    def test_tell_nothing_of_why(self, house: House, ask: Ask) -> None:
        _, over = new_token(house, "one", timedelta(microseconds=1))
        token, revoked = new_token(house, "one")
        Sharing(house.control).revoke(token)
        house.settle()
        said = [ask("/sharing/shares", token=text) for text in (over, revoked, "A" * 43)]
        assert same_but_for_the_trace(said[0], said[1])
        assert same_but_for_the_trace(said[0], said[2])

    @attack("a token where certificates are needed", by="identification_required")
    def test_beyond_sharing(self, ask: Ask) -> None:
        for path in ("/v1/services/municipalities/records/0851", "/v1/services/municipalities-extract/extract",
                     "/v1/admin/systems", "/metrics"):  # fmt: skip
            said = ask(path)
            assert said.status in {401, 403, 404}
            ensure_nothing_personal(said.body)

    @attack("a certificate instead of a token", by="sharing_token_missing")
    def test_a_certificate_is_none(self, house: House, ask: Ask) -> None:
        for certificate in ("one", "operator", "unbound"):
            ensure_refused([ask("/sharing/shares", token=None, certificate=certificate)], "sharing_token_missing")
            ensure_on_record(house, "sharing_token_missing")

    @attack("a certificate with more rights beside the token", by="the token's rights alone")
    def test_a_certificate_beside_it_adds_nothing(self, house: House, ask: Ask, tokens: dict[str, str]) -> None:
        said = ask("/sharing/shares", token=tokens["two"], certificate="one")
        assert [each["name"] for each in said.json["items"]] == [house.agreements["two"]]
        ensure_refused([ask(path_of(house, "version"), token=tokens["two"], certificate="one")], "sharing_unknown")


class TestAgreements:
    @attack("a token of an agreement that is suspended, and an address from before", by="sharing_unknown")
    def test_suspended(self, house: House, ask: Ask) -> None:
        name = f"shared-{uuid4()}"
        house.add_system(name)
        house.agree(name, name, AALBORG, dict.fromkeys(EVERYTHING, ServiceTerms()))
        _, text = new_token(house, name)
        house.settle()
        query = path_of(house, "query", agreement=name)
        address = address_in(ask(query, token=text, method="POST", body=b"{}"))
        Agreements(house.control, None).suspend(house.agreements[name])
        house.settle()
        for what in ("version", "metadata", "changes?startingVersion=1"):
            ensure_refused([ask(path_of(house, what, agreement=name), token=text)], "sharing_unknown")
            ensure_on_record(house, "sharing_unknown")
        ensure_refused([ask(query, token=text, method="POST", body=b"{}")], "sharing_unknown")
        ensure_refused([ask(address, token=None)], "sharing_unknown")
        assert ask(f"/sharing/shares/{house.agreements[name]}/all-tables", token=text).json == {"items": []}

    @attack("a token of a system whose certificates were all revoked", by="sharing_token_unknown")
    def test_without_a_certificate_left(self, house: House, ask: Ask) -> None:
        name = f"shared-{uuid4()}"
        house.add_system(name)
        house.agree(name, name, AALBORG, dict.fromkeys(EVERYTHING, ServiceTerms()))
        _, text = new_token(house, name)
        house.settle()
        address = address_in(ask(path_of(house, "query", agreement=name), token=text, method="POST", body=b"{}"))
        house.control.revoke_certificate(house.fingerprint(name))
        house.settle()
        ensure_refused([ask("/sharing/shares", token=text)], "sharing_token_unknown")
        ensure_refused([ask(address, token=None)], "sharing_unknown")

    @attack("another agreement's share, schema, table", by="sharing_unknown")
    def test_anothers(self, house: House, ask: Ask, tokens: dict[str, str]) -> None:
        for path in (
            path_of(house, "metadata", PERSONS, "one"), path_of(house, "metadata", PUBLIC, "two"),
            path_of(house, "version", PERSONS, "one"), f"/sharing/shares/{house.agreements['one']}/all-tables",
            f"/sharing/shares/{house.agreements['one']}", f"/sharing/shares/{house.agreements['one']}/schemas",
        ):  # fmt: skip
            ensure_refused([ask(path, token=tokens["two"])], "sharing_unknown")
            ensure_on_record(house, "sharing_unknown")
        asked = ask(path_of(house, "query", PERSONS, "one"), token=tokens["two"], method="POST", body=b"{}")
        ensure_refused([asked], "sharing_unknown")

    @attack("names of shares and tables, to learn which exist", by="the same words")
    def test_names_are_no_oracle(self, house: House, ask: Ask, tokens: dict[str, str]) -> None:
        text, real, made_up = tokens["two"], house.agreements["one"], str(uuid4())
        for below in ("", "/schemas", "/all-tables", f"/{PERSONS}/version", f"/{PERSONS}/metadata"):
            one, other = (ask(f"/sharing/shares/{share}{below}", token=text) for share in (real, made_up))
            assert same_but_for_the_trace(one, other)
        mine = f"/sharing/shares/{house.agreements['two']}"
        said = [ask(f"{mine}/{table}/version", token=text) for table in (PUBLIC, PUBLIC.replace("extract", "none"))]
        assert same_but_for_the_trace(*said)

    @attack("a hidden column, in metadata and in the file", by="one's own alone")
    def test_columns(self, house: House, ask: Ask, tokens: dict[str, str]) -> None:
        said = ask(path_of(house, "query", PERSONS, "two"), token=tokens["two"], method="POST", body=b"{}")
        schema = json.loads(json.loads(said.body.splitlines()[1])["metaData"]["schemaString"])
        assert {each["name"] for each in schema["fields"]} == {"pnr", "status", "name"}
        file = pq.read_table(BytesIO(ask(address_in(said), token=None).body))
        assert set(file.column_names) == {"pnr", "status", "name"}

    @pytest.mark.parametrize(
        "name",
        [
            case("parent", "dots up as a share", "..", by="no such share or path"),
            case("encoded", "dots and slashes as a share, encoded", "%2e%2e%2f%2e%2e", by="no such share or path"),
            case("nul", "NUL in a share", "x%00", by="no such share or path"),
            case("sql", "SQL as a share", "'%20or%201=1%20--", by="no such share or path"),
            case("number", "a personal number as a share", CANARIES[-1], by="no such share or path"),
            case("long", "a share of 5,000 signs", "a" * 5_000, by="no such share or path"),
            case("line-end", "a line end in a share", "x%0d%0aX:%20y", by="no such share or path"),
        ],
    )  # fmt: skip
    def test_names_that_are_none(self, house: House, ask: Ask, name: str) -> None:
        mine = house.agreements["one"]
        for path in (
            f"/sharing/shares/{name}", f"/sharing/shares/{name}/{PUBLIC}/version",
            f"/sharing/shares/{mine}/schemas/{name}/tables",
            f"/sharing/shares/{mine}/schemas/municipality/tables/{name}/version",
        ):  # fmt: skip
            ensure_refused([ask(path)], "sharing_unknown", "route_unknown")
            ensure_on_record(house, "sharing_unknown", "route_unknown")


class TestAddressesOfFiles:
    @pytest.mark.parametrize(
        "turned",
        [
            case("cut", "an address that is cut", lambda path: path[:-6], by="sharing_unknown"),
            case("longer", "an address with signs added", lambda path: path + "AAAA", by="sharing_unknown"),
            case("sign", "an address with one sign altered", lambda path: path[:-9] + "." + path[-8:],
                 by="sharing_unknown"),
            case("noise", "an address with signs in it that a decoder would skip",
                 lambda path: path[:40] + "!" + path[40:], by="sharing_unknown"),
            case("unsigned", "an address without its signature", lambda path: path.partition("?")[0],
                 by="sharing_unknown"),
            case("empty-signature", "an address whose signature is empty",
                 lambda path: path.partition("?")[0] + "?sp=", by="sharing_unknown"),
            case("padded", "an address with padding", lambda path: path + "====", by="sharing_unknown"),
            case("slash", "an address with a path behind it", lambda path: path.replace("?", "/../../control.sqlite?"),
                 by="sharing_unknown"),
            case("traversal", "a path instead of an address",
                 lambda _: "/sharing/files/%2e%2e%2f%2e%2e%2fcontrol.sqlite", by="sharing_unknown"),
            case("name", "a file's own name", lambda _: "/sharing/files/" + "a" * 64 + ".parquet",
                 by="sharing_unknown"),
            case("empty", "no address", lambda _: "/sharing/files/", by="sharing_unknown"),
            case("utf8", "an address that is no ASCII", lambda _: "/sharing/files/%c3%a6", by="sharing_unknown"),
            case("long", "an address of 6,000 signs", lambda _: "/sharing/files/" + "QUJD" * 1_500,
                 by="sharing_unknown"),
        ],
    )  # fmt: skip
    def test_altered(self, house: House, ask: Ask, given: str, turned: Callable[[str], str]) -> None:
        for method in ("GET", "HEAD"):
            said = ask(turned(given), token=None, method=method)
            assert said.status == 404
            ensure_on_record(house, "sharing_unknown")
        ensure_refused([ask(turned(given), token=None)], "sharing_unknown")

    @pytest.mark.parametrize(
        "changed",
        [
            case("expired", "an address that is over", lambda fields, _: replace(fields, expires=1_000_000_000),
                 by="sharing_unknown"),
            case("later", "an address with its end moved, under the old signature", None, by="sharing_unknown"),
            case("other-service", "an address signed for a service that the file is not of",
                 lambda fields, _: replace(fields, service="cpr-persons-extract"), by="sharing_unknown"),
            case("other-token", "an address of another agreement's token",
                 lambda fields, house: replace(fields, token=token_of(house, "two")), by="sharing_unknown"),
            case("other-file", "the address of a file that nobody made",
                 lambda fields, _: replace(fields, plan="0" * 64), by="sharing_unknown"),
            case("changes", "the change feed of a file that has none", lambda fields, _: replace(fields, changes=True),
                 by="sharing_unknown"),
        ],
    )  # fmt: skip
    def test_that_say_something_else(
        self, house: House, ask: Ask, given: str, changed: Callable[[FileAddress, House], FileAddress] | None
    ) -> None:
        """Signed with the true key, but for one: what the signature says is judged again at each call."""
        if changed is None:
            text, signature = parts_of(given)
            fields = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            fields[4] += 10_000_000
            moved = base64.urlsafe_b64encode(json.dumps(fields).encode()).rstrip(b"=").decode()
            text = f"{moved}?sp={signature}"
        else:
            text = changed(FileAddress.read(*parts_of(given), KEY, 0), house).signed(KEY)
        ensure_refused([ask(f"/sharing/files/{text}", token=None)], "sharing_unknown")
        ensure_on_record(house, "sharing_unknown")

    @attack("an address signed with another key", by="sharing_unknown")
    def test_of_another_key(self, ask: Ask, given: str) -> None:
        fields = FileAddress.read(*parts_of(given), KEY, 0)
        ensure_refused([ask(f"/sharing/files/{fields.signed(b'o' * 32)}", token=None)], "sharing_unknown")

    @attack("an address with a query behind it, for a cache that would keep it apart", by="parameter_invalid")
    def test_with_a_query(self, house: House, ask: Ask, given: str) -> None:
        again = "&" + given.partition("?")[2]
        for query in ("&x=1", "&response-content-type=text/html", "&path=../../control.sqlite", again):
            ensure_refused([ask(given + query, token=None)], "parameter_invalid")
            ensure_on_record(house, "parameter_invalid")

    @attack("writing to a file's address, or deleting it", by="method_not_allowed")
    def test_wrong_methods(self, house: House, ask: Ask, given: str) -> None:
        for method in ("PUT", "POST", "DELETE", "PATCH", "OPTIONS"):
            ensure_refused([ask(given, token=None, method=method)], "method_not_allowed")
            ensure_on_record(house, "method_not_allowed")
        assert ask(given, token=None).status == 200

    @attack("ranges that are none, overlapping, or thousands of them", by="the whole file, or range_not_satisfiable")
    def test_ranges(self, ask: Ask, given: str) -> None:
        whole = ask(given, token=None)
        for wanted in ("bytes=" + ",".join(["0-"] * 1_000), "bytes=9999999999999999999-", "bytes=5-1", "lines=1-2"):
            said = ask(given, f"Range: {wanted}", token=None)
            assert said.status in {200, 416}
            assert said.status == 416 or said.body == whole.body


class TestQuestions:
    @pytest.mark.parametrize(
        "body",
        [
            case("list", "a list as the question", b"[]", by="sharing_request_invalid"),
            case("cut", "a question that is cut", b'{"version": ', by="sharing_request_invalid"),
            case("deep", "a question 100,000 brackets deep", b'{"a":' + b"[" * 100_000, by="sharing_request_invalid"),
            case("bytes", "bytes that are no text", b"\xff\xfe\x00", by="sharing_request_invalid"),
            case("true", "true as a version", b'{"version": true}', by="sharing_request_invalid"),
            case("negative", "a version below nought", b'{"version": -1}', by="sharing_request_invalid"),
            case("huge", "a version of 400 digits", b'{"version": "%s"}' % (b"9" * 400), by="sharing_request_invalid"),
            case("float", "a version that is infinite", b'{"version": 1e400}', by="sharing_request_invalid"),
            case("sql-version", "SQL as a version", b'{"version": "1; drop table x"}', by="sharing_request_invalid"),
            case("sql-time", "SQL as a time", b'{"timestamp": "2031-01-01\' or 1=1 --"}',
                 by="sharing_request_invalid"),
            case("object", "an object as a time", b'{"timestamp": {"$gt": ""}}', by="sharing_request_invalid"),
        ],
    )  # fmt: skip
    def test_that_are_none(self, house: House, ask: Ask, body: bytes) -> None:
        ensure_refused([ask(path_of(house, "query"), method="POST", body=body)], "sharing_request_invalid")
        ensure_on_record(house, "sharing_request_invalid")

    @attack("versions and times that never were", by="a refusal that says so")
    def test_of_no_time(self, house: House, ask: Ask) -> None:
        for asked in (
            {"version": 999_999_999_999_999}, {"version": 0}, {"timestamp": "0001-01-01T00:00:00+14:00"},
            {"timestamp": "9999-12-31T23:59:59-12:00"}, {"timestamp": "1970-01-01T00:00:00Z"},
        ):  # fmt: skip
            said = ask(path_of(house, "query"), method="POST", body=json.dumps(asked).encode())
            if said.status != 200:
                assert 400 <= said.status < 500, said.body
                assert said.json["remedy"]
                ensure_on_record(house, said.code)

    @pytest.mark.parametrize(
        "hint",
        [
            case("predicates", "SQL in the hints", {"predicateHints": ["1=1); drop table x; --", "pnr = '1'"]},
                 by="no hint is evaluated"),
            case("json", "a predicate that nests 500 deep",
                 {"jsonPredicateHints": '{"op":"not","children":[' * 500}, by="no hint is evaluated"),
            case("limit", "a limit without end, or below nought", {"limitHint": -(2**63)}, by="no hint is evaluated"),
            case("unknown", "fields of the house's own", {"hide_protected_on": None, "columns": ["address"]},
                 by="no hint is evaluated"),
        ],
    )  # fmt: skip
    def test_hints_widen_nothing(self, house: House, ask: Ask, tokens: dict[str, str], hint: dict[str, Any]) -> None:
        def asked(body: dict[str, Any]) -> bytes:
            path = path_of(house, "query", PERSONS, "two")
            said = ask(path, token=tokens["two"], method="POST", body=json.dumps(body).encode())
            return ask(address_in(said), token=None).body

        assert asked(hint) == asked({})

    @attack("forms of answers that nobody reads, or thousands of them", by="sharing_request_invalid")
    def test_response_formats(self, house: House, ask: Ask) -> None:
        for told in (
            "responseformat=",
            "responseformat=xml",
            "responseformat=../../x",
            "responseformat=" + "x," * 3_000,
        ):
            ensure_refused(
                [ask(path_of(house, "metadata"), f"delta-sharing-capabilities: {told}")], "sharing_request_invalid"
            )
            ensure_on_record(house, "sharing_request_invalid")

    @attack("page tokens and numbers of results that nobody gave out", by="sharing_request_invalid")
    def test_pages(self, house: House, ask: Ask) -> None:
        deep = base64.urlsafe_b64encode(b"[" * 5_000).decode().rstrip("=")
        for query in ("pageToken=x", "pageToken=%27%20or%201=1", f"pageToken={deep}", "pageToken=WzEsMl0",
                      "maxResults=-1", "maxResults=1e9", "maxResults=99999999999", "maxResults="):  # fmt: skip
            for path in ("/sharing/shares", f"/sharing/shares/{house.agreements['one']}/all-tables"):
                ensure_refused([ask(f"{path}?{query}")], "sharing_request_invalid")
                ensure_on_record(house, "sharing_request_invalid")

    @attack("changes between versions or times that are none", by="sharing_request_invalid")
    def test_spans(self, house: House, ask: Ask) -> None:
        for query in ("startingTimestamp=x", "startingTimestamp=2031-01-01", "startingVersion=3&endingVersion=2",
                      "startingTimestamp=0001-01-01T00:00:00%2B14:00",
                      "startingTimestamp=9999-12-31T23:59:59Z", "startingVersion=1&endingTimestamp=%27",
                      "startingVersion=1&startingTimestamp=2020-01-01T00:00:00Z",
                      "startingVersion=1&endingVersion=2&endingTimestamp=2020-01-01T00:00:00Z",
                      "endingTimestamp=2020-01-01T00:00:00Z", "startingVersion=%00", "startingVersion=1e3",
                      "startingVersion=" + "9" * 400, "endingVersion=1",
                      "startingVersion=1&endingVersion=%27", "startingVersion=%D9%A1"):  # fmt: skip
            ensure_refused([ask(path_of(house, f"changes?{query}"))], "sharing_request_invalid")
            ensure_on_record(house, "sharing_request_invalid")

    @attack("query parameters that are none, or twice", by="parameter_invalid")
    def test_parameters(self, house: House, ask: Ask) -> None:
        for what in ("version?columns=address", "metadata?x=1", "changes?startingVersion=1&startingVersion=2"):
            ensure_refused([ask(path_of(house, what))], "parameter_invalid")
        ensure_refused([ask(path_of(house, "query?x=1"), method="POST", body=b"{}")], "parameter_invalid")
        ensure_refused([ask("/sharing/shares?secret=1")], "parameter_invalid")

    @attack("a flood as the question", by="body_too_large")
    def test_floods(self, house: House, ask: Ask) -> None:
        ensure_refused(
            [ask(path_of(house, "query"), "Content-Length: 99999999999", method="POST", body=b"{}")], "body_too_large"
        )
        ensure_on_record(house, "body_too_large")

    @attack("a flood from somebody without a token", by="sharing_token_missing")
    def test_floods_of_strangers(self, house: House, ask: Ask) -> None:
        fields = "Content-Length: 99999999999"
        said = ask(path_of(house, "query"), fields, method="POST", body=b"{}", token=None)
        ensure_refused([said], "sharing_token_missing")

    @attack("methods that the paths do not have", by="method_not_allowed")
    def test_wrong_methods(self, house: House, ask: Ask) -> None:
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
            for path in ("/sharing/shares", path_of(house, "version"), path_of(house, "query")):
                ensure_refused([ask(path, method=method)], "method_not_allowed")
                ensure_on_record(house, "method_not_allowed")
        ensure_refused([ask(path_of(house, "query"))], "method_not_allowed")
        ensure_refused([ask(path_of(house, "version"), method="POST", body=b"{}")], "method_not_allowed")

    @pytest.mark.parametrize(
        "host",
        [
            case("blank", "a host with blanks, for the addresses that are given out", "a b", by="refused"),
            case("path", "a host with a path", "evil.example/x", by="refused"),
            case("user", "a host with a user", "x@evil.example", by="refused"),
            case("quote", "a host that ends the text", 'x"},{"y":"', by="refused"),
        ],
    )  # fmt: skip
    def test_hosts(self, house: House, ask: Ask, host: str) -> None:
        said = ask(path_of(house, "query"), f"Host: {host}", method="POST", body=b"{}")
        assert 400 <= said.status < 500
        assert b"evil" not in said.body


class TestTokensOverRest:
    """Made with a system's certificate."""

    @attack("a token for another system's agreement", by="unregistered, as for none")
    def test_for_anothers_agreement(self, house: House, port: int) -> None:
        for agreement in (house.agreements["one"], str(uuid4())):
            said = talk(house, port, post("/v1/sharing/tokens", {"agreement": agreement}), certificate="two")
            ensure_refused(said, "unregistered")
            ensure_on_record(house, "unregistered")

    @attack("another system's token, revoked by its id", by="unregistered, as for none")
    def test_revoking_anothers(self, house: House, port: int) -> None:
        token, _ = new_token(house, "one")
        for name in (token, str(uuid4()), "..", "%27%20or%201=1", "x" * 4_000):
            said = talk(house, port, request("DELETE", f"/v1/sharing/tokens/{name}"), certificate="two")
            ensure_refused(said, "unregistered")
        assert next(each for each in Sharing(house.control).tokens() if each.id == token).revoked is None

    @attack("a token made with a token", by="certificate_missing")
    def test_with_a_token(self, house: House, port: int, tokens: dict[str, str]) -> None:
        body = {"agreement": house.agreements["one"]}
        sent = post("/v1/sharing/tokens", body, f"Authorization: Bearer {tokens['one']}")
        ensure_refused(talk(house, port, sent, certificate=None), "certificate_missing")
        ensure_on_record(house, "certificate_missing")

    @attack("a token kept from a stolen key, after its certificate was revoked", by="sharing_token_unknown")
    def test_after_the_key_was_stolen(self, house: House, port: int, ask: Ask) -> None:
        name = f"robbed-{uuid4()}"
        house.add_system(name)
        stolen = house.control.bind_certificate(
            SystemId(house.systems[name]), house.issue(f"stolen-{name}").cert_pem, trust=house.root / "trust"
        )
        house.agree(name, name, AALBORG, dict.fromkeys(EVERYTHING, ServiceTerms()))
        house.settle()
        sent = post("/v1/sharing/tokens", {"agreement": house.agreements[name], "days": 365})
        text = talk(house, port, sent, certificate=f"stolen-{name}")[-1].json["profile"]["bearerToken"]
        house.settle()
        assert ask("/sharing/shares", token=text).status == 200
        house.control.revoke_certificate(stolen.fingerprint)
        house.settle()
        ensure_refused([ask("/sharing/shares", token=text)], "sharing_token_unknown")


class TestExplaining:
    @attack("what another system's calls would meet, asked over REST", by="operators_only, as for none")
    def test_of_another_system(self, house: House, port: int) -> None:
        for system in ("one", house.systems["one"], str(uuid4()), "' or 1=1 --"):
            document = {"service": "cpr-persons", "system": system}
            ensure_refused(talk(house, port, post("/v1/explain", document), certificate="two"), "operators_only")
            ensure_on_record(house, "operators_only")

    @attack("another agreement's terms, asked for by its id", by="one's own alone")
    def test_of_another_agreement(self, house: House, port: int) -> None:
        document = {"service": "cpr-persons", "agreement": house.agreements["one"]}
        said = talk(house, port, post("/v1/explain", document), certificate="two")[-1].json
        assert not said["admitted"]
        assert "columns" not in said
        unknown = talk(house, port, post("/v1/explain", document | {"agreement": str(uuid4())}), certificate="two")
        assert [each["code"] for each in unknown[-1].json["refusals"]] == [each["code"] for each in said["refusals"]]

    @attack("personal numbers in the fields of a question that is explained", by="body_invalid")
    def test_personal_fields(self, house: House, port: int) -> None:
        for document in ({"pnr": CANARIES[-1]}, {CANARIES[-1]: 1}, {"municipality": CANARIES[-1]},
                         {"columns": [CANARIES[-1]]}, {"at": CANARIES[-1]}):  # fmt: skip
            sent = post("/v1/explain", {"service": "cpr-persons", **document})
            ensure_refused(talk(house, port, sent, certificate="two"), "body_invalid")
            ensure_on_record(house, "body_invalid")


def token_of(house: House, agreement: str) -> str:
    """The id of a live token."""
    now = house.control.clock.now()
    return next(
        each.id
        for each in Sharing(house.control).tokens()
        if each.agreement == house.agreements[agreement] and each.live(now)
    )
