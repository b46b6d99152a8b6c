"""The agreement door: who takes which step, what is written down, renewal, rows of one's own, and what others see."""

import json
from dataclasses import replace

import pytest

from control import (
    AgreementType,
    ControlStore,
    Inbox,
    Organisation,
    PurposeTerms,
    Role,
    ServiceTerms,
    State,
    Step,
    Terms,
    load_policy,
)
from control.agreements import hash_of
from control.audit import load_entries
from control.errors import AgreementInvalid, AgreementNotLive, AgreementTaken, IllegalStep, NotYours, Unregistered
from kernel import Grant, OrganisationId, Purpose, ServiceName, Window
from schemas import SHIPPED, Registers, load_registers
from tests.control.builders import DAY, EXTRACT, MUNICIPALITIES, PERSONS, START, Cast, HandClock, terms


@pytest.fixture(scope="module")
def registers() -> Registers:
    return load_registers(SHIPPED)


def one_service(**covered: object) -> Terms:
    return replace(terms(), services={PERSONS: ServiceTerms(**covered)})  # type: ignore[arg-type]


def grant_now(cast: Cast, service: ServiceName = PERSONS) -> Grant:
    with cast.store.reading() as db:
        return load_policy(db).grant(cast.call(service), cast.clock.now())


def told(cast: Cast, whose: Organisation) -> list[str]:
    return [each.subject for each in reversed(Inbox(cast.store).notices(whose.id))]


class TestWhoTakesWhichStep:
    def test_the_supplier_asks_and_the_municipality_decides(self, cast: Cast) -> None:
        supplier = cast.acting(cast.supplier, Role.USER)
        north = cast.acting(cast.north, Role.DATA_CONTROLLER)
        made = supplier.request(cast.north.id, cast.system.id, terms(), Window(START), note="In a hurry.")
        assert made.state is State.REQUESTED
        assert [north.steps(made.id), supplier.steps(made.id)] == [(Step.APPROVE, Step.REJECT), (Step.WITHDRAW,)]
        for step in (north.approve, north.suspend, north.resume, supplier.terminate):
            done = step(made.id)
        assert done.state is State.TERMINATED
        assert [(each.step, each.by) for each in supplier.history(made.id)] == [
            (Step.DRAFT, "one of Fagsystemer ApS"),
            (Step.REQUEST, "one of Fagsystemer ApS"),
            (Step.APPROVE, "one of Nordby Kommune"),
            (Step.SUSPEND, "one of Nordby Kommune"),
            (Step.RESUME, "one of Nordby Kommune"),
            (Step.TERMINATE, "one of Fagsystemer ApS"),
        ]

    def test_every_step_is_in_the_audit_trail(self, cast: Cast) -> None:
        made = cast.acting(cast.supplier, Role.USER).request(cast.north.id, cast.system.id, terms(), Window(START))
        cast.acting(cast.north, Role.DATA_CONTROLLER).reject(made.id, note="No.")
        with cast.store.reading() as db:
            found = load_entries(db, about=f"agreement {made.id}")
        assert [(each.verb, each.actor, each.details) for each in found] == [
            ("agreement.request", "one of Fagsystemer ApS", {"step": "request", "note": ""}),
            ("agreement.decide", "one of Nordby Kommune", {"step": "reject", "note": "No."}),
        ]

    @pytest.mark.parametrize("step", [Step.APPROVE, Step.REJECT, Step.SUSPEND, Step.RESUME])
    def test_no_supplier_decides(self, cast: Cast, step: Step) -> None:
        made = cast.approved() if step in {Step.SUSPEND, Step.RESUME} else cast.step(cast.draft().id, Step.REQUEST)
        for role in Role:
            if role is not Role.OPERATOR:
                with pytest.raises(NotYours):
                    cast.acting(cast.supplier, role).step(made.id, step)

    def test_a_users_role_in_the_municipality_does_not_end_agreements(self, cast: Cast) -> None:
        made = cast.approved()
        for role in (Role.USER, Role.ADMINISTRATOR):
            with pytest.raises(NotYours):
                cast.acting(cast.north, role).terminate(made.id)

    def test_the_operator_stops_and_does_not_decide(self, cast: Cast) -> None:
        made = cast.approved()
        operator = cast.acting(cast.rival, Role.OPERATOR)
        assert operator.suspend(made.id).state is State.SUSPENDED
        for step in (operator.resume, operator.terminate):
            with pytest.raises(NotYours):
                step(made.id)
        assert operator.steps(made.id) == ()

    def test_what_follows_by_itself_is_nobodys_step(self, cast: Cast) -> None:
        made = cast.approved()
        with pytest.raises(NotYours):
            cast.acting(cast.north, Role.DATA_CONTROLLER).step(made.id, Step.REPLACE)

    def test_a_request_can_be_taken_back_until_it_is_decided_on(self, cast: Cast) -> None:
        supplier = cast.acting(cast.supplier, Role.USER)
        made = supplier.request(cast.north.id, cast.system.id, terms(), Window(START))
        assert supplier.withdraw(made.id).state is State.WITHDRAWN
        with pytest.raises(IllegalStep):
            cast.acting(cast.north, Role.DATA_CONTROLLER).approve(made.id)
        with pytest.raises(AgreementNotLive, match="was withdrawn"):
            grant_now(cast)
        with pytest.raises(IllegalStep):
            supplier.withdraw(cast.approved().id)

    def test_nobody_requests_for_anothers_system_or_a_retired_one(self, cast: Cast) -> None:
        rival = cast.acting(cast.rival, Role.USER)
        with pytest.raises(NotYours):
            rival.request(cast.north.id, cast.system.id, terms(), Window(START))
        with pytest.raises(Unregistered):
            rival.send(cast.draft().id)


