"""The road of one live call, on a clock that is turned: deadlines, tries, breakers, fallbacks, orchestration."""

import json
import random
from dataclasses import replace
from typing import Any

import pytest

from integrations import Came, Exchange, KeyInvalid, Reply, SourceTooSlow, SourceUnreachable
from integrations.errors import (
    InputInvalid,
    NarrowedTooFar,
    ReplicaTooOld,
    SourceFailed,
    SourceResting,
    StepFailed,
)
from kernel import DatasetId, NotAllowed, PlatformError
from schemas import Orchestration, PassThrough, Service
from tests.integrations.roads import REGISTERS, AVisit, Source, World

ANNA, NOBODY = "6101701001", "6101709999"
ROWS: dict[str, dict[str, dict[str, Any]]] = {
    "cpr.persons": {
        ANNA: {
            "pnr": ANNA,
            "status": "01",
            "municipality_code": "0851",
            "name": {"surname": "Prøve"},
            "protections": [],
        }
    },
    "municipality.municipalities": {"0851": {"code": "0851", "name": "Aalborg"}},
}
RESIDENTS, ORDERS = REGISTERS.service("korsbaek-residents"), REGISTERS.service("korsbaek-orders")
OVERVIEW = REGISTERS.service("korsbaek-overview")
KNOWN = Came(status=200, fields={"content-type": "application/json"}, body=b'{"resident": {"status": "01"}}')


def after(seconds: float, came: Came | PlatformError = KNOWN) -> Source:
    return lambda _, __: (seconds, came)


def gone(_: Exchange, __: float) -> tuple[float, Came | PlatformError]:
    return 0.01, SourceUnreachable("gone")


def within(service: Service, **changes: Any) -> Service:
    assert isinstance(service.live, PassThrough | Orchestration)
    return replace(service, live=replace(service.live, **changes))


def of(pnr: str) -> bytes:
    return json.dumps({"pnr": pnr}).encode()


class TestPassThrough:
    def test_the_answer_of_the_source_is_on_record_before_it_is_given(self) -> None:
        visit, world = AVisit(RESIDENTS), World(after(0.1), ROWS)
        assert world.call(visit, of(ANNA)).by == "source"
        assert visit.told == [("korsbaek-residents", "source")]
        assert visit.subjects == [ANNA]

    def test_all_tries_together_keep_the_deadline(self) -> None:
        service = within(ORDERS, retries=3, deadline_s=1.0)
        late = SourceTooSlow("late")
        world = World(lambda asked, _: (min(asked.timeout_s, 0.6), late), ROWS)
        with pytest.raises(SourceTooSlow):
            world.call(AVisit(service), b"{}", "PUT")
        assert world.now <= 1.0
        assert len(world.asked) == 2
        assert world.asked[1].timeout_s == pytest.approx(0.35)

    def test_what_may_have_arrived_is_sent_again_only_where_that_does_no_harm(self) -> None:
        for method, tries in (("POST", 1), ("PUT", 2), ("DELETE", 2)):
            world = World(gone, ROWS)
            with pytest.raises(SourceUnreachable):
                world.call(AVisit(ORDERS), b"{}", method)
            assert len(world.asked) == tries
        world = World(after(0.01, SourceUnreachable("refused", arrived=False)), ROWS)
        with pytest.raises(SourceUnreachable):
            world.call(AVisit(ORDERS), b"{}", "POST")
        assert len(world.asked) == 2, "what never arrived does no harm"

    def test_a_status_that_says_failure_counts_as_one(self) -> None:
        world = World(after(0.01, Came(status=503)), ROWS)
        with pytest.raises(SourceFailed):
            world.call(AVisit(within(RESIDENTS, fallback=None, retries=0)), of(ANNA))
        assert world.breakers.of("korsbaek").failures == 1

    def test_a_refusal_of_the_source_is_an_answer(self) -> None:
        world = World(after(0.01, Came(status=404, body=b"no")), ROWS)
        assert world.call(AVisit(RESIDENTS), of(ANNA)).status == 404
        assert world.breakers.of("korsbaek").failures == 0

    def test_the_replica_answers_within_columns_rows_and_protection_of_the_agreement(self) -> None:
        reply = World(gone, ROWS).call(AVisit(RESIDENTS), of(ANNA))
        assert (reply.by, reply.why, reply.rows) == ("replica", "source_unreachable", 1)
        assert reply.document() == {"resident": {"pnr": ANNA, "status": "01", "municipality_code": "0851"}}
        with pytest.raises(NarrowedTooFar):
            World(gone, ROWS).call(AVisit(RESIDENTS, narrowed={"rows": {"status": frozenset({"01"})}}), of(ANNA))

    def test_an_agreement_that_names_every_column_is_on_the_whole(self) -> None:
        every = frozenset(REGISTERS.dataset(DatasetId("cpr.persons")).names)
        visit = AVisit(RESIDENTS, narrowed={"columns": every})
        assert World(after(0.1), ROWS).call(visit, of(ANNA)).by == "source"
        with pytest.raises(NarrowedTooFar):
            World(after(0.1), ROWS).call(AVisit(RESIDENTS, narrowed={"columns": every - {"name"}}), of(ANNA))

    def test_an_answer_older_than_accepted_is_not_given(self) -> None:
        assert World(gone, ROWS).call(AVisit(RESIDENTS), of(ANNA), oldest_s=100).by == "replica"
        with pytest.raises(ReplicaTooOld):
            World(gone, ROWS).call(AVisit(RESIDENTS), of(ANNA), oldest_s=99)

    def test_a_body_without_the_key_or_with_a_wrong_one_is_a_mistake_of_the_caller(self) -> None:
        for body in (b"", b"[]", b"{}", b'{"pnr": 7}', b'{"pnr": null}'):
            with pytest.raises(InputInvalid):
                World(gone, ROWS).call(AVisit(RESIDENTS), body)
        with pytest.raises(KeyInvalid):
            World(gone, ROWS).call(AVisit(RESIDENTS), of("12"))


