"""Data-processing agreements: what a municipality has agreed with the platform, as a recorded, dated document."""

from control.processing.door import Processing
from control.processing.store import add_processing_agreement, load_processing_agreements
from control.processing.values import ProcessingAgreement, document_hash

__all__ = [
    "Processing",
    "ProcessingAgreement",
    "add_processing_agreement",
    "document_hash",
    "load_processing_agreements",
]
