"""A new system's first call over the wire, and how it shows that it went well."""

import json
from pathlib import Path

from tests.journeys.platform import Platform, knudepunkt
from tests.journeys.test_refusals import bound_system
from tests.waiting import eventually

CALL = "/v1/services/demo-service/call"


def test_the_first_call_needs_no_agreement_and_is_on_record(platform: Platform, tmp_path: Path) -> None:
    system, files = bound_system(platform, tmp_path, "newcomer")

    def trial() -> str | None:
        listed = json.loads(knudepunkt("system", "list", "--json", instance=platform.instance.root).stdout)
        found: str | None = next(each["trial"] for each in listed if each["id"] == system)
        return found

    assert trial() is None
    with platform.client(*files) as http:
        answer = http.post(CALL, json={"message": "hej æøå"})
        assert (answer.status_code, answer.json()) == (200, {"message": "hej æøå"})
        assert http.post(CALL, json={"message": ""}).status_code == 400
    eventually(lambda: trial() is not None)
    rows = platform.sql(f"SELECT DISTINCT agreement, terms_hash FROM calls WHERE system = '{system}' AND status = 200")
    assert len(rows) == 1
    assert len(rows[0]["terms_hash"]) == 64
