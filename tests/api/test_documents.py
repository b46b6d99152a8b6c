"""What is public: catalogue, OpenAPI, problems, health. None of it asks for a certificate."""

import re
import warnings
from typing import Any

import pytest

from api import error_tree
from tests.api.conftest import Connect
from tests.api.house import ANNA, BENT, NOBODY, Client, House
from tests.described import check

with warnings.catch_warnings():
    # The validator's own imports still use names that its dependencies have renamed.
    warnings.simplefilter("ignore", DeprecationWarning)
    from openapi_spec_validator import OpenAPIV31SpecValidator


@pytest.fixture
def anybody(connect: Connect) -> Client:
    return connect(None)


class TestTheCatalogue:
    def test_lists_every_service_with_what_it_promises(self, anybody: Client) -> None:
        services = {entry["name"]: entry for entry in anybody.get("/v1/catalogue").json["services"]}
        assert {"cpr-persons", "cpr-persons-extract", "municipalities", "municipalities-extract"} <= set(services)
        persons = services["cpr-persons"]
        assert persons["operations"] == [
            {"name": "lookup", "method": "POST", "path": "/v1/services/cpr-persons/lookup"}
        ]
        assert persons["sla"] == {"class": "simple", "seconds": 1.0}
        assert persons["integration_type"] == "replica"
        assert set(persons["title"]) == {"da", "en"}
        assert persons["terms"]
        assert persons["price_model"]
        assert [each["name"] for each in services["municipalities"]["operations"]] == ["lookup", "record", "search"]

    def test_says_how_fresh_each_is(self, anybody: Client) -> None:
        freshness = anybody.get("/v1/catalogue/cpr-persons").json["freshness"]
        assert freshness["age_s"] >= 3_590
        assert freshness["snapshot"] > 0
        assert freshness["target_s"]

    def test_of_one_service_names_the_columns_that_an_agreement_may_cover(self, anybody: Client) -> None:
        columns = {each["name"]: each for each in anybody.get("/v1/catalogue/cpr-persons").json["columns"]}
        assert columns["pnr"]["type"] == "string"
        assert {each["classification"] for each in columns.values()} == {"personal", "protected"}

    def test_is_also_found_where_the_services_lie(self, anybody: Client) -> None:
        for old, new in (
            ("/v1/services", "/v1/catalogue"),
            ("/v1/services/municipalities", "/v1/catalogue/municipalities"),
        ):
            reply = anybody.get(old)
            assert (reply.status, reply.headers["location"]) == (308, new)

    def test_is_found_from_the_well_known_place(self, anybody: Client) -> None:
        reply = anybody.get("/.well-known/api-catalog")
        assert reply.headers["content-type"].startswith("application/linkset+json")
        links = reply.json["linkset"]
        assert all(anybody.get(link["service-desc"][0]["href"]).status == 200 for link in links[:1])
        assert "/v1/services/cpr-persons" in [link["anchor"] for link in links]


