"""A process that keeps accounts until it is killed. Says on standard output what it got acknowledged.

python -m tests.usage.writer record FOLDER ROTATE_S
python -m tests.usage.writer intake LEDGER USAGE
"""

import sys
import time
from pathlib import Path

from kernel import SystemClock, TryAgainLater
from tests.usage.builders import KEY, a_delivery, a_refusal, an_answer
from usage import Ledger, UsageSettings, take_in


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def record(folder: Path, rotate_s: float) -> None:
    settings = UsageSettings(rotate_s=rotate_s, fsync_ms=20)
    ledger = Ledger(folder, role="api", subject_key=KEY, clock=SystemClock(), settings=settings)
    while True:
        for made in (an_answer, a_refusal, a_delivery):
            event = made()
            ledger.record(event)
            say(event.event)
            time.sleep(0.001)


def intake(ledger: Path, usage: Path) -> None:
    while True:
        try:
            say(str(take_in(ledger, usage).events))
        except TryAgainLater:
            say("busy")


if __name__ == "__main__":
    say("ready")
    if sys.argv[1] == "record":
        record(Path(sys.argv[2]), float(sys.argv[3]))
    else:
        intake(Path(sys.argv[2]), Path(sys.argv[3]))
