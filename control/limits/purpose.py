"""Which of an agreement's purposes a call serves. Pure."""

from control.errors import PurposeMissing, PurposeUnknown
from kernel import Grant, Purpose


def purpose_of(grant: Grant, named: str | None) -> Purpose | None:
    """The purpose whose quota a call takes from; None when the agreement has none.

    named   the code in the call's header Knudepunkt-Purpose; an agreement with one purpose needs none

    Raises PurposeMissing, PurposeUnknown.
    """
    purposes = grant.purposes
    if named is None:
        if len(purposes) < 2:
            return next(iter(purposes.values()), None)
        raise PurposeMissing(
            f"the agreement {grant.agreement} has several purposes and the call names none",
            remedy=f"name one with the header Knudepunkt-Purpose: {_codes(grant)}",
            rule="agreement.purposes",
            owner=f"municipality {grant.municipality_cvr}",
            ends=grant.valid.end,
        )
    found = purposes.get(named)
    if found is None:
        # What the caller wrote is not repeated: it may be anything.
        raise PurposeUnknown(
            f"the agreement {grant.agreement} has no purpose of the code that the call names",
            remedy=f"name one of: {_codes(grant)}" if purposes else "leave the header Knudepunkt-Purpose out",
            rule="agreement.purposes",
            owner=f"municipality {grant.municipality_cvr}",
            ends=grant.valid.end,
        )
    return found


def _codes(grant: Grant) -> str:
    return ", ".join(sorted(grant.purposes))
