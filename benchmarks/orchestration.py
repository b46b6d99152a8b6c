"""How much longer than its slowest part does an orchestration of three services take?

Two parts come from the mirror and one from the fictitious source, which is made to take its time: a fixed pause before
each answer. Called directly and through the orchestration in turns, so that what is added is seen beside the part that
everybody waits for.
"""

import json
from typing import Any, Final

from benchmarks.pass_through import Tell, percentile, post, scene
from benchmarks.rest import median
from benchmarks.result import result

TARGETS: Final = {"orchestration_added_p99_ms": ("at_most", 50.0)}
TURN: Final = 10
PAUSE_S: Final = 0.1
_FAULT: Final = {"mode": "slow", "path": "/residents", "seconds": PAUSE_S}


def measure(calls: int, *, progress: Tell = lambda _: None) -> dict[str, Any]:
    """calls   of each kind"""
    with scene(progress) as given:
        given.direct.request("PUT", "/faults", json.dumps(_FAULT).encode())
        given.direct.getresponse().read()
        body = json.dumps({"pnr": given.person}).encode()
        slowest: list[float] = []
        joined: list[float] = []
        own: list[float] = []
        for number in range(-1, max(1, calls // TURN)):
            progress(f"Turn {number + 1} of {calls // TURN}")
            straight = [post(given.direct, "/residents", body)[0] for _ in range(TURN)]
            whole = [post(given.platform, "/v1/services/korsbaek-overview/call", body) for _ in range(TURN)]
            if number < 0:
                continue  # connections, pages and caches
            slowest += straight
            joined += [took for took, _ in whole]
            own += [float(timing["own"]) for _, timing in whole]
    found = {
        "orchestration_added_p50_ms": median(joined) - median(slowest),
        "orchestration_added_p99_ms": percentile(joined, 0.99) - percentile(slowest, 0.99),
        "own_p50_ms": median(own),
        "own_p99_ms": percentile(own, 0.99),
        "slowest_part_p50_ms": median(slowest),
        "slowest_part_p99_ms": percentile(slowest, 0.99),
    }
    return result("orchestration", calls, found, TARGETS)