class TestWhoSeesWhat:
    def test_others_agreements_are_not_there(self, cast: Cast) -> None:
        made = cast.approved()
        for foreign in (cast.acting(cast.rival, *Role), cast.acting(cast.south, Role.DATA_CONTROLLER)):
            if foreign is not None and Role.OPERATOR not in foreign._store.actor.roles:
                for look in (foreign.find, foreign.history, foreign.deed, foreign.steps):
                    with pytest.raises(Unregistered):
                        look(made.id)
                assert foreign.all() == ()

    def test_a_draft_is_the_suppliers_until_it_is_sent(self, cast: Cast) -> None:
        drafted, north = cast.draft(), cast.acting(cast.north, Role.DATA_CONTROLLER)
        with pytest.raises(Unregistered):
            north.find(drafted.id)
        cast.acting(cast.supplier, Role.USER).send(drafted.id)
        assert north.find(drafted.id).state is State.REQUESTED

    def test_lists_are_filtered(self, cast: Cast) -> None:
        first = cast.approved(services=(PERSONS, EXTRACT), end=START + 5 * DAY)
        second = cast.approved(municipality=cast.south, system=cast.sibling)
        third = cast.draft(services=(MUNICIPALITIES,))
        door = cast.agreements

        def ids(**chosen: object) -> list[str]:
            return [each.id for each in door.all(**chosen)]  # type: ignore[arg-type]

        assert ids() == [first.id, second.id, third.id]
        assert ids(organisation=cast.south.id) == ids(municipality=cast.south.id) == [second.id]
        assert ids(organisation=cast.supplier.id) == ids(supplier=cast.supplier.id) == ids()
        assert ids(municipality=cast.supplier.id) == ids(supplier=OrganisationId("nobody")) == []
        assert ids(system=cast.sibling.id) == [second.id]
        assert ids(service=EXTRACT) == [first.id]
        assert ids(states={State.DRAFT}) == [third.id]
        assert ids(ends_before=START + 6 * DAY) == [first.id]
        cast.clock.moment += 5 * DAY
        assert ids(states={State.EXPIRED}) == [first.id]
        assert ids(ends_before=START + 6 * DAY) == []


