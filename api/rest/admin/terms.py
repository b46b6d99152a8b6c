"""Agreements as they are asked for and shown, over REST and on the command line."""

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct, field

from api.rest.admin.asked import Asked, Moment
from control import (
    Agreement,
    AgreementStep,
    AgreementType,
    Organisation,
    PurposeTerms,
    ServiceTerms,
    State,
    Step,
    System,
    Terms,
)
from kernel import Limits, ServiceName

TakenStep = Literal["request", "withdraw", "approve", "reject", "suspend", "resume", "terminate"]


class ServiceWanted(Asked):
    """columns: null for all that the service offers now. rows: column and the values a row may hold there.
    own_municipality: columns in which a row must hold the municipality's own code. protected: whether name and address
    of protected persons may be seen.
    """

    columns: list[str] | None = None
    rows: dict[str, list[str]] = field(default_factory=dict)
    own_municipality: tuple[str, ...] = ()
    protected: bool = False

    def terms(self) -> ServiceTerms:
        return ServiceTerms(
            columns=None if self.columns is None else frozenset(self.columns),
            rows={column: frozenset(values) for column, values in self.rows.items()},
            protected=self.protected,
            own_municipality=frozenset(self.own_municipality),
        )


class PurposeWanted(Asked):
    """code: what calls name it by. legal_basis: the agreement's when left out. Quotas: no limit when left out."""

    code: str
    text: str
    legal_basis: str = ""
    calls_per_day: int | None = None
    calls_per_month: int | None = None


class LimitsWanted(Asked):
    """Of one call, one minute, one day in Copenhagen; no limit when left out, but 1,000 keys in a call."""

    keys_per_call: int = 1_000
    calls_per_minute: int | None = None
    calls_per_day: int | None = None


class TermsWanted(Asked, kw_only=True):
    """reason: why; whoever approves reads it. type, receivers: whether data is passed on, and to whom."""

    services: dict[str, ServiceWanted]
    purpose: str
    legal_basis: str
    reason: str
    type: AgreementType = AgreementType.OWN_USE
    receivers: str = ""
    name: str = ""
    purposes: tuple[PurposeWanted, ...] = ()
    limits: LimitsWanted = field(default_factory=LimitsWanted)

    def terms(self) -> Terms:
        """Raises AgreementInvalid."""
        limits = self.limits
        return Terms(
            services={ServiceName(name): each.terms() for name, each in self.services.items()},
            purpose=self.purpose, legal_basis=self.legal_basis, reason=self.reason, type=self.type,
            receivers=self.receivers, name=self.name,
            purposes=tuple(
                PurposeTerms(
                    code=each.code, text=each.text, legal_basis=each.legal_basis,
                    calls_per_day=each.calls_per_day, calls_per_month=each.calls_per_month,
                )
                for each in self.purposes
            ),
            limits=Limits(
                keys_per_call=limits.keys_per_call, calls_per_minute=limits.calls_per_minute,
                calls_per_day=limits.calls_per_day,
            ),
        )  # fmt: skip


class NewAgreement(TermsWanted, kw_only=True):
    """municipality: CVR number. system: id. valid_from: now when left out; valid_to: open when left out.
    replaces: id of an agreement that this one takes over from. draft: write it down, and send it later.
    """

    municipality: str
    system: str
    valid_from: Moment | None = None
    valid_to: Moment | None = None
    replaces: str | None = None
    draft: bool = False
    note: str = ""


class Renewal(Asked):
    """terms: those of the agreement when left out. valid_from: when the old one ends, or now."""

    valid_from: Moment | None = None
    valid_to: Moment | None = None
    terms: TermsWanted | None = None
    note: str = ""


class AgreementDecision(Asked):
    step: TakenStep
    note: str = ""


class PartyView(Struct, frozen=True):
    id: str
    cvr: str
    name: str

    @classmethod
    def of(cls, it: Organisation) -> "PartyView":
        return cls(it.id, it.cvr, it.name)


class AgreementView(Struct, frozen=True):
    """state: now. terms_hash: stands in every ledger line. may: the steps that you could take now."""

    id: str
    state: State
    municipality: PartyView
    supplier: PartyView
    system: str
    system_name: str
    valid_from: datetime
    valid_to: datetime | None
    since: datetime
    replaces: str | None
    delegation: str | None
    terms_hash: str
    terms: dict[str, Any]
    may: tuple[Step, ...]

    @classmethod
    def of(
        cls, it: Agreement, municipality: Organisation, supplier: Organisation, system: System, may: tuple[Step, ...],
        at: datetime,
    ) -> "AgreementView":  # fmt: skip
        return cls(
            it.id, it.state_at(at), PartyView.of(municipality), PartyView.of(supplier), it.system, system.name,
            it.valid.start, it.valid.end, it.since, it.replaces, it.delegation, it.terms_hash, it.terms.as_json(), may,
        )  # fmt: skip


class AgreementStepView(Struct, frozen=True):
    """number: 1, 2, 3, ... without gaps."""

    number: int
    step: Step
    state: State
    by: str
    at: datetime
    note: str

    @classmethod
    def of(cls, it: AgreementStep) -> "AgreementStepView":
        return cls(it.number, it.step, it.state, it.by, it.at, it.note)
