"""Datasets, grants and plans: each builder takes just what a test is about."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import pyarrow as pa

from extract import ExtractPlan, ExtractRequest, Format, formats_of, plan_extract
from kernel import (
    AgreementId,
    Grant,
    OrganisationId,
    ServiceName,
    SnapshotId,
    SystemId,
    Window,
)
from replica import SnapshotInfo
from schemas import Classification, Column, Dataset, Kind, ProtectionRule
from tests.replica.builders import ELEMENT

TODAY = date(2031, 3, 10)
PUBLISHED = datetime(2031, 3, 9, 4, 30, tzinfo=UTC)
CVR = "11111111"
SERVICE = ServiceName("residents-extract")

_PROTECTED = Classification.PROTECTED
RESIDENTS = Dataset(
    register="town",
    name="residents",
    key="number",
    columns=(
        Column(name="number", kind=Kind.TEXT, required=True, classification=Classification.PERSONAL),
        Column(name="municipality", kind=Kind.TEXT),
        Column(name="name", kind=Kind.TEXT, classification=_PROTECTED),
        Column(name="children", kind=Kind.INTEGER),
        Column(name="income", kind=Kind.NUMBER),
        Column(name="born", kind=Kind.DATE),
        Column(name="seen", kind=Kind.TIMESTAMP),
        Column(name="alive", kind=Kind.BOOLEAN),
        Column(name="protections", kind=Kind.ARRAY, item=ELEMENT),
    ),
    protection=ProtectionRule(),
)

FORMATS = formats_of(RESIDENTS)


def info(snapshot: int = 7, rows: int = 3) -> SnapshotInfo:
    return SnapshotInfo(
        dataset=RESIDENTS.id, snapshot=SnapshotId(snapshot), published=PUBLISHED, as_of=PUBLISHED, rows=rows
    )


def grant(
    columns: str | None = None,
    rows: Mapping[str, frozenset[str]] | None = None,
    *,
    protected: bool = False,
    agreement: str = "agreement-1",
    system: str = "system-1",
    cvr: str = CVR,
    service: ServiceName = SERVICE,
) -> Grant:
    """columns   names with spaces between them"""
    return Grant(
        agreement=AgreementId(agreement),
        system=SystemId(system),
        municipality=OrganisationId("municipality-" + cvr),
        municipality_cvr=cvr,
        service=service,
        valid=Window(datetime(2031, 1, 1, tzinfo=UTC)),
        terms_hash="0" * 64,
        columns=None if columns is None else frozenset(columns.split()),
        rows=rows or {},
        protected=protected,
    )


def plan(given: Grant | None = None, kind: Format = Format.CSV, columns: str | None = None, **at: Any) -> ExtractPlan:
    request = ExtractRequest(format=kind, columns=None if columns is None else tuple(columns.split()))
    return plan_extract(request, given or grant(), RESIDENTS, at.get("info", info()), at.get("today", TODAY))


@cache
def residents(count: int, first: int = 0) -> pa.Table:
    """Rows in the order of their key. Every tenth is protected, in 2031."""
    numbers = range(first, first + count)
    shield = [{"type": "0001", "from_date": date(2031, 1, 1), "to_date": None}]
    return pa.table(
        {
            "number": [f"{number:010d}" for number in numbers],
            "municipality": [f"{101 + number % 3:04d}" for number in numbers],
            "name": [f'Åse "{number}", Øby' for number in numbers],
            "children": [None if number % 5 == 0 else number % 4 for number in numbers],
            "income": [number / 7 for number in numbers],
            "born": [date(1950 + number % 60, 1 + number % 12, 1) for number in numbers],
            "seen": [datetime(2031, 1, 1, 12, 0, number % 60, number % 2) for number in numbers],  # noqa: DTZ001
            "alive": [number % 9 > 0 for number in numbers],
            "protections": [shield if number % 10 == 0 else [] for number in numbers],
        },
        schema=RESIDENTS.arrow,
    )
