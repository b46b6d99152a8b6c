from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from control.errors import Unregistered
from control.processing.values import ProcessingAgreement
from control.tables import PROCESSING_AGREEMENTS
from control.times import from_text, from_text_or_none, to_text
from kernel import OrganisationId, Window


def add_processing_agreement(db: Connection, agreement: ProcessingAgreement) -> None:
    values: dict[str, Any] = {
        "id": agreement.id,
        "municipality": agreement.municipality,
        "reference": agreement.reference,
        "document_sha256": agreement.document_sha256,
        "valid_from": to_text(agreement.valid.start),
        "valid_to": to_text(agreement.valid.end) if agreement.valid.end else None,
        "recorded": to_text(agreement.recorded),
        "recorded_by": agreement.recorded_by,
    }
    db.execute(insert(PROCESSING_AGREEMENTS).values(values))


def end_processing_agreement(db: Connection, agreement: str, at: datetime) -> None:
    mine = PROCESSING_AGREEMENTS.c.id == agreement
    db.execute(update(PROCESSING_AGREEMENTS).where(mine).values(valid_to=to_text(at)))


def find_processing_agreement(db: Connection, agreement: str) -> ProcessingAgreement:
    """Raises Unregistered."""
    for each in load_processing_agreements(db):
        if each.id == agreement:
            return each
    raise Unregistered("no such data-processing agreement", remedy="`knudepunkt processing list` shows them")


def load_processing_agreements(
    db: Connection, municipality: OrganisationId | None = None
) -> tuple[ProcessingAgreement, ...]:
    """In the order in which they were recorded."""
    query = select(PROCESSING_AGREEMENTS).order_by(PROCESSING_AGREEMENTS.c.recorded, PROCESSING_AGREEMENTS.c.id)
    if municipality is not None:
        query = query.where(PROCESSING_AGREEMENTS.c.municipality == municipality)
    return tuple(
        ProcessingAgreement(
            id=row["id"],
            municipality=OrganisationId(row["municipality"]),
            reference=row["reference"],
            document_sha256=row["document_sha256"],
            valid=Window(from_text(row["valid_from"]), from_text_or_none(row["valid_to"])),
            recorded=from_text(row["recorded"]),
            recorded_by=row["recorded_by"],
        )
        for row in db.execute(query).mappings()
    )
