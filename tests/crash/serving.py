"""Killing the SFTP server at random while a consumer fetches its shelf, cutting its line, and looking at what it has.

python -m tests.crash.serving --kills 200 --seed N

The consumer goes on at the byte where it stopped, as `reget` does, and begins anew when it has everything. Each time it
must have every file of the shelf once, whole by its manifest, and the manifests must be a chain without a gap.
"""

import hashlib
import json
import random
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko

from extract import MANIFEST, ExtractStore, Shelf
from tests.crash.program import asked, begun
from tests.extract.builders import CVR, FORMATS, SERVICE, grant, plan, residents
from tests.extract.hall import new_key

_AT_ONCE = 32_768
_ROWS = 3_000


class Serving:
    """kills, cuts    of the server, of its lines, so far
    rounds         how often everything was fetched
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed, self.chance = folder, seed, random.Random(seed)
        self.kills = self.cuts = self.rounds = 0
        self._port = 0
        self._got: dict[str, bytearray] = {}
        for name in ("host_key", "client_key"):
            new_key(folder / name)
        shelf, agreement = Shelf(folder / "agreements"), grant().agreement
        scan = lambda asked: residents(_ROWS).select(asked.columns).to_reader()  # noqa: E731
        with ExtractStore(folder / "files", scan) as store:
            for kind in FORMATS:
                extract = store.open(plan(grant(), kind))
                for _ in extract.chunks():
                    pass
                shelf.put(agreement, extract)

    def run(self, kills: int, *, longest_s: float = 1.0) -> None:
        """Kill so often, then let it finish; raises AssertionError with the seed when anything is not as it must be."""
        while self.kills < kills:
            with self._server() as server:
                death = threading.Timer(self.chance.uniform(0.0, longest_s), server.kill)
                death.start()
                while server.poll() is None:
                    self._fetch()
                death.join()
            self.kills += 1
        rounds = self.rounds
        with self._server() as server:
            while self.rounds == rounds:
                assert server.poll() is None, f"seed {self.seed}: the server ended by itself"
                self._fetch()

    def _fetch(self) -> None:
        """Go on fetching until everything is there, or the line or the server ends."""
        limit = self.chance.choice((self.chance.randrange(20_000), self.chance.randrange(2_000_000), 10**12))
        try:
            transport = paramiko.Transport(socket.create_connection(("127.0.0.1", self._port)))
        except (OSError, paramiko.SSHException):
            return
        try:
            key = paramiko.Ed25519Key.from_private_key_file(str(self.folder / "client_key"))
            transport.connect(username="anyone", pkey=key)
            client = paramiko.SFTPClient.from_transport(transport)
            assert client is not None
            for name in sorted(client.listdir(f"/{CVR}/{SERVICE}")):
                limit = self._go_on(client, name, limit)
                if limit <= 0:
                    self.cuts += 1
                    # Cut, not closed: nothing is said to the other side.
                    transport.sock.close()
                    return
            self.check()
        except (OSError, EOFError, paramiko.SSHException):
            return
        finally:
            transport.close()

    def _go_on(self, client: paramiko.SFTPClient, name: str, limit: int) -> int:
        """Fetch the rest of a file; how many bytes are left until the line is cut."""
        ours = self._got.setdefault(name, bytearray())
        with client.open(f"/{CVR}/{SERVICE}/{name}") as theirs:
            theirs.seek(len(ours))
            while limit > 0 and (piece := theirs.read(min(_AT_ONCE, limit))):
                ours += piece
                limit -= len(piece)
        return limit

    def check(self) -> None:
        """What was fetched is everything, whole and in one chain; then it begins anew."""
        told = f"seed {self.seed}, {self.kills} kills"
        texts = [bytes(text) for name, text in self._got.items() if name.endswith(MANIFEST)]
        chain = sorted((json.loads(text)["number"], text) for text in texts)
        assert [number for number, _ in chain] == list(range(1, len(FORMATS) + 1)), f"{told}: a manifest is missing"
        before = None
        for _, text in chain:
            manifest = json.loads(text)
            assert manifest["previous"] == before, f"{told}: the chain is broken"
            before = hashlib.sha256(text).hexdigest()
            content = self._got.pop(manifest["file"])
            assert hashlib.sha256(content).hexdigest() == manifest["sha256"], f"{told}: a file is not whole"
            del self._got[manifest["file"] + MANIFEST]
        assert set(self._got) <= {"SHA256SUMS"}, f"{told}: more than the shelf holds"
        self._got.clear()
        self.rounds += 1

    @contextmanager
    def _server(self) -> Iterator[subprocess.Popen[str]]:
        log = self.folder / "server.log"
        with begun("tests.crash.shelf_server", str(self.folder), log=log) as server:
            assert server.stdout is not None
            said = server.stdout.readline()
            assert said, log.read_text()[-2000:]
            self._port = int(said)
            yield server


def main() -> None:
    given = asked("tests.crash.serving", __doc__)
    with tempfile.TemporaryDirectory(prefix="crash-") as folder:
        serving = Serving(Path(folder), given.seed)
        serving.run(given.kills)
    sys.stdout.write(
        f"{serving.cuts} lines cut; {serving.rounds} times the whole shelf: each file once, whole, in one chain\n"
    )


if __name__ == "__main__":
    main()
