"""Trial connections: the first successful call of each system is put on record, beside the road of the call.

Looking whether a system has passed is a look into a set that the policy holds; what is written is written by a thread.
"""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self

import structlog

from control import ControlStore, Policy
from control.trials import Trials
from kernel import Beside, CallAnswered, CallRefused, Observation, PlatformError, RowsDelivered, SystemId

_MOST_WAITING: Final = 1_000
_FAILURE: Final = 400

_log = structlog.get_logger(__name__)


class TrialRecorder:
    """Use with `with`; `notice` is told of every fact, and costs next to nothing for a system that has passed."""

    def __init__(self, store: ControlStore, policy: Callable[[], Policy]) -> None:
        self._store, self._policy = store, policy
        self._waiting: deque[CallAnswered | RowsDelivered] = deque(maxlen=_MOST_WAITING)
        self._told: set[SystemId] = set()
        self._something = threading.Event()
        self._beside = Beside("trials", self._work)

    def __enter__(self) -> Self:
        self._beside.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._beside.stop(self._something.set)

    def notice(self, fact: Observation) -> None:
        """Never waits, and never fails."""
        if isinstance(fact, CallRefused) or self._policy().has_passed(fact.system) or not _succeeded(fact):
            return
        if fact.system not in self._told:
            self._told.add(fact.system)
            self._waiting.append(fact)
            self._something.set()

    def _work(self, stopping: threading.Event) -> None:
        while True:
            self._something.wait()
            self._something.clear()
            while True:
                try:
                    self._record(self._waiting.popleft())
                except IndexError:
                    break
            if stopping.is_set():
                return

    def _record(self, fact: CallAnswered | RowsDelivered) -> None:
        try:
            Trials(self._store).record(fact.system, trace=fact.trace, service=fact.service, at=fact.at)
        except PlatformError as error:
            _log.warning("trial_not_recorded", system=fact.system, code=error.code)
        except Exception:
            # The next call of the system tries again.
            _log.exception("trial_not_recorded", system=fact.system)
            with suppress(KeyError):
                self._told.remove(fact.system)


def _succeeded(fact: CallAnswered | RowsDelivered) -> bool:
    return fact.status < _FAILURE if isinstance(fact, CallAnswered) else fact.whole
