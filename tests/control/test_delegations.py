"""Delegations: what a supplier decides in a municipality's name, for which services and how long, and what withdrawal
takes along.
"""

import pytest

from control import (
    Actor,
    Agreements,
    Delegation,
    Delegations,
    Inbox,
    Organisation,
    Role,
    State,
    Step,
    load_policy,
)  # fmt: skip
from control.errors import AgreementNotLive, DelegationInvalid, NotYours, Unregistered
from kernel import OrganisationId, PlatformError, ServiceName, Window
from tests.control.builders import DAY, EXTRACT, PERSONS, START, Cast


def door_of(cast: Cast, organisation: Organisation, *roles: Role) -> Delegations:
    who = Actor(name=f"one of {organisation.name}", roles=frozenset(roles), organisation=organisation.id)
    return Delegations(cast.store.acting(who))


def given(cast: Cast, *services: ServiceName, end: int = 100) -> Delegation:
    return door_of(cast, cast.north, Role.DATA_CONTROLLER).give(
        cast.north.id, cast.rival.id, services or (PERSONS,), Window(START, START + end * DAY)
    )


def delegate(cast: Cast) -> Agreements:
    return cast.acting(cast.rival, Role.ADMINISTRATOR)


def refusal(cast: Cast) -> PlatformError | None:
    try:
        with cast.store.reading() as db:
            load_policy(db).grant(cast.call(), cast.clock.now())
    except PlatformError as error:
        return error
    return None


