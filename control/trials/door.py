from datetime import datetime
from typing import TYPE_CHECKING

from control.actors import Role, Verb
from control.errors import Unregistered
from control.notices import tell
from control.systems import load_systems
from control.trials.store import add_trial, load_trials
from control.trials.values import Trial
from kernel import ServiceName, SystemId, TraceId

if TYPE_CHECKING:
    from control.store import ControlStore


class Trials:
    """Which systems have passed their trial connection, in the test environment."""

    def __init__(self, store: "ControlStore") -> None:
        self._store = store

    def record(self, system: SystemId, *, trace: TraceId, service: ServiceName, at: datetime) -> bool:
        """Note a successful call; gives whether it was the system's first. The platform does, so the house must act.

        Raises Unregistered, NotYours.
        """
        if self.of(system) is not None:
            return False
        trial = Trial(system=system, passed=at, trace=trace, service=service)
        details = {"step": "trial passed", "service": service, "trace": trace}
        with self._store.changing(Verb.HOUSE_KEEP, f"system {system}", details=details) as db:
            found = load_systems(db).get(system)
            if found is None:
                raise Unregistered("no such system", remedy="register it first")
            first = add_trial(db, trial)
            if first:
                tell(
                    db,
                    to=found.organisation,
                    roles=frozenset({Role.USER, Role.ADMINISTRATOR}),
                    subject=f"The system {found.name} has passed its trial connection",
                    text=f"Its first successful call was of {service}.\nTrace id: {trace}\n"
                    "What is next: request an agreement from a municipality, in the production environment.",
                    about=f"system {system}",
                    at=self._store.clock.now(),
                )
            return first

    def of(self, system: SystemId) -> Trial | None:
        """None for a system that has not passed, or is not registered."""
        with self._store.reading() as db:
            return load_trials(db).get(system)

    def all(self) -> tuple[Trial, ...]:
        """In the order in which they passed."""
        with self._store.reading() as db:
            return tuple(sorted(load_trials(db).values(), key=lambda each: each.passed))
