"""Reminders: 60, 30 and 7 days before an end, each once; lists of revoked certificates that are late."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control import Inbox, OrganisationKind, People, RevocationList, Role, Step, TestAuthority, Trust
from control.reminders import DAYS_BEFORE, KEY_LIFE, Reminders, days_before, list_is_late
from tests.control.builders import DAY, START, Cast

HOUR = timedelta(hours=1)


def a_list(issued: int = 0, lasts: int = 8) -> RevocationList:
    return RevocationList(
        file="oces.crl", issuer="CN=Authority", issued=START + issued * DAY,
        next_update=START + (issued + lasts) * DAY, serials=frozenset(),
    )  # fmt: skip


def subjects(cast: Cast, whose: str) -> list[str]:
    return [each.subject for each in reversed(Inbox(cast.store).notices(whose))]  # type: ignore[arg-type]


class TestTheRule:
    @given(st.floats(0.001, 400.0))
    def test_every_end_is_told_at_the_nearest_of_the_three_times(self, left: float) -> None:
        told = days_before(START + left * DAY, START)
        assert told == min((days for days in DAYS_BEFORE if left <= days), default=None)

    def test_what_is_over_is_not_told(self) -> None:
        assert days_before(START, START) is None

    @pytest.mark.parametrize(("hours", "late"), [(0, False), (6 * 24 - 1, False), (6 * 24, True), (400, True)])
    def test_a_list_is_late_when_three_quarters_of_its_time_are_over(self, hours: int, late: bool) -> None:
        assert list_is_late(a_list(), START + hours * HOUR) is late


class TestAgreements:
    def test_both_sides_are_told_three_times_and_each_time_once(self, cast: Cast) -> None:
        cast.approved(end=START + 100 * DAY)
        quiet = len(subjects(cast, cast.north.id))
        told: list[int] = []
        for day in range(101):
            cast.clock.moment = START + day * DAY
            told += [100 - day] * (Reminders(cast.store).run() // 2)
            Reminders(cast.store).run()
        assert told == [60, 30, 7]
        assert len(subjects(cast, cast.north.id)) == quiet + 3
        assert subjects(cast, cast.supplier.id)[-1] == (
            "An agreement of Nordby Kommune for the system care ends 2031-05-21 08:00 UTC"
        )

    def test_a_worker_that_stood_still_tells_the_nearest_alone(self, cast: Cast) -> None:
        cast.approved(end=START + 5 * DAY)
        assert Reminders(cast.store).run() == 2
        assert Reminders(cast.store).run() == 0

    def test_what_is_renewed_ended_or_never_began_is_not_told(self, cast: Cast) -> None:
        renewed = cast.approved(end=START + 5 * DAY)
        cast.approved(replaces=renewed.id, start=START + 4 * DAY, end=START + 300 * DAY)
        ended = cast.approved(system=cast.sibling, end=START + 5 * DAY)
        cast.step(ended.id, Step.TERMINATE)
        cast.draft(municipality=cast.south, end=START + 5 * DAY)
        assert Reminders(cast.store).run() == 0


class TestCredentials:
    def test_a_certificate_that_expires_until_it_is_renewed(
        self, cast: Cast, authority: TestAuthority, trust: Path
    ) -> None:
        def bind(days: int) -> None:
            issued = authority.issue_system(
                cast.supplier.cvr, cast.supplier.name, "care", not_before=START - DAY, days=days
            )
            cast.store.bind_certificate(cast.system.id, issued.cert_pem, trust=trust)

        bind(20)
        assert Reminders(cast.store).run() == 1
        assert subjects(cast, cast.supplier.id)[0].startswith("The certificate of the system care expires 2031-03-")
        bind(400)
        cast.clock.moment += 15 * DAY
        assert Reminders(cast.store).run() == 0

    def test_a_key_that_is_nearly_two_years_old(self, cast: Cast) -> None:
        from runtime.ssh_keys import new_ssh_key

        cast.store.bind_ssh_key(cast.system.id, new_ssh_key("care")[1].decode())
        assert Reminders(cast.store).run() == 0
        cast.clock.moment += KEY_LIFE - 7 * DAY
        assert Reminders(cast.store).run() == 1
        (notice,) = Inbox(cast.store).notices(cast.supplier.id)
        assert "goes on working" in notice.text
        cast.store.bind_ssh_key(cast.system.id, new_ssh_key("care")[1].decode())
        cast.clock.moment += 6 * DAY
        assert Reminders(cast.store).run() == 0


class TestPeople:
    def test_administrators_hear_of_an_employees_certificate_without_a_name(
        self, cast: Cast, authority: TestAuthority, trusted: Trust
    ) -> None:
        people = People(cast.store)
        user = people.add(cast.north.id, "Ane Andersen", "ane@nordby.example", [Role.USER])

        def bind(days: int) -> None:
            issued = authority.issue_employee(
                cast.north.cvr, cast.north.name, "Ane Andersen", not_before=START - DAY, days=days
            )
            people.bind_certificate(user.id, issued.cert_pem, trust=trusted)

        bind(20)
        assert [Reminders(cast.store).run() for _ in range(2)] == [1, 0]
        (notice,) = Inbox(cast.store).notices(cast.north.id)
        assert notice.roles == {Role.ADMINISTRATOR}
        assert "Ane" not in notice.subject + notice.text
        bind(400)
        cast.clock.moment += 15 * DAY
        assert Reminders(cast.store).run() == 0


class TestLists:
    def test_the_operator_hears_early_and_once_more_when_it_is_overdue(self, cast: Cast) -> None:
        operator = cast.store.add_organisation(OrganisationKind.OPERATOR, "29189846", "Drift")
        told = []
        for hour in range(0, 10 * 24, 6):
            cast.clock.moment = START + hour * HOUR
            told += [hour] * Reminders(cast.store).run([a_list()])
        assert told == [6 * 24, 8 * 24]
        first, second = subjects(cast, operator.id)
        assert first == "A list of revoked certificates is to be renewed before 2031-02-18 08:00 UTC"
        assert second == "A list of revoked certificates is overdue"
        assert Inbox(cast.store).notices(operator.id)[0].roles == {Role.OPERATOR}

    def test_a_list_that_comes_in_time_is_not_told(self, cast: Cast) -> None:
        cast.store.add_organisation(OrganisationKind.OPERATOR, "29189846", "Drift")
        for day in range(30):
            cast.clock.moment = START + day * DAY
            assert Reminders(cast.store).run([a_list(issued=day - day % 5)]) == 0
