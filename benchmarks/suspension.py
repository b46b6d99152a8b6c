"""How soon does a suspension bite in other processes? Watchers as every process has them, in processes of their own.

`python -m benchmarks.suspension <url> <fingerprint> <cvr>` is one of them: it says `ready`, and then, whenever the
answer to the same call turns, what it is now and when (the machine's monotonic clock, seconds).
"""

import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from control import Agreements, ControlStore, PolicyWatcher, Step
from kernel import AgreementId, Call, Channel, Operation, PlatformError, ServiceName, SystemClock, new_trace_id

PROCESSES = 2
SERVICE = ServiceName("cpr-persons")
_LOOKS_EVERY_S = 0.002


def felt(
    store: ControlStore, url: str, *, fingerprint: str, agreement: AgreementId, cvr: str, turns: int
) -> list[float]:
    """Milliseconds from the moment a suspension is acknowledged until a process refuses, one for each turn and process.

    The agreement is live, before and after.
    """
    chance, found = random.Random(20261128), []
    with watching(url, fingerprint, cvr) as processes:
        for _ in range(turns):
            # Anywhere between two looks of the watchers.
            time.sleep(chance.uniform(0, 0.5))
            for step, state in ((Step.SUSPEND, "refused"), (Step.RESUME, "carried")):
                Agreements(store, None).step(agreement, step)
                acknowledged = time.monotonic()
                moments = [_turned(each, state) for each in processes]
                if step is Step.SUSPEND:
                    found += [max(0.0, moment - acknowledged) * 1e3 for moment in moments]
    return found


@contextmanager
def watching(url: str, fingerprint: str, cvr: str) -> Iterator[Sequence["subprocess.Popen[str]"]]:
    command = [sys.executable, "-m", "benchmarks.suspension", url, fingerprint, cvr]
    with ExitStack() as stack:
        processes = []
        for _ in range(PROCESSES):
            process = stack.enter_context(
                subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])
            )
            stack.callback(process.kill)
            processes.append(process)
        for each in processes:
            _said(each, "ready")
        yield processes


def watch(url: str, fingerprint: str, cvr: str) -> None:
    clock, state = SystemClock(), "carried"
    with ControlStore(url, environment="production", clock=clock) as store, PolicyWatcher(store) as watcher:
        _say("ready")
        while True:
            at = clock.now()
            try:
                policy = watcher.current()
                caller = policy.identify(fingerprint, at)
                call = Call(
                    trace=new_trace_id(), caller=caller, channel=Channel.REST, service=SERVICE,
                    operation=Operation.LOOKUP, received=at, municipality_cvr=cvr,
                )  # fmt: skip
                policy.grant(call, at)
                now = "carried"
            except PlatformError:
                now = "refused"
            if now != state:
                state = now
                _say(f"{state} {time.monotonic()}")
            time.sleep(_LOOKS_EVERY_S)


def _turned(process: "subprocess.Popen[str]", state: str) -> float:
    return float(_said(process, state))


def _said(process: "subprocess.Popen[str]", word: str) -> str:
    """What follows the word. Raises RuntimeError when something else is said, or nothing any more."""
    assert process.stdout is not None
    first, _, rest = process.stdout.readline().strip().partition(" ")
    if first != word:
        raise RuntimeError(f"a watching process says {first!r} instead of {word!r}")
    return rest


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    watch(*sys.argv[1:])
