"""Whatever is done to agreements, in whatever order: what must hold holds after every step."""

import itertools
import shutil
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from control import AgreementStep, ControlStore, Policy, State, Step
from control.errors import AgreementAmbiguous, AgreementTaken, IllegalStep
from control.times import to_text
from kernel import AgreementId, Grant, NotAllowed, PlatformError, ServiceName
from tests.control.builders import DAY, EXTRACT, MUNICIPALITIES, PERSONS, START, Cast, HandClock

SERVICES = (PERSONS, EXTRACT, MUNICIPALITIES)

# Few, so that agreements meet: a place is a municipality and a system.
PLACES = st.integers(0, 2)
STARTS, LENGTHS = st.integers(-1, 3), st.none() | st.integers(1, 3)
SOME = st.sets(st.sampled_from(SERVICES), min_size=1)

# The oracle: one statement, straight from the file, that knows nothing of the policy or the life cycle.
LIVE = """
SELECT a.id, a.system, o.cvr, s.key, a.terms_hash
  FROM agreements a JOIN organisations o ON o.id = a.municipality, json_each(a.terms, '$.terms.services') s
 WHERE a.state = 'approved' AND a.valid_from <= :at AND (a.valid_to IS NULL OR a.valid_to > :at)
 ORDER BY a.id, s.key
"""


class Lives(RuleBasedStateMachine):
    """Two systems, two municipalities, three services; drafts, steps and time in any order."""

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
            live = self.cast.sql(LIVE.replace(":at", "?1"), at)
            assert len({row[1:4] for row in live}) == len(live)

    @invariant()
    def history_only_grows_and_ends_in_the_state_that_holds(self) -> None:
        for agreement in self.cast.agreements.all():
            history = self.cast.agreements.history(agreement.id)
            before = self.seen.get(agreement.id, ())
            assert history[: len(before)] == before
            assert [each.number for each in history] == list(range(1, len(history) + 1))
            assert (history[-1].state, history[-1].at) == (agreement.state, agreement.since)
            self.seen[agreement.id] = history

    @invariant()
    def the_policy_says_what_the_tables_say(self) -> None:
        with self.cast.store.reading() as db:
            afresh = Policy.load(db)
            self.policy = Policy.load(db, before=self.policy)
        for at in (self.cast.clock.now(), self.cast.clock.now() + 2 * DAY, START - DAY):
            live = self.cast.sql(LIVE.replace(":at", "?1"), to_text(at))
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
    max_examples=30, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestLives = Lives.TestCase
