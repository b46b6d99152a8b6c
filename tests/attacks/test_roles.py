"""Rising above one's role, into another's organisation, or past the municipality; and asking the same again."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from control import HOUSE, Agreements, People, Role
from control.audit import load_entries
from control.errors import NotYours, Unregistered
from kernel import AgreementId
from tests.api.administration.staff import ADMIN, RIVAL, Office, a_cvr, signing_request
from tests.api.house import AALBORG, ODENSE, OPERATOR, SUPPLIER, House, Reply
from tests.attacks.harness import attack, case, ensure_nothing_personal, ensure_on_record

Try = Callable[[Office], Reply]
NOT_YOURS, NOTHING = "step_not_yours", "unregistered"


def organisation(office: Office, cvr: str, below: str = "") -> str:
    return f"{ADMIN}/organisations/{office.organisation(cvr)}{below}"


def roles(office: Office, who: str, whom: str, *wanted: str) -> Reply:
    path = f"{ADMIN}/users/{office.users[whom].id}"
    return office.patch(who, path, {"roles": list(wanted)}, If_Match="*")


def hire(office: Office, who: str, cvr: str, *wanted: str) -> Reply:
    asked = {"name": "Ny", "email": f"{uuid4().hex}@example.dk", "roles": list(wanted)}
    return office.post(who, organisation(office, cvr, "/users"), asked)


def register(office: Office, who: str, cvr: str) -> Reply:
    asked = {"name": uuid4().hex, "purpose": "prøve", "contact": "drift@example.dk"}
    return office.post(who, organisation(office, cvr, "/systems"), asked)


def apply(office: Office, **more: Any) -> Reply:
    asked = {
        "kind": "supplier", "cvr": "11223344", "name": "Ny", "email": "a@ny.example", "user_name": "Nina",
        "user_email": "nina@ny.example", "signing_request": signing_request()[0], **more,
    }  # fmt: skip
    return office.post(None, f"{ADMIN}/applications", asked)


def system_of(office: Office, cvr: str, below: str) -> str:
    return f"{ADMIN}/systems/{office.system(uuid4().hex, cvr)}{below}"


def draft(office: Office, system: str | None = None) -> str:
    """Id of a draft between the supplier and Aalborg."""
    made = office.post(
        "supplier-user",
        f"{ADMIN}/agreements",
        {
            "municipality": AALBORG, "system": system or office.system(uuid4().hex), "purpose": "prøve",
            "legal_basis": "prøve", "reason": "prøve", "services": {"municipalities": {}}, "draft": True,
        },
    )  # fmt: skip
    assert made.status == 201, made.body
    return str(made.json["id"])


def step(office: Office, who: str, name: str) -> Reply:
    return office.post(who, f"{ADMIN}/agreements/{draft(office)}/steps", {"step": name})


@pytest.mark.parametrize(
    ("attempt", "codes"),
    [
        case("user-to-administrator", "a user makes themselves administrator",
             lambda office: roles(office, "supplier-user", "supplier-user", "user", "administrator"), {NOT_YOURS},
             by=NOT_YOURS),
        case("administrator-to-user", "an administrator gives themselves another role",
             lambda office: roles(office, "supplier-administrator", "supplier-administrator", "administrator", "user"),
             {NOT_YOURS}, by=NOT_YOURS),
        case("supplier-to-operator", "a supplier's administrator makes a colleague an operator",
             lambda office: roles(office, "supplier-administrator", "supplier-user", "operator"), {"user_invalid"},
             by="user_invalid"),
        case("supplier-to-controller", "a supplier's administrator makes a colleague a data controller",
             lambda office: roles(office, "supplier-administrator", "supplier-user", "data_controller"),
             {"user_invalid"}, by="user_invalid"),
        case("hire-operator", "a municipality hires an operator",
             lambda office: hire(office, "municipality-administrator", AALBORG, "operator"), {"user_invalid"},
             by="user_invalid"),
        case("made-up-role", "a role that does not exist",
             lambda office: hire(office, "supplier-administrator", SUPPLIER, "root"), {"body_invalid"},
             by="body_invalid"),
        case("user-hires", "a user hires an administrator",
             lambda office: hire(office, "supplier-user", SUPPLIER, "administrator"), {NOT_YOURS}, by=NOT_YOURS),
        case("hire-elsewhere", "an administrator hires in a rival's organisation",
             lambda office: hire(office, "supplier-administrator", RIVAL, "administrator"), {NOTHING}, by=NOTHING),
        case("hire-at-operator", "an administrator hires at the operator's",
             lambda office: hire(office, "supplier-administrator", OPERATOR, "operator"), {NOTHING}, by=NOTHING),
        case("roles-elsewhere", "an administrator changes a rival's user",
             lambda office: roles(office, "supplier-administrator", "rival-administrator", "user"), {NOTHING},
             by=NOTHING),
        case("end-elsewhere", "an administrator ends a rival's user",
             lambda office: office.post("supplier-administrator",
                                        f"{ADMIN}/users/{office.users['rival-administrator'].id}/end"), {NOTHING},
             by=NOTHING),
        case("end-operator", "an administrator ends the operator's user",
             lambda office: office.post("municipality-administrator",
                                        f"{ADMIN}/users/{office.users['operator-person'].id}/end"), {NOTHING},
             by=NOTHING),
        case("register-elsewhere", "a user registers a system for a rival",
             lambda office: register(office, "supplier-user", RIVAL), {NOTHING}, by=NOTHING),
        case("administrator-registers", "an administrator without the role registers a system",
             lambda office: register(office, "supplier-administrator", SUPPLIER), {NOT_YOURS}, by=NOT_YOURS),
        case("operator-registers", "the operator registers a system for a supplier",
             lambda office: register(office, "operator-person", SUPPLIER), {NOT_YOURS}, by=NOT_YOURS),
        case("controller-registers", "a data controller registers a system",
             lambda office: register(office, "data-controller", AALBORG), {NOT_YOURS}, by=NOT_YOURS),
        case("certificate-elsewhere", "a certificate of one's own for a rival's system",
             lambda office: office.post("supplier-user", system_of(office, RIVAL, "/certificates"),
                                        {"signing_request": signing_request()[0]}), {NOTHING}, by=NOTHING),
        case("retire-elsewhere", "a rival's system taken out of use",
             lambda office: office.post("supplier-user", system_of(office, RIVAL, "/retire")), {NOTHING}, by=NOTHING),
        case("revoke-elsewhere", "a rival revokes a supplier's certificate",
             lambda office: office.post("rival-administrator",
                                        f"{ADMIN}/systems/{office.house.systems['one']}/certificates/"
                                        f"{office.house.fingerprint('one')}/revoke"), {NOTHING}, by=NOTHING),
        case("revoke-through-own", "a rival's certificate, through a system of one's own",
             lambda office: office.post("rival-administrator", system_of(
                 office, RIVAL, f"/certificates/{office.house.fingerprint('one')}/revoke")), {NOTHING}, by=NOTHING),
        case("confirm-oneself", "a supplier confirms itself",
             lambda office: office.post("supplier-administrator", organisation(office, SUPPLIER, "/steps"),
                                        {"step": "confirm"}), {NOT_YOURS}, by=NOT_YOURS),
        case("suspend-rival", "a supplier suspends a rival",
             lambda office: office.post("supplier-administrator", organisation(office, RIVAL, "/steps"),
                                        {"step": "suspend"}), {NOTHING, NOT_YOURS}, by="unregistered"),
        case("suspend-operator", "a municipality suspends the operator",
             lambda office: office.post("municipality-administrator", organisation(office, OPERATOR, "/steps"),
                                        {"step": "suspend"}), {NOTHING, NOT_YOURS}, by="unregistered"),
        case("add-organisation", "a supplier registers an operator",
             lambda office: office.post("supplier-administrator", f"{ADMIN}/organisations",
                                        {"kind": "operator", "cvr": "99887766", "name": "x"}), {NOT_YOURS},
             by=NOT_YOURS),
        case("processing-by-supplier", "a supplier records a municipality's data-processing agreement",
             lambda office: office.post("supplier-user", organisation(office, AALBORG, "/processing-agreements"),
                                        {"reference": "x", "document": "eA==", "valid_from": "2026-01-01T00:00:00Z"}),
             {NOTHING}, by=NOTHING),
        case("processing-elsewhere", "a data controller records another municipality's",
             lambda office: office.post("data-controller", organisation(office, ODENSE, "/processing-agreements"),
                                        {"reference": "x", "document": "eA==", "valid_from": "2026-01-01T00:00:00Z"}),
             {NOTHING}, by=NOTHING),
        case("users-elsewhere", "the list of a rival's users",
             lambda office: office.get("supplier-administrator", organisation(office, RIVAL, "/users")), {NOTHING},
             by=NOTHING),
        case("user-elsewhere", "a rival's user by id",
             lambda office: office.get("supplier-administrator",
                                       f"{ADMIN}/users/{office.users['rival-administrator'].id}"), {NOTHING},
             by=NOTHING),
        case("systems-elsewhere", "the list of a rival's systems",
             lambda office: office.get("supplier-user", organisation(office, RIVAL, "/systems")), {NOTHING},
             by=NOTHING),
        case("apply-as-operator", "an application as an operator", lambda office: apply(office, kind="operator"),
             {"body_invalid"}, by="body_invalid"),
        case("apply-again", "an application in the name of a supplier that is there",
             lambda office: apply(office, cvr=SUPPLIER), {"organisation_invalid"}, by="organisation_invalid"),
        case("apply-for-operator", "an application in the operator's name",
             lambda office: apply(office, cvr=OPERATOR), {"organisation_invalid"}, by="organisation_invalid"),
        case("apply-confirmed", "an application that confirms itself",
             lambda office: apply(office, state="confirmed"), {"body_invalid"}, by="body_invalid"),
        case("supplier-approves", "a supplier approves its own request",
             lambda office: step(office, "supplier-user", "approve"), {NOT_YOURS}, by=NOT_YOURS),
        case("administrator-requests", "an administrator without the role sends a request",
             lambda office: step(office, "supplier-administrator", "request"), {NOT_YOURS}, by=NOT_YOURS),
        case("operator-approves", "the operator approves in the municipality's place",
             lambda office: step(office, "operator-person", "approve"), {NOT_YOURS, NOTHING}, by=NOT_YOURS),
        case("other-municipality", "another municipality's data controller approves",
             lambda office: step(office, "other-data-controller", "approve"), {NOTHING}, by=NOTHING),
        case("municipality-user", "a municipality's user without the role approves",
             lambda office: step(office, "municipality-user", "approve"), {NOT_YOURS, NOTHING}, by=NOT_YOURS),
        case("municipality-administrator", "a municipality's administrator approves",
             lambda office: step(office, "municipality-administrator", "approve"), {NOT_YOURS, NOTHING}, by=NOT_YOURS),
        case("rival-withdraws", "a rival withdraws a supplier's request",
             lambda office: step(office, "rival-administrator", "withdraw"), {NOTHING}, by=NOTHING),
        case("made-up-step", "a step that the house alone takes",
             lambda office: step(office, "supplier-user", "expire"), {"body_invalid"}, by="body_invalid"),
        case("agreement-of-rival", "an agreement for a rival's system",
             lambda office: office.post("supplier-user", f"{ADMIN}/agreements", {
                 "municipality": AALBORG, "system": office.system(uuid4().hex, RIVAL), "purpose": "x",
                 "legal_basis": "x", "reason": "x", "services": {"municipalities": {}}}), {NOTHING}, by=NOTHING),
        case("agreement-with-supplier", "an agreement with a supplier in a municipality's place",
             lambda office: office.post("supplier-user", f"{ADMIN}/agreements", {
                 "municipality": RIVAL, "system": office.system(uuid4().hex), "purpose": "x",
                 "legal_basis": "x", "reason": "x", "services": {"municipalities": {}}}), {NOTHING}, by=NOTHING),
        case("nobody", "no certificate", lambda office: office.get(None, f"{ADMIN}/inbox"), {"certificate_missing"},
             by="certificate_missing"),
        case("system", "a system's certificate", lambda office: office.get("one", f"{ADMIN}/inbox"),
             {"not_for_systems"}, by="not_for_systems"),
    ],
)  # fmt: skip
def test_nobody_reaches_beyond_their_role(house: House, office: Office, attempt: Try, codes: set[str]) -> None:
    before = _trail(house)
    reply = attempt(office)
    assert reply.code in codes, reply.body[:300]
    assert 400 <= reply.status < 500
    assert reply.json["remedy"]
    ensure_nothing_personal(reply.body)
    ensure_on_record(house, *codes)
    # What was prepared for the attempt stands in the trail; the attempt does not.
    after = _trail(house)[len(before) :]
    assert not [each for each in after if each.actor != HOUSE.name and dict(each.details).get("step") != "draft"]


class TestSeeing:
    @attack("the audit trail, to see what others did", by="one's own lines alone")
    def test_the_trail_shows_ones_own(self, office: Office) -> None:
        seen = office.get("rival-administrator", f"{ADMIN}/audit?limit=200").json["items"]
        assert {each["organisation"] for each in seen} <= {office.organisation(RIVAL)}

    @attack("the audit trail of another organisation, by its id", by="nothing, or refused")
    def test_the_trail_of_another(self, office: Office) -> None:
        path = f"{ADMIN}/audit?organisation={office.organisation(SUPPLIER)}"
        reply = office.get("rival-administrator", path)
        assert reply.status in {403, 404} or reply.json["items"] == []

    @attack("the list of organisations, to learn who takes part", by="one's own alone")
    def test_the_list_of_organisations(self, office: Office) -> None:
        seen = office.get("rival-administrator", f"{ADMIN}/organisations?limit=200").json["items"]
        assert [each["cvr"] for each in seen] == [RIVAL]

    @attack("agreements between others, listed and by id", by=NOTHING)
    def test_agreements_of_others(self, house: House, office: Office) -> None:
        made = draft(office)
        assert office.get("supplier-user", f"{ADMIN}/agreements/{made}").status == 200
        for who in ("rival-administrator", "other-data-controller"):
            assert office.get(who, f"{ADMIN}/agreements/{made}").code == NOTHING
            assert office.get(who, f"{ADMIN}/agreements/{made}/history").code == NOTHING
            listed = office.get(who, f"{ADMIN}/agreements?limit=200").json["items"]
            assert made not in {each["id"] for each in listed}

    @attack("another organisation's notice, by id", by=NOTHING)
    def test_a_notice_of_another(self, office: Office) -> None:
        office.post("supplier-user", f"{ADMIN}/agreements/{draft(office)}/steps", {"step": "request"})
        notices = office.get("data-controller", f"{ADMIN}/inbox").json["items"]
        assert notices
        for who in ("rival-administrator", "other-data-controller", "supplier-user"):
            assert office.get(who, f"{ADMIN}/inbox/{notices[0]['id']}").code == NOTHING
            assert office.post(who, f"{ADMIN}/inbox/{notices[0]['id']}/read").code == NOTHING

    @attack("ids that were guessed", by=NOTHING)
    @pytest.mark.parametrize("what", ["organisations", "users", "systems", "agreements", "inbox"])
    def test_a_guessed_id(self, house: House, office: Office, what: str) -> None:
        assert office.get("rival-administrator", f"{ADMIN}/{what}/{uuid4()}").code == NOTHING
        ensure_on_record(house, NOTHING)


class TestAfterTheEnd:
    @attack("a certificate of a user who was ended", by="certificate_revoked")
    def test_an_ended_user(self, house: House, office: Office) -> None:
        office.hire("leaver", SUPPLIER, frozenset({Role.USER}))
        assert office.get("leaver", "/v1/me").status == 200
        office.post("supplier-administrator", f"{ADMIN}/users/{office.users['leaver'].id}/end")
        assert office.get("leaver", f"{ADMIN}/inbox").code == "certificate_revoked"
        ensure_on_record(house, "certificate_revoked")

    @attack("a role that was taken away, on a connection that is open", by=NOT_YOURS)
    def test_a_role_that_was_taken(self, office: Office) -> None:
        office.hire("demoted", SUPPLIER, frozenset({Role.USER, Role.ADMINISTRATOR}))
        assert register(office, "demoted", SUPPLIER).status == 201
        People(office.house.control).change_roles(office.users["demoted"].id, {Role.ADMINISTRATOR})
        assert register(office, "demoted", SUPPLIER).code == NOT_YOURS

    @attack("another's employee certificate, bound to oneself", by="certificate_refused or certificate bound")
    def test_anothers_certificate(self, house: House, office: Office) -> None:
        path = f"{ADMIN}/users/{office.users['supplier-user'].id}/certificates"
        for name in ("supplier-administrator", "rival-administrator", "one"):
            pem = (house.root / f"{name}.pem").read_text()
            reply = office.post("supplier-administrator", path, {"certificate": pem})
            assert reply.status == 400, reply.body[:200]


class TestAgain:
    @attack("an idempotency key of one's own with another request", by="idempotency_key_reused")
    def test_a_key_with_another_request(self, house: House, office: Office) -> None:
        key, path = str(uuid4()), organisation(office, SUPPLIER, "/systems")
        asked = {"name": uuid4().hex, "purpose": "prøve", "contact": "drift@example.dk"}
        assert office.post("supplier-user", path, asked, Idempotency_Key=key).status == 201
        other = office.post("supplier-user", path, asked | {"name": uuid4().hex}, Idempotency_Key=key)
        assert other.code == "idempotency_key_reused"
        ensure_on_record(house, "idempotency_key_reused")

    @attack("another's idempotency key and request, to get their answer", by=NOTHING)
    def test_a_key_of_another(self, office: Office) -> None:
        key, path = str(uuid4()), organisation(office, SUPPLIER, "/systems")
        asked = {"name": uuid4().hex, "purpose": "prøve", "contact": "drift@example.dk"}
        assert office.post("supplier-user", path, asked, Idempotency_Key=key).status == 201
        assert office.post("rival-administrator", path, asked, Idempotency_Key=key).code == NOTHING

    @attack("an old answer by its idempotency key, after the user was ended", by="certificate_revoked")
    def test_a_key_after_the_end(self, office: Office) -> None:
        office.hire("replayer", SUPPLIER, frozenset({Role.USER}))
        key, path = str(uuid4()), organisation(office, SUPPLIER, "/systems")
        asked = {"name": uuid4().hex, "purpose": "prøve", "contact": "drift@example.dk"}
        assert office.post("replayer", path, asked, Idempotency_Key=key).status == 201
        office.post("supplier-administrator", f"{ADMIN}/users/{office.users['replayer'].id}/end")
        assert office.post("replayer", path, asked, Idempotency_Key=key).code == "certificate_revoked"

    @attack("a flood of applications from one address", by="rate_limited")
    def test_a_flood_of_applications(self, house: House, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
        already = sum(each.verb == "organisation.apply" for each in _trail(house))
        monkeypatch.setattr("control.onboarding.flood.PER_HOUR", already + 2)
        said = [apply(office, cvr=a_cvr()) for _ in range(3)]
        assert [each.status for each in said] == [201, 201, 429]
        assert said[-1].code == "rate_limited"
        assert "retry-after" in said[-1].headers

    @attack("an agreement approved twice, and after its end", by="illegal_step")
    def test_a_step_again(self, house: House, office: Office) -> None:
        made = draft(office)
        steps = f"{ADMIN}/agreements/{made}/steps"
        assert office.post("supplier-user", steps, {"step": "request"}).status == 200
        assert office.post("data-controller", steps, {"step": "approve"}).status in {400, 409}
        assert office.post("data-controller", steps, {"step": "terminate"}).status == 200
        for again in ("approve", "resume", "suspend", "terminate"):
            reply = office.post("data-controller", steps, {"step": again})
            assert reply.status in {400, 409}, (again, reply.body[:200])
        ensure_on_record(house, reply.code)

    @attack("a second live agreement for the same service", by="agreement_taken")
    def test_two_at_once(self, office: Office) -> None:
        system = office.system(uuid4().hex)
        first, second = draft(office, system), draft(office, system)
        assert office.post("supplier-user", f"{ADMIN}/agreements/{first}/steps", {"step": "request"}).status == 200
        reply = office.post("supplier-user", f"{ADMIN}/agreements/{second}/steps", {"step": "request"})
        assert reply.code == "agreement_taken"


def test_the_door_below_says_the_same(house: House, office: Office) -> None:
    """Whoever reaches the room past the REST face meets the same rule."""
    agreement = AgreementId(draft(office))
    for who, refusal in (("supplier-user", NotYours), ("rival-administrator", Unregistered)):
        actor = People(house.control).speaker(house.fingerprint(who), house.control.clock.now(), "192.0.2.1")
        assert actor is not None
        with pytest.raises(refusal):
            Agreements(house.control.acting(actor), house.registers).approve(agreement)


def _trail(house: House) -> list[Any]:
    with house.control.reading() as db:
        return list(load_entries(db, limit=1_000_000))
