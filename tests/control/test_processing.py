"""In production nothing of a municipality is served without a data-processing agreement in force."""

import hashlib
from datetime import timedelta

import pytest

from control import Actor, ControlStore, OrganisationKind, Policy, Processing, Role, Step, load_policy
from control.errors import NotYours, ProcessingAgreementMissing, ProcessingInvalid, Unregistered
from kernel import Window
from tests.control.builders import DAY, START, Cast, HandClock


def policy_of(store: ControlStore, **options: object) -> Policy:
    with store.reading() as db:
        return load_policy(db, **options)  # type: ignore[arg-type]


@pytest.fixture
def bare(cast: Cast) -> Cast:
    """Nordby has ended its agreement; Sønderby has one."""
    processing = Processing(cast.store)
    (agreed,) = processing.agreements(cast.north.id)
    processing.end(agreed.id)
    return cast


class TestWithoutOne:
    def test_nothing_of_the_municipality_is_served(self, bare: Cast, clock: HandClock) -> None:
        agreement = bare.approved()
        policy = policy_of(bare.store)
        for call in (bare.call(), bare.call(agreement=agreement.id), bare.call(municipality=bare.north.cvr)):
            with pytest.raises(ProcessingAgreementMissing, match="11111111") as refusal:
                policy.grant(call, clock.now())
            assert refusal.value.rule == "municipality.processing_agreement"
            assert refusal.value.agreement == agreement.id
        assert policy.grants_of(bare.system.id, clock.now()) == ()

    def test_the_other_municipality_is_served(self, bare: Cast, clock: HandClock) -> None:
        bare.approved()
        south = bare.approved(municipality=bare.south)
        grant = policy_of(bare.store).grant(bare.call(), clock.now())
        assert grant.agreement == south.id

    def test_in_the_test_environment_none_is_needed(self, bare: Cast, clock: HandClock) -> None:
        bare.approved()
        assert policy_of(bare.store, environment="test").grant(bare.call(), clock.now())

    def test_a_suspended_agreement_is_told_before_it(self, bare: Cast, clock: HandClock) -> None:
        agreement = bare.approved()
        bare.step(agreement.id, Step.SUSPEND, by="the municipality")
        with pytest.raises(Exception, match="is suspended since"):
            policy_of(bare.store).grant(bare.call(), clock.now())


class TestRecording:
    def test_lets_calls_through_for_as_long_as_it_lasts(self, bare: Cast, clock: HandClock) -> None:
        bare.approved()
        valid = Window(START + DAY, START + 3 * DAY)
        Processing(bare.store).record(bare.north.id, "2031-99", b"signed", valid)
        policy = policy_of(bare.store)
        with pytest.raises(ProcessingAgreementMissing) as refusal:
            policy.grant(bare.call(), clock.now())
        assert refusal.value.next == START + DAY
        for at in (START + DAY, START + 2 * DAY):
            assert policy.grant(bare.call(), at)
        with pytest.raises(ProcessingAgreementMissing):
            policy.grant(bare.call(), START + 3 * DAY)

    def test_keeps_the_documents_hash_and_who_wrote_it_down(self, bare: Cast) -> None:
        bo = Actor(name="Bo", roles=frozenset({Role.DATA_CONTROLLER}), organisation=bare.north.id)
        made = Processing(bare.store.acting(bo)).record(bare.north.id, "2031-99", b"signed", Window(START))
        assert made in Processing(bare.store).agreements(bare.north.id)
        assert (made.recorded_by, made.document_sha256[:8]) == ("Bo", hashlib.sha256(b"signed").hexdigest()[:8])

    def test_is_not_for_everybody(self, bare: Cast) -> None:
        for actor in (
            Actor(name="Bo", roles=frozenset({Role.DATA_CONTROLLER}), organisation=bare.south.id),
            Actor(name="Ib", roles=frozenset({Role.ADMINISTRATOR, Role.USER}), organisation=bare.north.id),
        ):
            with pytest.raises(NotYours):
                Processing(bare.store.acting(actor)).record(bare.north.id, "2031-99", b"signed", Window(START))

    @pytest.mark.parametrize(("reference", "document"), [("", b"signed"), ("x\ny", b"signed"), ("2031-99", b"")])
    def test_says_what_is_wrong(self, bare: Cast, reference: str, document: bytes) -> None:
        with pytest.raises(ProcessingInvalid):
            Processing(bare.store).record(bare.north.id, reference, document, Window(START))

    def test_is_with_a_municipality(self, bare: Cast) -> None:
        for whose in (bare.supplier.id, "nobody"):
            with pytest.raises(Unregistered):
                Processing(bare.store).record(whose, "2031-99", b"signed", Window(START))  # type: ignore[arg-type]
        assert OrganisationKind.SUPPLIER is bare.supplier.kind


class TestEnding:
    def test_now_or_later(self, cast: Cast, clock: HandClock) -> None:
        processing = Processing(cast.store)
        (agreed,) = processing.agreements(cast.north.id)
        assert processing.end(agreed.id, START + DAY).valid.end == START + DAY
        with pytest.raises(ProcessingInvalid, match="already"):
            processing.end(agreed.id, START + 2 * DAY)
        with pytest.raises(ProcessingInvalid):
            processing.end(agreed.id, START - timedelta(hours=1))
        clock.moment = START + timedelta(hours=1)
        assert processing.end(agreed.id).valid.end == clock.moment
