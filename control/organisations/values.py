from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from control.errors import OrganisationInvalid
from kernel import OrganisationId

_WEIGHTS = (2, 7, 6, 5, 4, 3, 2, 1)


class OrganisationKind(StrEnum):
    SUPPLIER = "supplier"
    MUNICIPALITY = "municipality"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """cvr   eight digits. Test numbers need not pass modulus 11 (see has_cvr_check_digit), so it is not demanded."""

    id: OrganisationId
    kind: OrganisationKind
    cvr: str
    name: str
    created: datetime

    def __post_init__(self) -> None:
        if len(self.cvr) != 8 or not (self.cvr.isascii() and self.cvr.isdigit()):
            raise OrganisationInvalid("the CVR number is not eight digits", remedy="give eight digits without blanks")
        if not self.name.strip():
            raise OrganisationInvalid("the organisation has no name", remedy="give its registered name")


def has_cvr_check_digit(cvr: str) -> bool:
    """Whether an eight-digit CVR number passes modulus 11 (weights 2, 7, 6, 5, 4, 3, 2, 1)."""
    return sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, cvr, strict=True)) % 11 == 0