class TestTheShape:
    def test_purposes_come_with_their_quotas(self, cast: Cast) -> None:
        purposes = (
            PurposeTerms(code="care", text="Plans care.", calls_per_day=10),
            PurposeTerms(code="school", text="Enrols.", legal_basis="Folkeskoleloven § 36", calls_per_month=100),
        )
        cast.approved(terms=replace(terms(), purposes=purposes, name="Home care"))
        assert grant_now(cast).purposes == {
            "care": Purpose(code="care", calls_per_day=10),
            "school": Purpose(code="school", calls_per_month=100),
        }

    def test_data_is_passed_on_to_somebody_who_is_named(self, cast: Cast) -> None:
        passed_on = replace(terms(), type=AgreementType.ONE_TO_ONE, receivers="Nordby Bibliotek")
        made = cast.approved(terms=passed_on)
        assert made.terms.type.passes_on
        with pytest.raises(AgreementInvalid):
            replace(terms(), type=AgreementType.SEVERAL_OWNERS)

    def test_own_municipality_is_the_code_of_the_agreements_municipality(self, cast: Cast) -> None:
        made = cast.approved(terms=one_service(own_municipality=frozenset({"municipality_code"})))
        assert grant_now(cast).rows == {"municipality_code": frozenset({"0851"})}
        assert made.terms.services[PERSONS].own_municipality == {"municipality_code"}

    def test_a_municipality_without_a_code_has_no_rows_of_its_own(self, cast: Cast) -> None:
        with pytest.raises(AgreementInvalid, match="code is not known"):
            cast.draft(municipality=cast.south, terms=one_service(own_municipality=frozenset({"municipality_code"})))

    def test_all_columns_are_those_of_the_day(self, cast: Cast, registers: Registers) -> None:
        door = cast.acting(cast.supplier, Role.USER, registers=registers)
        made = door.draft(cast.north.id, cast.system.id, terms(), Window(START))
        covered = made.terms.services[PERSONS]
        dataset = registers.dataset_of(registers.service(PERSONS))
        assert covered.columns == frozenset(dataset.names)
        assert covered.version == registers.service(PERSONS).version

    @pytest.mark.parametrize(
        "wrong",
        [
            one_service(columns=frozenset({"pnr", "nothing"})),
            one_service(rows={"nothing": frozenset({"1"})}),
            one_service(own_municipality=frozenset({"nothing"})),
            terms(ServiceName("nothing")),
        ],
        ids=["columns", "rows", "own", "service"],
    )
    def test_what_no_service_offers_is_refused(self, cast: Cast, registers: Registers, wrong: Terms) -> None:
        door = cast.acting(cast.supplier, Role.USER, registers=registers)
        with pytest.raises(AgreementInvalid) as refusal:
            door.request(cast.north.id, cast.system.id, wrong, Window(START))
        assert refusal.value.remedy
        assert cast.agreements.all() == ()

    def test_a_personal_number_in_a_columns_place_is_not_repeated(self, cast: Cast, registers: Registers) -> None:
        door = cast.acting(cast.supplier, Role.USER, registers=registers)
        with pytest.raises(AgreementInvalid) as refusal:
            door.draft(cast.north.id, cast.system.id, one_service(columns=frozenset({"0101701234"})), Window(START))
        assert "0101701234" not in refusal.value.message


class TestTheDeed:
    def test_terms_that_are_changed_by_hand_grant_nothing(self, cast: Cast) -> None:
        made = cast.approved(terms=one_service(columns=frozenset({"pnr"})))
        assert grant_now(cast).columns == frozenset({"pnr"})
        cast.sql("UPDATE agreements SET terms = replace(terms, '\"pnr\"', '\"name\"')")
        with pytest.raises(AgreementNotLive, match="as it was written down") as refusal:
            grant_now(cast)
        assert refusal.value.rule == "agreement.hash"
        with pytest.raises(AgreementInvalid):
            cast.agreements.deed(made.id)

    @pytest.mark.parametrize(
        "tampering",
        [
            "UPDATE agreements SET valid_to = '2099-01-01T00:00:00.000000+00:00'",
            "UPDATE agreements SET municipality = (SELECT id FROM organisations WHERE cvr = '22222222')",
            "UPDATE agreements SET system = (SELECT id FROM systems WHERE name = 'school')",
            "UPDATE agreements SET terms = 'x'",
            "UPDATE agreements SET terms = '{}'",
            "UPDATE agreements SET terms = '[]'",
        ],
    )
    def test_and_so_do_its_parties_and_its_window(self, cast: Cast, tampering: str) -> None:
        made = cast.approved(end=START + DAY)
        cast.sql(tampering)
        with cast.store.reading() as db:
            for system in (cast.system.id, cast.sibling.id):
                assert load_policy(db).grants_of(system, START) == ()
        with pytest.raises(AgreementInvalid):
            cast.agreements.deed(made.id)

    def test_one_of_the_first_release_is_still_in_force(self, cast: Cast) -> None:
        made = cast.approved()
        old = {
            "services": {PERSONS: {"columns": ["pnr"], "rows": {}, "protected": False}}, "purpose": "p",
            "legal_basis": "l", "reason": "r", "passes_on": True,
            "limits": {"keys_per_call": 7, "calls_per_minute": None},
        }  # fmt: skip
        text = json.dumps(old, sort_keys=True, separators=(",", ":"))

        cast.sql("UPDATE agreements SET terms = ?, terms_hash = ?", text, hash_of(text))
        grant = grant_now(cast)
        assert (grant.columns, grant.limits.keys_per_call) == (frozenset({"pnr"}), 7)
        assert cast.agreements.find(made.id).terms.type.passes_on
        assert cast.agreements.deed(made.id) == (text, None)