class TestOpenApi:
    @pytest.fixture
    def document(self, anybody: Client) -> dict[str, Any]:
        found: dict[str, Any] = anybody.get("/openapi.json").json
        return found

    def test_is_valid_3_1(self, document: dict[str, Any]) -> None:
        assert document["openapi"].startswith("3.1")
        OpenAPIV31SpecValidator(document).validate()

    def test_has_one_path_for_each_service_and_operation(self, anybody: Client, document: dict[str, Any]) -> None:
        for service in anybody.get("/v1/catalogue").json["services"]:
            for operation in service["operations"]:
                assert operation["method"].lower() in document["paths"][operation["path"]]

    def test_answers_are_what_it_says(self, client: Client, document: dict[str, Any]) -> None:
        municipalities = "/v1/services/municipalities"
        calls = [
            ("/v1/services/cpr-persons/lookup", "post", client.lookup("cpr-persons", {"key": ANNA})),
            ("/v1/services/cpr-persons/lookup", "post", client.lookup("cpr-persons", {"keys": [ANNA, BENT, NOBODY]})),
            ("/v1/services/municipalities/lookup", "post", client.lookup("municipalities", {"keys": ["0851"]})),
            (
                f"{municipalities}/records/{{key}}",
                "get",
                client.get(f"{municipalities}/records/0461"),
            ),
        ]
        for path, method, reply in calls:
            described = document["paths"][path][method]["responses"]["200"]
            check(document, described["content"]["application/json"]["schema"], reply.json)
            assert {name.lower() for name in described["headers"]} <= set(reply.headers)

    def test_a_wrong_answer_would_not_pass(self, client: Client, document: dict[str, Any]) -> None:
        schema = document["paths"]["/v1/services/municipalities/lookup"]["post"]["responses"]["200"]["content"]
        wrong = client.lookup("municipalities", {"key": "0851"}).json
        wrong["record"]["code"] = "851"
        with pytest.raises(AssertionError):
            check(document, schema["application/json"]["schema"], wrong)

    def test_the_manifest_is_what_it_says(self, client: Client, document: dict[str, Any]) -> None:
        link = client.get("/v1/services/municipalities-extract/extract").headers["link"]
        check(document, document["components"]["schemas"]["Manifest"], client.get(link[1 : link.index(">")]).json)

    def test_refusals_are_what_it_says(self, client: Client, anybody: Client, document: dict[str, Any]) -> None:
        for reply in (
            anybody.lookup("cpr-persons", {"key": ANNA}),
            client.lookup("cpr-persons", {}),
            client.lookup("cpr-persons", {"key": NOBODY}),
            client.lookup("cpr-persons", {"key": ANNA, "columns": ["shoe_size"]}),
        ):
            described = document["paths"]["/v1/services/cpr-persons/lookup"]["post"]["responses"]
            assert str(reply.status) in described
            check(document, document["components"]["schemas"]["Problem"], reply.json)

    def test_its_request_examples_are_taken(self, client: Client, document: dict[str, Any]) -> None:
        for path, item in document["paths"].items():
            if path.endswith("/lookup"):
                body = item["post"]["requestBody"]["content"]["application/json"]
                for example in body["examples"].values():
                    check(document, body["schema"], example["value"])
                    reply = client.lookup(path.split("/")[3], example["value"])
                    # Only some of the registers hold data here; an example that is not taken gets another answer.
                    taken = {(200, None), (404, "record_not_found"), (503, "dataset_not_ready")}
                    assert (reply.status, reply.json.get("code")) in taken


class TestProblems:
    def test_every_code_has_a_page(self, anybody: Client) -> None:
        codes = error_tree()
        assert {"certificate_missing", "agreement_missing", "key_invalid", "ledger_unavailable"} <= set(codes)
        for code, error in codes.items():
            page = anybody.get(f"/problems/{code}")
            assert page.status == 200
            assert code in page.body.decode()
            assert str(error.status) in page.body.decode()

    def test_a_refusal_leads_to_its_page(self, anybody: Client) -> None:
        kind = anybody.lookup("cpr-persons", {"key": ANNA}).json["type"]
        assert "client certificate" in anybody.get(kind).body.decode()

    def test_a_code_that_does_not_exist_has_none(self, anybody: Client) -> None:
        assert anybody.get("/problems/no_such_code").code == "route_unknown"

    def test_pages_load_nothing_from_elsewhere(self, anybody: Client) -> None:
        for path in ("/", "/docs", "/problems", "/problems/key_invalid"):
            page = anybody.get(path)
            assert page.headers["content-security-policy"] == "default-src 'none'"
            assert not re.search(r"<script|<style|<img|https?://", page.body.decode())


class TestHealth:
    def test_a_process_that_answers_is_live(self, anybody: Client) -> None:
        assert anybody.get("/health/live").json == {"status": "live"}

    def test_readiness_is_503_when_a_check_fails(self, house: House, anybody: Client) -> None:
        assert anybody.get("/health/ready").json == {"status": "ready", "checks": {"ledger": True}}
        house.failing = OSError("the disk is full")
        reply = anybody.get("/health/ready")
        assert (reply.status, reply.json["checks"]) == (503, {"ledger": False})

    def test_head_is_answered_where_get_is(self, anybody: Client) -> None:
        for path in ("/", "/v1/catalogue", "/openapi.json", "/health/live", "/problems/key_invalid"):
            reply = anybody.call("HEAD", path)
            assert (reply.status, reply.body) == (200, b"")
