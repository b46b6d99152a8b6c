"""Another process that counts calls: `python -m tests.control.counting FILE count N`; `hold` to stop half way;
`race N` to call N times while hundreds of seconds pass in one, and tell when: `before after` of each call let through.
"""

import sys
import time
from pathlib import Path

from control import Counters
from control.errors import LimitsUnavailable, RateLimited
from control.limits.table import Slot
from tests.control.test_limits import NOON, grant_of

RACE_LIMIT = 40
"""Calls in a minute."""


def main(path: str, what: str, many: str = "0") -> None:
    if what == "race":
        race(path, int(many))
        return
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
            except (RateLimited, LimitsUnavailable):
                # Who holds the counter may have to wait for a processor, longer than others wait for the counter.
                pass
        sys.stdout.write(f"{done}\n")


def fast_s() -> float:
    """A time that all processes have in common, in which a minute takes a tenth of a second."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) * 600


def race(path: str, many: int) -> None:
    grant = grant_of(calls_per_minute=RACE_LIMIT)
    with Counters(Path(path), seconds=fast_s) as counters:
        for _ in range(many):
            before = fast_s()
            try:
                counters.admit(grant, None, NOON)
            except (RateLimited, LimitsUnavailable):
                continue
            sys.stdout.write(f"{before} {fast_s()}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
