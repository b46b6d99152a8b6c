"""Rounds of writing and killing, and what must hold after each."""

import json
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from replica import HistoryExpired, Lake, Lookups, refresh_segments
from tests.crash.writer import NOW_OVER, State, the_next
from tests.replica.builders import PERSONS, SETTINGS


class Rounds:
    """A lake in `folder`, and the model of what it must hold. `killed_in` counts what the writer was doing."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.chance = random.Random(seed)
        self.states: dict[int, State] = {0: {}}
        self.killed_in: Counter[str] = Counter()
        self.acknowledged = 0

    def run(self, kills: int, *, longest_s: float = 2.0) -> None:
        """Raises AssertionError, naming round and seed, at the first thing that is not as it must be."""
        for number in range(kills):
            doing = self._write_and_kill(self.chance.uniform(0.0, longest_s))
            self.killed_in[doing] += 1
            try:
                self.check(maintain=self.chance.random() < 0.3 or number == kills - 1)
            except AssertionError as fault:
                raise AssertionError(f"seed {self.seed}, round {number}, killed in {doing}: {fault}") from fault

    def _write_and_kill(self, after_s: float) -> str:
        """Let a writer work for a while after it has opened the lake, and kill it; what it was doing."""
        told: list[dict[str, object]] = []
        command = [sys.executable, "-m", "tests.crash.writer", str(self.folder), str(self.seed)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

        def listen() -> None:
            assert writer.stdout is not None
            for line in writer.stdout:
                if line.endswith("\n"):
                    told.append(json.loads(line))

        listener = threading.Thread(target=listen)
        listener.start()
        begun = self.chance.random() < 0.9
        while begun and len(told) < 2 and writer.poll() is None:
            time.sleep(0.01)
        time.sleep(after_s)
        assert writer.poll() is None, f"the writer ended by itself: {writer.returncode}"
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        listener.join()
        if writer.stdout is not None:
            writer.stdout.close()
        doing = next((str(each["begins"]) for each in reversed(told) if "begins" in each), "opening")
        steps = [int(str(each["step"])) for each in told if each.get("done") == "publication"]
        self.acknowledged = max([self.acknowledged, *steps])
        return doing

    def check(self, *, maintain: bool) -> None:
        with Lake.open(self.folder / "lake", SETTINGS, write=True) as lake:
            lake.prepare(PERSONS)
            if lake.info(PERSONS) is None:
                assert self.acknowledged == 0, "an acknowledged publication is gone"
                return
            self._check_rows(lake)
            if maintain:
                readable = self._readable(lake)
                lake.maintain(SETTINGS)
                assert self._readable(lake) == readable, "maintenance changed what a kept snapshot holds"
                lake.maintain(NOW_OVER)
                self._check_rows(lake)
        if maintain:
            strays = self.strays()
            assert not strays, f"{len(strays)} files are known to no snapshot"

    def _check_rows(self, lake: Lake) -> None:
        last, info = lake.last_run("a source"), lake.info(PERSONS)
        assert last is not None
        assert info is not None
        step = int(last.cursor)
        assert step >= self.acknowledged, "an acknowledged publication is gone"
        rows = self._rows(lake, info.snapshot)
        assert rows == self._state(step), f"the rows are not those of step {step}, where the cursor stands"
        assert info.rows == len(rows)
        refresh_segments(lake, PERSONS, self.folder / "segments", SETTINGS)
        reader = Lookups(self.folder / "segments", [PERSONS.id]).reader(PERSONS.id)
        assert reader.info.snapshot == info.snapshot
        for key in (f"{number:05d}" for number in range(400)):
            found = reader.get(key)
            assert (found["status"] if found else None) == rows.get(key), "a segment is not as the mirror"

    def _state(self, step: int) -> State:
        for number in range(max(self.states) + 1, step + 1):
            self.states[number] = the_next(self.states[number - 1], number, self.seed)[0]
        return self.states[step]

    def _rows(self, lake: Lake, snapshot: int) -> State:
        table = lake.scan(PERSONS, snapshot=snapshot, columns=["pnr", "status"]).read_all()  # type: ignore[arg-type]
        return dict(zip(table["pnr"].to_pylist(), table["status"].to_pylist(), strict=True))

    def _readable(self, lake: Lake) -> dict[int, State]:
        found = {}
        for run in lake.runs(limit=12, dataset=PERSONS.id):
            try:
                found[int(run.snapshot)] = self._rows(lake, run.snapshot)
            except HistoryExpired:
                continue
        return found

    def strays(self) -> set[str]:
        """Files of the lake that its catalogue does not name, by the catalogue itself."""
        data = self.folder / "lake" / "data"
        with sqlite3.connect(self.folder / "lake" / "catalog.sqlite") as db:
            named = {
                Path(path).name
                for table in ("data_file", "delete_file", "files_scheduled_for_deletion")
                for (path,) in db.execute(f"SELECT path FROM ducklake_{table}")
            }
        db.close()
        return {path.name for path in data.rglob("*") if path.is_file()} - named

    def summary(self) -> str:
        doing = ", ".join(f"{count} in {what}" for what, count in sorted(self.killed_in.items()))
        return f"seed {self.seed}: {sum(self.killed_in.values())} kills ({doing}), {max(self.states)} publications"
