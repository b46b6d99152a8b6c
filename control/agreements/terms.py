"""What a municipality agrees to: services with columns, rows and protection; purposes; limits. Values alone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, Self

from control.errors import AgreementInvalid
from control.texts import LONGEST_NAME, ensure_name, ensure_text
from kernel import Limits, Purpose, ServiceName

MOST_PURPOSES: Final = 20
_CODE: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST_CODE: Final = 40


class AgreementType(StrEnum):
    """Whether the supplier passes data on to others than the municipality, and between whom."""

    OWN_USE = "own-use"
    SEVERAL_RECEIVERS = "several-receivers"
    SEVERAL_OWNERS = "several-owners"
    ONE_TO_ONE = "one-owner-one-receiver"

    @property
    def passes_on(self) -> bool:
        return self is not AgreementType.OWN_USE


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTerms:
    """What of one service an agreement covers.

    columns            names of columns, None for all
    rows               column -> values that a row may hold there
    protected          whether name and address of protected persons may be seen
    own_municipality   columns in which a row must hold the municipality's own code; `rows` holds them too, with that
                       code, as soon as the agreement is written down
    version            of the service when the agreement was written down; empty when it was not told
    """

    columns: frozenset[str] | None = None
    rows: Mapping[str, frozenset[str]] = field(default_factory=dict)
    protected: bool = False
    own_municipality: frozenset[str] = frozenset()
    version: str = ""

    def of_municipality(self, code: str) -> Self:
        """The same with the rows of the municipality that has this code."""
        return replace(self, rows={**self.rows, **{name: frozenset({code}) for name in self.own_municipality}})

    def as_json(self) -> dict[str, Any]:
        return {
            "columns": None if self.columns is None else sorted(self.columns),
            "rows": {column: sorted(values) for column, values in self.rows.items()},
            "protected": self.protected,
            "own_municipality": sorted(self.own_municipality),
            "version": self.version,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            columns=None if data["columns"] is None else frozenset(data["columns"]),
            rows={column: frozenset(values) for column, values in data["rows"].items()},
            protected=data["protected"],
            own_municipality=frozenset(data.get("own_municipality", ())),
            version=data.get("version", ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeTerms:
    """One of an agreement's purposes, with a quota of its own; None is no limit.

    code          what a call names it by: lower-case letters and digits, single hyphens
    legal_basis   empty when it is the agreement's
    """

    code: str
    text: str
    legal_basis: str = ""
    calls_per_day: int | None = None
    calls_per_month: int | None = None

    def __post_init__(self) -> None:
        if len(self.code) > _LONGEST_CODE or not _CODE.fullmatch(self.code):
            raise AgreementInvalid(
                "a purpose has a code that no call can name",
                remedy=f"use lower-case letters, digits and single hyphens, at most {_LONGEST_CODE} of them",
            )
        ensure_text(self.text, f"the purpose {self.code}", AgreementInvalid)
        ensure_text(self.legal_basis or "-", f"the legal basis of the purpose {self.code}", AgreementInvalid)
        for quota in (self.calls_per_day, self.calls_per_month):
            if quota is not None and quota < 1:
                raise AgreementInvalid(f"the purpose {self.code} lets nothing through", remedy="give at least 1")

    @property
    def quota(self) -> Purpose:
        return Purpose(code=self.code, calls_per_day=self.calls_per_day, calls_per_month=self.calls_per_month)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the municipality agrees to.

    purpose, legal_basis   of the agreement as a whole
    reason                 why it is asked for; whoever approves reads it
    type                   whether data is passed on, and `receivers` to whom: demanded when it is
    name                   what the parties call the agreement; empty: its services name it
    purposes               that calls name, each with its quota; empty: calls need name none
    """

    services: Mapping[ServiceName, ServiceTerms]
    purpose: str
    legal_basis: str
    reason: str
    type: AgreementType = AgreementType.OWN_USE
    receivers: str = ""
    name: str = ""
    purposes: tuple[PurposeTerms, ...] = ()
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not self.services:
            raise AgreementInvalid("the agreement names no service", remedy="name at least one")
        for name in ("purpose", "legal_basis", "reason"):
            ensure_text(getattr(self, name), f"the agreement's {name.replace('_', ' ')}", AgreementInvalid)
        ensure_name(self.name or "-", "the agreement's name", AgreementInvalid)
        for service, terms in self.services.items():
            _ensure_covering(service, terms)
        self._ensure_receivers()
        codes = [each.code for each in self.purposes]
        if len(codes) > MOST_PURPOSES or len(set(codes)) < len(codes):
            raise AgreementInvalid(
                f"the agreement has more than {MOST_PURPOSES} purposes, or two of one code", remedy="name each once"
            )
        limits = (self.limits.keys_per_call, self.limits.calls_per_minute, self.limits.calls_per_day)
        if any(most is not None and most < 1 for most in limits):
            raise AgreementInvalid("a limit of the agreement lets nothing through", remedy="give at least 1")

    @property
    def title(self) -> str:
        return self.name or ", ".join(sorted(self.services))

    @property
    def quotas(self) -> dict[str, Purpose]:
        return {each.code: each.quota for each in self.purposes}

    def as_json(self) -> dict[str, Any]:
        """Plain values: the same terms give the same ones, whatever order they were given in."""
        return {
            "type": self.type.value,
            "receivers": self.receivers,
            "name": self.name,
            "purpose": self.purpose,
            "legal_basis": self.legal_basis,
            "reason": self.reason,
            "services": {name: terms.as_json() for name, terms in self.services.items()},
            "purposes": [
                {
                    "code": each.code, "text": each.text, "legal_basis": each.legal_basis,
                    "calls_per_day": each.calls_per_day, "calls_per_month": each.calls_per_month,
                }
                for each in sorted(self.purposes, key=lambda each: each.code)
            ],
            "limits": {
                "keys_per_call": self.limits.keys_per_call,
                "calls_per_minute": self.limits.calls_per_minute,
                "calls_per_day": self.limits.calls_per_day,
            },
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """data   as `as_json` gives it, or as the first release wrote it down (without type, name and purposes)"""
        passed_on = AgreementType.SEVERAL_RECEIVERS if data.get("passes_on") else AgreementType.OWN_USE
        kind = AgreementType(data["type"]) if "type" in data else passed_on
        return cls(
            services={ServiceName(name): ServiceTerms.from_json(terms) for name, terms in data["services"].items()},
            purpose=data["purpose"],
            legal_basis=data["legal_basis"],
            reason=data["reason"],
            type=kind,
            receivers=data.get("receivers", "not told" if kind.passes_on else ""),
            name=data.get("name", ""),
            purposes=tuple(PurposeTerms(**each) for each in data.get("purposes", ())),
            limits=Limits(**data["limits"]),
        )

    def _ensure_receivers(self) -> None:
        if self.type.passes_on is not bool(self.receivers.strip()):
            raise AgreementInvalid(
                "the agreement passes data on and does not say to whom, or names receivers and passes nothing on",
                remedy="name the receivers, or choose the type own-use",
                rule="agreement.receivers",
            )
        ensure_text(self.receivers or "-", "the agreement's receivers", AgreementInvalid)


def _ensure_covering(service: ServiceName, terms: ServiceTerms) -> None:
    ensure_name(service, "a service's name", AgreementInvalid)
    if terms.columns is not None and not terms.columns:
        raise AgreementInvalid(
            f"the agreement covers {service} without a column", remedy="name columns, or leave the list out"
        )
    if not all(terms.rows.values()):
        raise AgreementInvalid(
            f"the agreement limits {service} to no row", remedy="name the values that a row may hold"
        )
    texts = [*(terms.columns or ()), *terms.own_municipality, *terms.rows]
    texts += (value for each in terms.rows.values() for value in each)
    # Policy reads thousands of agreements with dozens of columns each: all at once first, and one by one for the words.
    if not (
        "".join(texts).isprintable() and max(map(len, texts), default=0) <= LONGEST_NAME and all(map(str.strip, texts))
    ):
        for text in texts:
            ensure_name(text, f"a column or value of {service}", AgreementInvalid)
