"""Killing the courier and cutting its lines at random, and looking at what the receivers have got.

python -m tests.crash.deliveries --kills 200 --seed N

Two receivers: OpenSSH's own server, from whose folder a reader takes what has its trigger and tidies up; and an HTTPS
endpoint that takes each idempotency key once. Both lines end at random bytes. Each receiver must end with exactly one
whole, verified copy of each delivery, in order.
"""

import base64
import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from extract.delivery.outbox import Outbox
from extract.delivery.outbox_states import State
from extract.delivery.subscription import Kind
from extract.delivery.subscriptions import Subscriptions
from extract.delivery.targets import HttpsTarget
from kernel import SystemClock
from tests.crash.courier import PATIENCE
from tests.crash.program import asked, begun
from tests.delivery.builders import database, wish, working_day
from tests.delivery.receivers import Endpoint, Line, Sshd, cutting, https, openssh
from tests.sync.connectors.authority import new_authority


class Deliveries:
    """taken   name and SHA-256 of what the reader of the folder took, in order"""

    def __init__(self, folder: Path, seed: int, deliveries: int, stack: ExitStack) -> None:
        self.folder, self.seed, self.deliveries = folder, seed, deliveries
        self.chance = random.Random(seed)
        for name in ("ssh", "tls"):
            (folder / name).mkdir()
        authority = new_authority(folder / "tls")
        self.sshd: Sshd = stack.enter_context(openssh(folder / "ssh"))
        self.endpoint: Endpoint = stack.enter_context(https(authority))
        self.lines: list[Line] = [stack.enter_context(cutting(port)) for port in (self.sshd.port, self.endpoint.port)]
        self.database = stack.enter_context(database(folder))
        self.subscriptions = Subscriptions(self.database, SystemClock(), working_day)
        sftp = self.sshd.target(port=self.lines[0].port)
        web = HttpsTarget(url=f"https://localhost:{self.lines[1].port}/in")
        for target in (sftp, web):
            made = wish(target, Kind.FULL)
            self.subscriptions.add(made, by="a test")
        self.settings = folder / "settings.json"
        self.settings.write_text(
            json.dumps(
                {"folder": str(folder), "authority": str(authority.certificate), "client": str(authority.client),
                 "key": str(self.sshd.key_file), "deliveries": deliveries}
            )
        )  # fmt: skip
        self.taken: list[tuple[str, str]] = []
        self.kills = 0

    def run(self, kills: int, *, longest_s: float = 1.5, patience_s: float = 300.0) -> None:
        """Kill so often, then let it finish; raises AssertionError with the seed when anything is not as it must be."""
        for _ in range(kills):
            self._cut()
            with self._courier() as courier:
                time.sleep(self.chance.uniform(0.0, longest_s))
                if self.chance.random() < 0.5:
                    self.take()
                courier.send_signal(signal.SIGKILL)
            self.kills += 1
            if self.chance.random() < 0.7:
                self.take()
        with self._courier():
            end = time.monotonic() + patience_s
            while not self._all_sent():
                assert time.monotonic() < end, f"seed {self.seed}: not all was delivered"
                self.take()
                time.sleep(0.05)
        self.take()
        self.check()

    def take(self) -> None:
        """As a reader of the folder does: what has its trigger, whole and verified; then it tidies up."""
        inbox = self.sshd.inbox
        for trigger in sorted(inbox.glob("*.trigger")):
            sha256, name = trigger.read_text().split()
            found = hashlib.sha256((inbox / name).read_bytes()).hexdigest()
            manifest = json.loads((inbox / f"{name}.manifest.json").read_bytes())
            assert found == sha256 == manifest["sha256"], f"seed {self.seed}: {name} is not whole"
            self.taken.append((name, found))
            for each in (trigger, inbox / name, inbox / f"{name}.manifest.json"):
                each.unlink()

    def check(self) -> None:
        outbox = Outbox(self.database, SystemClock(), PATIENCE)
        made = {each.id: [] for each in self.subscriptions.listed()}  # type: dict[str, list[str]]
        for each in reversed(outbox.book.listed(limit=100_000)):
            made[each.subscription].append(str(each.sha256))
        by_sftp, by_web = made.values()
        told = f"seed {self.seed}, {self.kills} kills"
        assert [sha256 for _, sha256 in self.taken] == by_sftp, f"{told}: not each once, in order, by SFTP"
        assert not list(self.sshd.inbox.iterdir()), f"{told}: something is left behind"
        first: dict[str, str] = {}
        for headers, body in self.endpoint.got:
            digest = hashlib.sha256(body).digest()
            assert headers["Content-Digest"] == f"sha-256=:{base64.b64encode(digest).decode()}:", told
            known = first.setdefault(headers["Idempotency-Key"], digest.hex())
            assert known == digest.hex(), f"{told}: one key, two contents"
        assert list(first.values()) == by_web, f"{told}: not each once, in order, by HTTPS"
        assert len(by_sftp) == len(by_web) == self.deliveries

    def _cut(self) -> None:
        for line in self.lines:
            # Some in the greeting, most in the middle of a file, some not at all.
            line.cuts = [
                self.chance.choice((self.chance.randrange(3_000), self.chance.randrange(1_000_000), 10**12))
                for _ in range(self.chance.randrange(4))
            ]

    def _all_sent(self) -> bool:
        outbox = Outbox(self.database, SystemClock(), PATIENCE)
        done = outbox.book.listed(states=frozenset({State.SENT, State.RECEIVED}), limit=100_000)
        return len(done) == 2 * self.deliveries

    @contextmanager
    def _courier(self) -> Iterator[subprocess.Popen[str]]:
        log = self.folder / "courier.log"
        with begun("tests.crash.courier", str(self.settings), log=log) as courier:
            assert courier.stdout is not None
            assert courier.stdout.readline(), log.read_text()[-2000:]
            # What it says afterwards is read and dropped, so that it never waits for us.
            reader = threading.Thread(target=courier.stdout.read)
            reader.start()
            try:
                yield courier
            finally:
                courier.kill()
                reader.join()


def main() -> None:
    given = asked("tests.crash.deliveries", __doc__, deliveries=100)
    with tempfile.TemporaryDirectory(prefix="crash-") as folder, ExitStack() as stack:
        rounds = Deliveries(Path(folder), given.seed, given.deliveries, stack)
        rounds.run(given.kills)
        cuts = sum(line.connections for line in rounds.lines)
    sys.stdout.write(f"{cuts} connections: each delivery whole, once, in order\n")


if __name__ == "__main__":
    main()
