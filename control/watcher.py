"""The policy of this process, kept up with the control database: a revocation bites within a second."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Self

import structlog

from control.loading import load_policy
from control.policy import Policy
from control.store import ControlStore, policy_version
from kernel import Beside

_log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 0.25


class PolicyWatcher:
    """Use with `with`: a thread looks at the version row and loads the policy anew when it has changed.

    When the database cannot be read, the last policy stays in force and the log says so: an outage of the control
    database must not become an outage of every lookup.
    """

    def __init__(self, store: ControlStore) -> None:
        self._store = store
        with store.reading() as db, _long_lived():
            self._policy = load_policy(db, environment=store.environment)
        self._beside = Beside("policy", self._watch)

    def __enter__(self) -> Self:
        self._beside.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._beside.stop()

    def current(self) -> Policy:
        """The policy in force now. Costs nothing; ask anew for each call, and keep what you got for the whole call."""
        return self._policy

    def _watch(self, stopping: threading.Event) -> None:
        failing = False
        while not stopping.wait(LOOK_EVERY_S):
            try:
                self._look()
                if failing:
                    _log.info("policy_read_again", version=self._policy.version)
                failing = False
            except Exception:
                if not failing:
                    _log.exception("policy_not_read", version=self._policy.version)
                failing = True

    def _look(self) -> None:
        with self._store.reading() as db:
            if policy_version(db) != self._policy.version:
                with _long_lived():
                    self._policy = load_policy(db, environment=self._store.environment, before=self._policy)


@contextmanager
def _long_lived() -> Iterator[None]:
    """What is made in the block is kept out of the garbage collector's sight.

    A policy of 10,000 agreements is half a million objects without cycles. The collector would go over all of them
    while they are made and once more soon after, a third of a second each time, and every call would wait for it.
    """
    gc.collect(1)
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