class TestDecidingForAMunicipality:
    def test_the_delegate_sees_requests_and_approves_them(self, cast: Cast) -> None:
        delegation = given(cast)
        made = cast.step(cast.draft().id, Step.REQUEST)
        assert delegate(cast).steps(made.id) == (Step.APPROVE, Step.REJECT)
        done = delegate(cast).approve(made.id)
        assert (done.state, done.delegation) == (State.APPROVED, delegation.id)
        assert cast.agreements.find(made.id).delegation == delegation.id
        assert cast.agreements.history(made.id)[-1].by == "one of Rivalen A/S"
        assert refusal(cast) is None
        assert Inbox(cast.store).notices(cast.north.id)[0].subject == (
            "Rivalen A/S took the step approve for you, for the system care of Fagsystemer ApS"
        )

    def test_it_stops_but_does_not_let_run_again_or_end(self, cast: Cast) -> None:
        given(cast)
        made = cast.approved()
        assert delegate(cast).suspend(made.id).state is State.SUSPENDED
        for step in (Step.RESUME, Step.TERMINATE):
            with pytest.raises(NotYours):
                delegate(cast).step(made.id, step)

    def test_only_its_administrators(self, cast: Cast) -> None:
        given(cast)
        made = cast.step(cast.draft().id, Step.REQUEST)
        with pytest.raises(NotYours):
            cast.acting(cast.rival, Role.USER, Role.DATA_CONTROLLER).approve(made.id)

    @pytest.mark.parametrize("services", [(EXTRACT,), (PERSONS, EXTRACT)])
    def test_not_on_an_agreement_with_another_service(self, cast: Cast, services: tuple[ServiceName, ...]) -> None:
        given(cast)
        made = cast.step(cast.draft(services=services).id, Step.REQUEST)
        with pytest.raises(Unregistered):
            delegate(cast).approve(made.id)

    def test_nor_one_that_would_end_such_an_agreement(self, cast: Cast) -> None:
        given(cast)
        broad = cast.approved(services=(PERSONS, EXTRACT))
        made = cast.step(cast.draft(replaces=broad.id).id, Step.REQUEST)
        with pytest.raises(NotYours):
            delegate(cast).approve(made.id)
        assert cast.agreements.find(broad.id) == broad

    def test_nor_of_another_municipality(self, cast: Cast) -> None:
        given(cast)
        made = cast.step(cast.draft(municipality=cast.south).id, Step.REQUEST)
        with pytest.raises(Unregistered):
            delegate(cast).approve(made.id)

    def test_nor_before_or_after_its_time(self, cast: Cast) -> None:
        given(cast, end=10)
        made = cast.step(cast.draft().id, Step.REQUEST)
        cast.clock.moment += 10 * DAY
        with pytest.raises(Unregistered):
            delegate(cast).approve(made.id)

    def test_withdrawn_between_the_look_and_the_step_it_counts_no_more(
        self, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        delegation, made = given(cast), cast.step(cast.draft().id, Step.REQUEST)
        door = delegate(cast)
        look = door._capacity

        def late(*told: object) -> object:
            found = look(*told)  # type: ignore[arg-type]
            Delegations(cast.store).withdraw(delegation.id)
            return found

        monkeypatch.setattr(door, "_capacity", late)
        with pytest.raises(NotYours, match="withdrawn"):
            door.approve(made.id)
        assert cast.agreements.find(made.id).state is State.REQUESTED


class TestWithdrawal:
    def test_it_suspends_what_was_approved_under_it_and_nothing_else(self, cast: Cast) -> None:
        delegation = given(cast, PERSONS, EXTRACT)
        mine = cast.approved(services=(EXTRACT,))
        under = delegate(cast).approve(cast.step(cast.draft().id, Step.REQUEST).id)
        Delegations(cast.store).withdraw(delegation.id)
        assert cast.agreements.find(mine.id).state is State.APPROVED
        assert cast.agreements.find(under.id).state is State.SUSPENDED
        assert cast.agreements.history(under.id)[-1].by.startswith("rule: the delegation")
        assert isinstance(refusal(cast), AgreementNotLive)
        with pytest.raises(Unregistered):
            delegate(cast).find(under.id)

    def test_the_municipality_lets_it_run_again_in_its_own_name(self, cast: Cast) -> None:
        delegation = given(cast)
        under = delegate(cast).approve(cast.step(cast.draft().id, Step.REQUEST).id)
        Delegations(cast.store).withdraw(delegation.id)
        resumed = cast.acting(cast.north, Role.DATA_CONTROLLER).resume(under.id)
        assert (resumed.state, resumed.delegation) == (State.APPROVED, None)
        assert refusal(cast) is None

    def test_running_out_leaves_what_was_decided(self, cast: Cast) -> None:
        given(cast, end=10)
        delegate(cast).approve(cast.step(cast.draft().id, Step.REQUEST).id)
        cast.clock.moment += 11 * DAY
        assert refusal(cast) is None

    def test_once(self, cast: Cast) -> None:
        delegation = given(cast)
        Delegations(cast.store).withdraw(delegation.id)
        with pytest.raises(DelegationInvalid):
            Delegations(cast.store).withdraw(delegation.id)


class TestWhoGives:
    def test_the_data_controller_of_the_municipality_alone(self, cast: Cast) -> None:
        for organisation, role in (
            (cast.north, Role.ADMINISTRATOR), (cast.south, Role.DATA_CONTROLLER), (cast.rival, Role.ADMINISTRATOR),
            (cast.rival, Role.OPERATOR),
        ):  # fmt: skip
            with pytest.raises(NotYours):
                door_of(cast, organisation, role).give(cast.north.id, cast.rival.id, {PERSONS}, Window(START))
        delegation = given(cast)
        with pytest.raises(NotYours):
            door_of(cast, cast.rival, Role.ADMINISTRATOR).withdraw(delegation.id)

    def test_both_sides_see_it_and_nobody_else(self, cast: Cast) -> None:
        delegation = given(cast)
        for organisation in (cast.north, cast.rival):
            assert door_of(cast, organisation, Role.USER).all() == (delegation,)
        assert door_of(cast, cast.south, Role.DATA_CONTROLLER).all() == ()
        with pytest.raises(Unregistered):
            door_of(cast, cast.south, Role.DATA_CONTROLLER).find(delegation.id)
        assert Delegations(cast.store).all(cast.supplier.id) == ()

    def test_what_makes_no_sense_is_refused(self, cast: Cast) -> None:
        door = Delegations(cast.store)
        for services in ((), ("two words",), ("x\n",)):
            with pytest.raises(DelegationInvalid):
                door.give(cast.north.id, cast.rival.id, tuple(map(ServiceName, services)), Window(START))
        with pytest.raises(DelegationInvalid):
            door.give(cast.north.id, cast.north.id, {PERSONS}, Window(START))
        with pytest.raises(Unregistered):
            door.give(cast.rival.id, cast.supplier.id, {PERSONS}, Window(START))
        with pytest.raises(Unregistered):
            door.give(cast.north.id, OrganisationId("nobody"), {PERSONS}, Window(START))
