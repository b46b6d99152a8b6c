from datetime import datetime
from typing import TYPE_CHECKING

from control.actors import Verb
from control.errors import ProcessingInvalid, Unregistered
from control.organisations import OrganisationKind, load_organisations
from control.processing.store import (
    add_processing_agreement,
    end_processing_agreement,
    find_processing_agreement,
    load_processing_agreements,
)
from control.processing.values import ProcessingAgreement, document_hash
from kernel import OrganisationId, Window, new_id

if TYPE_CHECKING:
    from control.store import ControlStore


class Processing:
    """The data-processing agreements of municipalities. In production, without one in force nothing of theirs is
    served; in the test environment there is nobody's data to process.
    """

    def __init__(self, store: "ControlStore") -> None:
        self._store = store

    def record(
        self, municipality: OrganisationId, reference: str, document: bytes, valid: Window
    ) -> ProcessingAgreement:
        """document   the signed document; its hash is kept. Raises ProcessingInvalid, Unregistered, NotYours."""
        store = self._store
        made = ProcessingAgreement(
            id=new_id(), municipality=municipality, reference=reference, document_sha256=document_hash(document),
            valid=valid, recorded=store.clock.now(), recorded_by=store.actor.name,
        )  # fmt: skip
        about = f"processing agreement {made.id}"
        details = {"reference": reference, "document_sha256": made.document_sha256}
        with store.changing(Verb.PROCESSING_RECORD, about, municipality, details=details) as db:
            found = load_organisations(db).get(municipality)
            if found is None or found.kind is not OrganisationKind.MUNICIPALITY:
                raise Unregistered("no such municipality", remedy="it is made with a municipality")
            add_processing_agreement(db, made)
        return made

    def end(self, agreement: str, at: datetime | None = None) -> ProcessingAgreement:
        """End one, now or at a later time. Raises ProcessingInvalid, Unregistered, NotYours."""
        store, now = self._store, self._store.clock.now()
        with store.reading() as db:
            found = find_processing_agreement(db, agreement)
        about = f"processing agreement {agreement}"
        with store.changing(Verb.PROCESSING_END, about, found.municipality) as db:
            found = find_processing_agreement(db, agreement)
            end = max(at or now, found.valid.start)
            if end < now or (found.valid.end is not None and found.valid.end <= end):
                raise ProcessingInvalid("it ends before that already", remedy="give a time from now on, or let it be")
            end_processing_agreement(db, agreement, end)
            return find_processing_agreement(db, agreement)

    def agreements(self, municipality: OrganisationId) -> tuple[ProcessingAgreement, ...]:
        """Raises NotYours."""
        self._store.ensure_may(Verb.ORGANISATION_SEE, municipality)
        with self._store.reading() as db:
            return load_processing_agreements(db, municipality)
