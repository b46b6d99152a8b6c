"""More than the agreement covers: another's agreement, other columns, other rows, other times, other people's files."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from control import Agreements, ServiceTerms, Step, Terms
from kernel import AgreementId, OrganisationId, ServiceName, SystemId, Window
from tests.api.house import AALBORG, ANNA, BENT, CARL, CLOCK, NOBODY, ODENSE, Client, House
from tests.attacks.harness import Said, attack, case, ensure_on_record, ensure_refused, post, request, talk

PERSONS, SEARCH = "/v1/services/cpr-persons/lookup", "/v1/services/cpr-person-search/search"
EXTRACT = "/v1/services/cpr-persons-extract/extract"
PATH = "/v1/services/municipalities/records/0851"
UNKNOWN, HIDDEN = "columns_not_covered or column_unknown", "columns_not_covered or not_searchable"


@pytest.fixture
def ask(house: House, port: int) -> Callable[..., Said]:
    """A call of a system's; `two` sees some columns of the persons of one municipality, protected ones included."""

    def asked(path: str, document: Any = None, *fields: str, by: str = "two", method: str = "GET") -> Said:
        sent = request(method, path, *fields) if document is None else post(path, document, *fields)
        return talk(house, port, sent, certificate=by)[-1]

    return asked


@pytest.fixture
def of_odense(house: House) -> str:
    """A system of another municipality's own."""
    if "of-odense" not in house.systems:
        house.add_system("of-odense", ODENSE)
        house.settle()
    return "of-odense"


Ask = Callable[..., Said]


