"""Killing the API server at random while it makes and sends extracts, and looking at what its consumer has got.

python -m tests.crash.downloads --kills 200 --seed N

A real server over mutual TLS, on a socket that outlives it. It dies at a random step among its files, after a random
number of bytes, or after a random time; its lines end at random bytes; the register moves on, and the hourly tidying
comes, in between. A consumer takes full extracts and changes, in all formats, at once or asked for beforehand, and goes
on where it was cut. It must end with exactly one whole copy of each, in one chain of manifests, and with the register
as it is; the ledger must know of every answer that came, and of every file that came to its end; and of what the dead
left nothing may stay.
"""

import hashlib
import json
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from runtime.processes import listen
from tests.crash.fetcher import BASE, Cut, Fetcher
from tests.crash.program import asked, begun
from tests.crash.town import Town
from tests.runtime.cutter import cutting


@dataclass
class Death:
    """How a server is to die; what is 0 never comes.

    step      right before its so-manyth step among the files of extracts
    size      when so many bytes have come from it, in all
    after_s   after its first answer
    """

    step: int = 0
    size: int = 0
    after_s: float = 0.0

    @classmethod
    def any(cls, chance: random.Random, rows: int) -> "Death":
        """Within a file of so many rows or two."""
        return chance.choice(
            (cls(step=chance.randrange(1, 25)), cls(size=chance.randrange(1, 100 * rows)),
             cls(after_s=chance.uniform(0.01, rows / 40_000)))
        )  # fmt: skip


class Downloads:
    """killed_in   what the servers were doing when they were killed"""

    def __init__(self, folder: Path, seed: int, stack: ExitStack, *, rows: int = 20_000) -> None:
        self.seed, self.rows, self.chance = seed, rows, random.Random(seed)
        self.killed_in: Counter[str] = Counter()
        self.town = Town(folder / "instance", seed, rows, stack)
        self._log = folder / "server.log"
        self._listening: socket.socket = stack.enter_context(listen("127.0.0.1", 0))
        self.line = stack.enter_context(cutting(self._listening.getsockname()[1], ()))
        self.fetcher = Fetcher(self.line.port, self.town.context, random.Random(f"fetcher {seed}"))

    @property
    def kills(self) -> int:
        return self.killed_in.total()

    def run(self, kills: int) -> None:
        """Kill so often, then let it finish; raises AssertionError with the seed when anything is not as it must be."""
        try:
            while self.kills < kills:
                self._until_dead(Death.any(self.chance, self.rows))
            with self._server() as server:
                self.fetcher.told, self.fetcher.alive = lambda _: None, lambda: True
                taken = len(self.fetcher.taken)
                while len(self.fetcher.taken) == taken:
                    assert server.poll() is None, self._log.read_text()[-2000:]
                    self._go_on()
                self._check_shelf()
            self._check_ledger()
            self._check_folders()
        except AssertionError as fault:
            raise AssertionError(f"seed {self.seed}, {self.kills} kills: {fault}") from fault

    def _until_dead(self, death: Death) -> None:
        with self._server(death.step) as server:
            got = 0

            def told(size: int) -> None:
                nonlocal got
                if death.after_s and not got:
                    threading.Timer(death.after_s, server.kill).start()
                got += size
                if 0 < death.size <= got:
                    server.kill()
                    server.wait()

            self.fetcher.told, self.fetcher.alive = told, lambda: server.poll() is None
            while server.poll() is None:
                self._go_on()
            said = server.communicate()[0]
        # Its part is there: it died while it wrote a file.
        parts = any((self.town.instance.extracts / "files").glob(".*.part"))
        self.killed_in[said or ("writing a file" if parts else "sending, or nothing")] += 1

    def _go_on(self) -> None:
        chance = self.chance
        self.line.after = [chance.choice((chance.randrange(6_000), chance.randrange(150 * self.rows), 10**12))]
        try:
            snapshot = self.fetcher.go_on()
        except Cut:
            snapshot = None
            # Who has just died is not known to be dead yet, and the next connection would wait for a successor.
            time.sleep(0.05)
        if snapshot is not None:
            assert self.fetcher.copy == self.town.states[snapshot], f"the copy is not snapshot {snapshot}"
        if snapshot is not None or chance.random() < 0.03:
            self.town.publish()
        if chance.random() < 0.05:
            self.town.tidy(keep=True)

    def _check_shelf(self) -> None:
        """Every file that ever came to its end stands there once, whole, and the manifests are one chain."""
        self.line.after = []
        before, found = None, {}
        files = json.loads(self.fetcher.document(f"{BASE}/files"))["files"]
        assert [each["number"] for each in files] == list(range(1, len(files) + 1)), "a manifest is missing"
        for each in files:
            text = self.fetcher.document(f"{BASE}/files/{each['file']}.manifest.json")
            assert json.loads(text)["previous"] == before, "the chain is broken"
            before = hashlib.sha256(text).hexdigest()
            content = self.fetcher.document(f"{BASE}/files/{each['file']}")
            assert hashlib.sha256(content).hexdigest() == each["sha256"], "a file is not whole"
            found[each["file"]] = each["sha256"]
        assert self.fetcher.taken.items() <= found.items()
        order = [name for name in found if name in self.fetcher.taken]
        assert order == list(self.fetcher.taken), "the chain has not the order in which files were taken"
        open_jobs = json.loads(self.fetcher.document(f"{BASE}/extracts"))["extracts"]
        assert sum(job["state"] != "cancelled" for job in open_jobs) <= 1, "one asking, two extracts"

    def _check_ledger(self) -> None:
        calls = self.town.calls()
        assert len({call["event"] for call in calls}) == len(calls)
        answered = Counter(call["trace"] for call in calls if call["kind"] != "delivered")
        ends = {call["trace"]: call for call in calls if call["kind"] == "delivered"}
        assert set(answered.values()) == {1}
        assert ends.keys() <= answered.keys(), "an end without an answer"
        for heard in self.fetcher.heard:
            assert heard.trace in answered, "an answer came that is not on record"
            end = ends.get(heard.trace)
            if heard.whole:
                assert end is not None, "a file came to its end that is not on record"
                assert (end["whole"], end["size_bytes"]) == (True, heard.file_bytes or 0)
            elif end is not None and heard.file_bytes is not None:
                assert int(str(end["size_bytes"])) >= heard.file_bytes, "more came than is on record"

    def _check_folders(self) -> None:
        self.town.tidy(keep=False)
        left = self.town.leftovers()
        assert not left, f"left behind: {left}"

    @contextmanager
    def _server(self, step: int = 0) -> Iterator[subprocess.Popen[str]]:
        handle = self._listening.fileno()
        told = (str(self.town.instance.root), str(handle), str(step))
        with begun("tests.crash.api_server", *told, log=self._log, pass_fds=[handle]) as server:
            yield server


def main() -> None:
    given = asked("tests.crash.downloads", __doc__)
    with tempfile.TemporaryDirectory(prefix="crash-") as folder, ExitStack() as stack:
        rounds = Downloads(Path(folder), given.seed, stack)
        rounds.run(given.kills)
    doing = ", ".join(f"{many} before {what}" if " of a " in what else f"{many} while {what}"
                      for what, many in rounds.killed_in.most_common())  # fmt: skip
    fetcher = rounds.fetcher
    sys.stdout.write(
        f"{doing}\n{rounds.line.cuts} lines cut, {fetcher.resumed} times gone on in the middle, {fetcher.jobs} times "
        f"asked for beforehand: {len(fetcher.taken)} files, each whole, once, in one chain\n"
    )


if __name__ == "__main__":
    main()
