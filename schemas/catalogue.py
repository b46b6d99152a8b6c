"""All registers that an instance knows: what is shipped and what the operator added.

A register is a folder: `<register>.odcs.yaml`, `*.service.yaml`, and `*.source.yaml`, which only `sync` reads. A folder
of services that have no dataset needs no contract.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from kernel import DatasetId, NotFound, Operation
from schemas.column import Kind
from schemas.contract import Contract, read_contract
from schemas.dataset import Dataset
from schemas.descriptor import read_service
from schemas.document import Document
from schemas.finding import ContractInvalid, Finding, Severity
from schemas.live import Component, Method, Orchestration, PassThrough
from schemas.properties import NAME
from schemas.references import review_references
from schemas.service import MASTER, IntegrationType, Service

SHIPPED: Final = Path(__file__).parent / "registers"
_CONTRACT: Final = ".odcs.yaml"
_SERVICE: Final = ".service.yaml"
_NOT_READ: Final = (".odcs.yml", ".service.yml", ".source.yml")


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
    # Found by name on every call, so not searched for.
    _datasets: dict[str, Dataset] = field(init=False, repr=False, compare=False)
    _services: dict[str, Service] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_id: dict[str, Dataset] = {dataset.id: dataset for dataset in self.datasets}
        by_name: dict[str, Service] = {service.name: service for service in self.services}
        object.__setattr__(self, "_datasets", by_id)
        object.__setattr__(self, "_services", by_name)

    @property
    def datasets(self) -> tuple[Dataset, ...]:
        return tuple(dataset for contract in self.contracts for dataset in contract.datasets)

    @property
    def mastered(self) -> frozenset[DatasetId]:
        """Datasets whose records are written here."""
        updates = (each for each in self.services if isinstance(each.live, Component) and each.live.name == MASTER)
        return frozenset(each.dataset for each in updates if each.dataset is not None)

    def dataset(self, name: DatasetId) -> Dataset:
        """Raises DatasetUnknown."""
        if (found := self._datasets.get(name)) is not None:
            return found
        raise DatasetUnknown(f"no register promises a dataset {name!r}", remedy="see the catalogue: GET /v1/catalogue")

    def service(self, name: str) -> Service:
        """Raises ServiceUnknown. The message does not repeat the name: it may come from a URL somebody mistyped."""
        if (found := self._services.get(name)) is not None:
            return found
        raise ServiceUnknown("no service has this name", remedy="see the catalogue: GET /v1/catalogue")

    def dataset_of(self, service: Service) -> Dataset:
        """Raises DatasetUnknown for a service that has none."""
        if service.dataset is None:
            raise DatasetUnknown(
                f"the service {service.name} has no dataset", remedy="see the catalogue: GET /v1/catalogue"
            )
        return self.dataset(service.dataset)


def load_registers(*folders: Path) -> Registers:
    """Every register in `folders`, each of which is a register or holds some.

    Raises ContractInvalid when any of them has an error; warnings do not stop a house.
    """
    registers, findings = _read(folders)
    errors = tuple(finding for finding in findings if finding.severity is Severity.ERROR)
    if errors:
        raise ContractInvalid(errors)
    return registers


def check_registers(*folders: Path) -> list[Finding]:
    """What is wrong with the registers in `folders`, by file and line; empty when nothing is.

    Never raises for what files hold.
    """
    return _read(folders)[1]


def register_folders(*folders: Path) -> Iterator[Path]:
    """The register folders in `folders`, each once: a folder is one itself, or holds some that are not hidden."""
    seen: set[Path] = set()
    for folder in folders:
        inside = _listed(folder)
        itself = any(path.name.endswith((_CONTRACT, _SERVICE)) for path in inside)
        shown = [path for path in inside if path.is_dir() and not path.name.startswith((".", "__"))]
        for found in [folder] if itself else shown:
            if found.resolve() not in seen:
                seen.add(found.resolve())
                yield found


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        # Not a folder, or not for us to see: whoever asks reports what it misses.
        return []


@dataclass(frozen=True, slots=True)
class _Claim:
    """A name that only one may have, and where it was taken."""

    what: str
    place: Finding


@dataclass(slots=True)
class _Survey:
    """What was read so far."""

    contracts: list[Contract] = field(default_factory=list)
    documents: dict[str, Document] = field(default_factory=dict)
    """Of the contracts, by register."""
    services: list[tuple[Service, Document]] = field(default_factory=list)
    claims: list[_Claim] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unsure: set[str] = field(default_factory=set)
    """Registers whose contract has errors: what they promise is not known."""

    def read_register(self, folder: Path) -> None:
        register, files = folder.resolve().name, _listed(folder)
        for path in files:
            if path.name.endswith(_NOT_READ):
                self.findings.append(_warned(path, "is not read", "let its name end in .yaml"))
        before = len(self.services)
        for path in files:
            if path.name.endswith(_SERVICE):
                self.read_service(path)
        own = self.services[before:]
        contracts = [path for path in files if path.name.endswith(_CONTRACT)]
        if own and not contracts and all(service.dataset is None for service, _ in own):
            # Services that hand no data out, such as components, promise none.
            return
        contract, document, faults = _read_contract(folder, register, files)
        self.findings += faults
        if any(fault.severity is Severity.ERROR for fault in faults):
            self.unsure.add(register)
        if contract is not None and document is not None:
            self.contracts.append(contract)
            self.documents[contract.register] = document
            named = [f"contract {contract.id}", *(f"dataset {dataset.id}" for dataset in contract.datasets)]
            self.claims += [_Claim(what, _about(contract.path, "", "")) for what in named]

    def read_service(self, path: Path) -> None:
        service, document, faults = read_service(path)
        self.findings += faults
        if service is not None and document is not None:
            self.services.append((service, document))
            self.claims.append(_Claim(f"service {service.name}", document.finding("name", "", "")))
            self.claims.append(_Claim(f"uuid {service.uuid}", document.finding("uuid", "", "")))

    def compare(self) -> None:
        """What can only be seen when all files are read: names that meet, datasets that nobody promises."""
        first: dict[str, Finding] = {}
        for claim in self.claims:
            other = first.setdefault(claim.what, claim.place)
            if other is not claim.place:
                where = f"{other.path}:{other.line}" if other.line else f"{other.path}"
                problem = f"{claim.what} is already in {where}"
                self.findings.append(replace(claim.place, problem=problem, remedy="choose another"))
        datasets = {dataset.id: dataset for contract in self.contracts for dataset in contract.datasets}
        known, names = datasets.keys(), {service.name for service, _ in self.services}
        for service, document in self.services:
            named = service.dataset
            if named is not None and named not in known and named.partition(".")[0] not in self.unsure:
                remedy = f"name one of {', '.join(sorted(known))}" if known else "add the contract that promises it"
                self.findings.append(document.finding("dataset", f"no contract promises {named!r}", remedy))
            if service.successor is not None and service.successor not in names:
                self.findings.append(
                    document.finding("successor", f"no service is called {service.successor!r}", "mend the name")
                )
            self.findings += _astray(service, {each.name: each for each, _ in self.services}, document)
            if named in datasets:
                self.findings += _unsearchable(service, datasets[named], document)
        self.findings += review_references(self.contracts, self.documents, self.unsure)

    def registers(self) -> Registers:
        public = {dataset.id for contract in self.contracts for dataset in contract.datasets if dataset.key_is_public}
        services = (replace(service, key_is_public=service.dataset in public) for service, _ in self.services)
        return Registers(tuple(self.contracts), tuple(services))


def _read(folders: tuple[Path, ...]) -> tuple[Registers, list[Finding]]:
    survey = _Survey()
    for folder in folders:
        if not folder.is_dir():
            survey.findings.append(_about(folder, "there is no such folder", "name a folder of registers"))
        elif not any(register_folders(folder)):
            survey.findings.append(_warned(folder, "holds no register", "add a folder with a contract in it"))
    for folder in register_folders(*folders):
        survey.read_register(folder)
    survey.compare()
    return survey.registers(), sorted(survey.findings, key=lambda found: (str(found.path), found.line))


def _read_contract(
    folder: Path, register: str, files: list[Path]
) -> tuple[Contract | None, Document | None, list[Finding]]:
    """The one contract of a register folder."""
    found = [path for path in files if path.name.endswith(_CONTRACT)]
    if not NAME.fullmatch(register):
        return (
            None,
            None,
            [
                _about(
                    folder, f"{register!r} cannot be a register's name", "use lower-case letters, digits, underscores"
                )
            ],
        )
    own = folder / (register + _CONTRACT)
    findings = [
        _about(path, "is not read", f"a register has one contract: name it {own.name}") for path in found if path != own
    ]
    if own not in found:
        return None, None, [*findings, _about(folder, "holds no contract", f"write {own.name}")]
    contract, document, faults = read_contract(own, register)
    return contract, document, findings + faults


def _unsearchable(service: Service, dataset: Dataset, document: Document) -> Iterator[Finding]:
    for number, path in enumerate(service.search):
        try:
            kind = dataset.column_at(path).kind
        except KeyError:
            problem = f"{dataset.id} has no column {path!r}"
        else:
            if kind not in (Kind.OBJECT, Kind.ARRAY):
                continue
            problem = f"{path!r} is not one value"
        yield document.finding(f"search[{number}]", problem, "name a column, or a field within one: address.postcode")


def _astray(service: Service, services: Mapping[str, Service], document: Document) -> Iterator[Finding]:
    """Steps of an orchestration whose service is not there, or cannot be asked as they ask."""
    if not isinstance(service.live, Orchestration):
        return
    for step in service.live.steps:
        where, other = f"orchestration.steps.{step.name}.service", services.get(step.service)
        wanted = Operation.LOOKUP if step.key is not None else Operation.CALL
        if other is None:
            yield document.finding(where, f"no service is called {step.service!r}", "mend the name")
        elif other.integration_type in {IntegrationType.ORCHESTRATION, IntegrationType.REDIRECT}:
            problem = f"{step.service} is a {other.integration_type}"
            yield document.finding(where, problem, "name a lookup, a pass-through or a component")
        elif wanted not in other.operations:
            remedy = "call it with a `body`" if step.key is not None else "look up by a `key`"
            yield document.finding(where, f"{step.service} does not offer {wanted}", remedy)
        elif isinstance(other.live, PassThrough) and Method.POST not in other.live.methods:
            yield document.finding(where, f"{step.service} does not take POST", "steps are sent by POST")


def _about(path: Path, problem: str, remedy: str) -> Finding:
    return Finding(path=path, line=0, where=path.name, problem=problem, remedy=remedy)


def _warned(path: Path, problem: str, remedy: str) -> Finding:
    return replace(_about(path, problem, remedy), severity=Severity.WARNING)
