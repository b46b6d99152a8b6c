"""Systems of an organisation: registered, changed, retired."""

from api.answer import Answer
from api.rest.admin.asked import NewSystem, Nothing, SystemChange
from api.rest.admin.errand import Errand, made, one
from api.rest.admin.organisations import organisation_of
from api.rest.admin.pages import page
from api.rest.admin.shown import SystemView
from control import System, Systems
from kernel import SystemId

BASE = "/v1/admin/systems"


def listed(errand: Errand) -> Answer:
    found = sorted(Systems(errand.store).all(organisation_of(errand).id), key=lambda each: each.id)
    return page(found, lambda each: each.id, SystemView.of, errand.request, "systems")


def register(errand: Errand) -> Answer:
    asked, owner = errand.read(NewSystem), organisation_of(errand)
    done = Systems(errand.store).register(
        owner.id, asked.name, purpose=asked.purpose, contact=asked.contact, endpoints=asked.endpoints
    )
    return made(SystemView.of(done), f"{BASE}/{done.id}")


def shown(errand: Errand) -> Answer:
    errand.request.parameters()
    return one(SystemView.of(system_of(errand)))


def change(errand: Errand) -> Answer:
    asked, found = errand.read(SystemChange), system_of(errand)
    errand.expect(lambda: SystemView.of(system_of(errand)), needed=True)
    done = Systems(errand.store).change(
        found.id, name=asked.name, purpose=asked.purpose, contact=asked.contact, endpoints=asked.endpoints
    )
    return one(SystemView.of(done))


def retire(errand: Errand) -> Answer:
    errand.read(Nothing)
    found = system_of(errand)
    errand.expect(lambda: SystemView.of(system_of(errand)), needed=False)
    Systems(errand.store).retire(found.id)
    return one(SystemView.of(system_of(errand)))


def system_of(errand: Errand) -> System:
    """The one that the path names. Raises Unregistered, also for another organisation's."""
    found = Systems(errand.house).find(SystemId(errand.ids["system"]))
    errand.ensure_seen(found.organisation, "system")
    return found