class TestRenewal:
    def test_the_new_one_takes_over_without_a_gap(self, cast: Cast) -> None:
        old = cast.approved(end=START + 30 * DAY)
        door = cast.acting(cast.supplier, Role.USER)
        new = door.renew(old.id, Window(START + 20 * DAY, START + 400 * DAY))
        assert cast.agreements.find(old.id).valid.end == START + 30 * DAY
        cast.acting(cast.north, Role.DATA_CONTROLLER).approve(new.id)
        before = None
        for hour in range(19 * 24, 40 * 24):
            cast.clock.moment = START + hour * DAY / 24
            found = grant_now(cast).agreement
            assert found == (old.id if hour < 20 * 24 else new.id)
            before = before or found
        assert [each.step for each in cast.agreements.history(old.id)][-1] is Step.REPLACE
        assert cast.agreements.find(old.id).state_at(cast.clock.now()) is State.EXPIRED
        assert cast.agreements.find(old.id).terms_hash == old.terms_hash

    def test_at_once_when_it_begins_before_it_is_approved(self, cast: Cast) -> None:
        old = cast.approved()
        new = cast.acting(cast.supplier, Role.USER).renew(old.id, Window(START), terms=terms(PERSONS, EXTRACT))
        cast.clock.moment += DAY
        with cast.store.reading() as db:
            before = load_policy(db)
        cast.step(new.id, Step.APPROVE)
        with cast.store.reading() as db:
            after = load_policy(db, before=before)
        assert before.grant(cast.call(), cast.clock.now()).agreement == old.id
        assert after.grant(cast.call(), cast.clock.now()).agreement == new.id
        with pytest.raises(AgreementNotLive):
            after.grant(cast.call(agreement=old.id), cast.clock.now())

    def test_until_it_is_approved_nothing_changes(self, cast: Cast) -> None:
        old = cast.approved()
        new = cast.acting(cast.supplier, Role.USER).renew(old.id, Window(START))
        cast.step(new.id, Step.REJECT)
        assert cast.agreements.find(old.id) == old

    def test_it_leaves_no_gap_and_stays_between_the_same_two(self, cast: Cast) -> None:
        old = cast.approved(end=START + DAY)
        with pytest.raises(AgreementInvalid, match="begins after"):
            cast.draft(start=START + 2 * DAY, replaces=old.id)
        for other in ({"municipality": cast.south}, {"system": cast.sibling}):
            with pytest.raises(AgreementInvalid, match="another system or municipality"):
                cast.draft(replaces=old.id, **other)
        with pytest.raises(AgreementInvalid, match="is draft"):
            cast.draft(replaces=cast.draft().id)

    def test_without_saying_so_nothing_is_replaced(self, cast: Cast) -> None:
        cast.approved()
        with pytest.raises(AgreementTaken) as refusal:
            cast.approved()
        assert "replace it" in refusal.value.remedy

    def test_in_the_test_environment_too(self, url: str, clock: HandClock) -> None:
        with ControlStore(url, environment="test", clock=clock) as store:
            cast = Cast.gather(store, clock, url)
            old = cast.approved()
            new = cast.agreements.renew(old.id, Window(START))
            assert grant_now(cast).agreement == new.id


class TestNotices:
    def test_each_side_hears_of_what_the_other_did(self, cast: Cast) -> None:
        made = cast.step(cast.draft().id, Step.REQUEST)
        for step in (Step.APPROVE, Step.SUSPEND, Step.RESUME, Step.TERMINATE):
            cast.step(made.id, step)
        cast.step(cast.step(cast.draft().id, Step.REQUEST).id, Step.WITHDRAW)
        assert told(cast, cast.north) == [
            "Fagsystemer ApS requests an agreement for its system care",
            "The agreement with Fagsystemer ApS for the system care is suspended",
            "The agreement with Fagsystemer ApS for the system care is terminated",
            "Fagsystemer ApS requests an agreement for its system care",
            "Fagsystemer ApS withdrew its request for the system care",
        ]
        assert told(cast, cast.supplier) == [
            "Nordby Kommune approved the agreement for the system care",
            "The agreement of Nordby Kommune for the system care is suspended",
            "The agreement of Nordby Kommune for the system care is in force again",
            "The agreement of Nordby Kommune for the system care is terminated",
        ]

    def test_a_request_is_for_those_who_decide(self, cast: Cast) -> None:
        cast.step(cast.draft().id, Step.REQUEST)
        (notice,) = Inbox(cast.store).notices(cast.north.id)
        assert notice.roles == {Role.DATA_CONTROLLER}

    def test_no_notice_holds_what_a_person_wrote(self, cast: Cast) -> None:
        written = replace(terms(), reason="Anna 0101701234", purpose="Bent", legal_basis="Carl", name="Dorthe")
        made = cast.step(cast.draft(terms=written).id, Step.REQUEST, by="Erik", note="Frida")
        cast.step(made.id, Step.APPROVE, by="Erik", note="Gerda")
        notices = (*Inbox(cast.store).notices(cast.north.id), *Inbox(cast.store).notices(cast.supplier.id))
        text = " ".join(f"{each.subject} {each.text} {each.about}" for each in notices)
        assert notices
        for name in ("Anna", "0101701234", "Bent", "Carl", "Dorthe", "Erik", "Frida", "Gerda"):
            assert name not in text
