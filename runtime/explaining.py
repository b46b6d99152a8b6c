"""What a call would meet, judged by the rooms that would judge it, on an instance whether it runs or not."""

from typing import Any

from api.explaining import Asked, Judges
from api.rest.explain import one_of
from control import Counters, load_policy
from kernel import ServiceName
from runtime.clock import CLOCK
from runtime.instance import Instance
from runtime.migrated import open_control
from runtime.settings import Settings
from schemas import SHIPPED, load_registers

__all__ = ["Asked", "explain_call"]


def explain_call(instance: Instance, settings: Settings, asked: Asked) -> dict[str, Any]:
    """The verdict as `control.explain` gives it. Raises Unregistered for a system, and for a service, that is not."""
    registers = load_registers(SHIPPED, instance.registers)
    service = registers.service(ServiceName(asked.service))
    with (
        open_control(instance, settings) as store,
        Counters(instance.rates, nodes=settings.limits.nodes) as counters,
    ):
        system = one_of(store.systems(), asked.system)
        with store.reading() as db:
            policy = load_policy(db, environment=settings.environment)
        judges = Judges(policy, counters, registers, settings.environment)
        return judges.told(asked, system, service, asked.at or CLOCK.now())
