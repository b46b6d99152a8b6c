"""Trial connections: a service for everybody in the test environment, and the first successful call on record."""

from dataclasses import replace

import pytest

from control import ControlStore, Counters, Inbox, Policy, PolicyWatcher, Role, Systems, Trials, load_policy
from control.errors import AgreementForeign, AgreementMissing, NotYours, RateLimited, Unregistered
from control.trials import TRIAL_SERVICES
from kernel import (
    AgreementId,
    CallAnswered,
    Channel,
    Operation,
    ServiceName,
    SystemId,
    Timing,
    new_event_id,
    new_trace_id,
)  # fmt: skip
from runtime.trials import TrialRecorder
from schemas import SHIPPED, load_registers
from tests.control.builders import DAY, START, Cast, HandClock
from tests.waiting import eventually

DEMO = ServiceName("demo-service")


@pytest.fixture
def trying(url: str, clock: HandClock) -> Cast:
    store = ControlStore(url, environment="test", clock=clock)
    return Cast.gather(store, clock, url)


def policy_of(cast: Cast) -> Policy:
    with cast.store.reading() as db:
        return load_policy(db, environment=cast.store.environment)


def answered(cast: Cast, system: SystemId, **told: object) -> CallAnswered:
    fact = CallAnswered(
        event=new_event_id(), at=cast.clock.now(), trace=new_trace_id(), channel=Channel.REST, service=DEMO,
        operation=Operation.CALL, system=system, agreement=AgreementId("x"), terms_hash="0" * 64,
        municipality_cvr=cast.supplier.cvr, status=200, timing=Timing(out_us=1),
    )  # fmt: skip
    return replace(fact, **told)  # type: ignore[arg-type]


class TestTheDemoService:
    def test_everybody_may_call_it_in_the_test_environment(self, trying: Cast) -> None:
        grant = policy_of(trying).grant(trying.call(DEMO), START)
        assert (grant.service, grant.system, grant.municipality_cvr) == (DEMO, trying.system.id, trying.supplier.cvr)
        other = policy_of(trying).grant(trying.call(DEMO, system=trying.sibling.id), START)
        assert other.agreement != grant.agreement
        named = policy_of(trying).grant(trying.call(DEMO, municipality=trying.north.cvr), START)
        assert named == grant

    def test_nobody_may_in_production_without_an_agreement(self, cast: Cast) -> None:
        with pytest.raises(AgreementMissing):
            policy_of(cast).grant(cast.call(DEMO), START)

    def test_an_agreement_comes_first(self, trying: Cast) -> None:
        made = trying.approved(services=(DEMO,))
        assert policy_of(trying).grant(trying.call(DEMO), START).agreement == made.id

    def test_no_other_service_is_open_and_no_agreement_can_be_named(self, trying: Cast) -> None:
        registers = load_registers(SHIPPED)
        policy = policy_of(trying)
        for service in registers.services:
            if service.name not in TRIAL_SERVICES:
                with pytest.raises(AgreementMissing):
                    policy.grant(trying.call(service.name), START)
        trial = policy.grant(trying.call(DEMO), START)
        with pytest.raises(AgreementForeign):
            policy.grant(trying.call(DEMO, agreement=trial.agreement), START)

    def test_they_hold_no_data(self) -> None:
        registers = load_registers(SHIPPED)
        for name in TRIAL_SERVICES:
            assert registers.service(name).dataset is None

    def test_its_calls_are_limited(self, trying: Cast, tmp_path_factory: pytest.TempPathFactory) -> None:
        grant = policy_of(trying).grant(trying.call(DEMO), START)
        with Counters(tmp_path_factory.mktemp("rates") / "rates.bin") as counters:
            for _ in range(60):
                counters.admit(grant, None, START)
            with pytest.raises(RateLimited):
                counters.admit(grant, None, START)


class TestTheRecord:
    def test_the_first_successful_call_is_kept_and_told(self, trying: Cast) -> None:
        trials, trace = Trials(trying.store), new_trace_id()
        assert not policy_of(trying).has_passed(trying.system.id)
        assert trials.record(trying.system.id, trace=trace, service=DEMO, at=START)
        trying.clock.moment += DAY
        assert not trials.record(trying.system.id, trace=new_trace_id(), service=DEMO, at=trying.clock.now())
        kept = trials.of(trying.system.id)
        assert kept is not None
        assert (kept.passed, kept.trace, kept.service) == (START, trace, DEMO)
        assert Systems(trying.store).find(trying.system.id).trial == START
        assert Systems(trying.store).find(trying.sibling.id).trial is None
        assert policy_of(trying).has_passed(trying.system.id)
        (notice,) = Inbox(trying.store).notices(trying.supplier.id)
        assert notice.subject == "The system care has passed its trial connection"

    def test_nobody_records_their_own(self, trying: Cast) -> None:
        theirs = Trials(trying.acting(trying.supplier, *Role)._store)
        with pytest.raises(NotYours):
            theirs.record(trying.system.id, trace=new_trace_id(), service=DEMO, at=START)
        with pytest.raises(Unregistered):
            Trials(trying.store).record(SystemId("nobody"), trace=new_trace_id(), service=DEMO, at=START)

    def test_a_change_of_the_system_keeps_it(self, trying: Cast) -> None:
        Trials(trying.store).record(trying.system.id, trace=new_trace_id(), service=DEMO, at=START)
        assert Systems(trying.store).change(trying.system.id, contact="new").trial == START


class TestNoticingIt:
    def test_one_call_among_many_is_written_once(self, trying: Cast) -> None:
        with PolicyWatcher(trying.store) as watcher, TrialRecorder(trying.store, watcher.current) as recorder:
            recorder.notice(answered(trying, trying.system.id, status=404))
            first = answered(trying, trying.system.id)
            for fact in (first, *(answered(trying, trying.system.id) for _ in range(50))):
                recorder.notice(fact)
            eventually(lambda: watcher.current().has_passed(trying.system.id))
            recorder.notice(answered(trying, trying.system.id))
            recorder.notice(answered(trying, SystemId("unregistered")))
        trial = Trials(trying.store).of(trying.system.id)
        assert trial is not None
        assert trial.trace == first.trace
        assert len(trying.sql("SELECT * FROM audit WHERE verb = 'house.keep'")) == 1

    def test_what_waits_when_the_process_ends_is_written(self, trying: Cast) -> None:
        with PolicyWatcher(trying.store) as watcher, TrialRecorder(trying.store, watcher.current) as recorder:
            recorder.notice(answered(trying, trying.system.id))
        assert Trials(trying.store).of(trying.system.id) is not None

    def test_a_database_that_is_gone_disturbs_no_call_and_the_next_tries_again(
        self, trying: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with PolicyWatcher(trying.store) as watcher, TrialRecorder(trying.store, watcher.current) as recorder:
            with monkeypatch.context() as broken:
                broken.setattr(Trials, "record", _gone)
                recorder.notice(answered(trying, trying.system.id))
                eventually(lambda: not recorder._told)
            recorder.notice(answered(trying, trying.system.id))
            eventually(lambda: watcher.current().has_passed(trying.system.id))


def _gone(*_: object, **__: object) -> bool:
    raise OSError("the database is gone")
