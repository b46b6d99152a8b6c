"""Onboarding: an organisation applies, the operator confirms it, and its first user is its administrator."""

from control.onboarding.door import Onboarding
from control.onboarding.values import Application, Applied

__all__ = ["Application", "Applied", "Onboarding"]
