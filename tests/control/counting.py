"""Another process that counts calls: `python -m tests.control.counting FILE count N`, or `hold` to stop half way."""

import sys
import time
from pathlib import Path

from control import Counters
from control.errors import RateLimited
from control.limits.table import Slot
from tests.control.test_limits import NOON, grant_of


def main(path: str, what: str, many: str = "0") -> None:
    # A time that stands still: the minute must not go on while the processes start.
    with Counters(Path(path), seconds=lambda: 1_000.0) as counters:
        if what == "hold":
            counters._table.hold(Slot.of("a"))
            sys.stdout.write("held\n")
            sys.stdout.flush()
            time.sleep(60)
        done = 0
        for _ in range(int(many)):
            try:
                counters.admit(grant_of(calls_per_minute=200), None, NOON)
                done += 1
            except RateLimited:
                pass
        sys.stdout.write(f"{done}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
