"""When a failed delivery is tried again, and when an endpoint is left alone. Pure.

Waiting doubles with each attempt up to a bound, and half of it is chance, so that deliveries that failed together do
not come back together. The chance follows from the delivery and the attempt: the same attempt always waits as long.
"""

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """first_s     before the second attempt, about
    longest_s   between two attempts, at most
    attempts    in all; a delivery that failed so often is dead
    failures    of an endpoint in a row, after which it is left alone
    rest_s      for how long; then one delivery tries it
    """

    first_s: float = 5.0
    longest_s: float = 3600.0
    attempts: int = 40
    failures: int = 5
    rest_s: float = 60.0


def waiting_s(patience: Patience, delivery: str, attempts: int) -> float:
    """How long to wait after so many failed attempts, seconds: between half of the full time and the full time."""
    # No power beyond what the bound can need: 2**1000 is no float.
    full = min(patience.longest_s, patience.first_s * 2.0 ** min(attempts - 1, 40))
    return full * (0.5 + 0.5 * random.Random(f"{delivery} {attempts}").random())  # noqa: S311 no secret


@dataclass(frozen=True, slots=True)
class Breaker:
    """How an endpoint has been. `closed` lets deliveries through; after `failures` in a row it opens for a rest, and
    then lets one through to see.
    """

    failures: int = 0
    open_until: datetime | None = None

    def lets_through(self, now: datetime) -> bool:
        return self.open_until is None or self.open_until <= now

    def trying(self, now: datetime, patience: Patience) -> "Breaker":
        """One goes through; while it is under way the others of a bad endpoint wait."""
        if self.failures < patience.failures:
            return self
        return replace(self, open_until=now + timedelta(seconds=patience.rest_s))

    def failed(self, now: datetime, patience: Patience) -> "Breaker":
        failures = self.failures + 1
        rests = failures >= patience.failures
        return Breaker(failures, now + timedelta(seconds=patience.rest_s) if rests else None)


CLOSED: Final = Breaker()
"""Of an endpoint that answered the last time."""
