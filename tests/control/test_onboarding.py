"""How an organisation comes in, what its standing lets it do, and who hears of it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from control import (
    Actor,
    Application,
    ControlStore,
    Inbox,
    Onboarding,
    OrganisationKind,
    OrganisationState,
    OrganisationStep,
    People,
    Role,
    TestAuthority,
    Trust,
    load_policy,
)
from control.errors import CertificateRefused, NotYours, OrganisationInvalid, OrganisationNotActive, UserInvalid
from control.organisations import NEXT_STANDING
from tests.control.builders import DAY, Cast, HandClock

CVR = "44444444"
APPLICATION = Application(
    kind=OrganisationKind.MUNICIPALITY, cvr=CVR, name="Østby Kommune", email="post@oestby.example",
    user_name="Ida Iversen", user_email="ida@oestby.example",
)  # fmt: skip


@pytest.fixture
def test_store(url: str, clock: HandClock) -> Iterator[ControlStore]:
    with ControlStore(url, environment="test", clock=clock) as opened:
        yield opened


@pytest.fixture
def proof(authority: TestAuthority, clock: HandClock) -> bytes:
    return authority.issue_employee(CVR, "Østby Kommune", "Ida Iversen", not_before=clock.now() - DAY).cert_pem


class TestApplying:
    def test_in_the_test_environment_is_answered_at_once(self, test_store: ControlStore, trusted: Trust) -> None:
        applied = Onboarding(test_store).apply(APPLICATION, trust=trusted)
        assert applied.organisation.state is OrganisationState.CONFIRMED
        assert applied.user.roles == {Role.ADMINISTRATOR, Role.USER, Role.DATA_CONTROLLER}
        assert test_store.find_organisation(CVR) == applied.organisation

    def test_in_production_waits_for_the_operator(self, cast: Cast, trusted: Trust, proof: bytes) -> None:
        operator = cast.store.add_organisation(OrganisationKind.OPERATOR, "33333333", "Driften")
        onboarding = Onboarding(cast.store)
        applied = onboarding.apply(replace(APPLICATION, certificate=proof), trust=trusted)
        assert applied.organisation.state is OrganisationState.APPLIED
        (notice,) = Inbox(cast.store).notices(operator.id)
        assert notice.subject == f"Østby Kommune (CVR {CVR}) applies as a municipality"
        assert onboarding.step(applied.organisation.id, OrganisationStep.CONFIRM).state is OrganisationState.CONFIRMED
        (told,) = Inbox(cast.store).notices(applied.organisation.id)
        assert told.subject == "Østby Kommune is confirmed"

    def test_in_production_needs_proof_that_one_works_there(self, cast: Cast, trusted: Trust) -> None:
        with pytest.raises(CertificateRefused, match="without an employee"):
            Onboarding(cast.store).apply(APPLICATION, trust=trusted)
        assert cast.store.find_organisation(CVR) is None

    def test_with_another_organisations_proof_is_refused(self, cast: Cast, trusted: Trust, proof: bytes) -> None:
        with pytest.raises(CertificateRefused, match="issued to CVR"):
            Onboarding(cast.store).apply(replace(APPLICATION, cvr="55555555", certificate=proof), trust=trusted)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"kind": OrganisationKind.OPERATOR},
            {"cvr": "4444444"},
            {"cvr": "11111111"},
            {"name": ""},
            {"name": "Øst\u202eby"},
            {"email": "post"},
        ],
        ids=["operator", "short_cvr", "taken_cvr", "no_name", "turned_name", "no_address"],
    )
    def test_says_what_is_wrong(self, cast: Cast, test_store: ControlStore, trusted: Trust, wrong: object) -> None:
        with pytest.raises((OrganisationInvalid, UserInvalid)):
            Onboarding(test_store).apply(replace(APPLICATION, **wrong), trust=trusted)  # type: ignore[arg-type]

    def test_leaves_nothing_behind_when_the_user_cannot_be(self, test_store: ControlStore, trusted: Trust) -> None:
        with pytest.raises(UserInvalid):
            Onboarding(test_store).apply(replace(APPLICATION, user_email="nobody"), trust=trusted)
        assert test_store.find_organisation(CVR) is None

    def test_gives_the_first_user_an_actor(self, cast: Cast, trusted: Trust, proof: bytes, clock: HandClock) -> None:
        onboarding, people = Onboarding(cast.store), People(cast.store)
        applied = onboarding.apply(replace(APPLICATION, certificate=proof), trust=trusted)
        (fingerprint,) = people.certificates(applied.user.id)
        assert people.actor_of_certificate(fingerprint, clock.now(), "") is None
        onboarding.step(applied.organisation.id, OrganisationStep.CONFIRM)
        actor = people.actor_of_certificate(fingerprint, clock.now(), "")
        assert actor is not None
        assert actor.organisation == applied.organisation.id


class TestStanding:
    @pytest.mark.parametrize("state", OrganisationState)
    @pytest.mark.parametrize("step", OrganisationStep)
    def test_follows_the_table(
        self, cast: Cast, trusted: Trust, proof: bytes, state: OrganisationState, step: OrganisationStep
    ) -> None:
        onboarding = Onboarding(cast.store)
        made = onboarding.apply(replace(APPLICATION, certificate=proof), trust=trusted).organisation
        ways = {
            OrganisationState.APPLIED: (),
            OrganisationState.CONFIRMED: (OrganisationStep.CONFIRM,),
            OrganisationState.REJECTED: (OrganisationStep.REJECT,),
            OrganisationState.SUSPENDED: (OrganisationStep.CONFIRM, OrganisationStep.SUSPEND),
        }
        for each in ways[state]:
            onboarding.step(made.id, each)
        if (state, step) in NEXT_STANDING:
            assert onboarding.step(made.id, step).state is NEXT_STANDING[state, step]
        else:
            with pytest.raises(OrganisationInvalid, match="cannot take the step"):
                onboarding.step(made.id, step)

    @pytest.mark.parametrize("step", OrganisationStep)
    def test_is_the_operators_to_decide(self, cast: Cast, step: OrganisationStep) -> None:
        everything = frozenset({Role.ADMINISTRATOR, Role.USER, Role.DATA_CONTROLLER})
        own = Actor(name="Ane", roles=everything, organisation=cast.north.id)
        with pytest.raises(NotYours):
            Onboarding(cast.store.acting(own)).step(cast.north.id, step)

    def test_of_a_suspended_supplier_stops_its_certificates_and_keys(
        self, cast: Cast, authority: TestAuthority, trust: Path, clock: HandClock
    ) -> None:
        issued = authority.issue_system(cast.supplier.cvr, "Fag", "care", not_before=clock.now() - DAY)
        bound = cast.store.bind_certificate(cast.system.id, issued.cert_pem, trust=trust)
        onboarding = Onboarding(cast.store)
        onboarding.step(cast.supplier.id, OrganisationStep.SUSPEND)
        with cast.store.reading() as db:
            policy = load_policy(db)
        with pytest.raises(OrganisationNotActive, match="CVR 12345678 is suspended") as refusal:
            policy.identify(bound.fingerprint, clock.now())
        assert (refusal.value.rule, refusal.value.owner) == ("organisation.standing", "the operator")
        assert not policy.has_credential(cast.system.id, clock.now())
        onboarding.step(cast.supplier.id, OrganisationStep.RESUME)
        with cast.store.reading() as db:
            assert load_policy(db, before=policy).identify(bound.fingerprint, clock.now()).system == cast.system.id

    def test_of_a_suspended_municipality_stops_what_it_agreed_to(self, cast: Cast, clock: HandClock) -> None:
        agreement = cast.approved()
        Onboarding(cast.store).step(cast.north.id, OrganisationStep.SUSPEND)
        with cast.store.reading() as db:
            policy = load_policy(db)
        for call in (cast.call(), cast.call(agreement=agreement.id), cast.call(municipality=cast.north.cvr)):
            with pytest.raises(OrganisationNotActive, match="CVR 11111111"):
                policy.grant(call, clock.now())
        assert policy.grants_of(cast.system.id, clock.now()) == ()


class TestOwnData:
    def test_is_changed_by_the_administrator(self, cast: Cast) -> None:
        ane = Actor(name="Ane", roles=frozenset({Role.ADMINISTRATOR}), organisation=cast.north.id)
        changed = Onboarding(cast.store.acting(ane)).change(cast.north.id, name="Ny Nordby", email="ny@nordby.example")
        assert (changed.name, changed.email, changed.cvr) == ("Ny Nordby", "ny@nordby.example", cast.north.cvr)
        for role, whose in ((Role.USER, cast.north), (Role.ADMINISTRATOR, cast.south)):
            other = Actor(name="Bo", roles=frozenset({role}), organisation=whose.id)
            with pytest.raises(NotYours):
                Onboarding(cast.store.acting(other)).change(cast.north.id, name="Mit")
