"""Agreements over the wire: requested, decided on, seen by their parties alone; they carry calls when approved."""

import hashlib
import io
import subprocess
import zipfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from control import Role, Verb
from control.actors import MAY
from tests.api.administration.staff import ADMIN, STAFF, Office
from tests.api.administration.test_roles import IN_AN_ORGANISATION
from tests.api.house import AALBORG, ODENSE, OPERATOR, SUPPLIER, Reply
from tests.described import check

PATH = f"{ADMIN}/agreements"
USER, CONTROLLER = "supplier-user", "data-controller"


def wanted(office: Office, **more: Any) -> dict[str, Any]:
    return {
        "municipality": AALBORG, "system": office.system(uuid4().hex), "services": {"municipalities": {}},
        "purpose": "At slå kommuner op.", "legal_basis": "Ingen personoplysninger.", "reason": "prøve", **more,
    }  # fmt: skip


def requested(office: Office, **more: Any) -> Any:
    reply = office.post(USER, PATH, wanted(office, **more))
    assert reply.status == 201, reply.body
    return reply.json


def take(office: Office, who: str, agreement: str, step: str, **headers: str) -> Reply:
    return office.post(who, f"{PATH}/{agreement}/steps", {"step": step, "note": "prøve"}, **headers)


class TestARequest:
    def test_is_approved_at_once_in_the_test_environment_and_carries_calls(self, office: Office) -> None:
        name = f"carrier-{uuid4().hex[:8]}"
        office.house.add_system(name)
        asked = wanted(office, system=office.house.systems[name], limits={"calls_per_day": 3})
        reply = office.post(USER, PATH, asked)
        assert (reply.status, reply.json["state"]) == (201, "approved")
        assert reply.json["may"] == ["terminate"]
        office.house.settle()
        assert office.asking(name).lookup("municipalities", {"key": "0851"}).status == 200
        (mine,) = office.get(name, "/v1/me").json["agreements"]
        assert (mine["id"], mine["terms_hash"]) == (reply.json["id"], reply.json["terms_hash"])
        assert mine["limits"] == [{"name": "day", "calls": 3, "left": 2, "reset_s": mine["limits"][0]["reset_s"]}]
        assert [each["name"] for each in mine["services"]] == ["municipalities"]

    def test_is_asked_for_once(self, office: Office) -> None:
        asked, key = wanted(office), str(uuid4())
        first, again = (office.post(USER, PATH, asked, Idempotency_Key=key) for _ in range(2))
        assert first.body == again.body
        assert len(office.get(USER, f"{PATH}?system={asked['system']}").json["items"]) == 1

    def test_has_a_history_that_everybody_in_it_sees(self, office: Office) -> None:
        agreement = requested(office)["id"]
        take(office, CONTROLLER, agreement, "suspend")
        for who in (USER, CONTROLLER, "operator-person"):
            steps = office.get(who, f"{PATH}/{agreement}/history").json["items"]
            assert [each["step"] for each in steps] == ["draft", "request", "approve", "suspend"]
        assert steps[-1]["by"] == f"data-controller (CVR {AALBORG})"
        page = office.get(USER, f"{PATH}/{agreement}/history?limit=3").json
        rest = office.get(USER, f"{PATH}/{agreement}/history?cursor={page['next']}").json
        assert [each["number"] for each in page["items"] + rest["items"]] == [1, 2, 3, 4]

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"services": {}}, "agreement_invalid"),
            ({"services": {"shoe-sizes": {}}}, "agreement_invalid"),
            ({"services": {"municipalities": {"columns": ["shoe_size"]}}}, "agreement_invalid"),
            ({"services": {"municipalities": {"rows": {"code": []}}}}, "agreement_invalid"),
            ({"services": {"municipalities": {"everything": True}}}, "body_invalid"),
            ({"services": {"municipalities": {"protected": "yes"}}}, "body_invalid"),
            ({"purpose": ""}, "agreement_invalid"),
            ({"purpose": "a\u202eb"}, "agreement_invalid"),
            ({"reason": "x" * 5_000}, "agreement_invalid"),
            ({"type": "several-receivers"}, "agreement_invalid"),
            ({"type": "everybody"}, "body_invalid"),
            ({"purposes": [{"code": "Å", "text": "x"}]}, "agreement_invalid"),
            ({"limits": {"calls_per_day": 0}}, "agreement_invalid"),
            ({"valid_to": "2020-01-01T00:00:00Z"}, "agreement_invalid"),
            ({"valid_from": "2020-01-01T00:00:00"}, "body_invalid"),
            ({"municipality": "99999999"}, "unregistered"),
            ({"municipality": SUPPLIER}, "unregistered"),
            ({"system": str(uuid4())}, "unregistered"),
            ({"system": "../x"}, "unregistered"),
            ({"state": "approved"}, "body_invalid"),
        ],
    )
    def test_says_what_is_wrong(self, office: Office, change: dict[str, Any], code: str) -> None:
        reply = office.post(USER, PATH, wanted(office) | change)
        assert reply.code == code, reply.body
        assert reply.status == (404 if code == "unregistered" else 400)

    def test_for_another_organisations_system_is_as_for_none(self, office: Office) -> None:
        system = office.system(uuid4().hex)
        for who in ("rival-administrator", CONTROLLER, "other-data-controller"):
            reply = office.post(who, PATH, wanted(office, system=system))
            assert (reply.status, reply.code) == (404, "unregistered")

    def test_that_is_a_draft_is_its_authors_alone_until_it_is_sent(self, office: Office) -> None:
        agreement = requested(office, draft=True)
        assert agreement["state"] == "draft"
        assert office.get(CONTROLLER, f"{PATH}/{agreement['id']}").code == "unregistered"
        assert take(office, USER, agreement["id"], "request").json["state"] == "approved"
        assert office.get(CONTROLLER, f"{PATH}/{agreement['id']}").status == 200

    def test_cannot_follow_what_covers_the_same(self, office: Office) -> None:
        asked = wanted(office)
        office.post(USER, PATH, asked)
        reply = office.post(USER, PATH, asked)
        assert (reply.status, reply.code) == (409, "agreement_taken")


