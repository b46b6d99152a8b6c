"""A shelf is tidied, and what somebody is still to fetch stays on it."""

from dataclasses import replace
from pathlib import Path

import pytest

from control import Agreements
from extract.delivery.desk import wish_of
from extract.delivery.outbox_states import OPEN, State
from kernel import AgreementId, ServiceName
from runtime.delivering import Delivering
from runtime.environment import settings_of
from runtime.tidying import tidy_extracts
from runtime.wiring import open_house
from tests.delivery.builders import Desk, wish
from tests.journeys.platform import make_stage

SERVICE = ServiceName("municipalities-extract")
OURS, THEIRS = AgreementId("agreement-1"), AgreementId("agreement-2")


def test_an_extract_is_waited_for_until_its_delivery_is_taken_or_given_up(desk: Desk) -> None:
    made = desk.subscriptions.add(wish(), by="a test")
    desk.subscriptions.plan(made.id, 5)
    sent = desk.courier.turn()
    assert sent is not None
    extract = desk.outbox.listed()[0].extract
    assert extract is not None
    assert desk.outbox.names(OURS, extract)
    assert not desk.outbox.names(THEIRS, extract)
    assert not desk.outbox.names(OURS, "0" * 64)
    desk.outbox.fetched(OURS, extract)
    assert not desk.outbox.names(OURS, extract)
    desk.outbox.redelivered(sent.id, "asked for")
    assert desk.outbox.names(OURS, extract)
    desk.outbox.cancelled(sent.id, "not wanted")
    assert not desk.outbox.names(OURS, extract)


def test_an_open_delivery_is_one_that_somebody_may_still_want() -> None:
    assert set(State) - OPEN == {State.RECEIVED, State.SUPERSEDED, State.CANCELLED}


@pytest.mark.slow
def test_its_time_on_the_shelf_is_over_when_it_was_fetched_and_not_before(tmp_path: Path) -> None:
    stage = make_stage(tmp_path / "instance", persons=20)
    settings = settings_of(stage.instance)
    with open_house(stage.instance, settings, "worker") as house:
        delivering = Delivering(house)
        told = {"kind": "full", "target": {"kind": "shelf"}}
        system = Agreements(house.control, house.registers).find(stage.agreement).system
        subscribed = wish_of(told, agreement=stage.agreement, system=system, service=SERVICE)
        delivering.desk.subscribe(subscribed, delivering.grant_for(subscribed), by="a test")
        delivering.plan()
        delivering.send()
        (delivery,) = delivering.outbox.listed()
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
