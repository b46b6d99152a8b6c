"""The control room on PostgreSQL: the same doors, the same refusals, and writers that queue."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from psycopg import OperationalError
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from control import (
    Agreement,
    ControlStore,
    Delegations,
    Inbox,
    OrganisationKind,
    People,
    PolicyWatcher,
    Role,
    State,
    Step,
    Systems,
    Trials,
    load_policy,
)
from control.audit import verify
from control.errors import AgreementTaken, ControlUnreachable, OrganisationInvalid
from control.mail import Post
from control.mail.server import Answer, Outcome
from control.reminders import Reminders
from kernel import ServiceName, Window, new_trace_id
from runtime.migrations import upgrade
from tests.control.builders import DAY, PERSONS, START, Cast, HandClock
from tests.sync.connectors.postgres import DATABASE, PostgresPeer, serve_postgres
from tests.waiting import eventually


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresPeer]:
    with serve_postgres() as server:
        yield server


@pytest.fixture
def address(server: PostgresPeer) -> Iterator[str]:
    url = f"postgresql+psycopg://owner@/{DATABASE}?host={server.folder}&port={server.own_port}"
    upgrade(url)
    yield url
    server.reset()


@pytest.fixture
def pg(address: str) -> Iterator[Cast]:
    clock = HandClock()
    with ControlStore(address, environment="production", clock=clock) as store:
        yield Cast.gather(store, clock, address)


def grant_of(cast: Cast) -> str:
    with cast.store.reading() as db:
        return load_policy(db).grant(cast.call(), cast.clock.now()).agreement


class TestTheSameDoors:
    def test_migrations_are_run_once(self, address: str) -> None:
        upgrade(address)

    def test_an_agreement_lives_its_life(self, pg: Cast) -> None:
        supplier, north = pg.acting(pg.supplier, Role.USER), pg.acting(pg.north, Role.DATA_CONTROLLER)
        made = supplier.request(pg.north.id, pg.system.id, pg.draft().terms, Window(START, START + 50 * DAY))
        north.approve(made.id)
        assert grant_of(pg) == made.id
        with pytest.raises(AgreementTaken):
            pg.approved()
        assert north.suspend(made.id).state is State.SUSPENDED
        north.resume(made.id)
        new = supplier.renew(made.id, Window(START, START + 400 * DAY))
        north.approve(new.id)
        assert grant_of(pg) == new.id
        assert [each.step for each in supplier.history(made.id)][-2:] == [Step.RESUME, Step.REPLACE]
        with pg.store.reading() as db:
            assert verify(db)[1] is None

    @pytest.mark.parametrize("deed", ["UPDATE audit SET actor = 'x'", "DELETE FROM agreement_steps"])
    def test_history_is_not_rewritten_here_either(self, pg: Cast, deed: str) -> None:
        pg.draft()
        with pytest.raises(DatabaseError, match="is history"), pg.store.noting() as db:
            db.execute(text(deed))

    def test_one_code_is_one_municipalitys(self, pg: Cast) -> None:
        with pytest.raises(OrganisationInvalid):
            pg.store.add_organisation(OrganisationKind.MUNICIPALITY, "29189846", "Igen", code="0851")

    def test_a_withdrawn_delegation_suspends(self, pg: Cast) -> None:
        given = Delegations(pg.store).give(pg.north.id, pg.rival.id, {PERSONS}, Window(START))
        made = pg.acting(pg.rival, Role.ADMINISTRATOR).approve(pg.step(pg.draft().id, Step.REQUEST).id)
        Delegations(pg.store).withdraw(given.id)
        assert pg.agreements.find(made.id).state is State.SUSPENDED

    def test_reminders_and_mails_are_told_once(self, pg: Cast) -> None:
        People(pg.store).add(pg.supplier.id, "Ane", "ane@fagsystemer.example", [Role.USER])
        pg.approved(end=START + 20 * DAY)
        assert [Reminders(pg.store).run(), Reminders(pg.store).run()] == [2, 0]
        sent: list[str] = []

        class Server:
            def send(self, message: object, *, sender: str, recipient: str) -> Answer:
                del message, sender
                sent.append(recipient)
                return Answer(Outcome.SENT)

        workers = [Post(pg.store, Server(), sender="k@drift.example") for _ in range(4)]
        start = Barrier(4)

        def run(worker: Post) -> int:
            start.wait()
            return worker.run()

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(run, workers)) == len(sent) == 2
        assert all(each.mailed for each in Inbox(pg.store).notices(pg.supplier.id))

    def test_a_trial_is_recorded_once(self, pg: Cast) -> None:
        demo, trials = ServiceName("demo-service"), Trials(pg.store)
        taken = [trials.record(pg.system.id, trace=new_trace_id(), service=demo, at=START) for _ in range(2)]
        assert taken == [True, False]
        assert Systems(pg.store).find(pg.system.id).trial == START


class TestWritersQueue:
    def test_of_two_approvals_that_exclude_each_other_one_succeeds(self, pg: Cast) -> None:
        requests = [pg.step(pg.draft().id, Step.REQUEST) for _ in range(4)]
        start = Barrier(4)

        def approve(agreement: Agreement) -> bool:
            start.wait()
            try:
                pg.step(agreement.id, Step.APPROVE)
            except AgreementTaken:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(approve, requests)) == [False, False, False, True]
        with pg.store.reading() as db:
            assert verify(db)[1] is None

    def test_a_decision_reaches_every_process(self, pg: Cast) -> None:
        made = pg.approved()
        with PolicyWatcher(pg.store) as watcher:
            assert watcher.current().grant(pg.call(), START).agreement == made.id
            pg.step(made.id, Step.SUSPEND)
            eventually(lambda: not watcher.current().grants_of(pg.system.id, START))
            assert watcher.current().grants_of(pg.system.id, START) == ()


class TestAServerThatGoesAway:
    def test_changes_wait_and_calls_go_on(self) -> None:
        with serve_postgres() as server:
            url = f"postgresql+psycopg://owner@/{DATABASE}?host={server.folder}&port={server.own_port}"
            upgrade(url)
            clock = HandClock()
            with ControlStore(url, environment="production", clock=clock) as store, PolicyWatcher(store) as watcher:
                cast = Cast.gather(store, clock, url)
                made = cast.approved()
                # The connection that the store keeps is one of those that end with the server.
                assert store.organisations()
                watcher._look()
                os.kill(int((server.folder / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
                while True:
                    try:
                        server.connect().close()
                    except OperationalError:
                        break
                with pytest.raises(ControlUnreachable) as refusal:
                    store.organisations()
                assert (refusal.value.status, refusal.value.retry_after_s) == (503, 10)
                assert str(server.folder) not in refusal.value.message
                with pytest.raises(ControlUnreachable):
                    cast.approved()
                assert watcher.current().grant(cast.call(), clock.now()).agreement == made.id
