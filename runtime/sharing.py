"""The open bulk face of an instance: its tokens, the key of its file addresses, and its folders."""

import hmac
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from api.sharing import SharingDesk
from control import ControlStore, Sharing, SharingToken
from runtime.instance import Instance
from runtime.settings import Settings


class TokenBook:
    """version   of the policy in force: when it changes, tokens are read anew; so a revocation bites within a second"""

    def __init__(self, control: ControlStore, version: Callable[[], int]) -> None:
        self._control, self._version = control, version
        self._read_at: int | None = None
        self._tokens: dict[str, SharingToken] = {}
        self._reading = Lock()

    def find(self, name: str) -> SharingToken | None:
        """By its hash or its id."""
        with self._reading:
            version = self._version()
            if version != self._read_at:
                found = Sharing(self._control).tokens()
                self._tokens = {each.hash: each for each in found} | {each.id: each for each in found}
                self._read_at = version
            return self._tokens.get(name)


def sharing_of(
    instance: Instance, settings: Settings, control: ControlStore, version: Callable[[], int]
) -> SharingDesk | None:
    """None where it is off."""
    if not settings.sharing.enabled:
        return None
    return SharingDesk(
        tokens=TokenBook(control, version).find,
        # A key of its own, from the one secret that every node has.
        key=hmac.digest(instance.subject_key(), b"addresses of shared files", "sha256"),
        files=instance.extracts / "files",
        changes=changes_of(instance),
        file_s=settings.sharing.file_s,
    )


def changes_of(instance: Instance) -> Path:
    """The folder of change feeds."""
    return instance.extracts / "changes"
