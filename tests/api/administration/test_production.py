"""In production nobody comes in by rule: a certificate of one's own, the operator's word, certificates from outside."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from api import make_app
from control import ControlStore, OrganisationKind, Role
from tests.api.administration.staff import ADMIN, Office, signing_request
from tests.api.administration.test_onboarding import application
from tests.api.house import CLOCK, OPERATOR, House, serving


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    root = tmp_path_factory.mktemp("production")
    with (
        House.open(root) as house,
        ControlStore(f"sqlite:///{root / 'control.sqlite'}", environment="production", clock=CLOCK) as control,
    ):
        # As the wiring makes them: in production there is no authority that answers.
        doors = replace(house.doors("production"), control=control, authority=None)
        with serving(house, make_app(doors)) as (_, port):
            office = Office(house, port)
            office.hire("operator-person", OPERATOR, frozenset({Role.OPERATOR}))
            yield office
            office.close()


class TestAnApplication:
    def test_waits_for_the_operator_who_is_told(self, production: Office) -> None:
        production.write("nina", production.house.authority.issue_employee("10000001", "Nye ApS", "Nina"))
        reply = production.post("nina", f"{ADMIN}/applications", application("10000001"))
        assert (reply.status, reply.json["organisation"]["state"]) == (201, "applied")
        assert "wait" in reply.json["next"]
        waiting = production.get("nina", "/v1/me")
        assert (waiting.status, waiting.code) == (403, "organisation_not_active")
        assert "wait for the operator" in waiting.json["remedy"]

        notices = production.get("operator-person", f"{ADMIN}/inbox").json["items"]
        assert len([each for each in notices if "10000001" in each["subject"]]) == 1
        (found,) = production.get("operator-person", f"{ADMIN}/organisations?state=applied").json["items"]
        base = f"{ADMIN}/organisations/{found['id']}"
        assert production.post("nina", f"{base}/steps", {"step": "confirm"}).status == 403
        assert production.post("operator-person", f"{base}/steps", {"step": "confirm"}).json["state"] == "confirmed"
        assert production.get("nina", "/v1/me").json["user"]["roles"] == ["administrator", "user"]

        system = {"name": "care", "purpose": "x", "contact": "y@nye.example"}
        made = production.post("nina", f"{base}/systems", system).headers["location"]
        asked = {"signing_request": signing_request()[0]}
        refused = production.post("nina", f"{made}/certificates", asked)
        assert (refused.status, refused.code) == (400, "certificate_not_issued")
        pem = production.house.authority.issue_system("10000001", "Nye ApS", "care").cert_pem.decode()
        assert production.post("nina", f"{made}/certificates", {"certificate": pem}).status == 201

    def test_is_not_answered_with_a_certificate(self, production: Office) -> None:
        asked = application("10000002", signing_request=signing_request()[0])
        reply = production.post(None, f"{ADMIN}/applications", asked)
        assert (reply.status, reply.code) == (400, "certificate_not_issued")
        assert production.house.control.find_organisation("10000002") is None

    def test_needs_a_proof_that_one_works_there(self, production: Office) -> None:
        reply = production.post(None, f"{ADMIN}/applications", application("10000003"))
        assert (reply.status, reply.code) == (400, "proof_missing")

    def test_of_one_that_was_rejected_gives_nothing(self, production: Office) -> None:
        production.write("rita", production.house.authority.issue_employee("10000004", "Afvist ApS", "Rita"))
        made = production.post("rita", f"{ADMIN}/applications", application("10000004")).headers["location"]
        step = {"step": "reject", "note": "Ikke dem."}
        assert production.post("operator-person", f"{made}/steps", step).json["state"] == "rejected"
        assert production.get("rita", made).code == "organisation_not_active"
        again = production.post("rita", f"{ADMIN}/applications", application("10000004"))
        assert (again.status, again.code) == (400, "organisation_invalid")

    def test_kind_of_organisation_is_the_operators_to_choose(self, production: Office) -> None:
        asked = {"kind": OrganisationKind.OPERATOR.value, "cvr": "10000005", "name": "Medoperatør"}
        assert production.post("operator-person", f"{ADMIN}/organisations", asked).status == 201
