import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from control.agreements.lifecycle import State, Step
from control.errors import AgreementInvalid
from control.texts import ensure_name, ensure_text
from kernel import AgreementId, Limits, OrganisationId, ServiceName, SystemId, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTerms:
    """What of one service an agreement covers.

    columns     names of columns, None for all
    rows        column -> values that a row may hold there
    protected   whether name and address of protected persons may be seen
    """

    columns: frozenset[str] | None = None
    rows: Mapping[str, frozenset[str]] = field(default_factory=dict)
    protected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the municipality agrees to. One hash names it, in every grant and every ledger line.

    passes_on   whether the supplier passes data on to others
    """

    services: Mapping[ServiceName, ServiceTerms]
    purpose: str
    legal_basis: str
    reason: str
    passes_on: bool = False
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not self.services:
            raise AgreementInvalid("the agreement names no service", remedy="name at least one")
        for name in ("purpose", "legal_basis", "reason"):
            ensure_text(getattr(self, name), f"the agreement's {name.replace('_', ' ')}", AgreementInvalid)
        for service, terms in self.services.items():
            ensure_name(service, "a service's name", AgreementInvalid)
            if terms.columns is not None and not terms.columns:
                raise AgreementInvalid(
                    f"the agreement covers {service} without a column", remedy="name columns, or leave the list out"
                )
            if not all(terms.rows.values()):
                raise AgreementInvalid(
                    f"the agreement limits {service} to no row", remedy="name the values that a row may hold"
                )
        calls = self.limits.calls_per_minute
        if self.limits.keys_per_call < 1 or (calls is not None and calls < 1):
            raise AgreementInvalid("a limit of the agreement lets nothing through", remedy="give at least 1")

    def to_json(self) -> str:
        """Canonical: the same terms give the same text."""
        return json.dumps(
            {
                "services": {
                    name: {
                        "columns": None if terms.columns is None else sorted(terms.columns),
                        "rows": {column: sorted(values) for column, values in terms.rows.items()},
                        "protected": terms.protected,
                    }
                    for name, terms in self.services.items()
                },
                "purpose": self.purpose,
                "legal_basis": self.legal_basis,
                "reason": self.reason,
                "passes_on": self.passes_on,
                "limits": {
                    "keys_per_call": self.limits.keys_per_call,
                    "calls_per_minute": self.limits.calls_per_minute,
                },
            },
            sort_keys=True,
            ensure_ascii=False,
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        data: dict[str, Any] = json.loads(text)
        services = {
            ServiceName(name): ServiceTerms(
                columns=None if terms["columns"] is None else frozenset(terms["columns"]),
                rows={column: frozenset(values) for column, values in terms["rows"].items()},
                protected=terms["protected"],
            )
            for name, terms in data.pop("services").items()
        }
        return cls(services=services, limits=Limits(**data.pop("limits")), **data)

    @property
    def hash(self) -> str:
        """SHA-256 of `to_json`, lower-case hex."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """terms_hash   of the terms when they were written down; it stands in old ledger lines, so it is never made anew
    state        as decided; see state_at
    since        when the last step was taken
    """

    id: AgreementId
    municipality: OrganisationId
    system: SystemId
    terms: Terms
    terms_hash: str
    valid: Window
    state: State
    since: datetime

    def live(self, at: datetime) -> bool:
        return self.state is State.APPROVED and at in self.valid

    def state_at(self, at: datetime) -> State:
        """The state at a time after the last step: what was decided, or EXPIRED."""
        if self.state in {State.APPROVED, State.SUSPENDED} and self.valid.end is not None and self.valid.end <= at:
            return State.EXPIRED
        return self.state


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementStep:
    """A line of an agreement's history: what was done, by whom, and the state after it."""

    agreement: AgreementId
    number: int
    step: Step
    state: State
    by: str
    at: datetime
    note: str