class TestAnotherAgreement:
    @pytest.mark.parametrize(
        ("name", "code"),
        [
            case("guessed", "an agreement's id that was guessed", lambda house: str(uuid4()),
                 ("agreement_foreign",), by="agreement_foreign"),
            case("zero", "the id of zeros", lambda house: "00000000-0000-0000-0000-000000000000",
                 ("agreement_foreign",), by="agreement_foreign"),
            case("foreign", "another system's agreement", lambda house: house.agreements["one"],
                 ("agreement_foreign",), by="agreement_foreign"),
            case("neighbour", "one's own agreement's id with the last digit changed", lambda house: _next(house),
                 ("agreement_foreign",), by="agreement_foreign"),
            case("sql", "SQL instead of an id", lambda house: "' or 1=1 --", ("header_invalid",), by="header_invalid"),
            case("two-ids", "two ids with a comma", lambda house: ",".join([house.agreements["two"]] * 2),
                 ("header_invalid",), by="header_invalid"),
        ],
    )  # fmt: skip
    def test_carries_nothing(self, house: House, ask: Ask, name: Callable[[House], str], code: tuple[str, ...]) -> None:
        said = ask(PERSONS, {"key": ANNA}, f"Knudepunkt-Agreement: {name(house)}")
        ensure_refused([said], *code)
        assert ensure_on_record(house, *code).system == house.systems["two"]

    @attack("one's own agreement, in another municipality's name", by="agreement_missing")
    def test_in_another_municipalitys_name(self, house: House, ask: Ask) -> None:
        fields = (f"Knudepunkt-Agreement: {house.agreements['two']}", f"Knudepunkt-Municipality: {ODENSE}")
        ensure_refused([ask(PERSONS, {"key": ANNA}, *fields)], "agreement_missing")
        ensure_on_record(house, "agreement_missing")

    @attack("a municipality that one has no agreement with", by="agreement_missing")
    def test_of_a_municipality_without_one(self, house: House, ask: Ask) -> None:
        ensure_refused([ask(PERSONS, {"key": ANNA}, f"Knudepunkt-Municipality: {ODENSE}")], "agreement_missing")

    @attack("a service that the agreement does not name", by="agreement_missing")
    def test_at_another_service(self, house: House, ask: Ask) -> None:
        ensure_refused([ask(PATH, None, f"Knudepunkt-Agreement: {house.agreements['two']}")], "agreement_missing")
        ensure_on_record(house, "agreement_missing")

    @pytest.mark.parametrize(
        ("steps", "days"),
        [
            case("draft", "an agreement that nobody has approved", (), (-1, 30), by="no live agreement"),
            case("suspended", "a suspended agreement", (Step.REQUEST, Step.SUSPEND), (-1, 30), by="no live agreement"),
            case("terminated", "a terminated agreement", (Step.REQUEST, Step.TERMINATE), (-1, 30),
                 by="no live agreement"),
            case("over", "an agreement that is over", (Step.REQUEST,), (-30, -1), by="no live agreement"),
            case("future", "an agreement that begins tomorrow", (Step.REQUEST,), (1, 30), by="no live agreement"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("named", [True, False])
    def test_that_is_not_in_force(
        self, house: House, ask: Ask, steps: tuple[Step, ...], days: tuple[int, int], named: bool
    ) -> None:
        name = f"not-live-{uuid4().hex[:8]}"
        house.add_system(name)
        agreement = _agreement(house, name, steps, days)
        house.settle()
        fields = (f"Knudepunkt-Agreement: {agreement}",) if named else ()
        said = ask(PATH, None, *fields, by=name)
        assert said.status == 403, said.body[:200]
        assert said.json["remedy"]
        assert house.refused().system == house.systems[name]


class TestOtherColumns:
    @pytest.mark.parametrize(
        "columns",
        [
            case(
                "hidden",
                "a column that the agreement does not show",
                ["address"],
                by=UNKNOWN,
            ),
            case(
                "beside-own",
                "the same beside one's own columns",
                ["pnr", "address"],
                by=UNKNOWN,
            ),
            case(
                "nested",
                "a field within a column that is not shown",
                ["address.house_number"],
                by=UNKNOWN,
            ),
            case(
                "text",
                "the column that was derived from the hidden one",
                ["address_text"],
                by=UNKNOWN,
            ),
            case("star", "a star", ["*"], by=UNKNOWN),
            case("capitals", "a hidden column in capitals", ["ADDRESS"], by=UNKNOWN),
            case("quoted", "a hidden column in quotes", ['"address"'], by=UNKNOWN),
            case(
                "expression",
                "an expression over a hidden column",
                ["address as pnr"],
                by=UNKNOWN,
            ),
            case("comma", "two columns in one name", ["pnr,address"], by=UNKNOWN),
            case("protections", "the notes on protection", ["protections"], by=UNKNOWN),
            case("internal", "a column of the house's own", ["_fingerprint"], by=UNKNOWN),
            case("rowid", "the mirror's own row number", ["rowid"], by=UNKNOWN),
        ],
    )
    def test_are_not_looked_up_found_or_extracted(self, house: House, ask: Ask, columns: list[str]) -> None:
        codes = ("columns_not_covered", "column_unknown")
        ensure_refused([ask(PERSONS, {"key": ANNA, "columns": columns})], *codes)
        where = [{"column": "status", "eq": "01"}]
        ensure_refused([ask(SEARCH, {"where": where, "columns": columns})], *codes)
        quoted = ",".join(columns).replace('"', "%22").replace(" ", "%20")
        ensure_refused([ask(f"{EXTRACT}?columns={quoted}")], *codes, "parameter_invalid")
        ensure_on_record(house, *codes, "parameter_invalid")

    @pytest.mark.parametrize(
        "body",
        [
            case("condition", "a search by a hidden column", {"where": [{"column": "birth_date", "eq": "1970-01-01"}]},
                 by=HIDDEN),
            case("nested-condition", "a search by a field of a hidden column",
                 {"where": [{"column": "address_text.street_address", "prefix": "P"}]}, by=HIDDEN),
            case("sort", "sorting by a hidden column", {"where": [], "sort": ["birth_date"]}, by=HIDDEN),
            case("sort-down", "sorting downwards by a hidden column", {"where": [], "sort": ["-birth_date"]},
                 by=HIDDEN),
            case("sort-nested", "sorting by a field of a hidden column",
                 {"where": [], "sort": ["address.road_code"]}, by=HIDDEN),
            case("range", "a range over a hidden column",
                 {"where": [{"column": "birth_date", "ge": "1970-01-01", "le": "1970-01-02"}]}, by=HIDDEN),
            case("key-range", "a range over personal numbers", {"where": [{"column": "pnr", "ge": "0"}]},
                 by=HIDDEN),
            case("prefix-of-key", "the beginning of a personal number", {"where": [{"column": "pnr", "prefix": "61"}]},
                 by=HIDDEN),
            case("sql-value", "SQL as a value", {"where": [{"column": "status", "eq": "' or '1'='1"}]},
                 by="nothing is found"),
            case("wildcard", "a wildcard as a value", {"where": [{"column": "name.surname", "prefix": "%"}]},
                 by="nothing is found"),
            case("sql-column", "SQL as a column", {"where": [{"column": "1=1; --", "eq": "1"}]}, by=HIDDEN),
            case("operator", "a condition that does not exist", {"where": [{"column": "status", "like": "%"}]},
                 by="body_invalid"),
            case("regex", "a regular expression that takes for ever",
                 {"where": [{"column": "name.surname", "regex": "(a+)+$"}]}, by="body_invalid"),
        ],
    )  # fmt: skip
    def test_are_not_asked_round_about(self, house: House, ask: Ask, body: dict[str, Any]) -> None:
        said = ask(SEARCH, body)
        if said.status == 200:
            assert said.json["records"] == []
        else:
            ensure_refused([said], "columns_not_covered", "not_searchable", "body_invalid")
            ensure_on_record(house, "columns_not_covered", "not_searchable", "body_invalid")


class TestOtherRows:
    @attack("a person of another municipality, by number", by="record_not_found, as for nobody")
    def test_a_person_elsewhere_is_as_nobody(self, house: House, ask: Ask) -> None:
        said = [ask(PERSONS, {"key": key}) for key in (CARL, NOBODY)]
        assert [each.status for each in said] == [404, 404]
        assert said[0].json.keys() == said[1].json.keys()
        assert said[0].json["detail"] == said[1].json["detail"]

    @attack("a person of another municipality among one's own", by="missing, as for nobody")
    def test_in_a_batch(self, ask: Ask) -> None:
        said = ask(PERSONS, {"keys": [ANNA, CARL, NOBODY]}).json
        assert [each["key"] for each in said["records"]] == [ANNA]
        assert sorted(said["missing"]) == sorted([CARL, NOBODY])

    @attack("a search in another municipality", by="nothing is found")
    def test_in_a_search(self, ask: Ask) -> None:
        assert ask(SEARCH, {"where": [{"column": "municipality_code", "eq": "0461"}]}).json["records"] == []

    @attack("an extract, to see the rows of other municipalities", by="own rows alone")
    def test_in_an_extract(self, ask: Ask) -> None:
        said = ask(f"{EXTRACT}?format=ndjson")
        lines = [json.loads(line) for line in said.body.splitlines()]
        assert {line["pnr"] for line in lines} == {ANNA, BENT}
        assert all(line.keys() == {"pnr", "status", "name"} for line in lines)

    @attack("a filter of one's own on an extract", by="parameter_invalid")
    def test_no_filter_of_ones_own(self, ask: Ask) -> None:
        for query in ("municipality_code=0461", "rows=0461", "where=1%3D1", "protected=true"):
            ensure_refused([ask(f"{EXTRACT}?{query}")], "parameter_invalid")


class TestProtectedPersons:
    @attack("the name of a protected person, asked for by its column", by="withheld")
    def test_in_a_lookup(self, ask: Ask) -> None:
        said = ask(PERSONS, {"key": BENT, "columns": ["name", "address", "address_text"]}, by="one").json
        assert "Hemmelig" not in json.dumps(said)
        assert said["withheld"]

    @pytest.mark.parametrize(
        "where",
        [
            case("name", "a protected person, by the name", {"column": "name.given_names", "eq": "Bent Hemmelig"},
                 by="nothing is found"),
            case("prefix", "a protected person, letter by letter", {"column": "name.given_names", "prefix": "Bent"},
                 by="nothing is found"),
            case("street", "a protected person, by the address",
                 {"column": "address_text.street_address", "eq": "Skjultvej 99"}, by="nothing is found"),
            case("range", "a protected person, by a range of names",
                 {"column": "name.given_names", "ge": "B", "le": "C"}, by="nothing is found"),
        ],
    )  # fmt: skip
    def test_are_not_found_by_what_is_hidden(self, ask: Ask, where: dict[str, str]) -> None:
        said = ask(SEARCH, {"where": [where]}, by="one")
        assert BENT not in json.dumps(said.json.get("records", []))

    @attack("sorting by name, to learn where a protected person stands", by="not told by the order")
    def test_are_not_sorted_by_what_is_hidden(self, ask: Ask) -> None:
        body = {"where": [{"column": "status", "eq": "01"}]}
        up, down = (ask(SEARCH, body | {"sort": [order]}, by="one").json["records"]
                    for order in ("name.given_names", "-name.given_names"))  # fmt: skip
        # Whoever is hidden stands at the end both ways: no name in between says which letter it is.
        assert [each["key"] for each in up] == [each["key"] for each in down] == [ANNA, BENT]

    @attack("a protected person in an extract", by="withheld")
    def test_in_an_extract(self, ask: Ask) -> None:
        assert b"Hemmelig" not in ask(f"{EXTRACT}?format=csv", by="one").body

    @pytest.mark.parametrize(
        "moment",
        [
            case("long-ago", "a time long before the mirror", {"as_of": "1970-01-01T00:00:00Z"}, by="history_expired"),
            case("future", "a time to come", {"as_of": "2999-01-01T00:00:00Z"}, by="the newest, still withheld"),
            case("snapshot-0", "snapshot 1, before there was anything", {"snapshot": 1}, by="history_expired"),
            case("snapshot-future", "a snapshot to come", {"snapshot": 999_999}, by="snapshot_unknown"),
            case("both", "a time and a snapshot", {"as_of": "2026-01-01T00:00:00Z", "snapshot": 1},
                 by="parameter_invalid"),
        ],
    )  # fmt: skip
    def test_at_another_time(self, ask: Ask, moment: dict[str, Any]) -> None:
        said = ask(PERSONS, {"key": BENT} | moment, by="one")
        assert said.status in {200, 400, 404, 410}
        assert b"Hemmelig" not in said.body


class TestOthersFiles:
    @attack("the manifest of a file on another agreement's shelf", by="file_not_found")
    def test_a_manifest(self, house: House, ask: Ask) -> None:
        own = ask(f"{EXTRACT}?format=csv", by="one")
        name = own.headers["content-disposition"].partition('"')[2].rstrip('"')
        path = f"/v1/services/cpr-persons-extract/files/{name}.manifest.json"
        assert ask(path, by="one").status == 200
        ensure_refused([ask(path, by="two")], "file_not_found")
        ensure_on_record(house, "file_not_found")

    @attack("the ETag of another agreement's file, to learn whether it is the same", by="one's own file")
    def test_an_etag(self, ask: Ask) -> None:
        ask(f"{EXTRACT}?format=csv", by="one")
        ask(f"{EXTRACT}?format=csv", by="two")
        tag = ask(f"{EXTRACT}?format=csv", by="one").headers["etag"]
        said = ask(f"{EXTRACT}?format=csv", None, f"If-None-Match: {tag}", by="two")
        assert said.status == 200
        assert said.headers["etag"] != tag

    @pytest.mark.parametrize(
        "ranges",
        [
            case("many", "ten thousand ranges at once", "bytes=" + ",".join(f"{n}-{n}" for n in range(5_000)),
                 by="no more than the file"),
            case("overlapping", "a hundred times the whole file", "bytes=" + ",".join(["0-"] * 100),
                 by="no more than the file"),
            case("backwards", "a range that ends before it begins", "bytes=9-1", by="no more than the file"),
            case("negative", "a range before the beginning", "bytes=-99999999999999999999", by="no more than the file"),
            case("overflow", "a range past 64 bits", "bytes=18446744073709551616-", by="no more than the file"),
        ],
    )  # fmt: skip
    def test_ranges_ask_for_no_more_than_the_file(self, ask: Ask, ranges: str) -> None:
        ask(f"{EXTRACT}?format=csv")
        whole = ask(f"{EXTRACT}?format=csv")
        said = ask(f"{EXTRACT}?format=csv", None, f"Range: {ranges}")
        assert said.status in {200, 206, 416, 431}
        assert int(said.headers.get("content-length", "0")) <= len(whole.body) + 500

    @attack("the decision about another system's call, by its trace id", by="decision_not_found")
    def test_a_decision(self, house: House, ask: Ask, port: int, of_odense: str) -> None:
        trace = ask(PERSONS, {"key": NOBODY}, by="two").headers["knudepunkt-trace"]
        assert ask(f"/v1/decisions/{trace}", by="two").status == 200
        ensure_refused([ask(f"/v1/decisions/{trace}", by=of_odense)], "decision_not_found")

    @attack("another's trace id in one's own call, to open its decision", by="one's own lines alone")
    def test_a_trace_that_was_taken_over(self, house: House, ask: Ask, of_odense: str) -> None:
        trace = ask(PERSONS, {"key": NOBODY}, by="two").headers["knudepunkt-trace"]
        said = ask(PATH, None, f"traceparent: 00-{trace}-{'ab' * 8}-01", by=of_odense)
        assert said.headers["knudepunkt-trace"] == trace
        seen = ask(f"/v1/decisions/{trace}", by=of_odense).json["decisions"]
        assert {each["system"] for each in seen} == {house.systems[of_odense]}

    @attack("the operators' status, by a supplier's system", by="operators_only")
    def test_the_operators_status(self, house: House, ask: Ask) -> None:
        ensure_refused([ask("/v1/operations/status", by="one")], "operators_only")
        ensure_on_record(house, "operators_only")

    @attack("the operators' metrics, by a supplier's system", by="operators_only")
    def test_the_operators_metrics(self, house: House, ask: Ask) -> None:
        ensure_refused([ask("/metrics", by="one")], "operators_only")
        ensure_on_record(house, "operators_only")

    @attack("the operators' metrics in a version that breaks their writer", by="operators_only, or the one there is")
    def test_metrics_in_a_version_that_does_not_exist(self, house: House, ask: Ask) -> None:
        broken = "Accept: application/openmetrics-text; version=x.y; escaping=\u00e6"
        ensure_refused([ask("/metrics", None, broken, by="one")], "operators_only")
        said = ask("/metrics", None, broken, by="operator")
        assert said.status == 200
        assert said.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"


class TestReplay:
    @attack("the same lookup a hundred times, to be counted once", by="each is on record")
    def test_each_call_is_on_record(self, house: House, port: int) -> None:
        one = request("GET", PATH, "traceparent: 00-" + "cd" * 16 + "-" + "ab" * 8 + "-01", close=False)
        said = talk(house, port, one * 99, request("GET", PATH))
        assert len(said) == 100
        assert len({fact.event for fact in house.facts}) == 100

    @attack("a page of a search, by another agreement's cursor", by="cursor refused")
    def test_anothers_cursor(self, ask: Ask) -> None:
        body = {"where": [{"column": "status", "in": ["01", "90"]}], "limit": 1}
        cursor = ask(SEARCH, body, by="one").json["next"]
        said = ask(SEARCH, body | {"cursor": cursor}, by="two")
        if said.status == 200:
            # What comes next is still within the agreement's own rows and columns.
            assert all(each["key"] in {ANNA, BENT} for each in said.json["records"])
            assert all(each["record"].keys() <= {"pnr", "status", "name", "municipality_code"}
                       for each in said.json["records"])  # fmt: skip
        else:
            ensure_refused([said], "cursor_invalid")

    @pytest.mark.parametrize(
        "cursor",
        [
            case("empty", "an empty cursor", "", by="cursor refused"),
            case("pickle", "a pickled object as a cursor", "gASVBAAAAAAAAABLAS4=", by="cursor refused"),
            case("json", "a cursor that was written by hand", "eyJrZXkiOiIwIn0", by="cursor refused"),
            case("long", "a cursor of 10,000 signs", "A" * 10_000, by="cursor refused"),
            case("sql", "SQL as a cursor", "' or 1=1 --", by="cursor refused"),
        ],
    )
    def test_a_cursor_that_was_made_up(self, ask: Ask, cursor: str) -> None:
        said = ask(SEARCH, {"where": [{"column": "status", "eq": "01"}], "cursor": cursor})
        ensure_refused([said], "cursor_invalid", "body_invalid")
        since = cursor.replace(" ", "%20").replace("'", "%27").replace("=", "%3D")
        ensure_refused([ask(f"{EXTRACT}?since={since}")], "extract_cursor_invalid")


def _next(house: House) -> str:
    own = house.agreements["two"]
    return own[:-1] + ("0" if own[-1] != "0" else "1")


def _agreement(house: House, system: str, steps: tuple[Step, ...], days: tuple[int, int]) -> AgreementId:
    municipality = house.control.find_organisation(AALBORG)
    assert municipality is not None
    terms = Terms(
        services={ServiceName("municipalities"): ServiceTerms()}, purpose="prøve", legal_basis="prøve", reason="prøve"
    )
    start, end = (CLOCK.now() + timedelta(days=each) for each in days)
    agreements = Agreements(house.control, house.registers)
    made = agreements.draft(OrganisationId(municipality.id), SystemId(house.systems[system]), terms, Window(start, end))
    for step in steps:
        agreements.step(made.id, step)
    return made.id


def test_the_two_see_what_they_may(house: House, port: int) -> None:
    """The attacks above fail for what they try, not because nothing works."""
    client = Client(house, port, "two")
    assert client.lookup("cpr-persons", {"key": BENT}).json["record"]["name"]["given_names"] == "Bent Hemmelig"
    assert client.post(SEARCH, {"where": [{"column": "status", "eq": "01"}]}).json["records"]
    client.close()
