"""Policy: which permission carries a call, and what is said when none does."""

from uuid import uuid4

import pytest

from control import Policy, ServiceTerms, Step, Terms, load_policy
from control.errors import AgreementAmbiguous, AgreementForeign, AgreementMissing, AgreementNotLive
from kernel import AgreementId, CallerMistake, Limits, PlatformError, ServiceName, Window
from tests.control.builders import DAY, EXTRACT, MUNICIPALITIES, PERSONS, START, Cast


def policy_of(cast: Cast) -> Policy:
    with cast.store.reading() as db:
        return load_policy(db)


def refusal_of(cast: Cast, kind: type[PlatformError], **call: object) -> PlatformError:
    with pytest.raises(kind) as refusal:
        policy_of(cast).grant(cast.call(**call), cast.clock.now())  # type: ignore[arg-type]
    assert refusal.value.remedy
    assert refusal.value.rule
    return refusal.value


class TestThreeWaysToOneGrant:
    def test_named_found_by_municipality_and_found_alone_are_the_same(self, cast: Cast) -> None:
        agreement = cast.approved(services=(PERSONS, EXTRACT))
        policy = policy_of(cast)
        found = [
            policy.grant(cast.call(agreement=agreement.id), START),
            policy.grant(cast.call(municipality=cast.north.cvr), START),
            policy.grant(cast.call(), START),
            policy.grant(cast.call(agreement=agreement.id, municipality=cast.north.cvr), START),
        ]
        assert all(grant is found[0] for grant in found)
        assert (found[0].agreement, found[0].service) == (agreement.id, PERSONS)

    def test_a_grant_says_all_that_was_agreed(self, cast: Cast) -> None:
        terms = Terms(
            services={
                PERSONS: ServiceTerms(
                    columns=frozenset({"pnr", "name"}), rows={"municipality": frozenset({"0851"})}, protected=True
                ),
                EXTRACT: ServiceTerms(),
            },
            purpose="To plan.", legal_basis="§ 83", reason="x",
            limits=Limits(keys_per_call=5, calls_per_minute=60),
        )  # fmt: skip
        valid = Window(START, START + DAY)
        drafted = cast.agreements.draft(cast.north.id, cast.system.id, terms, valid)
        cast.step(drafted.id, Step.REQUEST, by="x")
        cast.step(drafted.id, Step.APPROVE, by="y")
        grant = policy_of(cast).grant(cast.call(), START)
        assert (grant.columns, dict(grant.rows), grant.protected) == (
            frozenset({"pnr", "name"}),
            {"municipality": frozenset({"0851"})},
            True,
        )
        assert (grant.system, grant.municipality, grant.municipality_cvr) == (
            cast.system.id,
            cast.north.id,
            cast.north.cvr,
        )
        assert (grant.valid, grant.limits, grant.terms_hash) == (valid, terms.limits, drafted.terms_hash)
        other = policy_of(cast).grant(cast.call(EXTRACT), START)
        assert (other.columns, dict(other.rows), other.protected) == (None, {}, False)

    def test_several_municipalities_must_be_told_apart(self, cast: Cast) -> None:
        cast.approved()
        cast.approved(municipality=cast.south)
        refusal = refusal_of(cast, AgreementAmbiguous)
        assert (refusal.status, refusal.code) == (400, "agreement_ambiguous")
        assert cast.north.cvr in refusal.message
        assert cast.south.cvr in refusal.message
        grant = policy_of(cast).grant(cast.call(municipality=cast.south.cvr), START)
        assert grant.municipality_cvr == cast.south.cvr

    def test_one_that_is_live_is_found_beside_one_that_is_over(self, cast: Cast) -> None:
        cast.step(cast.approved(municipality=cast.south).id, Step.SUSPEND, by="x")
        live = cast.approved()
        assert policy_of(cast).grant(cast.call(), START).agreement == live.id

    def test_all_grants_of_a_system_are_those_in_force(self, cast: Cast) -> None:
        both = cast.approved(services=(PERSONS, EXTRACT))
        cast.step(cast.approved(services=(MUNICIPALITIES,)).id, Step.SUSPEND, by="x")
        cast.approved(system=cast.sibling)
        cast.draft(municipality=cast.south)
        found = policy_of(cast).grants_of(cast.system.id, START)
        assert [(grant.agreement, grant.service) for grant in found] == [(both.id, PERSONS), (both.id, EXTRACT)]


