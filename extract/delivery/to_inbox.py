"""A parcel into a system's own IN of the established exchange: file, metadata and trigger, together and whole."""

from dataclasses import dataclass

from extract.delivery.parcel import Handover, Parcel
from extract.exchange import Exchange, InMetadata
from kernel import Grant


@dataclass(frozen=True, slots=True)
class InboxSender:
    """It lands once: a transfer is known by its id, also when the receiver has taken it by then."""

    exchange: Exchange
    grant: Grant

    @property
    def carries(self) -> bool:
        return False

    def send(self, parcel: Parcel, handover: Handover) -> bool:
        """Raises ExchangeNameTaken, ExchangeBoxFull: the receiver must tidy up."""
        handover.alive()
        grant = self.grant
        metadata = InMetadata(
            transfer=parcel.transfer,
            agreement=grant.agreement,
            service=grant.service,
            municipality_cvr=grant.municipality_cvr,
            terms_hash=grant.terms_hash,
            manifest=parcel.described,
        )
        self.exchange.put_in(grant.system, parcel.name, parcel.path, metadata)
        return False
