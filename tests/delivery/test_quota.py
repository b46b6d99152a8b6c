"""A delivery counts against the limits of its agreement, once, and waits when they have no room."""

from dataclasses import replace
from pathlib import Path

import pytest

from control import Counters
from extract.delivery.faults import SubscriptionInvalid, TargetUnreachable
from extract.delivery.outbox_rows import Delivery
from extract.delivery.targets import SftpTarget
from kernel import Limits as AgreedLimits
from kernel import Purpose
from runtime.delivery_limits import Limits, served_purpose
from tests.delivery.builders import Calls, Desk, wish
from tests.extract.builders import grant

TARGET = SftpTarget(host="192.0.2.1", user="town", host_key="ssh-ed25519 " + "A" * 68)


def newest(desk: Desk) -> Delivery:
    return desk.outbox.book.listed()[0]


class TestCounting:
    def test_one_that_has_no_room_is_held_told_and_sent_when_there_is(self, desk: Desk) -> None:
        made = desk.subscriptions.add(wish(TARGET), by="a test")
        desk.subscriptions.plan(made.id, 5)
        desk.quota = Calls(0)
        for _ in range(3):
            desk.courier.turn()
            desk.clock.pass_s(301)
        held = newest(desk)
        assert (held.state, held.fault_code, held.attempts, held.counted) == (
            "withheld", "delivery_quota_used_up", 0, 0,
        )  # fmt: skip
        assert [subject for subject, _ in desk.notices] == ["A delivery is withheld"], "once"
        assert "when there is room again" in desk.notices[0][1]
        assert desk.subscriptions.plan(made.id, 6) is None, "the later ones wait for it"
        assert (desk.sent, desk.facts) == ([], [])
        desk.quota = quota = Calls(1)
        desk.courier.turn()
        assert (newest(desk).state, len(desk.sent), quota.counted) == ("sent", 1, 1)

    def test_attempts_count_once_and_being_asked_for_once_more_counts_again(self, desk: Desk) -> None:
        made = desk.subscriptions.add(wish(TARGET), by="a test")
        desk.subscriptions.plan(made.id, 5)
        desk.quota = quota = Calls(9)
        desk.trouble = [TargetUnreachable("gone", remedy="wait"), TargetUnreachable("gone", remedy="wait"), None]
        for _ in range(3):
            desk.courier.turn()
            desk.clock.pass_s(3600)
        assert (newest(desk).state, quota.counted) == ("sent", 1)
        desk.outbox.redelivered(newest(desk).id, "lost")
        desk.courier.turn()
        assert (newest(desk).state, quota.counted) == ("sent", 2)

    def test_one_that_another_call_was_faster_than_is_held(self, desk: Desk) -> None:
        made = desk.subscriptions.add(wish(TARGET), by="a test")
        desk.subscriptions.plan(made.id, 5)
        desk.quota = Calls(1, faster=True)
        desk.courier.turn()
        assert (newest(desk).state, newest(desk).counted, desk.sent) == ("withheld", 0, [])


class TestLimits:
    def test_the_counters_of_calls_count_deliveries_too(self, desk: Desk, tmp_path: Path) -> None:
        made = desk.subscriptions.add(wish(TARGET), by="a test")
        limited = replace(grant(), limits=AgreedLimits(calls_per_day=2))
        with Counters(tmp_path / "rates.bin") as counters:
            counters.admit(limited, None, desk.clock.now())
            limits = Limits(counters, desk.clock)
            assert limits.refusal(made, limited) is None
            assert limits.count(made, limited) is None
            refusals = limits.refusal(made, limited), limits.count(made, limited)
            assert {each.code for each in refusals if each is not None} == {"delivery_quota_used_up"}
            desk.clock.pass_s(86_400)
            assert limits.refusal(made, limited) is None

    def test_a_purpose_has_a_quota_of_its_own(self, desk: Desk, tmp_path: Path) -> None:
        two = {code: Purpose(code=code, calls_per_month=1) for code in ("benefits", "schools")}
        given = replace(grant(), purposes=two)
        made = desk.subscriptions.add(wish(TARGET, purpose="schools"), by="a test")
        assert desk.subscriptions.get(made.id).wish.purpose == "schools"
        with Counters(tmp_path / "rates.bin") as counters:
            counters.admit(given, two["benefits"], desk.clock.now())
            limits = Limits(counters, desk.clock)
            assert limits.count(made, given) is None
            full = limits.count(made, given)
            assert full is not None
            assert full.rule == "agreement.purposes.schools.calls_per_month"

    @pytest.mark.parametrize("named", [None, "theft"])
    def test_a_subscription_says_which_of_several_purposes_it_serves(self, named: str | None) -> None:
        given = replace(grant(), purposes={code: Purpose(code=code) for code in ("benefits", "schools")})
        with pytest.raises(SubscriptionInvalid) as refusal:
            served_purpose(given, named)
        assert "benefits, schools" in refusal.value.remedy
        assert "theft" not in refusal.value.message + refusal.value.remedy
