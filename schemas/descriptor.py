"""The file of a service, `<name>.service.yaml`, read into a Service. Its form is in schemas/service.py."""

from datetime import date
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kernel import DatasetId, Operation, ServiceName
from schemas.document import Document, Review, did_you_mean, path_of, read_document
from schemas.finding import Finding
from schemas.service import (
    IntegrationType,
    Service,
    ServiceStatus,
    ServiceType,
    SlaClass,
    Suitability,
    suitability,
)

_SUFFIX: Final = ".service.yaml"
_Text = Annotated[str, Field(pattern=r"\S")]


class _Words(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    da: _Text
    en: _Text


class _ServiceBody(BaseModel):
    """A service descriptor as it stands in its file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=63)]
    uuid: Annotated[UUID, Field(strict=False)]
    version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")]
    title: _Words
    description: _Words
    status: Annotated[ServiceStatus, Field(strict=False)]
    service_type: Annotated[ServiceType, Field(strict=False)]
    integration_type: Annotated[IntegrationType, Field(strict=False)]
    dataset: Annotated[str | None, Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")] = None
    sla_class: Annotated[SlaClass, Field(strict=False)]
    price_model: str = ""
    terms: str = ""
    test_data: str = ""
    search: list[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$")]] = []
    ends: Annotated[date | None, Field(strict=False)] = None
    successor: Annotated[str | None, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")] = None
    stub: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = None

    def to_service(self, folder: Path) -> Service:
        return Service(
            name=ServiceName(self.name), uuid=str(self.uuid), version=self.version,
            title=self.title.model_dump(), description=self.description.model_dump(), status=self.status,
            service_type=self.service_type, integration_type=self.integration_type,
            dataset=None if self.dataset is None else DatasetId(self.dataset), sla_class=self.sla_class,
            price_model=self.price_model, terms=self.terms, test_data=self.test_data,
            stub=None if self.stub is None else folder / self.stub, search=tuple(self.search),
            ends=self.ends, successor=None if self.successor is None else ServiceName(self.successor),
        )  # fmt: skip


_REMEDIES: Final = {
    "missing": "add it",
    "uuid_parsing": "write a UUID of its own, for instance from `uuidgen`, and never change it",
    "string_type": "write text; put codes and version numbers in quotation marks",
    "enum": "use one of these",
}


def read_service(path: Path) -> tuple[Service | None, Document | None, list[Finding]]:
    """The service of one descriptor, the document it stands in, and what is wrong with it.

    Never raises for what a file may hold. Whether its dataset exists is not known here.
    """
    document, findings = read_document(path)
    if document is None:
        return None, None, findings
    review = Review(document, findings)
    try:
        service = _ServiceBody.model_validate(document.value).to_service(path.parent)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_context=False, include_input=False):
            if fault["type"] == "extra_forbidden":
                known = _Words.model_fields if len(fault["loc"]) > 1 else _ServiceBody.model_fields
                remedy = did_you_mean(str(fault["loc"][-1]), known)
            else:
                remedy = _REMEDIES.get(fault["type"], "write it in the form that schemas/service.py shows")
            review.error(path_of(fault["loc"]), fault["msg"], remedy)
        return None, document, findings
    _review_fit(review, service)
    _review_end(review, service)
    if path.name != service.name + _SUFFIX:
        review.warning("name", f"the file is named {path.name}", f"rename it to {service.name}{_SUFFIX}")
    if service.stub is not None and not service.stub.is_file():
        review.error(
            "stub", f"there is no file {service.stub.name} beside the descriptor", "add it, or remove the line"
        )
    return service, document, findings


def _review_end(review: Review, service: Service) -> None:
    deprecated = service.status is ServiceStatus.DEPRECATED
    if deprecated and service.ends is None:
        review.error("status", "a deprecated service tells when it ends", "add `ends: YYYY-MM-DD`, its last day")
    for name, value in (("ends", service.ends), ("successor", service.successor)):
        if value is not None and not deprecated:
            review.error(name, f"only a deprecated service has `{name}`", "remove the line, or set the status")
    if service.successor == service.name:
        review.error("successor", "is the service itself", "name the service to move to")


def _review_fit(review: Review, service: Service) -> None:
    fits = suitability(service.service_type, service.integration_type)
    words = f"{service.integration_type} for {service.service_type}"
    better = ", ".join(
        other for other in IntegrationType if suitability(service.service_type, other) is Suitability.SUITABLE
    )
    if fits is Suitability.REFUSED:
        review.error("integration_type", f"{words} is not offered", f"use one of {better}")
    elif fits is Suitability.LESS:
        review.warning("integration_type", f"{words} is less suitable", f"consider {better}")
    if service.integration_type is IntegrationType.REPLICA and service.dataset is None:
        review.error("dataset", "a replica service names no dataset", "add `dataset: <register>.<dataset>`")
    if service.search and Operation.SEARCH not in service.operations:
        review.error("search", "only a lookup service from the replica can be searched", "remove the line")
    if (service.service_type is ServiceType.EXTRACT) is not (service.sla_class is SlaClass.BULK):
        review.warning("sla_class", f"{service.sla_class} for {service.service_type}", "bulk is the class of extracts")
