"""Users: who they are by their certificate, what they may, and what nobody may do to the roles."""

from collections.abc import Callable
from pathlib import Path

import pytest

from control import (
    HOUSE,
    Actor,
    ControlStore,
    OrganisationKind,
    OrganisationStep,
    People,
    Role,
    TestAuthority,
    Trust,
    User,
)
from control.errors import CertificateRefused, NotYours, Unregistered, UserInvalid
from control.onboarding import Onboarding
from tests.control.builders import DAY, Cast, certificate, oces2, oces3, pem

ADMINISTRATOR, USER, CONTROLLER, OPERATOR = Role.ADMINISTRATOR, Role.USER, Role.DATA_CONTROLLER, Role.OPERATOR


@pytest.fixture
def people(cast: Cast) -> People:
    return People(cast.store)


@pytest.fixture
def ane(people: People, cast: Cast) -> User:
    return people.add(cast.north.id, "Ane Andersen", "ane@nordby.example", {ADMINISTRATOR, USER, CONTROLLER})


def acting(cast: Cast, user: User) -> Actor:
    return People(cast.store).actor_named(user.email, "command line")


class TestTheCertificate:
    def test_of_an_employee_makes_an_actor(
        self, cast: Cast, people: People, ane: User, authority: TestAuthority, trusted: Trust
    ) -> None:
        issued = authority.issue_employee(cast.north.cvr, cast.north.name, ane.name, not_before=cast.clock.now() - DAY)
        fingerprint = people.bind_certificate(ane.id, issued.cert_pem, trust=trusted)
        actor = people.actor_of_certificate(fingerprint, cast.clock.now(), "192.0.2.7")
        assert actor == Actor(
            name="Ane Andersen (CVR 11111111)", roles=ane.roles, organisation=cast.north.id, address="192.0.2.7",
            user=ane.id,
        )  # fmt: skip
        assert people.certificates(ane.id) == (fingerprint,)

    def test_speaks_for_nobody_after_its_end(
        self, cast: Cast, people: People, ane: User, authority: TestAuthority, trusted: Trust
    ) -> None:
        issued = authority.issue_employee(cast.north.cvr, cast.north.name, ane.name, not_before=cast.clock.now() - DAY)
        fingerprint = people.bind_certificate(ane.id, issued.cert_pem, trust=trusted)
        assert people.actor_of_certificate(fingerprint, cast.clock.now() + 4_000 * DAY, "") is None
        people.revoke_certificate(fingerprint)
        assert people.actor_of_certificate(fingerprint, cast.clock.now(), "") is None

    def test_speaks_for_nobody_when_its_user_has_ended_or_the_organisation_is_suspended(
        self, cast: Cast, people: People, ane: User, authority: TestAuthority, trusted: Trust
    ) -> None:
        bo = people.add(cast.north.id, "Bo Berg", "bo@nordby.example", {ADMINISTRATOR})
        issued = authority.issue_employee(cast.north.cvr, cast.north.name, ane.name, not_before=cast.clock.now() - DAY)
        fingerprint = people.bind_certificate(ane.id, issued.cert_pem, trust=trusted)
        onboarding = Onboarding(cast.store)
        onboarding.step(cast.north.id, OrganisationStep.SUSPEND)
        assert people.actor_of_certificate(fingerprint, cast.clock.now(), "") is None
        onboarding.step(cast.north.id, OrganisationStep.RESUME)
        assert people.actor_of_certificate(fingerprint, cast.clock.now(), "") is not None
        people.end(ane.id)
        assert people.actor_of_certificate(fingerprint, cast.clock.now(), "") is None
        assert bo.id in {each.id for each in people.users(cast.north.id)}

    def test_of_one_person_is_never_anothers(
        self, cast: Cast, people: People, ane: User, authority: TestAuthority, trusted: Trust
    ) -> None:
        bo = people.add(cast.north.id, "Bo Berg", "bo@nordby.example", {USER})
        issued = authority.issue_employee(cast.north.cvr, cast.north.name, ane.name, not_before=cast.clock.now() - DAY)
        people.bind_certificate(ane.id, issued.cert_pem, trust=trusted)
        with pytest.raises(CertificateRefused, match="bound to a user already"):
            people.bind_certificate(bo.id, issued.cert_pem, trust=trusted)

    @pytest.mark.parametrize("kind", ["system", "other_cvr", "expired", "self_signed", "oces2_function", "garbage"])
    def test_must_be_an_employees_of_the_organisation_and_trusted(
        self, cast: Cast, people: People, ane: User, authority: TestAuthority, trusted: Trust, kind: str
    ) -> None:
        start = cast.clock.now() - 10 * DAY
        shown: dict[str, Callable[[], bytes]] = {
            "system": lambda: authority.issue_system(cast.north.cvr, "Nordby", "care", not_before=start).cert_pem,
            "other_cvr": lambda: authority.issue_employee(cast.south.cvr, "Syd", "Ane", not_before=start).cert_pem,
            "expired": lambda: (
                authority.issue_employee(cast.north.cvr, "Nordby", "Ane", not_before=start, days=3).cert_pem
            ),
            "self_signed": lambda: pem(certificate(*oces3(cast.north.cvr, "E"), start=start)),
            "oces2_function": lambda: pem(certificate(*oces2(cast.north.cvr, "FID"), start=start)),
            "garbage": lambda: b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        }
        with pytest.raises(CertificateRefused):
            people.bind_certificate(ane.id, shown[kind](), trust=trusted)
        assert people.certificates(ane.id) == ()

    def test_of_an_operators_system_is_the_operator(
        self, cast: Cast, people: People, authority: TestAuthority, trust: Path
    ) -> None:
        house = cast.store.add_organisation(OrganisationKind.OPERATOR, "33333333", "Driften")
        system = cast.store.add_system(house.id, "console", purpose="To run it.", contact="drift@example.invalid")
        issued = authority.issue_system(house.cvr, house.name, "console", not_before=cast.clock.now() - DAY)
        bound = cast.store.bind_certificate(system.id, issued.cert_pem, trust=trust)
        actor = people.actor_of_certificate(bound.fingerprint, cast.clock.now(), "192.0.2.7")
        assert actor is not None
        assert actor.roles == {OPERATOR}
        other = authority.issue_system(cast.supplier.cvr, "Fag", "care", not_before=cast.clock.now() - DAY)
        plain = cast.store.bind_certificate(cast.system.id, other.cert_pem, trust=trust)
        assert people.actor_of_certificate(plain.fingerprint, cast.clock.now(), "") is None


