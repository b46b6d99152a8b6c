"""What the contract of connectors asks of a peer in tests: to hold rows, to misbehave, and to be connected to."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from sync.sources import Connector

Rows = list[tuple[str, str]]
"""(id, name), in the order they stand in."""

SECRET = "open-sesame"
"""What lets us in; it may be in no error text and no log line."""
CHANGED = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
"""When a document last changed, as its server says."""
FEW: Rows = [("1", "Ada"), ("2", "Bo")]
MANY: Rows = [(str(number), f"name {number}") for number in range(20_000)]


class Peer(Protocol):
    """fault   how the peer misbehaves from now on; "" when it does not"""

    fault: str

    def put(self, name: str, rows: Rows) -> None:
        """Hold these rows, as a file of this name where the peer has files."""
        ...

    def remove(self, name: str) -> None: ...

    def connector(self, work: Path) -> Connector: ...

    def rows(self, stream: BinaryIO) -> Rows:
        """The rows that a connector gave."""
        ...


@dataclass(slots=True)
class Mischief:
    """What a server that tests can spoil shares with the tests.

    told      set at the end of a test: a server that was to be silent goes on
    act       what a fault does besides, once: to change a file while it is read
    """

    fault: str = ""
    told: threading.Event = field(default_factory=threading.Event)
    act: Callable[[], None] = lambda: None

    def reset(self) -> None:
        self.told.set()
        self.fault, self.told, self.act = "", threading.Event(), lambda: None

    def once(self) -> None:
        act, self.act = self.act, lambda: None
        act()


def as_csv(rows: Rows) -> bytes:
    return "".join(f"{key},{name}\n" for key, name in [("id", "name"), *rows]).encode()


def from_csv(data: bytes) -> Rows:
    head, *lines = data.decode().splitlines()
    assert head == "id,name"
    return [(key, name) for key, name in (line.split(",") for line in lines)]
