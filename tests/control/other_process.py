"""What the tests run as another process: `python -m tests.control.other_process watch|change <url> [...]`."""

import itertools
import sys
import time

from control import Agreements, ControlStore, OrganisationKind, PolicyWatcher, Step
from kernel import PlatformError, SystemClock, Window
from tests.control.builders import terms


def say(*words: object) -> None:
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")
    sys.stdout.flush()


def watch(url: str, fingerprint: str) -> None:
    """Says `ready`, then, when the certificate no longer speaks for a system, the refusal's code and the time."""
    clock = SystemClock()
    with ControlStore(url, environment="test", clock=clock) as store, PolicyWatcher(store) as watcher:
        watcher.current().identify(fingerprint, clock.now())
        say("ready")
        while True:
            try:
                watcher.current().identify(fingerprint, clock.now())
            except PlatformError as refusal:
                say(refusal.code, time.time())
                return
            time.sleep(0.005)


def change(url: str, rounds: str) -> None:
    """Makes and ends agreements; says `ready`, and each round when it is acknowledged. 0 rounds: until killed."""
    with ControlStore(url, environment="test", clock=SystemClock()) as store:
        municipality = store.find_organisation("11111111")
        supplier = store.find_organisation("12345678")
        assert municipality is not None
        assert supplier is not None
        assert municipality.kind is OrganisationKind.MUNICIPALITY
        say("ready")
        for turn in itertools.count():
            if turn == int(rounds) and turn:
                return
            system = store.add_system(supplier.id, f"{time.time_ns()} {turn}", purpose="x", contact="x")
            agreements = Agreements(store, None)
            drafted = agreements.draft(municipality.id, system.id, terms(), Window(SystemClock().now()))
            for step in (Step.REQUEST, Step.SUSPEND, Step.RESUME, Step.TERMINATE):
                say(drafted.id, agreements.step(drafted.id, step).state.value)


if __name__ == "__main__":
    {"watch": watch, "change": change}[sys.argv[1]](*sys.argv[2:])