class TestALife:
    def test_ends_within_a_second_for_who_calls(self, office: Office) -> None:
        name = f"stopped-{uuid4().hex[:8]}"
        office.house.add_system(name)
        agreement = requested(office, system=office.house.systems[name])["id"]
        office.house.settle()
        assert office.asking(name).lookup("municipalities", {"key": "0851"}).status == 200
        assert take(office, CONTROLLER, agreement, "suspend").json["state"] == "suspended"
        office.house.settle()
        refused = office.asking(name).lookup("municipalities", {"key": "0851"})
        assert (refused.status, refused.code) == (403, "agreement_not_live")
        assert office.get(name, "/v1/me").json["agreements"] == []
        assert take(office, CONTROLLER, agreement, "resume").json["state"] == "approved"
        assert take(office, USER, agreement, "terminate").json["state"] == "terminated"
        again = take(office, CONTROLLER, agreement, "resume")
        assert (again.status, again.code) == (409, "agreement_step_illegal")

    def test_is_renewed_without_a_gap(self, office: Office) -> None:
        old = requested(office, valid_to="2040-01-01T00:00:00Z")
        reply = office.post(USER, f"{PATH}/{old['id']}/renewals", {"valid_to": "2041-01-01T00:00:00Z"})
        assert reply.status == 201, reply.body
        assert (reply.json["replaces"], reply.json["valid_from"]) == (old["id"], "2040-01-01T00:00:00Z")
        assert reply.json["terms"]["services"] == old["terms"]["services"]

    def test_takes_no_step_from_a_version_that_is_old(self, office: Office) -> None:
        agreement = requested(office)["id"]
        tag = office.get(CONTROLLER, f"{PATH}/{agreement}").headers["etag"]
        assert take(office, CONTROLLER, agreement, "suspend", If_Match=tag).status == 200
        late = take(office, CONTROLLER, agreement, "resume", If_Match=tag)
        assert (late.status, late.code) == (412, "precondition_failed")


STEPS = {
    Verb.AGREEMENT_STOP: ("suspend", ()),
    Verb.AGREEMENT_DECIDE: ("resume", ("suspend",)),
}


class TestTheTable:
    @pytest.mark.parametrize("who", [name for name in STAFF if name != "rival-administrator"])
    @pytest.mark.parametrize("verb", STEPS)
    def test_says_who_decides(self, office: Office, verb: Verb, who: str) -> None:
        agreement = requested(office)["id"]
        step, before = STEPS[verb]
        for each in before:
            take(office, CONTROLLER, agreement, each)
        cvr, roles = STAFF[who]
        reply = take(office, who, agreement, step)
        if Role.OPERATOR in roles & MAY[verb] or (cvr == AALBORG and roles & MAY[verb]):
            assert reply.status == 200, reply.body
        elif cvr == ODENSE:
            assert (reply.status, reply.code) == (404, "unregistered")
        else:
            assert (reply.status, reply.code) == (403, "step_not_yours")

    @pytest.mark.parametrize("who", STAFF)
    def test_says_who_ends_it(self, office: Office, who: str) -> None:
        agreement = requested(office)["id"]
        reply = take(office, who, agreement, "terminate")
        if who in {USER, CONTROLLER}:
            assert reply.json["state"] == "terminated"
        elif STAFF[who][0] in {SUPPLIER, AALBORG, OPERATOR}:
            assert (reply.status, reply.code) == (403, "step_not_yours")
        else:
            assert (reply.status, reply.code) == (404, "unregistered")

    @pytest.mark.parametrize("who", STAFF)
    def test_says_who_requests(self, office: Office, who: str) -> None:
        cvr, roles = STAFF[who]
        reply = office.post(who, PATH, wanted(office, system=office.system(uuid4().hex, cvr)))
        if roles & MAY[Verb.AGREEMENT_REQUEST]:
            assert reply.status == 201
        else:
            assert (reply.status, reply.code) == (403, "step_not_yours")

    def test_shows_an_agreement_to_its_parties_and_the_operator(self, office: Office) -> None:
        agreement = requested(office)["id"]
        seen = {who for who in STAFF if office.get(who, f"{PATH}/{agreement}").status == 200}
        assert seen == {who for who, (cvr, _) in STAFF.items() if cvr in {SUPPLIER, AALBORG, OPERATOR}}
        for who in STAFF:
            page = office.get(who, f"{PATH}?limit=200").json
            assert (agreement in {each["id"] for each in page["items"]}) is (who in seen) or page["next"]

    def test_and_the_steps_that_are_offered_are_those_that_can_be_taken(self, office: Office) -> None:
        agreement = requested(office)["id"]
        offered = {who: office.get(who, f"{PATH}/{agreement}").json.get("may") for who in STAFF}
        assert offered[USER] == ["terminate"]
        assert offered[CONTROLLER] == ["suspend", "terminate"]
        assert offered["operator-person"] == ["suspend"]
        assert offered["supplier-administrator"] == offered["municipality-user"] == []
        assert offered["rival-administrator"] is None


