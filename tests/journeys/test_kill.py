"""kill -9 of any process: a restart needs no repair, and nothing that was acknowledged is lost."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2
import pytest

from kernel import DatasetId
from replica import Lake, Lookups
from runtime.environment import settings_of
from runtime.processes import running_parent
from tests.journeys.platform import Platform, knudepunkt, make_stage, running
from tests.waiting import eventually

pytestmark = pytest.mark.slow


def test_a_killed_api_worker_is_replaced_and_its_answers_are_on_record(tmp_path: Path) -> None:
    with running(make_stage(tmp_path / "instance", persons=20)) as platform:
        answered: list[str] = []
        stop = threading.Event()

        def call_on() -> None:
            while not stop.is_set():
                try:
                    with platform.client() as http:
                        while not stop.is_set():
                            answer = http.get("/v1/services/municipalities/records/0851")
                            assert answer.status_code == 200
                            answered.append(answer.json()["trace"])
                except httpx2.TransportError:
                    time.sleep(0.02)

        def kill_one() -> None:
            wanted = len(answered) + 50
            os.kill(platform.children()["api"], signal.SIGKILL)
            eventually(lambda: len(answered) >= wanted)

        caller = threading.Thread(target=call_on)
        caller.start()
        try:
            for _ in range(3):
                kill_one()
        finally:
            stop.set()
            caller.join()
        rows = platform.sql("select count(*) as n, count(distinct trace) as traces from calls where kind = 'answered'")
        assert len(set(answered)) == len(answered) > 150
        on_record = platform.sql("select trace from calls where kind = 'answered' and operation = 'record'")
        traces = [row["trace"] for row in on_record]
        assert set(answered) <= set(traces)
        assert len(traces) == len(set(traces))
        assert rows[0]["n"] == rows[0]["traces"]
        assert "whole" in knudepunkt("ledger", "verify", instance=platform.instance.root).stdout


def test_a_killed_parent_takes_its_children_along_and_starts_again(tmp_path: Path) -> None:
    stage = make_stage(tmp_path / "instance", persons=20)
    with running(stage) as platform:
        children = platform.children()
        assert set(children) == {"api", "sftp", "worker"}
        platform.process.kill()
        platform.process.wait()
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children.values()))
        assert running_parent(stage.instance) is None
    with running(stage) as platform, platform.client() as http:
        assert http.get("/v1/services/municipalities/records/0851").status_code == 200


def test_a_sync_killed_anywhere_leaves_the_former_snapshot_or_the_new_one(tmp_path: Path) -> None:
    root = tmp_path / "instance"
    knudepunkt("init", instance=root)
    knudepunkt("testdata", "--persons", "3000", "--out", str(root / "inbox"), instance=root)
    chance = random.Random(20011119)
    command = [sys.executable, "-m", "runtime.cli", "sync", "--instance", str(root)]
    for _ in range(8):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.3, 3.0))
        process.kill()
        process.wait()
    knudepunkt("sync", instance=root)
    again = knudepunkt("sync", "--json", instance=root)
    assert '"nothing_new"' in again.stdout
    from runtime.clock import CLOCK
    from runtime.instance import Instance
    from runtime.mirroring import Mirroring

    instance = Instance.find(root)
    settings = settings_of(instance)
    persons = Mirroring.of(instance, settings, CLOCK).registers.dataset(DatasetId("cpr.persons"))
    with Lake.open(instance.lake, settings.replica, write=False) as lake:
        info = lake.info(persons)
        keys = lake.scan(persons, columns=["pnr"]).read_all()["pnr"].to_pylist()
    reader = Lookups(instance.segments, [persons.id]).reader(persons.id)
    assert info is not None
    assert info.rows == len(keys) == len(set(keys)) == 3000
    assert reader.info.snapshot == info.snapshot
    assert all(reader.get(key) is not None for key in keys)


def test_an_api_worker_killed_in_the_middle_of_an_extract(tmp_path: Path) -> None:
    with running(make_stage(tmp_path / "instance", persons=3000)) as platform:
        got = b""
        with contextlib.suppress(httpx2.TransportError), platform.client() as http:
            address = "/v1/services/cpr-persons-extract/extract?format=ndjson"
            with http.stream("GET", address) as answer:
                for piece in answer.iter_bytes(1024):
                    if not got:
                        os.kill(platform.children()["api"], signal.SIGKILL)
                    got += piece
        whole = _fetch(platform)
        assert whole.count(b"\n") == 3000
        assert whole.startswith(got)


def _fetch(platform: Platform) -> bytes:
    """As soon as somebody answers again."""
    got: list[bytes] = []

    def fetched() -> list[bytes]:
        with contextlib.suppress(httpx2.TransportError), platform.client() as http:
            answer = http.get("/v1/services/cpr-persons-extract/extract?format=ndjson")
            if answer.status_code == 200:
                got.append(answer.content)
        return got

    eventually(fetched)
    return got[0]
