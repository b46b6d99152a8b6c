"""From nothing to a first call in the test environment, over the wire, without asking anybody."""

from typing import Any

import pytest

from control.onboarding.flood import PER_HOUR, whose
from tests.api.administration.staff import ADMIN, Office, signing_request
from tests.api.house import AALBORG, OPERATOR, House


def application(cvr: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": "supplier", "cvr": cvr, "name": "Nye Systemer ApS", "email": "info@nye.example",
        "user_name": "Nina Ny", "user_email": "nina@nye.example", **more,
    }  # fmt: skip


def keep(house: House, name: str, chain: str, key: bytes) -> None:
    (house.root / f"{name}.pem").write_text(chain)
    (house.root / f"{name}.key").write_bytes(key)


class TestTheRoadIn:
    def test_leads_from_nothing_to_a_system_that_is_known(self, office: Office) -> None:
        request, key = signing_request()
        reply = office.post(None, f"{ADMIN}/applications", application("10000001", signing_request=request))
        assert reply.status == 201
        told = reply.json
        assert told["organisation"]["state"] == "confirmed"
        assert told["user"]["roles"] == ["administrator", "user"]
        keep(office.house, "nina", told["certificate"], key)

        me = office.get("nina", "/v1/me").json
        assert (me["as"], me["organisation"]["cvr"], me["user"]["name"]) == ("user", "10000001", "Nina Ny")
        assert "system.register" in me["may"]
        assert reply.headers["location"] == f"{ADMIN}/organisations/{me['organisation']['id']}"

        base = reply.headers["location"]
        wanted = {"name": "hjemmepleje", "purpose": "Planlægger.", "contact": "drift@nye.example"}
        system = office.post("nina", f"{base}/systems", wanted)
        assert system.status == 201

        request, key = signing_request()
        bound = office.post("nina", f"{system.headers['location']}/certificates", {"signing_request": request})
        assert bound.status == 201
        keep(office.house, "hjemmepleje", bound.json["chain"], key)
        office.house.settle()
        mine = office.get("hjemmepleje", "/v1/me").json
        assert (mine["as"], mine["system"]["id"]) == ("system", system.json["id"])
        assert mine["certificate"] == bound.json["fingerprint"]
        assert mine["agreements"] == []

    def test_is_open_to_a_certificate_of_ones_own(self, office: Office) -> None:
        office.write("own", office.house.authority.issue_employee("10000002", "Egen A/S", "Egon"))
        reply = office.post("own", f"{ADMIN}/applications", application("10000002"))
        assert reply.status == 201
        assert reply.json["certificate"] is None
        assert office.get("own", "/v1/me").json["organisation"]["cvr"] == "10000002"

    def test_is_closed_to_another_organisations_certificate(self, office: Office) -> None:
        office.write("false", office.house.authority.issue_employee("10000003", "Falsk A/S", "Frode"))
        reply = office.post("false", f"{ADMIN}/applications", application("10000004"))
        assert (reply.status, reply.code, reply.json["rule"]) == (400, "certificate_refused", "certificate.cvr")

    def test_wants_a_proof(self, office: Office) -> None:
        reply = office.post(None, f"{ADMIN}/applications", application("10000005"))
        assert (reply.status, reply.code) == (400, "proof_missing")
        assert office.house.control.find_organisation("10000005") is None

    @pytest.mark.parametrize(
        ("field", "value", "code"),
        [
            ("cvr", AALBORG, "organisation_invalid"),
            ("cvr", "1234567", "certificate_not_issued"),
            ("cvr", "１２３４５６７８", "certificate_not_issued"),
            ("name", "", "certificate_not_issued"),
            ("name", "x" * 201, "certificate_not_issued"),
            ("user_email", "nobody", "user_invalid"),
            ("email", "a@b.example\nBcc: all@b.example", "user_invalid"),
            ("user_name", "Nina\u202eniN", "user_invalid"),
            ("kind", "operator", "body_invalid"),
            ("kind", 1, "body_invalid"),
            ("signing_request", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n", "certificate_not_issued"),
        ],
    )
    def test_says_what_is_wrong(self, office: Office, field: str, value: Any, code: str) -> None:
        request, _ = signing_request()
        asked = application("10000006", signing_request=request) | {field: value}
        reply = office.post(None, f"{ADMIN}/applications", asked)
        assert (reply.status, reply.code) == (400, code)
        assert reply.json["remedy"]
        assert office.house.control.find_organisation("10000006") is None

    def test_a_field_too_many_is_named_unless_it_could_be_a_number_of_somebody(self, office: Office) -> None:
        named = office.post(None, f"{ADMIN}/applications", application("10000007", role="operator"))
        assert (named.status, named.code) == (400, "body_invalid")
        assert "'role'" in named.json["detail"]
        silent = office.post(None, f"{ADMIN}/applications", application("10000007") | {"6101701001": 1})
        assert "6101701001" not in silent.body.decode()

    def test_nobody_comes_in_as_an_operator_by_their_certificate(self, office: Office) -> None:
        office.write("boss", office.house.authority.issue_employee(OPERATOR, "Prøve Drift", "Chef"))
        reply = office.post("boss", f"{ADMIN}/applications", application(OPERATOR))
        assert reply.code == "organisation_invalid"
        assert office.get("boss", "/v1/me").code == "certificate_unknown"


class TestTheFlood:
    def test_ends_at_a_number_an_hour_and_says_when_to_come_again(
        self, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        with Office.open(tmp_path_factory.mktemp("flood")) as office:
            request, _ = signing_request()
            for number in range(PER_HOUR):
                asked = application(f"2000{number:04}", signing_request=request)
                # One key, many people: the certificate is another each time.
                assert office.post(None, f"{ADMIN}/applications", asked).status == 201
            reply = office.post(None, f"{ADMIN}/applications", application("20009999", signing_request=request))
            assert (reply.status, reply.code) == (429, "rate_limited")
            assert 0 < int(reply.headers["retry-after"]) <= 3_600
            assert office.house.control.find_organisation("20009999") is None

    def test_counts_a_house_full_of_addresses_as_one(self) -> None:
        assert whose("2001:db8:1:2:3::4") == whose("2001:db8:1:2:ffff::1")
        assert whose("2001:db8:1:2::1") != whose("2001:db8:1:3::1")
        assert whose("192.0.2.1") != whose("192.0.2.2")
        assert whose("::ffff:192.0.2.1") != whose("::ffff:192.0.2.2")
        assert whose("command line") == "command line"
