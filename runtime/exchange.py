"""SFTP users: by what name each system sends and receives files. The name of the system, where it is the only one."""

from collections import Counter
from collections.abc import Callable
from threading import Lock
from typing import Final

from control import ControlStore
from kernel import SystemId

LONGEST_USER: Final = 255


class AddressBook:
    """version   of the policy in force: when it changes, the systems are read anew"""

    def __init__(self, control: ControlStore, version: Callable[[], int]) -> None:
        self._control, self._version = control, version
        self._read_at: int | None = None
        self._users: dict[SystemId, str] = {}
        self._systems: dict[str, SystemId] = {}
        self._reading = Lock()

    def user_of(self, system: SystemId) -> str:
        """Its name; its id where another system in use has the same name, or it is not registered."""
        self._ensure_read()
        return self._users.get(system, system)

    def system_of(self, user: str) -> SystemId | None:
        """None for a user that no system in use has. A system's id is a user too."""
        self._ensure_read()
        return self._systems.get(user)

    def _ensure_read(self) -> None:
        with self._reading:
            version = self._version()
            if version == self._read_at:
                return
            systems = self._control.systems()
            in_use = [each for each in systems if each.retired is None]
            names = Counter(each.name for each in in_use)
            self._users = {each.id: each.name if names[each.name] == 1 else each.id for each in in_use}
            self._systems = {user: system for system, user in self._users.items()} | {
                each.id: each.id for each in in_use
            }
            self._read_at = version
