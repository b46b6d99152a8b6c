"""Who may do what over the wire: the table `MAY`, every verb by every kind of person."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from control import Credentials, OrganisationKind, Processing, Role, Verb
from control.actors import MAY
from kernel import SystemId, Window
from tests.api.administration.staff import ADMIN, RIVAL, STAFF, Office, a_cvr, signing_request
from tests.api.house import AALBORG, CLOCK, ODENSE, OPERATOR, SUPPLIER, Client, Reply

Deed = Callable[[Office, str, str], Reply]
"""Does something in an organisation, as somebody: the office, the organisation's CVR, and who."""


def _organisation(office: Office, cvr: str) -> str:
    return f"{ADMIN}/organisations/{office.organisation(cvr)}"


def _system(office: Office, cvr: str) -> str:
    return f"{ADMIN}/systems/{office.system(uuid4().hex, cvr)}"


def _applied(office: Office) -> str:
    made = office.house.control.add_organisation(OrganisationKind.SUPPLIER, a_cvr(), "Ny")
    return f"{ADMIN}/organisations/{made.id}"


def _bound(office: Office, cvr: str) -> str:
    system = office.system(uuid4().hex, cvr)
    pem = office.house.authority.issue_system(cvr, "Prøve", "prøve").cert_pem
    bound = Credentials(office.house.control).bind(SystemId(system), pem, trust=office.house.tls.trust())
    return f"{ADMIN}/systems/{system}/certificates/{bound.fingerprint}"


def _key() -> str:
    from runtime.ssh_keys import new_ssh_key

    return new_ssh_key("prøve")[1].decode()


def _keyed(office: Office, cvr: str) -> str:
    system = office.system(uuid4().hex, cvr)
    bound = office.house.control.bind_ssh_key(SystemId(system), _key())
    return f"{ADMIN}/systems/{system}/ssh-keys/{bound.fingerprint}"


def _recorded(office: Office, cvr: str) -> str:
    base = _organisation(office, cvr)
    municipality: Any = office.organisation(cvr)
    made = Processing(office.house.control).record(municipality, "sag 1", b"dokument", Window(CLOCK.now()))
    return f"{base}/processing-agreements/{made.id}"


def _change(office: Office, cvr: str, who: str) -> Reply:
    return office.patch(who, _organisation(office, cvr), {"email": f"{uuid4().hex}@example.dk"}, If_Match="*")


def _user(office: Office, cvr: str, who: str) -> Reply:
    asked = {"name": "Ny", "email": f"{uuid4().hex}@example.dk", "roles": ["user"]}
    return office.post(who, f"{_organisation(office, cvr)}/users", asked)


def _register(office: Office, cvr: str, who: str) -> Reply:
    asked = {"name": uuid4().hex, "purpose": "prøve", "contact": "drift@example.dk"}
    return office.post(who, f"{_organisation(office, cvr)}/systems", asked)


def _record(office: Office, cvr: str, who: str) -> Reply:
    asked = {"reference": "sag 2", "document": "ZG9rdW1lbnQ=", "valid_from": "2026-01-01T00:00:00Z"}
    return office.post(who, f"{_organisation(office, cvr)}/processing-agreements", asked)


IN_AN_ORGANISATION: dict[Verb, Deed] = {
    Verb.ORGANISATION_CHANGE: _change,
    Verb.ORGANISATION_SEE: lambda office, cvr, who: office.get(who, _organisation(office, cvr)),
    Verb.PROCESSING_RECORD: _record,
    Verb.PROCESSING_END: lambda office, cvr, who: office.post(who, f"{_recorded(office, cvr)}/end"),
    Verb.USER_CHANGE: _user,
    Verb.SYSTEM_REGISTER: _register,
    Verb.SYSTEM_CHANGE: lambda office, cvr, who: office.post(who, f"{_system(office, cvr)}/retire"),
    Verb.CERTIFICATE_BIND: lambda office, cvr, who: office.post(
        who, f"{_system(office, cvr)}/certificates", {"signing_request": signing_request()[0]}
    ),
    Verb.CERTIFICATE_REVOKE: lambda office, cvr, who: office.post(who, f"{_bound(office, cvr)}/revoke"),
    Verb.KEY_BIND: lambda office, cvr, who: office.post(
        who, f"{_system(office, cvr)}/ssh-keys", {"public_key": _key()}
    ),
    Verb.KEY_REVOKE: lambda office, cvr, who: office.post(who, f"{_keyed(office, cvr)}/revoke"),
}
OF_THE_OPERATOR: dict[Verb, Callable[[Office, str], Reply]] = {
    Verb.ORGANISATION_ADD: lambda office, who: office.post(
        who, f"{ADMIN}/organisations", {"kind": "supplier", "cvr": a_cvr(), "name": "Ny"}
    ),
    Verb.ORGANISATION_SUSPEND: lambda office, who: office.post(who, f"{_applied(office)}/steps", {"step": "suspend"}),
}


