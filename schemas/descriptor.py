"""The file of a service, `<name>.service.yaml`, read into a Service. Its form is in schemas/service.py."""

from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kernel import DatasetId, Operation, ServiceName
from schemas.document import Document, Review, did_you_mean, path_of, read_document
from schemas.finding import Finding
from schemas.live import Component, Live, Orchestration, PassThrough
from schemas.live_body import ComponentBody, FallbackBody, OrchestrationBody, PassThroughBody, RedirectBody, StepBody
from schemas.service import (
    COMPONENTS,
    MASTER,
    OF_A_DATASET,
    SOAP_INTERFACES,
    IntegrationType,
    Service,
    ServiceStatus,
    ServiceType,
    SlaClass,
    Suitability,
    suitability,
)

_SUFFIX: Final = ".service.yaml"
_SECTIONS: Final = ("redirect", "pass_through", "orchestration", "component")
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
    redirect: RedirectBody | None = None
    pass_through: PassThroughBody | None = None
    orchestration: OrchestrationBody | None = None
    component: ComponentBody | None = None

    def live(self) -> Live | None:
        seconds = self.sla_class.seconds
        match self.integration_type:
            case IntegrationType.REDIRECT:
                return None if self.redirect is None else self.redirect.to_live()
            case IntegrationType.PASS_THROUGH:
                return None if self.pass_through is None else self.pass_through.to_live(seconds)
            case IntegrationType.ORCHESTRATION:
                return None if self.orchestration is None else self.orchestration.to_live(seconds)
            case IntegrationType.COMPONENT:
                return None if self.component is None else self.component.to_live()
            case IntegrationType.REPLICA:
                return None

    soap: str = ""

    def to_service(self, folder: Path) -> Service:
        return Service(
            name=ServiceName(self.name), uuid=str(self.uuid), version=self.version,
            title=self.title.model_dump(), description=self.description.model_dump(), status=self.status,
            service_type=self.service_type, integration_type=self.integration_type,
            dataset=None if self.dataset is None else DatasetId(self.dataset), sla_class=self.sla_class,
            price_model=self.price_model, terms=self.terms, test_data=self.test_data,
            stub=None if self.stub is None else folder / self.stub, search=tuple(self.search),
            ends=self.ends, successor=None if self.successor is None else ServiceName(self.successor),
            live=self.live(),
            soap=self.soap,
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
                known = _known(fault["loc"])
                remedy = did_you_mean(str(fault["loc"][-1]), known)
            else:
                form = "live" if fault["loc"][0] in _SECTIONS else "service"
                remedy = _REMEDIES.get(fault["type"], f"write it in the form that schemas/{form}.py shows")
            review.error(path_of(fault["loc"]), fault["msg"].removeprefix("Value error, "), remedy)
        return None, document, findings
    _review_fit(review, service)
    _review_live(review, service)
    _review_end(review, service)
    _review_soap(review, service)
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


def _review_soap(review: Review, service: Service) -> None:
    if not service.soap:
        return
    if service.soap not in SOAP_INTERFACES:
        remedy = did_you_mean(service.soap, SOAP_INTERFACES)
        review.error("soap", f"there is no established interface {service.soap!r}", remedy)
    elif service.dataset != (wanted := SOAP_INTERFACES[service.soap]):
        problem = f"{service.soap} speaks of {wanted or 'no dataset'}"
        review.error("soap", problem, f"write `dataset: {wanted}`" if wanted else "remove the line `dataset`")


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


def _known(loc: tuple[int | str, ...]) -> Collection[str]:
    """Names that may stand where one was found that may not."""
    if len(loc) == 1:
        return _ServiceBody.model_fields
    sections: dict[int | str, type[BaseModel]] = {
        "redirect": RedirectBody, "pass_through": PassThroughBody, "orchestration": OrchestrationBody,
        "component": ComponentBody,
    }  # fmt: skip
    if loc[0] not in sections:
        return _Words.model_fields
    nested: dict[int | str, type[BaseModel]] = {"fallback": FallbackBody, "steps": StepBody}
    return (nested.get(loc[1], sections[loc[0]]) if len(loc) > 2 else sections[loc[0]]).model_fields


def _review_live(review: Review, service: Service) -> None:
    own = service.integration_type.value.replace("-", "_")
    given = [name for name in _SECTIONS if review.document.value.get(name) is not None]
    for name in given:
        if name != own:
            review.error(name, f"is not of a service that is a {service.integration_type}", "remove the section")
    refused = suitability(service.service_type, service.integration_type) is Suitability.REFUSED
    if own in _SECTIONS and own not in given and not refused and not service.soap:
        review.error("integration_type", f"there is no section `{own}`", "add it; schemas/live.py shows its form")
    match service.live:
        case PassThrough(hedge_after_s=float(), methods=methods) if service.service_type is not ServiceType.LOOKUP and (
            not all(method.repeatable for method in methods)
        ):
            review.error("pass_through.hedge_after_s", "not all of the methods may be repeated", "remove it")
        case PassThrough(fallback=fallback) if fallback is not None:
            if service.service_type is not ServiceType.LOOKUP:
                review.error("pass_through.fallback", "only a lookup falls back to a replica", "remove it")
            if service.dataset is None:
                review.error(
                    "pass_through.fallback",
                    "there is no replica to fall back to",
                    "add `dataset: <register>.<dataset>`",
                )
        case Component(name=name) if name not in COMPONENTS:
            review.error("component.name", f"there is no component {name!r}", did_you_mean(name, COMPONENTS))
        case Component(name=name) if name in OF_A_DATASET and service.dataset is None:
            review.error("dataset", f"{name} is about a dataset", "add `dataset: <register>.<dataset>`")
        case Component(name=name) if (name == MASTER) is not (service.service_type is ServiceType.UPDATE):
            review.error("service_type", f"{MASTER} is the component of updates", "mend the one or the other")
        case Orchestration() if service.stub is not None:
            review.error("stub", "an orchestration is answered from the stubs of its steps", "remove the line")
        case _:
            pass
