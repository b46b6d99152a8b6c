"""A shelf is tidied, and what somebody is still to fetch stays on it."""

from dataclasses import replace

import pytest

from control import Agreements, OrganisationKind
from control.notices import Notice
from control.notices.store import load_notices
from extract.delivery.desk import wish_of
from extract.delivery.outbox_states import OPEN, State
from kernel import AgreementId, ServiceName
from runtime.delivering import Delivering
from runtime.delivery_jobs import raise_alarms
from runtime.demo import Stage
from runtime.environment import settings_of
from runtime.tidying import tidy_extracts
from runtime.wiring import House, open_house
from tests.delivery.builders import Desk, wish
from tests.journeys.platform import make_stage

SERVICE = ServiceName("municipalities-extract")
OURS, THEIRS = AgreementId("agreement-1"), AgreementId("agreement-2")


def test_an_extract_is_waited_for_until_its_delivery_is_taken_or_given_up(desk: Desk) -> None:
    made = desk.subscriptions.add(wish(), by="a test")
    desk.subscriptions.plan(made.id, 5)
    sent = desk.courier.turn()
    assert sent is not None
    extract = desk.outbox.book.listed()[0].extract
    assert extract is not None
    assert desk.outbox.book.names(OURS, extract)
    assert not desk.outbox.book.names(THEIRS, extract)
    assert not desk.outbox.book.names(OURS, "0" * 64)
    desk.outbox.fetched(OURS, extract)
    assert not desk.outbox.book.names(OURS, extract)
    desk.outbox.redelivered(sent.id, "asked for")
    assert desk.outbox.book.names(OURS, extract)
    desk.outbox.cancelled(sent.id, "not wanted")
    assert not desk.outbox.book.names(OURS, extract)


def test_an_open_delivery_is_one_that_somebody_may_still_want() -> None:
    assert set(State) - OPEN == {State.RECEIVED, State.SUPERSEDED, State.CANCELLED}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return make_stage(tmp_path_factory.mktemp("stage") / "instance", persons=20)


@pytest.mark.slow
def test_its_time_on_the_shelf_is_over_when_it_was_fetched_and_not_before(stage: Stage) -> None:
    settings = settings_of(stage.instance)
    with open_house(stage.instance, settings, "worker") as house:
        delivering = Delivering(house)
        told = {"kind": "full", "target": {"kind": "shelf"}}
        system = Agreements(house.control, house.registers).find(stage.agreement).system
        subscribed = wish_of(told, agreement=stage.agreement, system=system, service=SERVICE)
        delivering.desk.subscribe(subscribed, delivering.grant_for(subscribed), by="a test")
        delivering.plan()
        delivering.send()
        (delivery,) = delivering.outbox.book.listed()
        assert delivery.state is State.SENT
        on_shelf = house.shelf.names(stage.agreement, SERVICE)
        assert len(on_shelf) == 4
        over = replace(settings.extracts, shelf_days=0.0, keep_hours=0.0)
        ended = settings.model_copy(update={"extracts": over})
        tidy_extracts(stage.instance, ended)
        assert house.shelf.names(stage.agreement, SERVICE) == on_shelf
        (kept,) = (stage.instance.extracts / "files").glob("[!.]*.csv")
        assert kept.stat().st_nlink == 2
        assert delivery.extract is not None
        delivering.outbox.fetched(stage.agreement, delivery.extract)
        tidy_extracts(stage.instance, ended)
        assert house.shelf.names(stage.agreement, SERVICE) == ()
        assert not list((stage.instance.extracts / "files").glob("[!.]*.csv"))


@pytest.mark.slow
def test_a_full_shelf_holds_the_next_delivery_tells_both_once_and_takes_it_when_one_was_fetched(stage: Stage) -> None:
    settings = settings_of(stage.instance)
    narrow = settings.model_copy(update={"extracts": replace(settings.extracts, shelf_files=1)})
    with open_house(stage.instance, narrow, "worker") as house:
        delivering = Delivering(house)
        system = Agreements(house.control, house.registers).find(stage.agreement).system
        mine = []
        for columns in (["code", "name"], ["code"]):
            told = {"kind": "full", "target": {"kind": "shelf"}, "columns": columns}
            wish = wish_of(told, agreement=stage.agreement, system=system, service=SERVICE)
            mine.append(delivering.desk.subscribe(wish, delivering.grant_for(wish), by="a test").id)
        before = {each.id for each in inboxes(house)}
        delivering.plan()
        delivering.send()
        states = {each.state: each for each in delivering.outbox.book.listed(subscriptions=tuple(mine))}
        assert set(states) == {State.SENT, State.WITHHELD}
        held, sent = states[State.WITHHELD], states[State.SENT]
        assert (held.fault_code, held.attempts) == ("shelf_full", 0)
        for _ in range(2):
            raise_alarms(delivering)
        heard = {each.subject: each for each in inboxes(house) if each.id not in before}
        assert len(heard) == len([each for each in inboxes(house) if each.id not in before]) == 2
        kinds = {each.id: each.kind for each in house.control.organisations()}
        assert kinds[heard["A delivery is held back"].organisation] is OrganisationKind.OPERATOR
        assert kinds[heard["A delivery is withheld"].organisation] is OrganisationKind.SUPPLIER
        assert "fetch what waits there" in heard["A delivery is withheld"].text
        assert sent.extract is not None
        delivering.outbox.fetched(stage.agreement, sent.extract)
        # It is looked at again within five minutes.
        again = delivering.outbox.redelivered(held.id, "a test does not wait")
        delivering.send()
        assert delivering.outbox.book.get(again.id)[0].state is State.SENT
        (kept,) = [name for name in house.shelf.names(stage.agreement, SERVICE) if name.endswith(".csv")]
        assert kept != sent.file


def inboxes(house: House) -> tuple[Notice, ...]:
    with house.control.reading() as db:
        return load_notices(db)
