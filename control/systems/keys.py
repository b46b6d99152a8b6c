from typing import TYPE_CHECKING

from control.actors import Verb
from control.systems.store import bind_ssh_key, ensure_in_use, load_ssh_keys, revoke_ssh_key, system_of_key
from control.systems.values import SshKey
from kernel import SystemId

if TYPE_CHECKING:
    from control.store import ControlStore


class SshKeys:
    """Keys by which SFTP knows systems: bound, listed, revoked."""

    def __init__(self, store: "ControlStore") -> None:
        self._store = store

    def bind(self, system: SystemId, public_key: str) -> SshKey:
        """public_key   a line in OpenSSH's format. Raises SshKeyRefused, SystemInvalid, Unregistered, NotYours."""
        owner = self._store.owner_of(system)
        with self._store.changing(Verb.KEY_BIND, f"system {system}", owner.id) as db:
            ensure_in_use(db, system)
            return bind_ssh_key(db, system, public_key, self._store.clock.now())

    def of(self, system: SystemId) -> tuple[SshKey, ...]:
        """Every key that a system has or had, the newest first. Raises Unregistered."""
        self._store.owner_of(system)
        with self._store.reading() as db:
            return tuple(sorted(load_ssh_keys(db, system), key=lambda each: each.bound, reverse=True))

    def revoke(self, fingerprint: str) -> None:
        """Raises Unregistered, NotYours."""
        with self._store.reading() as db:
            system = system_of_key(db, fingerprint)
        owner = self._store.owner_of(system)
        with self._store.changing(Verb.KEY_REVOKE, f"key {fingerprint}", owner.id, details={"system": system}) as db:
            revoke_ssh_key(db, fingerprint, self._store.clock.now())
