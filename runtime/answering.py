"""What the API needs from the rooms, and what must hold before calls are sent here."""

from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import version

from api import Doors, Proxies
from control import TestAuthority, Trust
from integrations import EventSubscriptions
from replica import DatasetNotReady
from runtime.asking import decisions_of
from runtime.clock import CLOCK
from runtime.documents import documents_of
from runtime.instance import Instance
from runtime.sharing import sharing_of
from runtime.signing import Signer
from runtime.tokens import tokens_of
from runtime.wiring import House, jobs_of


def doors_of(house: House, trust: Callable[[], Trust]) -> Doors:
    """What the API needs from the rooms."""
    return Doors(
        registers=house.registers,
        policy=house.watcher.current,
        trust=trust,
        counters=house.counters,
        lookups=house.lookups,
        past=house.scanner.past,
        first_from=house.scanner.first_from,
        find=house.scanner.find,
        corrections=house.scanner.corrections,
        estimate=house.scanner.estimate,
        rows=house.scanner.scan,
        jobs=jobs_of(house.instance, house.settings, house.extracts),
        stall_s=house.settings.extracts.stall_s,
        signing_key=Signer.open(house.instance.signing_key).public_pem,
        extracts=house.extracts,
        shelf=house.shelf,
        observe=house.observe,
        clock=CLOCK,
        environment=house.settings.environment,
        readiness=partial(readiness, house),
        decisions=partial(decisions_of, house.instance),
        sharing=sharing_of(house.instance, house.settings, house.control, lambda: house.watcher.current().version),
        tokens=tokens_of(house.instance, house.settings, house.registers),
        control=house.control,
        documents=partial(documents_of, house.instance),
        authority=partial(TestAuthority.open_or_create, house.instance.authority)
        if house.settings.environment == "test"
        else None,
        proxies=Proxies(house.settings.proxy),
        write=house.master.write,
        changed=house.scanner.changed,
        events=EventSubscriptions(house.control.reading, house.control.noting),
        sources={name: each.below(house.instance.root) for name, each in house.settings.live.sources.items()},
        version=version("knudepunkt"),
    )


def readiness(house: House) -> Mapping[str, bool]:
    """What must hold before calls are sent here: what was mirrored can be looked up, and the ledger can be written.

    A register that nothing was delivered for yet keeps nobody from the others.
    """
    checks = {"policy": house.watcher.current().version > 0, "ledger": _writable(house.instance)}
    for dataset in house.registers.datasets:
        if not (house.instance.segments / dataset.id).exists():
            continue
        try:
            checks[dataset.id] = house.lookups.reader(dataset.id).info.rows >= 0
        except DatasetNotReady:
            checks[dataset.id] = False
    checks["mirror"] = any((house.instance.segments / dataset.id).exists() for dataset in house.registers.datasets)
    return checks


def _writable(instance: Instance) -> bool:
    probe = instance.ledger / ".probe"
    try:
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError:
        return False
    return True
