"""All registers that an instance knows: what is shipped and what the operator added.

A register is a folder: `<register>.odcs.yaml`, `*.service.yaml`, and `*.source.yaml`, which only `sync` reads.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kernel import DatasetId, NotFound, ServiceName
from schemas.contract import NAME, Contract, read_contract
from schemas.dataset import Dataset
from schemas.document import read_document
from schemas.finding import ContractInvalid, Finding, Severity
from schemas.service import (
    IntegrationType,
    Service,
    ServiceStatus,
    ServiceType,
    SlaClass,
    Suitability,
    suitability,
)

SHIPPED: Final = Path(__file__).parent / "registers"
_SERVICE_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


class ServiceUnknown(NotFound):
    code = "service_unknown"
    title = "There is no such service"


class DatasetUnknown(NotFound):
    code = "dataset_unknown"
    title = "There is no such dataset"


@dataclass(frozen=True, slots=True)
class Registers:
    contracts: tuple[Contract, ...]
    services: tuple[Service, ...]

    @property
    def datasets(self) -> tuple[Dataset, ...]:
        return tuple(dataset for contract in self.contracts for dataset in contract.datasets)

    def dataset(self, name: DatasetId) -> Dataset:
        """Raises DatasetUnknown."""
        for dataset in self.datasets:
            if dataset.id == name:
                return dataset
        raise DatasetUnknown(f"no register promises a dataset {name!r}", remedy="see the catalogue: GET /v1/services")

    def service(self, name: str) -> Service:
        """Raises ServiceUnknown. The message does not repeat the name: it may come from a URL somebody mistyped."""
        for service in self.services:
            if service.name == name:
                return service
        raise ServiceUnknown("no service has this name", remedy="see the catalogue: GET /v1/services")

    def dataset_of(self, service: Service) -> Dataset:
        """Raises DatasetUnknown for a service that has none."""
        if service.dataset is None:
            raise DatasetUnknown(f"the service {service.name} has no dataset")
        return self.dataset(service.dataset)


class _Words(BaseModel):
    model_config = ConfigDict(extra="forbid")
    da: str
    en: str


class _ServiceBody(BaseModel):
    """A service descriptor as it stands in its file."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=_SERVICE_NAME.pattern + "$")]
    uuid: UUID
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    title: _Words
    description: _Words
    status: ServiceStatus
    service_type: ServiceType
    integration_type: IntegrationType
    dataset: str | None = None
    sla_class: SlaClass
    price_model: str = ""
    terms: str = ""
    test_data: str = ""
    stub: Literal[None] = None

    def to_service(self) -> Service:
        return Service(
            name=ServiceName(self.name), uuid=str(self.uuid), version=self.version,
            title=self.title.model_dump(), description=self.description.model_dump(), status=self.status,
            service_type=self.service_type, integration_type=self.integration_type,
            dataset=None if self.dataset is None else DatasetId(self.dataset), sla_class=self.sla_class,
            price_model=self.price_model, terms=self.terms, test_data=self.test_data,
        )  # fmt: skip


def load_registers(*folders: Path) -> Registers:
    """Every register below `folders`. Raises ContractInvalid when any of them has an error."""
    registers, findings = _read(folders)
    errors = tuple(finding for finding in findings if finding.severity is Severity.ERROR)
    if errors:
        raise ContractInvalid(errors)
    return registers


def check_registers(*folders: Path) -> list[Finding]:
    """What is wrong with the registers below `folders`; empty when nothing is. Never raises for bad files."""
    return _read(folders)[1]


def register_folders(*folders: Path) -> Iterator[Path]:
    """The register folders in `folders`: each is one itself, or holds some."""
    for folder in folders:
        if any(folder.glob("*.odcs.yaml")):
            yield folder
        elif folder.is_dir():
            yield from sorted(child for child in folder.iterdir() if child.is_dir() and child.name != "__pycache__")


def _read(folders: tuple[Path, ...]) -> tuple[Registers, list[Finding]]:
    findings: list[Finding] = []
    contracts: list[Contract] = []
    services: list[tuple[Service, Path]] = []
    for folder in folders:
        if not folder.is_dir():
            findings.append(_about(folder, "there is no such folder", "name a folder of registers"))
    for folder in register_folders(*folders):
        register = folder.name
        if not NAME.fullmatch(register):
            findings.append(
                _about(folder, f"{register!r} cannot be a register's name", "use lower-case letters, digits, _")
            )
            continue
        found = sorted(folder.glob("*.odcs.yaml"))
        if not found:
            findings.append(_about(folder, "holds no contract", f"write {register}.odcs.yaml"))
        for path in found:
            contract, faults = read_contract(path, register)
            findings += faults
            if contract is not None:
                contracts.append(contract)
        for path in sorted(folder.glob("*.service.yaml")):
            service, faults = read_service(path)
            findings += faults
            if service is not None:
                services.append((service, path))
    datasets = {dataset.id: dataset for contract in contracts for dataset in contract.datasets}
    findings += _crossed(contracts, services, datasets)
    known = tuple(
        replace(service, key_is_public=datasets[service.dataset].key_is_public)
        if service.dataset in datasets
        else service
        for service, _ in services
    )
    return Registers(tuple(contracts), known), findings


def read_service(path: Path) -> tuple[Service | None, list[Finding]]:
    """One descriptor, and what is wrong with it. Never raises for what a file may hold."""
    document, findings = read_document(path)
    if document is None:
        return None, findings
    try:
        service = _ServiceBody.model_validate(document.value).to_service()
    except ValidationError as error:
        for fault in error.errors():
            where = ".".join(str(part) for part in fault["loc"])
            remedy = "remove it" if fault["type"] == "extra_forbidden" else "see the form in docs/guides/operators.md"
            findings.append(document.finding(where, fault["msg"], remedy))
        return None, findings
    fits = suitability(service.service_type, service.integration_type)
    words = f"{service.integration_type.value} for {service.service_type.value}"
    if fits is Suitability.REFUSED:
        findings.append(
            document.finding("integration_type", f"{words} is not offered", "choose another integration type")
        )
    elif fits is Suitability.LESS:
        made = document.finding("integration_type", f"{words} is less suitable", "prefer a replica or a redirect")
        findings.append(replace(made, severity=Severity.WARNING))
    if service.integration_type is IntegrationType.REPLICA and service.dataset is None:
        findings.append(document.finding("dataset", "a replica service names no dataset", "add `dataset:`"))
    return service, findings


def _crossed(
    contracts: list[Contract], services: list[tuple[Service, Path]], datasets: dict[DatasetId, Dataset]
) -> list[Finding]:
    """What can only be seen when all files are read: names that meet, datasets that are missing."""
    findings: list[Finding] = []
    seen: dict[str, Path] = {}
    promised = [(dataset.id, contract.path) for contract in contracts for dataset in contract.datasets]
    claims: list[tuple[str, Path]] = [(f"dataset {name}", path) for name, path in promised]
    claims += [(f"service {service.name}", path) for service, path in services]
    claims += [(f"uuid {service.uuid}", path) for service, path in services]
    for claim, path in claims:
        if claim in seen:
            findings.append(_about(path, f"{claim} is taken by {seen[claim].name}", "choose another"))
        seen.setdefault(claim, path)
    for service, path in services:
        if service.dataset is not None and service.dataset not in datasets:
            findings.append(
                _about(
                    path,
                    f"the dataset {service.dataset!r} is promised by no contract",
                    "name <register>.<dataset>",
                )
            )
    return findings


def _about(path: Path, problem: str, remedy: str) -> Finding:
    return Finding(path=path, line=0, where=path.name, problem=problem, remedy=remedy)
