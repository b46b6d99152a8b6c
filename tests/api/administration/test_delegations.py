"""Delegations over the wire: given by the municipality, used by the supplier, withdrawn with what rests on them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from api import make_app
from control import ControlStore, OrganisationKind, Role, Verb
from control.actors import MAY
from tests.api.administration.staff import ADMIN, STAFF, Office
from tests.api.house import AALBORG, CLOCK, SUPPLIER, House, serving
from tests.described import check

PATH = f"{ADMIN}/delegations"
GIVEN = {"supplier": SUPPLIER, "services": ["municipalities"]}


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Where somebody has to approve."""
    root = tmp_path_factory.mktemp("delegations")
    url = f"sqlite:///{root / 'control.sqlite'}"
    with House.open(root) as house, ControlStore(url, environment="production", clock=CLOCK) as control:
        house.control.add_organisation(OrganisationKind.SUPPLIER, "25313763", "Rivalen A/S")
        with serving(house, make_app(replace(house.doors("production"), control=control, authority=None))) as (_, port):
            office = Office(house, port)
            for name, (cvr, roles) in STAFF.items():
                office.hire(name, cvr, roles)
            yield office
            office.close()


def request(office: Office, *services: str) -> str:
    asked: dict[str, Any] = {
        "municipality": AALBORG, "system": office.system(uuid4().hex),
        "services": {name: {} for name in services or ("municipalities",)},
        "purpose": "x", "legal_basis": "x", "reason": "x",
    }  # fmt: skip
    reply = office.post("supplier-user", f"{ADMIN}/agreements", asked)
    assert (reply.status, reply.json["state"]) == (201, "requested")
    return f"{ADMIN}/agreements/{reply.json['id']}"


class TestADelegation:
    def test_lets_the_suppliers_administrator_approve_until_it_is_withdrawn(self, production: Office) -> None:
        # Of services that no other test here gives away.
        approve = {"step": "approve"}
        waiting = request(production, "classes")
        assert production.post("supplier-administrator", f"{waiting}/steps", approve).code == "step_not_yours"
        made = production.post("data-controller", PATH, GIVEN | {"services": ["classes"]})
        assert made.status == 201
        assert production.get("supplier-administrator", waiting).json["may"][:1] == ["approve"]
        done = production.post("supplier-administrator", f"{waiting}/steps", approve)
        assert (done.json["state"], done.json["delegation"]) == ("approved", made.json["id"])
        wider = request(production, "classes", "roads")
        assert production.post("supplier-administrator", f"{wider}/steps", approve).code == "step_not_yours"

        withdrawn = production.post("data-controller", f"{made.headers['location']}/withdraw", {"note": "sag 18"})
        assert withdrawn.json["withdrawn"]
        assert production.get("supplier-user", waiting).json["state"] == "suspended"
        resume = production.post("supplier-administrator", f"{waiting}/steps", {"step": "resume"})
        assert resume.code == "step_not_yours"
        assert production.post("data-controller", f"{waiting}/steps", {"step": "resume"}).json["state"] == "approved"

    @pytest.mark.parametrize("who", STAFF)
    def test_is_the_data_controllers_to_give(self, production: Office, who: str) -> None:
        reply = production.post(who, PATH, GIVEN)
        if STAFF[who][1] & MAY[Verb.DELEGATION_CHANGE]:
            assert reply.status == 201
        else:
            assert (reply.status, reply.code) == (403, "step_not_yours")

    def test_is_seen_by_its_parties_and_the_operator(self, production: Office) -> None:
        made = production.post("data-controller", PATH, GIVEN).headers["location"]
        for who, (cvr, roles) in STAFF.items():
            seen = cvr in {AALBORG, SUPPLIER} or Role.OPERATOR in roles
            assert production.get(who, made).status == (200 if seen else 404)
            listed = {each["id"] for each in production.get(who, f"{PATH}?limit=200").json["items"]}
            assert (made.rpartition("/")[2] in listed) is seen
            if who not in {"data-controller", "other-data-controller"}:
                assert production.post(who, f"{made}/withdraw").status == (403 if seen else 404)
        assert production.post("other-data-controller", f"{made}/withdraw").code == "unregistered"

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"services": []}, "delegation_invalid"),
            ({"services": ["a b"]}, "delegation_invalid"),
            ({"supplier": "99999999"}, "unregistered"),
            ({"supplier": AALBORG}, "delegation_invalid"),
            ({"municipality": AALBORG}, "body_invalid"),
            ({"valid_to": "2020-01-01T00:00:00Z"}, "agreement_invalid"),
        ],
    )
    def test_says_what_is_wrong(self, production: Office, change: dict[str, Any], code: str) -> None:
        assert production.post("data-controller", PATH, GIVEN | change).code == code

    def test_is_what_the_openapi_document_says(self, production: Office) -> None:
        document = production.get(None, "/openapi.json").json
        made = production.post("data-controller", PATH, GIVEN)
        for method, path, status, reply in (
            ("post", PATH, "201", made),
            ("get", PATH, "200", production.get("data-controller", PATH)),
            ("get", f"{PATH}/{{delegation}}", "200", production.get("data-controller", made.headers["location"])),
        ):
            described = document["paths"][path][method]["responses"][status]
            check(document, described["content"]["application/json"]["schema"], reply.json)
