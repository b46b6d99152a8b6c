"""Agreements: their terms, their life, their history."""

import json
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control import (
    AgreementType,
    ControlStore,
    Deed,
    Party,
    PurposeTerms,
    ServiceTerms,
    State,
    Step,
    Terms,
)  # fmt: skip
from control.agreements import NEXT, advance
from control.agreements.deed import read_terms
from control.errors import AgreementInvalid, AgreementTaken, IllegalStep, Unregistered
from kernel import AgreementId, Limits, OrganisationId, ServiceName, SystemId, Window
from tests.control.builders import DAY, EXTRACT, MUNICIPALITIES, PERSONS, START, Cast, HandClock, terms

WORDS = st.text("abcæøå_ ", min_size=1, max_size=6).filter(str.strip)
SERVICE_TERMS = st.builds(
    ServiceTerms,
    columns=st.none() | st.frozensets(WORDS, min_size=1, max_size=4),
    rows=st.dictionaries(WORDS, st.frozensets(WORDS, min_size=1, max_size=4), max_size=3),
    protected=st.booleans(),
    version=st.sampled_from(["", "1.0.0"]),
)
COUNTS = st.none() | st.integers(1, 1000)
PURPOSES = st.builds(
    PurposeTerms, code=st.sampled_from(["care", "school-2", "x"]), text=WORDS, legal_basis=WORDS | st.just(""),
    calls_per_day=COUNTS, calls_per_month=COUNTS,
)  # fmt: skip
TERMS = st.builds(
    Terms,
    services=st.dictionaries(WORDS.map(ServiceName), SERVICE_TERMS, min_size=1, max_size=4),
    purpose=WORDS,
    legal_basis=WORDS,
    reason=WORDS,
    name=WORDS | st.just(""),
    purposes=st.lists(PURPOSES, max_size=3, unique_by=lambda each: each.code).map(
        lambda found: tuple(sorted(found, key=lambda each: each.code))
    ),
    limits=st.builds(Limits, keys_per_call=st.integers(1, 1000), calls_per_minute=COUNTS, calls_per_day=COUNTS),
)


def deed_of(made: Terms) -> Deed:
    municipality = Party(id=OrganisationId("m"), cvr="11111111", name="Nordby Kommune")
    supplier = Party(id=OrganisationId("s"), cvr="12345678", name="Fagsystemer ApS")
    return Deed(
        id=AgreementId("a"), municipality=municipality, supplier=supplier, system=SystemId("y"), system_name="care",
        terms=made, valid=Window(START),
    )  # fmt: skip


class TestTerms:
    @given(TERMS)
    def test_what_is_written_down_is_read_back_with_the_same_hash(self, made: Terms) -> None:
        assert Terms.from_json(json.loads(json.dumps(made.as_json()))) == made
        (terms, deed) = read_terms(deed_of(made).text)
        assert (terms, deed) == (made, deed_of(made))

    @given(TERMS, TERMS)
    def test_other_terms_have_another_hash(self, one: Terms, other: Terms) -> None:
        assert (one == other) == (deed_of(one).hash == deed_of(other).hash)

    @given(TERMS)
    def test_the_text_is_canonical(self, made: Terms) -> None:
        data = json.loads(deed_of(made).text)
        assert deed_of(made).text == json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    def test_the_order_of_services_means_nothing(self) -> None:
        assert deed_of(terms(PERSONS, EXTRACT)).hash == deed_of(terms(EXTRACT, PERSONS)).hash

    @pytest.mark.parametrize(
        "wrong",
        [
            {"services": {}},
            {"services": {PERSONS: ServiceTerms(columns=frozenset())}},
            {"services": {PERSONS: ServiceTerms(rows={"municipality": frozenset()})}},
            {"services": {ServiceName("two\nlines"): ServiceTerms()}},
            {"purpose": " "},
            {"legal_basis": ""},
            {"reason": "x" * 4001},
            {"reason": "tu\x07rn"},
            {"limits": Limits(keys_per_call=0)},
            {"limits": Limits(calls_per_minute=0)},
            {"limits": Limits(calls_per_day=0)},
            {"type": AgreementType.ONE_TO_ONE},
            {"receivers": "Somebody"},
            {"purposes": (PurposeTerms(code="a", text="x"), PurposeTerms(code="a", text="y"))},
            {"services": {PERSONS: ServiceTerms(columns=frozenset({"a\nb"}))}},
        ],
        ids=lambda wrong: next(iter(wrong)),
    )
    def test_terms_that_nobody_can_approve_are_refused(self, wrong: dict[str, object]) -> None:
        good: dict[str, object] = {
            "services": {PERSONS: ServiceTerms()},
            "purpose": "To plan.\nAnd to check.",
            "legal_basis": "Serviceloven § 83",
            "reason": "x",
        }
        assert Terms(**good)  # type: ignore[arg-type]
        with pytest.raises(AgreementInvalid):
            Terms(**(good | wrong))  # type: ignore[arg-type]