class TestTheTable:
    @pytest.mark.parametrize(
        ("verb", "who"),
        [
            (verb, who)
            for verb in IN_AN_ORGANISATION
            for who, (cvr, _) in STAFF.items()
            # Only municipalities have data-processing agreements.
            if not verb.startswith("processing.") or cvr in {AALBORG, ODENSE}
        ],
    )
    def test_holds_in_ones_own_organisation(self, office: Office, verb: Verb, who: str) -> None:
        cvr, roles = STAFF[who]
        reply = IN_AN_ORGANISATION[verb](office, cvr, who)
        if roles & MAY[verb]:
            assert reply.status in {200, 201}, reply.body
        else:
            assert (reply.status, reply.code) == (403, "step_not_yours")
            assert reply.json["rule"] == f"roles.{verb}"

    @pytest.mark.parametrize("who", STAFF)
    @pytest.mark.parametrize("verb", IN_AN_ORGANISATION)
    def test_gives_nothing_in_anothers_but_to_the_operator(self, office: Office, verb: Verb, who: str) -> None:
        own, roles = STAFF[who]
        reply = IN_AN_ORGANISATION[verb](office, ODENSE if own != ODENSE else AALBORG, who)
        if Role.OPERATOR not in roles:
            # As for what does not exist: an id must not be a key to find out.
            assert (reply.status, reply.code) == (404, "unregistered")
        elif Role.OPERATOR in MAY[verb]:
            assert reply.status in {200, 201}, reply.body
        else:
            assert (reply.status, reply.code) == (403, "step_not_yours")

    @pytest.mark.parametrize("who", STAFF)
    @pytest.mark.parametrize("verb", OF_THE_OPERATOR)
    def test_keeps_the_operators_steps_for_the_operator(self, office: Office, verb: Verb, who: str) -> None:
        reply = OF_THE_OPERATOR[verb](office, who)
        if STAFF[who][1] & MAY[verb]:
            assert reply.status in {200, 201}
        else:
            assert reply.status in {403, 404}
            assert reply.code in {"step_not_yours", "unregistered"}

    def test_knows_every_verb_that_can_be_taken_over_the_wire(self) -> None:
        elsewhere = {
            Verb.ORGANISATION_APPLY, Verb.ORGANISATION_CONFIRM, Verb.INBOX_READ,
            Verb.CATALOGUE_CHANGE, Verb.HOUSE_KEEP,
        } | {verb for verb in Verb if verb.startswith(("agreement.", "delegation."))}  # fmt: skip
        assert IN_AN_ORGANISATION.keys() | OF_THE_OPERATOR.keys() | elsewhere == set(Verb)


class TestPeople:
    def test_are_handed_no_data(self, office: Office) -> None:
        for name in STAFF:
            reply = office.asking(name).lookup("municipalities", {"key": "0851"})
            assert (reply.status, reply.code) == (401, "certificate_unknown")

    def test_that_are_not_known_are_refused_before_their_body_is_read(self, office: Office) -> None:
        client = Client(office.house, office.port, "unbound")
        connection = client.connected()
        connection.putrequest("POST", f"{ADMIN}/organisations")
        connection.putheader("Content-Length", "1000000")
        connection.endheaders()
        assert connection.getresponse().status == 401
        client.close()


class TestDecisions:
    def test_are_opened_by_people_whom_they_concern(self, office: Office) -> None:
        office.house.settle()
        trace = office.asking("one").lookup("cpr-persons", {"key": "x"}).headers["knudepunkt-trace"]
        seen = {name: office.get(name, f"/v1/decisions/{trace}").status for name in STAFF}
        concerned = {name for name, (cvr, _) in STAFF.items() if cvr in {SUPPLIER, AALBORG, OPERATOR}}
        assert seen == {name: 200 if name in concerned else 404 for name in STAFF}

    def test_of_an_administrator_are_the_operators_to_open(self, office: Office) -> None:
        refused = office.get("supplier-user", f"{ADMIN}/audit/verification")
        trace = refused.headers["knudepunkt-trace"]
        (line,) = office.get("operator-person", f"/v1/decisions/{trace}").json["decisions"]
        assert (line["code"], line["rule"]) == ("step_not_yours", "roles.audit")
        assert office.get("rival-administrator", f"/v1/decisions/{trace}").status == 404

    @pytest.mark.parametrize("path", ["/v1/operations/status", "/metrics"])
    def test_and_the_status_of_the_platform_is_the_operators_to_see(self, office: Office, path: str) -> None:
        assert office.get("operator-person", path).status == 200
        assert office.get("supplier-user", path).code == "operators_only"


