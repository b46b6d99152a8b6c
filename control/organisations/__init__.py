"""Organisations: suppliers, municipalities and operators, known by their CVR number."""

from control.organisations.lifecycle import NEXT_STANDING, OrganisationState, OrganisationStep, next_standing
from control.organisations.store import (
    add_organisation,
    change_organisation,
    find_organisation,
    load_organisations,
)
from control.organisations.values import Organisation, OrganisationKind, has_cvr_check_digit, is_cvr

__all__ = [
    "NEXT_STANDING",
    "Organisation",
    "OrganisationKind",
    "OrganisationState",
    "OrganisationStep",
    "add_organisation",
    "change_organisation",
    "find_organisation",
    "has_cvr_check_digit",
    "is_cvr",
    "load_organisations",
    "next_standing",
]
