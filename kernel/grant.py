"""The permission that `control` issues and every room that hands out data honours."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from kernel.ids import AgreementId, OrganisationId, ServiceName, SystemId
from kernel.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an agreement lets one call, one minute or one day (in Copenhagen) hold; None is no limit."""

    keys_per_call: int = 1_000
    calls_per_minute: int | None = None
    calls_per_day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """One purpose under an agreement, with a quota of its own; None is no limit. Days and months are Copenhagen's."""

    code: str
    calls_per_day: int | None = None
    calls_per_month: int | None = None


class Recorded(TypedDict):
    """What every line of the ledger says of the permission that it was under."""

    agreement: AgreementId
    system: SystemId
    municipality_cvr: str
    terms_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What one consumer system may see of one service on behalf of one municipality.

    columns        names of top-level columns, None for all that the service offers
    rows           column -> the values a row may hold in it; a row outside is as if it did not exist
    protected      whether name and address of persons with name and address protection may be seen
    terms_hash     SHA-256 of the agreement's terms; stands in every ledger line
    purposes       by code; a call under an agreement with several names one of them
    """

    agreement: AgreementId
    system: SystemId
    municipality: OrganisationId
    municipality_cvr: str
    service: ServiceName
    valid: Window
    terms_hash: str
    columns: frozenset[str] | None = None
    rows: Mapping[str, frozenset[str]] = field(default_factory=dict)
    protected: bool = False
    limits: Limits = field(default_factory=Limits)
    purposes: Mapping[str, Purpose] = field(default_factory=dict)

    @property
    def on_record(self) -> Recorded:
        return {
            "agreement": self.agreement, "system": self.system, "municipality_cvr": self.municipality_cvr,
            "terms_hash": self.terms_hash,
        }  # fmt: skip