class TestAnHourWithoutTheSource:
    """A call every half second. The source dies after ten minutes, comes back after fifty, and is shaky in between."""

    @staticmethod
    def source(asked: Exchange, now: float) -> tuple[float, Came | PlatformError]:
        chance = random.Random(int(now * 1_000))
        if 600 <= now < 3_000:
            kind = chance.random()
            if kind < 0.5:
                return 0.002, SourceUnreachable("refused", arrived=False)
            if kind < 0.8:
                return asked.timeout_s, SourceTooSlow("late")
            return 0.05, Came(status=503)
        return 0.02, KNOWN

    def hour(self, service: Service) -> tuple[list[Reply | PlatformError], list[float]]:
        world, outcomes, took = World(self.source, ROWS), list[Reply | PlatformError](), list[float]()
        for second in range(7_200):
            world.now = max(world.now, second / 2)
            began = world.now
            try:
                outcomes.append(world.call(AVisit(service), of(ANNA)))
            except PlatformError as error:
                outcomes.append(error)
            took.append(world.now - began)
        return outcomes, took

    def test_with_a_replica_the_calls_go_on(self) -> None:
        outcomes, took = self.hour(RESIDENTS)
        good = [each for each in outcomes if isinstance(each, Reply) and each.status == 200]
        assert len(good) / len(outcomes) >= 0.998
        by = {kind: sum(each.by == kind for each in good) for kind in ("source", "replica")}
        assert by["source"] > 2_000
        assert by["replica"] > 4_000
        assert max(took) <= 1.5 + 1e-6

    def test_without_one_they_fail_within_the_deadline_and_mostly_at_once(self) -> None:
        outcomes, took = self.hour(within(RESIDENTS, fallback=None))
        failed = [each for each in outcomes if isinstance(each, PlatformError)]
        assert {type(each) for each in failed} <= {SourceUnreachable, SourceTooSlow, SourceFailed, SourceResting}
        assert max(took) <= 1.5 + 1e-6
        resting = [each for each in failed if isinstance(each, SourceResting)]
        assert len(resting) / len(failed) > 0.9
        assert isinstance(outcomes[-1], Reply)


class TestOrchestration:
    def test_answers_are_joined_and_each_step_is_a_call_of_its_own(self) -> None:
        visit, world = AVisit(OVERVIEW), World(after(0.2), ROWS)
        document = world.call(visit, of(ANNA)).document()
        assert document["answer"] == {"name": {**dict.fromkeys(document["answer"]["name"]), "surname": "Prøve"},
                                      "municipality": "Aalborg", "known_in_korsbaek": "01"}  # fmt: skip
        assert document["failures"] == {}
        assert document["parts"]["person"]["snapshot"] == 7
        assert sorted(name for name, _ in visit.told) == [
            "cpr-persons", "korsbaek-overview", "korsbaek-residents", "municipalities",
        ]  # fmt: skip
        assert visit.told[-1] == ("korsbaek-overview", "platform")

    def test_a_step_that_may_fail_is_null_and_named(self) -> None:
        world = World(
            gone, ROWS, services={**World(gone).services, "korsbaek-residents": within(RESIDENTS, fallback=None)}
        )
        document = world.call(AVisit(OVERVIEW), of(ANNA)).document()
        assert document["answer"]["known_in_korsbaek"] is None
        assert document["failures"] == {"resident": "source_unreachable"}

    def test_a_required_step_that_fails_fails_the_whole(self) -> None:
        assert isinstance(OVERVIEW.live, Orchestration)
        steps = tuple(replace(step, required=True) for step in OVERVIEW.live.steps)
        services = {**World(gone).services, "korsbaek-residents": within(RESIDENTS, fallback=None)}
        with pytest.raises(StepFailed, match="the step resident of korsbaek-overview failed: source_unreachable"):
            World(gone, ROWS, services=services).call(AVisit(within(OVERVIEW, steps=steps)), of(ANNA))

    def test_a_step_without_an_agreement_is_refused_as_that_service_refuses(self) -> None:
        visit = AVisit(OVERVIEW, without=frozenset({"cpr-persons"}))
        with pytest.raises(NotAllowed, match="cpr-persons"):
            World(after(0.1), ROWS).call(visit, of(ANNA))
        assert ("cpr-persons", "not_allowed") in visit.told

    def test_there_is_one_deadline(self) -> None:
        services = {**World(gone).services, "korsbaek-residents": within(RESIDENTS, fallback=None, deadline_s=60.0)}
        world = World(after(50.0), ROWS, services=services)
        document = world.call(AVisit(OVERVIEW), of(ANNA)).document()
        assert world.now == 3.0
        assert document["failures"] == {"resident": "source_too_slow"}
        assert document["answer"]["municipality"] == "Aalborg"

    def test_nobody_to_ask_about_is_no_failure(self) -> None:
        document = World(after(0.1), ROWS).call(AVisit(OVERVIEW), of(NOBODY)).document()
        assert document["answer"] == {"name": None, "municipality": None, "known_in_korsbaek": "01"}
        assert document["failures"] == {}

    @pytest.mark.parametrize("body", [b"{}", b'{"pnr": "12"}', b'{"pnr": "6101701001", "more": 1}', b'{"pnr": 1}'])
    def test_a_body_that_does_not_fit_is_refused_without_its_value(self, body: bytes) -> None:
        with pytest.raises(InputInvalid) as refusal:
            World(gone, ROWS).call(AVisit(OVERVIEW), body)
        assert "12" not in refusal.value.message