class TestLifeCycle:
    def test_these_steps_and_no_others_can_be_taken(self) -> None:
        assert {f"{state} --{step}-> {after}" for (state, step), after in NEXT.items()} == {
            "draft --request-> requested",
            "draft --withdraw-> withdrawn",
            "requested --withdraw-> withdrawn",
            "requested --approve-> approved",
            "requested --reject-> rejected",
            "approved --suspend-> suspended",
            "approved --replace-> approved",
            "approved --terminate-> terminated",
            "suspended --resume-> approved",
            "suspended --replace-> suspended",
            "suspended --terminate-> terminated",
        }

    @pytest.mark.parametrize(("state", "step"), sorted(set(product(State, Step)) - NEXT.keys()))
    def test_a_step_that_is_not_in_the_table_is_illegal(self, state: State, step: Step) -> None:
        with pytest.raises(IllegalStep) as refusal:
            advance(state, step)
        assert (refusal.value.status, refusal.value.code) == (409, "agreement_step_illegal")
        assert refusal.value.remedy

    def test_an_illegal_step_changes_nothing(self, cast: Cast) -> None:
        agreement = cast.approved()
        before = cast.sql("SELECT * FROM policy_version")
        with pytest.raises(IllegalStep, match="is approved cannot take the step approve"):
            cast.step(agreement.id, Step.APPROVE, by="once more")
        assert cast.agreements.find(agreement.id) == agreement
        assert cast.sql("SELECT * FROM policy_version") == before

    def test_an_agreement_expires_by_itself(self, cast: Cast) -> None:
        agreement = cast.approved(end=START + 30 * DAY)
        assert agreement.state_at(START + 30 * DAY) is State.EXPIRED
        assert agreement.state_at(START + 29 * DAY) is State.APPROVED
        cast.clock.moment += 30 * DAY
        for step in (Step.SUSPEND, Step.TERMINATE):
            with pytest.raises(IllegalStep, match="is expired"):
                cast.step(agreement.id, step, by="the municipality")

    def test_there_must_be_such_an_agreement(self, cast: Cast) -> None:
        with pytest.raises(Unregistered):
            cast.step(AgreementId("nothing"), Step.REQUEST, by="x")

    def test_it_is_made_with_a_municipality_for_a_system(self, cast: Cast) -> None:
        with pytest.raises(Unregistered, match="municipality"):
            cast.agreements.draft(cast.rival.id, cast.system.id, terms(), Window(START))
        with pytest.raises(Unregistered, match="system"):
            cast.agreements.draft(cast.north.id, SystemId("nothing"), terms(), Window(START))


class TestEnvironments:
    def test_in_production_a_request_waits_for_the_municipality(self, cast: Cast) -> None:
        assert cast.step(cast.draft().id, Step.REQUEST, by="the supplier").state is State.REQUESTED

    def test_in_the_test_environment_a_rule_approves_at_once_and_says_so(self, url: str, clock: HandClock) -> None:
        with ControlStore(url, environment="test", clock=clock) as store:
            cast = Cast.gather(store, clock, url)
            agreement = cast.step(cast.draft().id, Step.REQUEST, by="the supplier")
            assert agreement.live(START)
            assert [(each.step, each.by) for each in cast.agreements.history(agreement.id)] == [
                (Step.DRAFT, "the platform"),
                (Step.REQUEST, "the supplier"),
                (Step.APPROVE, "rule: in the test environment a request is approved at once"),
            ]

    def test_there_too_a_second_agreement_for_the_same_is_refused_whole(self, url: str, clock: HandClock) -> None:
        with ControlStore(url, environment="test", clock=clock) as store:
            cast = Cast.gather(store, clock, url)
            cast.approved()
            second = cast.draft()
            with pytest.raises(AgreementTaken):
                cast.agreements.send(second.id)
            assert cast.agreements.find(second.id) == second
            assert len(cast.agreements.history(second.id)) == 1