class TestSystems:
    @pytest.mark.parametrize("name", ["one", "operator"])
    def test_do_not_administer_not_even_the_operators(self, office: Office, name: str) -> None:
        for path in ("organisations", "inbox", "audit", "audit/verification"):
            reply = office.get(name, f"{ADMIN}/{path}")
            assert (reply.status, reply.code) == (403, "not_for_systems")

    @pytest.mark.parametrize(
        ("name", "code"),
        [
            (None, "certificate_missing"),
            ("expired", "certificate_expired"),
            ("tomorrow", "certificate_not_yet_valid"),
            ("unbound", "certificate_unknown"),
        ],
    )
    def test_and_nobody_without_a_name(self, office: Office, name: str | None, code: str) -> None:
        for path in (f"{ADMIN}/organisations", "/v1/me"):
            reply = office.get(name, path)
            assert (reply.status, reply.code) == (401, code)
            assert office.house.refused().code == code


class TestWhoIsLeft:
    def test_a_user_that_ended_is_nobody_on_an_open_connection_too(self, office: Office) -> None:
        user = office.hire("leaver", SUPPLIER, frozenset({Role.ADMINISTRATOR}))
        assert office.get("leaver", "/v1/me").status == 200
        done = office.post("supplier-administrator", f"{ADMIN}/users/{user.id}/end")
        assert (done.status, bool(done.json["ended"])) == (200, True)
        reply = office.get("leaver", "/v1/me")
        assert (reply.status, reply.code) == (401, "certificate_revoked")

    def test_a_certificate_that_was_taken_back_speaks_for_nobody(self, office: Office) -> None:
        user = office.hire("loser", SUPPLIER, frozenset({Role.USER}))
        (bound,) = office.get("supplier-administrator", f"{ADMIN}/users/{user.id}/certificates").json["items"]
        path = f"{ADMIN}/users/{user.id}/certificates/{bound['fingerprint']}/revoke"
        assert office.post("supplier-user", path).code == "step_not_yours"
        assert office.post("supplier-administrator", path).status == 200
        assert office.get("loser", "/v1/me").code == "certificate_revoked"

    def test_the_last_administrator_stays(self, office: Office) -> None:
        user = office.users["rival-administrator"].id
        for reply in (
            office.post("rival-administrator", f"{ADMIN}/users/{user}/end"),
            office.patch("rival-administrator", f"{ADMIN}/users/{user}", {"roles": ["user"]}, If_Match="*"),
        ):
            assert (reply.status, reply.json["rule"]) == (400, "roles.last_administrator")

    def test_nobody_gives_themselves_a_role(self, office: Office) -> None:
        user = office.users["supplier-administrator"].id
        reply = office.patch(
            "supplier-administrator", f"{ADMIN}/users/{user}", {"roles": ["administrator", "user"]}, If_Match="*"
        )
        assert (reply.status, reply.json["rule"]) == (403, "roles.not_oneself")

    @pytest.mark.parametrize("roles", [["operator"], ["data_controller"], [], ["root"]])
    def test_a_supplier_has_no_other_roles_than_its_kind(self, office: Office, roles: list[str]) -> None:
        asked = {"name": "Ny", "email": "ny@example.dk", "roles": roles}
        path = f"{ADMIN}/organisations/{office.organisation(SUPPLIER)}/users"
        assert office.post("supplier-administrator", path, asked).status == 400

    def test_a_suspended_organisation_is_told_so(self, office: Office) -> None:
        base = f"{ADMIN}/organisations/{office.organisation(RIVAL)}/steps"
        assert office.post("operator-person", base, {"step": "suspend", "note": "prøve"}).status == 200
        reply = office.get("rival-administrator", "/v1/me")
        assert (reply.status, reply.code) == (403, "organisation_not_active")
        assert office.post("operator-person", base, {"step": "resume"}).status == 200
        assert office.get("rival-administrator", "/v1/me").status == 200
