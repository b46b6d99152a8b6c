import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from control.errors import OrganisationInvalid
from control.organisations.lifecycle import OrganisationState
from control.texts import ensure_name
from kernel import OrganisationId

_CVR: Final = re.compile(r"[0-9]{8}")
_CODE: Final = re.compile(r"[0-9]{4}")
_WEIGHTS: Final = (2, 7, 6, 5, 4, 3, 2, 1)


class OrganisationKind(StrEnum):
    SUPPLIER = "supplier"
    MUNICIPALITY = "municipality"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """cvr     eight digits; those of test organisations may fail modulus 11 (`checked`), so that is not demanded
    email   where the organisation is reached; empty for one that the platform was founded with
    code    four digits, of a municipality: what "own municipality" means in its agreements; empty while it is not told
    """

    id: OrganisationId
    kind: OrganisationKind
    cvr: str
    name: str
    created: datetime
    state: OrganisationState = OrganisationState.CONFIRMED
    email: str = ""
    code: str = ""

    def __post_init__(self) -> None:
        if not is_cvr(self.cvr):
            raise OrganisationInvalid("the CVR number is not eight digits", remedy="give eight digits without blanks")
        ensure_name(self.name, "the organisation's name", OrganisationInvalid)
        municipal = self.kind is OrganisationKind.MUNICIPALITY
        if self.code and not (municipal and _CODE.fullmatch(self.code)):
            raise OrganisationInvalid(
                "a municipality's code is four digits, and no other organisation has one",
                remedy="give the code as the municipality register has it, or leave it out",
                rule="organisation.code",
            )

    @property
    def checked(self) -> bool:
        """Whether the CVR number passes modulus 11."""
        return has_cvr_check_digit(self.cvr)


def is_cvr(text: str) -> bool:
    """Whether a text has the form of a CVR number: eight digits, 0 to 9."""
    return _CVR.fullmatch(text) is not None


def has_cvr_check_digit(cvr: str) -> bool:
    """Whether an eight-digit CVR number passes modulus 11 (weights 2, 7, 6, 5, 4, 3, 2, 1)."""
    return sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, cvr, strict=True)) % 11 == 0