class TestRefusals:
    def test_no_agreement(self, cast: Cast) -> None:
        refusal = refusal_of(cast, AgreementMissing)
        assert (refusal.status, refusal.code, refusal.rule) == (403, "agreement_missing", "agreement.service")

    def test_no_agreement_with_that_municipality(self, cast: Cast) -> None:
        cast.approved()
        refusal = refusal_of(cast, AgreementMissing, municipality=cast.south.cvr)
        assert refusal.owner == f"municipality {cast.south.cvr}"

    def test_an_agreement_that_does_not_cover_the_service(self, cast: Cast) -> None:
        agreement = cast.approved()
        refusal = refusal_of(cast, AgreementMissing, service=EXTRACT, agreement=agreement.id)
        assert str(EXTRACT) in refusal.message

    def test_an_agreement_and_another_municipality(self, cast: Cast) -> None:
        agreement = cast.approved()
        cast.approved(municipality=cast.south)
        refusal = refusal_of(cast, AgreementMissing, agreement=agreement.id, municipality=cast.south.cvr)
        assert refusal.rule == "agreement.municipality"

    @pytest.mark.parametrize("named", [True, False])
    @pytest.mark.parametrize(
        ("steps", "days", "told", "rule"),
        [
            ([], 0, "is a draft since 2031-02-10 08:00 UTC", "agreement.state"),
            ([Step.REQUEST], 0, "awaits approval since 2031-02-10 08:00 UTC", "agreement.state"),
            ([Step.REQUEST, Step.REJECT], 0, "was rejected 2031-02-10 08:00 UTC", "agreement.state"),
            ([Step.REQUEST, Step.APPROVE], -1, "is in force from 2031-02-10 08:00 UTC", "agreement.valid_from"),
            ([Step.REQUEST, Step.APPROVE], 30, "ended 2031-03-12 08:00 UTC", "agreement.valid_to"),
            ([Step.REQUEST, Step.APPROVE, Step.SUSPEND], 1, "is suspended since 2031-02-10", "agreement.state"),
            ([Step.REQUEST, Step.APPROVE, Step.SUSPEND], 31, "ended 2031-03-12 08:00 UTC", "agreement.valid_to"),
            ([Step.REQUEST, Step.APPROVE, Step.TERMINATE], 1, "was terminated 2031-02-10", "agreement.state"),
        ],
    )
    def test_one_that_is_not_in_force_says_why_since_when_and_whose_it_is(
        self, cast: Cast, steps: list[Step], days: int, told: str, rule: str, named: bool
    ) -> None:
        agreement = cast.draft(end=START + 30 * DAY)
        for step in steps:
            cast.step(agreement.id, step, by="somebody")
        cast.clock.moment += days * DAY
        refusal = refusal_of(cast, AgreementNotLive, agreement=agreement.id if named else None)
        assert told in refusal.message
        assert (refusal.status, refusal.rule, refusal.owner) == (403, rule, f"municipality {cast.north.cvr}")

    def test_of_several_that_are_not_in_force_the_nearest_is_told(self, cast: Cast) -> None:
        suspended = cast.approved()
        cast.step(suspended.id, Step.SUSPEND, by="x")
        cast.draft()
        cast.step(cast.step(cast.draft().id, Step.REQUEST, by="x").id, Step.REJECT, by="y")
        assert suspended.id in refusal_of(cast, AgreementNotLive).message

    def test_no_refusal_names_a_person(self, cast: Cast) -> None:
        agreement = cast.draft()
        cast.step(agreement.id, Step.REQUEST, by="Karen Blixen")
        cast.step(agreement.id, Step.REJECT, by="Karen Blixen", note="Karen said no")
        refusal = refusal_of(cast, AgreementNotLive)
        assert "Karen" not in f"{refusal.message} {refusal.remedy} {refusal.owner}"


class TestAttacks:
    def test_another_systems_agreement_and_nobodys_are_refused_alike(self, cast: Cast) -> None:
        others = cast.approved(system=cast.sibling, services=(MUNICIPALITIES,))
        cast.approved()
        refusals = [
            refusal_of(cast, AgreementForeign, agreement=others.id, service=service)
            for service in (PERSONS, MUNICIPALITIES, ServiceName("no-such-service"))
        ] + [refusal_of(cast, AgreementForeign, agreement=AgreementId(str(uuid4())), service=PERSONS)]
        assert len({(each.message, each.remedy, each.rule, each.owner, each.status) for each in refusals}) == 1
        assert others.id not in refusals[0].message

    def test_a_sibling_of_the_same_organisation_is_another_system(self, cast: Cast) -> None:
        cast.approved(system=cast.sibling)
        refusal_of(cast, AgreementMissing)
        refusal_of(cast, AgreementMissing, municipality=cast.north.cvr)

    @pytest.mark.parametrize("name", ["", "%", "' OR 1=1 --", "x" * 10_000, "\x00"])
    def test_no_text_for_an_agreement_or_municipality_opens_anything(self, cast: Cast, name: str) -> None:
        cast.approved()
        refusal_of(cast, AgreementForeign, agreement=AgreementId(name))
        refusal_of(cast, AgreementMissing, municipality=name or "0")

    def test_a_personal_number_named_by_mistake_is_not_repeated(self, cast: Cast) -> None:
        refusal = refusal_of(cast, AgreementMissing, municipality="0101701234")
        assert "0101701234" not in f"{refusal.message} {refusal.remedy} {refusal.owner}"

    def test_every_refusal_is_the_callers_to_mend(self) -> None:
        for kind in (AgreementMissing, AgreementForeign, AgreementNotLive, AgreementAmbiguous):
            assert issubclass(kind, CallerMistake)
