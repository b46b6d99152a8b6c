"""Explain: what a call would meet, by the same policy and limits, with nothing counted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from control import Counters, Step, Verdict, explain, load_policy
from integrations import ensure_within_limits
from kernel import Call, Grant
from tests.control.builders import DAY, MUNICIPALITIES, START, Cast


@pytest.fixture
def counters(tmp_path: Path) -> Iterator[Counters]:
    with Counters(tmp_path / "rates.bin", slots=16) as opened:
        yield opened


def verdict_of(cast: Cast, counters: Counters, call: Call | None = None, keys: int = 1) -> Verdict:
    def within(grant: Grant) -> None:
        ensure_within_limits(keys, grant)

    with cast.store.reading() as db:
        policy = load_policy(db)
    return explain(policy, call or cast.call(), cast.clock.now(), counters, checks=(within,))


def test_a_call_that_gets_through_shows_the_grant(cast: Cast, counters: Counters) -> None:
    agreement = cast.approved(end=START + DAY)
    told = verdict_of(cast, counters).as_dict()
    assert (told["admitted"], told["agreement"], told["municipality"]) == (True, agreement.id, cast.north.cvr)
    assert (told["columns"], told["rows"], told["protected"], told["ends"]) == (None, {}, False, START + DAY)
    assert told["terms_hash"] == agreement.terms_hash


def test_without_an_agreement_the_rule_and_the_remedy(cast: Cast, counters: Counters) -> None:
    (refusal,) = verdict_of(cast, counters).as_dict()["refusals"]
    assert (refusal["code"], refusal["rule"]) == ("agreement_missing", "agreement.service")
    assert refusal["remedy"]


def test_an_agreement_that_is_suspended_says_until_when_it_would_have_run(cast: Cast, counters: Counters) -> None:
    made = cast.approved(end=START + DAY)
    cast.step(made.id, Step.SUSPEND, by="x")
    (refusal,) = verdict_of(cast, counters).as_dict()["refusals"]
    assert (refusal["code"], refusal["ends"]) == ("agreement_not_live", START + DAY)
    assert refusal["owner"] == f"municipality {cast.north.cvr}"


def test_one_that_begins_later_says_when_to_call(cast: Cast, counters: Counters) -> None:
    cast.approved(start=START + DAY)
    (refusal,) = verdict_of(cast, counters).as_dict()["refusals"]
    assert refusal["next"] == START + DAY


def test_too_many_keys_are_told_with_what_there_is_room_for(cast: Cast, counters: Counters) -> None:
    cast.approved()
    verdict = verdict_of(cast, counters, keys=1_001)
    (refusal,) = verdict.as_dict()["refusals"]
    assert (refusal["code"], refusal["left"]) == ("too_many_keys", 1_000)
    assert refusal["rule"] == "agreement.limits.keys_per_call"
    assert verdict.grant is not None


def test_another_service_is_not_covered(cast: Cast, counters: Counters) -> None:
    agreement = cast.approved()
    verdict = verdict_of(cast, counters, cast.call(MUNICIPALITIES, agreement=agreement.id))
    (error,) = verdict.refusals
    # For the record: whose agreement it is about.
    assert (error.code, error.agreement, error.municipality_cvr) == ("agreement_missing", agreement.id, cast.north.cvr)


def test_explaining_counts_nothing(cast: Cast, counters: Counters) -> None:
    cast.approved()
    before = cast.sql("select count(*) from audit")
    assert [verdict_of(cast, counters).allowance for _ in range(3)] == [verdict_of(cast, counters).allowance] * 3
    assert cast.sql("select count(*) from audit") == before