class TestOneLiveAgreement:
    def test_a_second_one_for_one_of_its_services_cannot_be_approved(self, cast: Cast) -> None:
        first = cast.approved(services=(PERSONS, EXTRACT))
        with pytest.raises(AgreementTaken, match=f"{first.id} covers cpr-persons-extract") as refusal:
            cast.approved(services=(EXTRACT, MUNICIPALITIES))
        assert (refusal.value.status, refusal.value.rule) == (409, "agreement.one_live_per_service")

    def test_another_service_system_or_municipality_may_have_its_own(self, cast: Cast) -> None:
        cast.approved()
        assert cast.approved(services=(EXTRACT,)).live(START)
        assert cast.approved(system=cast.sibling).live(START)
        assert cast.approved(municipality=cast.south).live(START)

    def test_one_may_follow_the_other(self, cast: Cast) -> None:
        cast.approved(end=START + 30 * DAY)
        assert cast.approved(start=START + 30 * DAY).state is State.APPROVED

    def test_they_may_not_meet(self, cast: Cast) -> None:
        cast.approved(end=START + 30 * DAY)
        with pytest.raises(AgreementTaken):
            cast.approved(start=START + 29 * DAY)

    def test_a_suspended_one_keeps_its_place(self, cast: Cast) -> None:
        first = cast.approved()
        cast.step(first.id, Step.SUSPEND, by="the municipality")
        with pytest.raises(AgreementTaken):
            cast.approved()

    @pytest.mark.parametrize("gone", ["terminated", "expired"])
    def test_one_that_is_over_gives_its_place(self, cast: Cast, gone: str) -> None:
        first = cast.approved(end=START + 5 * DAY)
        if gone == "terminated":
            cast.step(first.id, Step.TERMINATE, by="the municipality")
        else:
            cast.clock.moment += 5 * DAY
        assert cast.approved(start=START).live(cast.clock.now())


class TestHistory:
    def test_it_says_who_did_what_when_and_why(self, cast: Cast) -> None:
        agreement = cast.approved()
        cast.clock.moment += DAY
        cast.step(agreement.id, Step.SUSPEND, by="Nordby Kommune", note="Used for another purpose.")
        last = cast.agreements.history(agreement.id)[-1]
        assert (last.number, last.step, last.state) == (4, Step.SUSPEND, State.SUSPENDED)
        assert (last.by, last.at, last.note) == ("Nordby Kommune", START + DAY, "Used for another purpose.")

    def test_a_step_needs_somebody_who_took_it(self, cast: Cast) -> None:
        with pytest.raises(AgreementInvalid):
            cast.step(cast.draft().id, Step.REQUEST, by=" ")

    def test_a_line_that_was_taken_out_shows(self, cast: Cast) -> None:
        agreement = cast.approved()
        cast.sql("DROP TRIGGER agreement_steps_no_delete")
        cast.sql("DELETE FROM agreement_steps WHERE number = 2")
        assert [each.number for each in cast.agreements.history(agreement.id)] == [1, 3]

    def test_the_hash_stays_that_of_the_day_it_was_written_down(self, cast: Cast) -> None:
        agreement = cast.approved()
        text, deed = cast.agreements.deed(agreement.id)
        assert deed is not None
        ((stored, written),) = cast.sql("SELECT terms_hash, terms FROM agreements")
        assert (stored, written) == (agreement.terms_hash, text) == (deed.hash, deed.text)
        assert (deed.municipality.name, deed.supplier.name, deed.system_name) == (
            cast.north.name, cast.supplier.name, "care",
        )  # fmt: skip
