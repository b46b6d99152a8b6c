"""Agreements: what a municipality lets a system do, and the life of that permission."""

from control.agreements.deed import Deed, Party, hash_of
from control.agreements.lifecycle import NEXT, State, Step, advance, steps_from
from control.agreements.store import add_agreement, find_agreement, load_agreements, load_steps, take_step
from control.agreements.terms import AgreementType, PurposeTerms, ServiceTerms, Terms
from control.agreements.values import Agreement, AgreementStep

__all__ = [
    "NEXT",
    "Agreement",
    "AgreementStep",
    "AgreementType",
    "Deed",
    "Party",
    "PurposeTerms",
    "ServiceTerms",
    "State",
    "Step",
    "Terms",
    "add_agreement",
    "advance",
    "find_agreement",
    "hash_of",
    "load_agreements",
    "load_steps",
    "steps_from",
    "take_step",
]