class TestRoles:
    @pytest.mark.parametrize(
        ("whose", "roles"),
        [
            ("supplier", {CONTROLLER}),
            ("supplier", {ADMINISTRATOR, OPERATOR}),
            ("north", {OPERATOR}),
            ("north", set()),
        ],
    )
    def test_are_held_only_where_they_can_be(self, cast: Cast, people: People, whose: str, roles: set[Role]) -> None:
        with pytest.raises(UserInvalid):
            people.add(getattr(cast, whose).id, "Bo", "bo@example.invalid", roles)

    def test_the_last_administrator_stays(self, cast: Cast, people: People, ane: User) -> None:
        deeds: list[Callable[[], object]] = [
            lambda: people.end(ane.id),
            lambda: people.change_roles(ane.id, {USER}),
        ]
        for deed in deeds:
            with pytest.raises(UserInvalid, match="last administrator"):
                deed()
        people.add(cast.north.id, "Bo", "bo@example.invalid", {ADMINISTRATOR})
        assert people.change_roles(ane.id, {USER}).roles == {USER}

    def test_an_ended_administrator_is_none(self, cast: Cast, people: People, ane: User) -> None:
        bo = people.add(cast.north.id, "Bo", "bo@example.invalid", {ADMINISTRATOR})
        people.end(bo.id)
        with pytest.raises(UserInvalid, match="last administrator"):
            people.end(ane.id)

    def test_nobody_raises_themselves(self, cast: Cast, people: People) -> None:
        bo = people.add(cast.north.id, "Bo", "bo@example.invalid", {ADMINISTRATOR})
        as_bo = People(cast.store.acting(acting(cast, bo)))
        with pytest.raises(NotYours, match="gives themselves"):
            as_bo.change_roles(bo.id, {ADMINISTRATOR, CONTROLLER})
        other = as_bo.add(cast.north.id, "Ane", "ane@example.invalid", {ADMINISTRATOR})
        as_ane = People(cast.store.acting(acting(cast, other)))
        assert CONTROLLER in as_ane.change_roles(bo.id, {ADMINISTRATOR, CONTROLLER}).roles


class TestUsers:
    def test_are_known_once_by_their_address(self, cast: Cast, people: People, ane: User) -> None:
        with pytest.raises(UserInvalid, match="e-mail"):
            people.add(cast.north.id, "Ane again", ane.email, {USER})
        people.add(cast.south.id, "Ane elsewhere", ane.email, {USER})
        with pytest.raises(Unregistered, match="several"):
            people.actor_named(ane.email, "command line")

    @pytest.mark.parametrize(
        "email", ["", "ane", "ane@", "@nordby.example", "a b@nordby.example", "ane@nordby", "ane@x.dk\nBcc: all@x.dk"]
    )
    def test_have_an_address(self, cast: Cast, people: People, email: str) -> None:
        with pytest.raises(UserInvalid):
            people.add(cast.north.id, "Ane", email, {USER})

    def test_are_seen_by_their_own_organisation_alone(self, cast: Cast, people: People, ane: User) -> None:
        stranger = people.add(cast.rival.id, "Ib", "ib@rival.example", {ADMINISTRATOR, USER})
        as_stranger = People(cast.store.acting(acting(cast, stranger)))
        looks: list[Callable[[], object]] = [
            lambda: as_stranger.users(cast.north.id),
            lambda: as_stranger.user(ane.id),
        ]
        for look in looks:
            with pytest.raises(NotYours):
                look()

    def test_of_no_organisation_are_none(self, store: ControlStore) -> None:
        with pytest.raises(Unregistered):
            People(store.acting(HOUSE)).add("nobody", "Ane", "ane@example.invalid", {USER})  # type: ignore[arg-type]
