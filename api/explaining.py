"""What a call would meet, judged by the rooms that would judge it. Nothing is called, counted or kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.offer import ensure_offered
from control import Counters, Policy, System, explain, explained
from control.errors import CertificateUnknown
from integrations import ensure_within_limits
from kernel import COPENHAGEN, AgreementId, Call, Caller, Channel, Grant, Operation, PlatformError, new_trace_id
from schemas import Registers, Service, visible_columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """system   name or id
    at       when the call would be made; None is now
    """

    system: str
    service: str
    municipality: str | None = None
    agreement: str | None = None
    columns: tuple[str, ...] | None = None
    keys: int = 1
    purpose: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Judges:
    policy: Policy
    counters: Counters
    registers: Registers
    environment: str

    def told(self, asked: Asked, system: System, service: Service, at: datetime) -> dict[str, Any]:
        """The verdict as `control.explain` gives it, after what would be judged before: whether system and service are
        in use, and whether the system has a certificate.
        """
        call = Call(
            trace=new_trace_id(),
            caller=Caller(
                system=system.id, name=system.name, organisation_cvr=self.policy.cvr_of(system.id) or "", credential=""
            ),
            channel=Channel.REST, service=service.name, operation=Operation.LOOKUP, received=at,
            agreement=None if asked.agreement is None else AgreementId(asked.agreement),
            municipality_cvr=asked.municipality, columns=asked.columns,
        )  # fmt: skip

        def columns(grant: Grant) -> None:
            if service.dataset is not None:
                visible_columns(self.registers.dataset(service.dataset), grant, asked.columns)

        def keys(grant: Grant) -> None:
            ensure_within_limits(asked.keys, grant)

        first: list[PlatformError] = []
        with _collected(first):
            self._ensure_bound(system, at)
        with _collected(first):
            self.policy.ensure_in_use(system.id)
        with _collected(first):
            ensure_offered(service, at.astimezone(COPENHAGEN).date(), self.environment)
        verdict = explain(self.policy, call, at, self.counters, purpose=asked.purpose, checks=(keys, columns))
        told = verdict.as_dict()
        told["admitted"] = told["admitted"] and not first
        told["refusals"] = [*map(explained, first), *told["refusals"]]
        return told

    def _ensure_bound(self, system: System, at: datetime) -> None:
        if not self.policy.has_credential(system.id, at):
            raise CertificateUnknown(
                f"the system {system.name} has no certificate that is valid then",
                remedy="bind one to it",
                rule="certificate.bound",
            )


@contextmanager
def _collected(refusals: list[PlatformError]) -> Iterator[None]:
    try:
        yield
    except PlatformError as error:
        refusals.append(error)