class TestTheDocument:
    def test_is_read_in_two_languages_by_the_parties(self, office: Office) -> None:
        agreement = requested(office)
        path = f"{PATH}/{agreement['id']}/document"
        for who in (USER, CONTROLLER, "operator-person"):
            page = office.get(who, path)
            assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
            assert page.headers["knudepunkt-terms-hash"] == agreement["terms_hash"]
            assert "script" not in page.headers["content-security-policy"]
        text = office.get(USER, f"{path}?language=en&format=text").body.decode()
        assert agreement["terms_hash"] in text
        assert text != office.get(USER, f"{path}?format=text").body.decode()
        for who in ("rival-administrator", "other-data-controller"):
            assert office.get(who, path).code == office.get(who, f"{path}.zip").code == "unregistered"
        for query in ("language=se", "format=pdf", "x=1"):
            assert office.get(USER, f"{path}?{query}").code == "parameter_invalid"

    def test_is_signed_and_can_be_checked_with_openssl_alone(self, office: Office, tmp_path: Path) -> None:
        agreement = requested(office)
        reply = office.get(CONTROLLER, f"{PATH}/{agreement['id']}/document.zip")
        assert reply.headers["content-disposition"] == f'attachment; filename="agreement-{agreement["id"]}.zip"'
        with zipfile.ZipFile(io.BytesIO(reply.body)) as bundle:
            bundle.extractall(tmp_path)
        enforced = (tmp_path / "agreement.json").read_bytes()
        assert hashlib.sha256(enforced).hexdigest() == agreement["terms_hash"]
        for signature in tmp_path.glob("*.sig"):
            subprocess.run(
                ["openssl", "dgst", "-sha256", "-verify", "signing-key.pem", "-signature", signature.name,
                 signature.stem],
                cwd=tmp_path, check=True, capture_output=True,
            )  # fmt: skip
        assert len(list(tmp_path.glob("*.sig"))) == 5

    def test_runs_nothing_that_somebody_wrote_into_it(self, office: Office) -> None:
        agreement = requested(office, purpose="<script>alert(1)</script> & <img src=x>")
        page = office.get(USER, f"{PATH}/{agreement['id']}/document").body.decode()
        assert "<script" not in page
        assert "<img" not in page
        assert "&lt;script&gt;" in page


class TestAMunicipalitysCode:
    def test_is_the_operators_to_say(self, office: Office) -> None:
        base = f"{ADMIN}/organisations/{office.organisation(AALBORG)}"
        assert office.post("municipality-administrator", f"{base}/code", {"code": "0851"}).code == "step_not_yours"
        assert office.post("operator-person", f"{base}/code", {"code": "0851"}).json["code"] == "0851"
        other = f"{ADMIN}/organisations/{office.organisation(ODENSE)}/code"
        assert office.post("operator-person", other, {"code": "0851"}).code == "organisation_invalid"
        asked = {"municipalities": {"own_municipality": ["code"]}}
        assert requested(office, services=asked)["terms"]["services"]["municipalities"]["rows"] == {"code": ["0851"]}


def test_agreements_are_what_the_openapi_document_says(office: Office) -> None:
    document = office.get(None, "/openapi.json").json
    agreement = requested(office)["id"]
    for path, reply in (
        (PATH, office.get(USER, PATH)),
        (f"{PATH}/{{agreement}}", office.get(USER, f"{PATH}/{agreement}")),
        (f"{PATH}/{{agreement}}/history", office.get(USER, f"{PATH}/{agreement}/history")),
    ):
        described = document["paths"][path]["get"]["responses"]["200"]
        check(document, described["content"]["application/json"]["schema"], reply.json)


def test_every_verb_of_an_agreement_is_tried_here_or_in_the_table_of_roles() -> None:
    here = {
        Verb.AGREEMENT_REQUEST,
        Verb.AGREEMENT_TERMINATE,
        Verb.AGREEMENT_LEAVE,
        Verb.AGREEMENT_SEE,
        Verb.AGREEMENT_DECIDE_FOR,
        *STEPS,
    }
    assert {verb for verb in Verb if verb.startswith("agreement.")} == here
    assert not here & IN_AN_ORGANISATION.keys()
