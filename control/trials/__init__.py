"""Trial connections: the demo service that every registered system may call in the test environment, and the first
successful call of each system, on record.
"""

from control.trials.door import Trials
from control.trials.rule import TRIAL_SERVICES, trial_grant
from control.trials.store import load_trials
from control.trials.values import Trial

__all__ = ["TRIAL_SERVICES", "Trial", "Trials", "load_trials", "trial_grant"]
