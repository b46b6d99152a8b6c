"""A service as it can be called."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from email.utils import format_datetime
from typing import Final, Self

from api.answer import Headers
from api.errors import ServiceNotOffered
from kernel import COPENHAGEN
from schemas import Dataset, Service, ServiceStatus

CALLABLE: Final = {
    "test": frozenset({ServiceStatus.TEST, ServiceStatus.PRODUCTION, ServiceStatus.DEPRECATED}),
    "production": frozenset({ServiceStatus.PRODUCTION, ServiceStatus.DEPRECATED}),
}
"""Environment -> the status that a service must have to be called there."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A service as it can be called, with what every call needs to know of its dataset.

    dataset         None of a service that is answered from elsewhere
    personal        whether the dataset holds anything personal: then no answer may be kept on the way
    mastered        whether its records are written here: then a whole record has an entity tag
    key_is_public   whether a key may stand in an address, and is nobody's identifier
    farewell        header fields of a service that will end: Sunset (RFC 8594), and a link to its successor
    """

    service: Service
    dataset: Dataset | None
    personal: bool
    key_is_public: bool
    farewell: Headers
    mastered: bool = False

    @classmethod
    def of(cls, service: Service, dataset: Dataset | None, *, mastered: bool = False) -> Self:
        if dataset is None:
            # What a source answers may be anything, and so may what it is asked about.
            return cls(service, None, personal=True, key_is_public=False, farewell=_farewell(service))
        return cls(service, dataset, dataset.personal, dataset.key_is_public, _farewell(service), mastered)


def ensure_offered(service: Service, day: date, environment: str) -> None:
    """Raises ServiceNotOffered."""
    status = service.status_on(day)
    if status not in CALLABLE[environment]:
        successor = f"call its successor, {service.successor}; " if service.successor else ""
        raise ServiceNotOffered(
            f"the service {service.name} is {status.value}",
            remedy=f"{successor}see the catalogue: GET /v1/catalogue",
            rule="service.status",
        )


def _farewell(service: Service) -> Headers:
    if service.ends is None:
        return []
    over = datetime.combine(service.ends + timedelta(days=1), time(0), COPENHAGEN)
    fields = [(b"sunset", format_datetime(over.astimezone(UTC), usegmt=True).encode("ascii"))]
    if service.successor is not None:
        fields.append((b"link", f'</v1/catalogue/{service.successor}>; rel="successor-version"'.encode("ascii")))
    return fields
