"""`kill -9` at random moments, of writers and of the intake: nothing acknowledged is lost, nothing counts twice."""

import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.usage.builders import House, an_answer
from tests.waiting import eventually
from usage import ask, take_in, verify

SEED = 20310304
ROUNDS = 5
PROJECT = Path(__file__).resolve().parents[2]


class Child:
    """Runs the writer module; collects every whole line it says."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.usage.writer", *arguments], cwd=PROJECT, stdout=subprocess.PIPE
        )
        self.said: list[str] = []
        self.ready = threading.Event()
        self.listener = threading.Thread(target=self._listen)
        self.listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            # A line without its end was cut off by the kill: nobody was told.
            if line.endswith(b"\n"):
                self.said.append(line.decode().strip())
                self.ready.set()

    def kill(self) -> list[str]:
        self.process.kill()
        self.process.wait()
        self.listener.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.said[1:]


@pytest.mark.slow
def test_every_acknowledged_event_is_in_calls_exactly_once(house: House) -> None:
    rng = random.Random(SEED)
    acknowledged: list[str] = []
    rounds = 0
    # So many rounds, and on a busy machine as many more as it takes for them to say something.
    while rounds < ROUNDS or len(acknowledged) <= 100:
        rounds += 1
        writers = [Child("record", str(house.ledger), str(rng.choice([0.02, 60]))) for _ in range(2)]
        intake = Child("intake", str(house.ledger), str(house.usage))
        for child in (*writers, intake):
            assert child.ready.wait(120)
        for child in rng.sample([*writers, intake], 3):
            time.sleep(rng.uniform(0, 0.3))
            said = child.kill()
            if child is not intake:
                acknowledged += said
    before = recorded(house)
    taken = take_in(house.ledger, house.usage)
    after = recorded(house)

    assert taken.faults == ()
    assert max(before.values()) == max(after.values()) == 1
    assert set(acknowledged) <= before.keys()
    assert before == after
    assert verify(house.ledger, house.usage) == []


def recorded(house: House) -> Counter[str]:
    answer = ask(house.ledger, house.usage, "select event from calls", max_rows=1_000_000)
    return Counter(answer.table["event"].to_pylist())


@pytest.mark.slow
def test_calls_has_each_event_once_while_ledgers_turn_and_the_intake_works(house: House) -> None:
    stop = threading.Event()
    done: list[str] = []

    def write() -> None:
        with house.open_ledger(rotate_s=0.1) as ledger:
            while not stop.wait(0.002):
                event = an_answer()
                ledger.record(event)
                done.append(event.event)

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    intake = Child("intake", str(house.ledger), str(house.usage))
    try:
        for _ in range(3):
            known = set(done)
            answer = recorded(house)
            assert max(answer.values(), default=1) == 1
            assert known <= answer.keys()
            assert verify(house.ledger, house.usage) == []
        eventually(lambda: sum(int(events) for events in intake.said[1:]) > 0)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        intake.kill()
    assert recorded(house).keys() == set(done)
