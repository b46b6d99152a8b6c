"""Observations for tests; each takes only what the test is about."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kernel import (
    AgreementId,
    CallAnswered,
    CallRefused,
    Channel,
    EventId,
    Observation,
    Operation,
    RowsDelivered,
    ServiceName,
    SnapshotId,
    SystemClock,
    SystemId,
    Timing,
    TraceId,
    new_event_id,
)
from usage import Ledger, UsageSettings

KEY = b"k" * 32
NOON = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
SYSTEM = SystemId("0190a000-0000-7000-8000-000000000001")
AGREEMENT = AgreementId("0190a000-0000-7000-8000-000000000002")
TRACE = TraceId("4bf92f3577b34da6a3ce929d0e0e4736")


def an_answer(event: str | None = None, **changes: Any) -> CallAnswered:
    facts: dict[str, Any] = {
        "event": EventId(event) if event else new_event_id(),
        "at": NOON,
        "trace": TRACE,
        "channel": Channel.REST,
        "service": ServiceName("cpr-persons"),
        "operation": Operation.LOOKUP,
        "system": SYSTEM,
        "agreement": AGREEMENT,
        "terms_hash": "ab" * 32,
        "municipality_cvr": "11111111",
        "status": 200,
        "timing": Timing(to_source_us=20, from_source_us=70, out_us=120),
        "snapshot": SnapshotId(7),
        "keys": 2,
        "rows": 1,
        "size_bytes": 1_234,
    }
    return CallAnswered(**facts | changes)


def a_refusal(event: str | None = None, **changes: Any) -> CallRefused:
    facts: dict[str, Any] = {
        "event": EventId(event) if event else new_event_id(),
        "at": NOON,
        "trace": TRACE,
        "channel": Channel.REST,
        "code": "agreement_missing",
        "status": 403,
        "reason": "no agreement covers the service",
        "peer": "192.0.2.7:50312",
    }
    return CallRefused(**facts | changes)


def a_delivery(event: str | None = None, **changes: Any) -> RowsDelivered:
    facts: dict[str, Any] = {
        "event": EventId(event) if event else new_event_id(),
        "at": NOON,
        "trace": TRACE,
        "channel": Channel.SFTP,
        "service": ServiceName("cpr-persons-extract"),
        "system": SYSTEM,
        "agreement": AGREEMENT,
        "terms_hash": "ab" * 32,
        "municipality_cvr": "11111111",
        "extract": "cd" * 32,
        "snapshot": SnapshotId(7),
        "rows": 1_000,
        "size_bytes": 123_456,
        "whole": True,
        "timing": Timing(out_us=9_000),
    }
    return RowsDelivered(**facts | changes)


@dataclass(frozen=True)
class House:
    """The two folders of an instance that the accounts live in."""

    ledger: Path
    usage: Path

    def open_ledger(self, role: str = "api", **settings: Any) -> Ledger:
        return Ledger(
            self.ledger,
            role=role,
            subject_key=KEY,
            clock=SystemClock(),
            settings=UsageSettings(**settings),
            node="node-1",
        )

    def record(self, *observations: Observation) -> None:
        """One process that records these and ends well."""
        with self.open_ledger() as ledger:
            for observation in observations:
                ledger.record(observation)

    def files(self, place: str) -> list[Path]:
        return sorted((self.ledger / place).glob("*.jsonl"))


def die(ledger: Ledger) -> None:
    """What the kernel does for a killed process: its handles are closed, and nothing else happens."""
    ledger._stop.set()
    if ledger._keeper is not None:
        ledger._keeper.join()
    ledger._abandon()
    ledger._closed = True
