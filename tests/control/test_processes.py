"""Several processes on one control database: changes are seen, queue, and survive the death of who made them."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from control import ControlStore, OrganisationKind, PolicyWatcher, Step, TestAuthority
from control.errors import AgreementNotLive, CertificateRevoked
from control.watcher import LOOK_EVERY_S
from kernel import AgreementId, SystemClock
from tests.control.builders import Cast, HandClock, trust_folder
from tests.waiting import eventually


@contextmanager
def another_process(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that has said that it is ready."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.control.other_process", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@pytest.fixture
def today(url: str) -> Iterator[Cast]:
    """The cast at the real time, in the test environment."""
    with ControlStore(url, environment="test", clock=SystemClock()) as store:
        yield Cast.gather(store, HandClock(SystemClock().now()), url)


@pytest.fixture
def fingerprint(today: Cast, tmp_path: Path) -> str:
    authority = TestAuthority.open_or_create(tmp_path / "authority")
    trust = trust_folder(tmp_path / "trust", authority.ca_pem)
    issued = authority.issue_system(today.supplier.cvr, today.supplier.name, "care")
    return today.store.bind_certificate(today.system.id, issued.cert_pem, trust=trust).fingerprint


def version_of(cast: Cast) -> int:
    ((version,),) = cast.sql("SELECT version FROM policy_version")
    assert isinstance(version, int)
    return version


class Beats:
    """In the place of the event that a watcher waits on: each wait is over at once, after an agreement was turned.

    in_force   whether the watcher's policy carried the call when it began to wait; `wanted` what had been decided
    """

    def __init__(self, cast: Cast, watcher: PolicyWatcher, agreement: AgreementId) -> None:
        self._cast, self._watcher, self._agreement = cast, watcher, agreement
        self.periods: list[float] = []
        self.in_force: list[bool] = []
        self.wanted = [True]

    def wait(self, period: float) -> bool:
        call = self._cast.call()
        try:
            self._watcher.current().grant(call, self._cast.clock.now())
            self.in_force.append(True)
        except AgreementNotLive:
            self.in_force.append(False)
        self.periods.append(period)
        if len(self.periods) == 5:
            return True
        self._cast.step(self._agreement, Step.SUSPEND if self.wanted[-1] else Step.RESUME, by="x")
        self.wanted.append(not self.wanted[-1])
        return False


class TestWatcher:
    def test_a_revocation_bites_in_another_process(self, today: Cast, fingerprint: str) -> None:
        with another_process("watch", today.url, fingerprint) as process:
            today.store.revoke_certificate(fingerprint)
            assert process.stdout is not None
            code, _ = process.stdout.readline().split()
        assert code == "certificate_revoked"

    def test_it_looks_four_times_in_the_second_that_is_promised_and_each_look_sees_all(
        self, today: Cast, fingerprint: str
    ) -> None:
        """Counted in beats, with no clock: a change is made before each wait, and is in force before the next."""
        assert LOOK_EVERY_S <= 0.25
        agreement, watcher = today.approved(), PolicyWatcher(today.store)
        beats = Beats(today, watcher, agreement.id)
        watcher._watch(beats)  # type: ignore[arg-type]
        assert beats.periods == [LOOK_EVERY_S] * 5
        assert beats.in_force == beats.wanted

    def test_every_change_moves_the_version_by_one(self, today: Cast, fingerprint: str) -> None:
        before = version_of(today)
        agreement = today.approved()
        today.step(agreement.id, Step.SUSPEND, by="x")
        today.store.revoke_certificate(fingerprint)
        assert version_of(today) == before + 4

    def test_nothing_new_is_not_loaded(self, today: Cast) -> None:
        with PolicyWatcher(today.store) as watcher:
            policy = watcher.current()
            time.sleep(3 * LOOK_EVERY_S)
            assert watcher.current() is policy

    def test_a_policy_in_hand_does_not_change(self, today: Cast, fingerprint: str) -> None:
        with PolicyWatcher(today.store) as watcher:
            kept = watcher.current()
            today.store.revoke_certificate(fingerprint)
            eventually(lambda: watcher.current() is not kept)
            assert kept.identify(fingerprint, SystemClock().now())
            with pytest.raises(CertificateRevoked):
                watcher.current().identify(fingerprint, SystemClock().now())

    def test_an_outage_of_the_database_leaves_the_last_policy_in_force(self, today: Cast, fingerprint: str) -> None:
        path = Path(today.url.removeprefix("sqlite:///"))
        with capture_logs() as logs, PolicyWatcher(today.store) as watcher:
            today.sql("ALTER TABLE policy_version RENAME TO away")
            eventually(lambda: [each["event"] for each in logs] == ["policy_not_read"])
            assert watcher.current().identify(fingerprint, SystemClock().now())
            today.sql("ALTER TABLE away RENAME TO policy_version")
            today.store.revoke_certificate(fingerprint)
            eventually(lambda: watcher.current().version == version_of(today))
            with pytest.raises(CertificateRevoked):
                watcher.current().identify(fingerprint, SystemClock().now())
            eventually(lambda: len(logs) == 2)
        assert [each["event"] for each in logs] == ["policy_not_read", "policy_read_again"]
        assert path.exists()


class TestWriters:
    def test_they_queue_and_none_is_refused_or_lost(self, today: Cast) -> None:
        before = version_of(today)
        with another_process("change", today.url, "5") as one, another_process("change", today.url, "5") as other:
            for _ in range(5):
                today.step(today.approved().id, Step.TERMINATE, by="x")
            for process in (one, other):
                process.communicate(timeout=60)
                assert process.returncode == 0
        # A round of the others is six changes: the system, the draft, four steps; ours is three.
        assert version_of(today) == before + 2 * 5 * 6 + 5 * 3

    @pytest.mark.parametrize("after_s", [0.05, 0.13, 0.21])
    def test_kill_9_loses_nothing_that_was_acknowledged(self, today: Cast, after_s: float, tmp_path: Path) -> None:
        with another_process("change", today.url, "0") as process:
            time.sleep(after_s)
            process.kill()
            said, _ = process.communicate()
        told = [line.split() for line in said.splitlines() if line.endswith(("ed", "ed\n"))]
        order = ["approved", "suspended", "approved", "terminated"]
        for agreement in today.agreements.all():
            history = today.agreements.history(agreement.id)
            assert [each.number for each in history] == list(range(1, len(history) + 1))
            assert history[-1].state is agreement.state
            acknowledged = [state for name, state in told if name == agreement.id]
            reached = [each.state.value for each in history if each.state.value in order]
            assert reached[: len(acknowledged)] == acknowledged
        # And the next one works without repair.
        copy = tmp_path / "copy.sqlite"
        shutil.copy(today.url.removeprefix("sqlite:///"), copy)
        assert today.store.add_organisation(OrganisationKind.SUPPLIER, "99999999", "After")
