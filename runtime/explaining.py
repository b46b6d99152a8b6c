"""What a call would meet, judged by the rooms that would judge it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from control import Counters, Policy, System, explain, explained
from control.errors import AgreementAmbiguous, CertificateUnknown, Unregistered
from integrations import ensure_within_limits
from kernel import (
    AgreementId,
    Call,
    Caller,
    Channel,
    Grant,
    Operation,
    PlatformError,
    ServiceName,
    new_trace_id,
)
from runtime.instance import Instance
from runtime.settings import Settings
from runtime.wiring import CLOCK, open_control
from schemas import SHIPPED, load_registers, visible_columns


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


def explain_call(instance: Instance, settings: Settings, asked: Asked) -> dict[str, Any]:
    """The verdict as `control.explain` gives it. Raises Unregistered for a system, and for a service, that is not."""
    registers = load_registers(SHIPPED, instance.registers)
    service = registers.service(ServiceName(asked.service))
    with (
        open_control(instance, settings) as store,
        Counters(instance.rates, nodes=settings.limits.nodes) as counters,
    ):
        system = _one_of(store.systems(), asked.system)
        owner = store.owner_of(system.id)
        with store.reading() as db:
            policy = Policy.load(db, environment=settings.environment)
        at = asked.at or CLOCK.now()
        call = Call(
            trace=new_trace_id(),
            caller=Caller(system=system.id, name=system.name, organisation_cvr=owner.cvr, credential=""),
            channel=Channel.REST, service=service.name, operation=Operation.LOOKUP, received=at,
            agreement=None if asked.agreement is None else AgreementId(asked.agreement),
            municipality_cvr=asked.municipality, columns=asked.columns,
        )  # fmt: skip

        def columns(grant: Grant) -> None:
            if service.dataset is not None:
                visible_columns(registers.dataset(service.dataset), grant, asked.columns)

        def keys(grant: Grant) -> None:
            ensure_within_limits(asked.keys, grant)

        told = explain(policy, call, at, counters, purpose=asked.purpose, checks=(keys, columns)).as_dict()
        if not policy.has_credential(system.id, at):
            told["admitted"] = False
            told["refusals"].insert(0, _unbound(system))
        return told


def _one_of(systems: Sequence[System], name: str) -> System:
    found = [each for each in systems if name in {each.id, each.name}]
    if len(found) == 1:
        return found[0]
    if not found:
        raise Unregistered("no system is registered under this name or id", remedy="check the name")
    ids = ", ".join(each.id for each in found)
    raise AgreementAmbiguous("several systems have this name", remedy=f"name one by its id: {ids}")


def _unbound(system: System) -> dict[str, Any]:
    error: PlatformError = CertificateUnknown(
        f"the system {system.name} has no certificate that is valid then",
        remedy="bind one to it",
        rule="certificate.bound",
    )
    return explained(error)
