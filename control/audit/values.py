import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from control.times import to_text

BEGIN: Final = "0" * 64
"""What the first entry's hash builds on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """number         1, 2, 3, ... without gaps
    actor          who, as histories show it
    organisation   id of whose they are; empty for the platform itself
    address        from where: an IP address, or `command line`
    verb           what was done, for instance `agreement.decide`
    about          what it was done to, for instance `agreement 0190...`
    details        what it says beyond that; names and texts, never register data
    hash           SHA-256 over the entry before and this one, lower-case hex
    """

    number: int
    at: datetime
    actor: str
    organisation: str
    address: str
    verb: str
    about: str
    details: Mapping[str, str]
    hash: str = ""

    def chained(self, before: str) -> str:
        """The hash that the entry must have after one with the hash `before`."""
        told = [
            before, self.number, to_text(self.at), self.actor, self.organisation, self.address, self.verb,
            self.about, dict(self.details),
        ]  # fmt: skip
        text = json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
