"""Delegations: a municipality lets a supplier decide for it on agreements about named services, for a time."""

from control.delegations.door import Delegations
from control.delegations.store import live_delegation, load_delegations
from control.delegations.values import Delegation

__all__ = ["Delegation", "Delegations", "live_delegation", "load_delegations"]
