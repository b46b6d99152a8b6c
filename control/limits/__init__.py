"""Limits: how many calls an agreement lets through in a minute and a day, and a purpose in a day and a month."""

from control.limits.counters import Counters
from control.limits.purpose import purpose_of
from control.limits.rule import NO_LIMITS, Allowance, Standing

__all__ = ["NO_LIMITS", "Allowance", "Counters", "Standing", "purpose_of"]
