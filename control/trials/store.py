from typing import Any

from sqlalchemy import Connection, insert, select

from control.tables import TRIALS
from control.times import from_text, to_text
from control.trials.values import Trial
from kernel import ServiceName, SystemId, TraceId


def add_trial(db: Connection, trial: Trial) -> bool:
    """Whether it is the system's first; a later one changes nothing."""
    if db.execute(select(TRIALS.c.system).where(TRIALS.c.system == trial.system)).first() is not None:
        return False
    values: dict[str, Any] = {
        "system": trial.system, "passed": to_text(trial.passed), "trace": trial.trace, "service": trial.service,
    }  # fmt: skip
    db.execute(insert(TRIALS).values(values))
    return True


def load_trials(db: Connection) -> dict[SystemId, Trial]:
    return {
        SystemId(row["system"]): Trial(
            system=SystemId(row["system"]), passed=from_text(row["passed"]), trace=TraceId(row["trace"]),
            service=ServiceName(row["service"]),
        )
        for row in db.execute(select(TRIALS)).mappings()
    }  # fmt: skip
