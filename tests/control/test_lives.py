"""Whatever is done to agreements, in whatever order: what must hold holds after every step."""

import itertools
import shutil
import tempfile
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from control import (
    AgreementStep,
    ControlStore,
    Delegations,
    Onboarding,
    OrganisationStep,
    Policy,
    Processing,
    Role,
    State,
    Step,
    load_policy,
)  # fmt: skip
from control.agreements import NEXT
from control.errors import (
    AgreementAmbiguous,
    AgreementInvalid,
    AgreementTaken,
    IllegalStep,
    NotYours,
    OrganisationInvalid,
    Unregistered,
)  # fmt: skip
from control.times import to_text
from kernel import AgreementId, Grant, NotAllowed, PlatformError, ServiceName, Window
from tests.control.builders import DAY, EXTRACT, MUNICIPALITIES, PERSONS, START, Cast, HandClock, terms

SERVICES = (PERSONS, EXTRACT, MUNICIPALITIES)

# Few, so that agreements meet: a place is a municipality and a system.
PLACES = st.integers(0, 2)
STARTS, LENGTHS = st.integers(-1, 3), st.none() | st.integers(1, 3)
SOME = st.sets(st.sampled_from(SERVICES), min_size=1)

# The oracle: one statement, straight from the file, that knows nothing of the policy or the life cycle.
LIVE = """
SELECT a.id, a.system, o.cvr, s.key, a.terms_hash
  FROM agreements a JOIN organisations o ON o.id = a.municipality, json_each(a.terms, '$.terms.services') s
 WHERE a.state = 'approved' AND a.valid_from <= ?1 AND (a.valid_to IS NULL OR a.valid_to > ?1)
   AND (a.replaced IS NULL OR a.replaced > ?1)
   AND (NOT :served OR o.state = 'confirmed' AND EXISTS (
         SELECT 1 FROM processing_agreements p
          WHERE p.municipality = o.id AND p.valid_from <= ?1 AND (p.valid_to IS NULL OR p.valid_to > ?1)))
 ORDER BY a.id, s.key
"""
AGREED, SERVED = LIVE.replace(":served", "0"), LIVE.replace(":served", "1")


