from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from control.actors import Verb
from control.errors import Unregistered
from control.organisations import load_organisations
from control.systems.store import (
    add_system,
    change_system,
    ensure_in_use,
    find_system,
    load_systems,
    retire_system,
)
from control.systems.values import System
from kernel import OrganisationId, SystemId, new_id

if TYPE_CHECKING:
    from control.store import ControlStore


class Systems:
    """IT systems that call services: registered, changed, retired. Changes are the actor's that the store acts for."""

    def __init__(self, store: "ControlStore") -> None:
        self._store = store

    def register(
        self, organisation: OrganisationId, name: str, *, purpose: str, contact: str, endpoints: Sequence[str] = ()
    ) -> System:
        """Raises SystemInvalid, NotYours, and Unregistered when there is no such organisation."""
        made = System(
            id=SystemId(new_id()),
            organisation=organisation,
            name=name,
            purpose=purpose,
            contact=contact,
            created=self._store.clock.now(),
            endpoints=tuple(endpoints),
        )
        about = f"system {made.id}"
        with self._store.changing(Verb.SYSTEM_REGISTER, about, organisation, details={"name": name}) as db:
            if organisation not in load_organisations(db):
                raise Unregistered("no such organisation", remedy="register it first")
            add_system(db, made)
        return made

    def all(self, organisation: OrganisationId | None = None) -> tuple[System, ...]:
        """Those of one organisation, or everybody's; the retired ones too."""
        with self._store.reading() as db:
            found = load_systems(db).values()
        return tuple(each for each in found if organisation in {None, each.organisation})

    def find(self, system: SystemId) -> System:
        """Raises Unregistered."""
        with self._store.reading() as db:
            found = find_system(db, system)
        if found is None:
            raise Unregistered("no such system", remedy="register it first")
        return found

    def change(
        self,
        system: SystemId,
        *,
        name: str | None = None,
        purpose: str | None = None,
        contact: str | None = None,
        endpoints: Sequence[str] | None = None,
    ) -> System:
        """Change what is given. Raises SystemInvalid, also for a retired one; Unregistered, NotYours."""
        given = {"name": name, "purpose": purpose, "contact": contact}
        details = {what: value for what, value in given.items() if value is not None}
        if endpoints is not None:
            details["endpoints"] = " ".join(endpoints)
        owner = self._store.owner_of(system)
        with self._store.changing(Verb.SYSTEM_CHANGE, f"system {system}", owner.id, details=details) as db:
            before = ensure_in_use(db, system)
            made = replace(
                before,
                name=before.name if name is None else name,
                purpose=before.purpose if purpose is None else purpose,
                contact=before.contact if contact is None else contact,
                endpoints=before.endpoints if endpoints is None else tuple(endpoints),
            )
            change_system(db, made)
        return made

    def retire(self, system: SystemId) -> None:
        """Take a system out of use for ever: its certificates and keys stop within a second.

        Raises Unregistered, NotYours, and SystemInvalid for one that is retired already.
        """
        owner = self._store.owner_of(system)
        with self._store.changing(Verb.SYSTEM_CHANGE, f"system {system}", owner.id, details={"retired": "yes"}) as db:
            ensure_in_use(db, system)
            retire_system(db, system, self._store.clock.now())
