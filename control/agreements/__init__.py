"""Agreements: what a municipality lets a system do, and the life of that permission."""

from control.agreements.lifecycle import NEXT, State, Step, advance
from control.agreements.store import add_agreement, find_agreement, load_agreements, load_steps, take_step
from control.agreements.values import Agreement, AgreementStep, ServiceTerms, Terms

__all__ = [
    "NEXT",
    "Agreement",
    "AgreementStep",
    "ServiceTerms",
    "State",
    "Step",
    "Terms",
    "add_agreement",
    "advance",
    "find_agreement",
    "load_agreements",
    "load_steps",
    "take_step",
]