class Lives(RuleBasedStateMachine):
    """Two systems, two municipalities, three services; drafts, steps, renewals, delegations, standings, processing
    agreements and time in any order.
    """

    agreements: Bundle[AgreementId] = Bundle("agreements")
    empty: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="knudepunkt-lives-"))
        shutil.copy(self.empty, self.folder / "control.sqlite")
        self.seen: dict[AgreementId, tuple[AgreementStep, ...]] = {}
        self.policy: Policy | None = None

    @initialize(environment=st.sampled_from(["test", "production"]))
    def gather(self, environment: Any) -> None:
        url, clock = f"sqlite:///{self.folder / 'control.sqlite'}", HandClock()
        self.cast = Cast.gather(ControlStore(url, environment=environment, clock=clock), clock, url)

    def teardown(self) -> None:
        self.cast.store.close()
        shutil.rmtree(self.folder)

    @rule(target=agreements, place=PLACES, services=SOME, start=STARTS, length=LENGTHS)
    def draft(self, place: int, services: set[ServiceName], start: int, length: int | None) -> AgreementId:
        return self._draft(place, services, start, length)

    @rule(target=agreements, place=PLACES, services=SOME, start=STARTS, length=LENGTHS)
    def draft_request_and_approve(
        self, place: int, services: set[ServiceName], start: int, length: int | None
    ) -> AgreementId:
        agreement = self._draft(place, services, start, length)
        self._step(agreement, Step.REQUEST)
        self._step(agreement, Step.APPROVE)
        return agreement

    @rule(agreement=agreements, step=st.sampled_from([step for step in Step if step not in {Step.DRAFT, Step.REPLACE}]))
    def step(self, agreement: AgreementId, step: Step) -> None:
        self._step(agreement, step)

    @rule(target=agreements, old=agreements, services=SOME, start=STARTS, length=LENGTHS, approve=st.booleans())
    def renew(
        self, old: AgreementId, services: set[ServiceName], start: int, length: int | None, approve: bool
    ) -> AgreementId:
        before = self.cast.agreements.find(old)
        begin = self.cast.clock.now() + start * DAY
        window = Window(begin, None if length is None else begin + length * DAY)
        live = {each.id for each in self.cast.agreements.all() if each.live(self.cast.clock.now())}
        try:
            new = self.cast.agreements.renew(old, window, terms=terms(*sorted(services)))
        except (AgreementInvalid, AgreementTaken):
            assert self.cast.agreements.find(old) == before
            return old
        if approve:
            self._step(new.id, Step.APPROVE)
        now = self.cast.clock.now()
        if old in live and self.cast.agreements.find(new.id).state is State.APPROVED:
            # No gap: one of the two carries calls, unless the new one is over before it begins.
            after = [self.cast.agreements.find(each) for each in (old, new.id)]
            assert any(each.live(now) for each in after) or (window.end is not None and window.end <= now)
        return new.id

    @rule(place=PLACES, services=SOME)
    def delegate(self, place: int, services: set[ServiceName]) -> None:
        municipality = (self.cast.north, self.cast.north, self.cast.south)[place]
        Delegations(self.cast.store).give(municipality.id, self.cast.rival.id, services, Window(START, START + 5 * DAY))

    @rule(agreement=agreements, step=st.sampled_from([Step.APPROVE, Step.REJECT, Step.SUSPEND, Step.RESUME]))
    def step_for_a_municipality(self, agreement: AgreementId, step: Step) -> None:
        before = self.cast.agreements.history(agreement)
        try:
            self.cast.acting(self.cast.rival, Role.ADMINISTRATOR).step(agreement, step)
            assert step is not Step.RESUME
        except (NotYours, Unregistered, IllegalStep, AgreementTaken):
            assert self.cast.agreements.history(agreement) == before

    @rule()
    def withdraw_a_delegation(self) -> None:
        for each in Delegations(self.cast.store).all():
            if each.withdrawn is None:
                Delegations(self.cast.store).withdraw(each.id)
                under = [it for it in self.cast.agreements.all() if it.delegation == each.id]
                assert not any(it.live(self.cast.clock.now()) for it in under)
                return

    @rule(step=st.sampled_from([OrganisationStep.SUSPEND, OrganisationStep.RESUME]))
    def change_a_standing(self, step: OrganisationStep) -> None:
        with suppress(OrganisationInvalid):
            Onboarding(self.cast.store).step(self.cast.south.id, step)

    @rule(record=st.booleans())
    def agree_on_processing(self, record: bool) -> None:
        door, now = Processing(self.cast.store), self.cast.clock.now()
        if record:
            door.record(self.cast.north.id, "again", b"document", Window(now, now + 2 * DAY))
        for each in door.agreements(self.cast.north.id):
            if not record and (each.valid.end is None or each.valid.end > now) and each.valid.start <= now:
                door.end(each.id)

    @rule(days=st.sampled_from([0.5, 1, 2]))
    def wait(self, days: float) -> None:
        self.cast.clock.moment += days * DAY

    def _draft(self, place: int, services: set[ServiceName], start: int, length: int | None) -> AgreementId:
        begin = self.cast.clock.now() + start * DAY
        return self.cast.draft(
            municipality=(self.cast.north, self.cast.north, self.cast.south)[place],
            system=(self.cast.system, self.cast.sibling, self.cast.system)[place],
            services=tuple(sorted(services)),
            start=begin,
            end=None if length is None else begin + length * DAY,
        ).id

    def _step(self, agreement: AgreementId, step: Step) -> None:
        before = self.cast.agreements.history(agreement)
        try:
            self.cast.step(agreement, step, by="somebody")
        except (IllegalStep, AgreementTaken):
            assert self.cast.agreements.history(agreement) == before

    @invariant()
    def a_call_leads_to_one_agreement_now_and_for_all_time(self) -> None:
        moments = [text for (text,) in self.cast.sql("SELECT valid_from FROM agreements")]
        now = to_text(self.cast.clock.now())
        for at in [now, *(moment for moment in moments if str(moment) > now)]:
            live = self.cast.sql(AGREED, at)
            assert len({row[1:4] for row in live}) == len(live)

    @invariant()
    def history_only_grows_and_ends_in_the_state_that_holds(self) -> None:
        for agreement in self.cast.agreements.all():
            history = self.cast.agreements.history(agreement.id)
            before = self.seen.get(agreement.id, ())
            assert history[: len(before)] == before
            assert [each.number for each in history] == list(range(1, len(history) + 1))
            assert (history[-1].state, history[-1].at) == (agreement.state, agreement.since)
            state = State.DRAFT
            assert history[0].step is Step.DRAFT
            for line in history[1:]:
                # Every line is a step of the table, from the state before to the state after.
                assert NEXT[state, line.step] is line.state
                state = line.state
            self.seen[agreement.id] = history

    @invariant()
    def the_policy_says_what_the_tables_say(self) -> None:
        with self.cast.store.reading() as db:
            afresh = load_policy(db)
            self.policy = load_policy(db, before=self.policy)
        for at in (self.cast.clock.now(), self.cast.clock.now() + 2 * DAY, START - DAY):
            live = self.cast.sql(SERVED, to_text(at))
            for policy in (afresh, self.policy):
                self._ensure_same(policy, live, at)

    def _ensure_same(self, policy: Policy, live: list[tuple[Any, ...]], at: datetime) -> None:
        for system in (self.cast.system.id, self.cast.sibling.id):
            mine = [row for row in live if row[1] == system]
            assert [_row(grant) for grant in policy.grants_of(system, at)] == mine
            for service, cvr in itertools.product(SERVICES, (None, self.cast.north.cvr, self.cast.south.cvr)):
                fitting = [row for row in mine if row[3] == service and cvr in {None, row[2]}]
                call = self.cast.call(service, system=system, municipality=cvr)
                found = _decision(policy, call, at)
                if len(fitting) == 1:
                    assert isinstance(found, Grant)
                    assert _row(found) == fitting[0]
                else:
                    assert isinstance(found, AgreementAmbiguous if fitting else NotAllowed)
            for agreement in self.cast.agreements.all():
                found = _decision(policy, self.cast.call(system=system, agreement=agreement.id), at)
                fitting = [row for row in mine if (row[0], row[3]) == (agreement.id, PERSONS)]
                assert isinstance(found, Grant) == bool(fitting)
                if isinstance(found, Grant):
                    assert found.system == system
                    assert at in found.valid
                    assert agreement.state is State.APPROVED


def _decision(policy: Policy, call: Any, at: datetime) -> Grant | PlatformError:
    try:
        return policy.grant(call, at)
    except PlatformError as refusal:
        return refusal


def _row(grant: Grant) -> tuple[object, ...]:
    return (grant.agreement, grant.system, grant.municipality_cvr, grant.service, grant.terms_hash)


@pytest.fixture(scope="module", autouse=True)
def _migrated(migrated: Path) -> None:
    Lives.empty = migrated


Lives.TestCase.settings = settings(
    max_examples=12, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestLives = Lives.TestCase
