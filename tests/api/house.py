"""A house with real parts, for tests: registers, lake, segments, control, ledger, extracts, and a server."""

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, Self

import pyarrow as pa
from cryptography import x509

from api import ApiServer, Doors, LiveTls, TlsFiles, make_app, refusals_to_ledger
from control import (
    Agreements,
    ControlStore,
    Counters,
    IssuedCertificate,
    OrganisationKind,
    PolicyWatcher,
    ServiceTerms,
    Terms,
    TestAuthority,
    fingerprint_of,
)
from control.documents import Documents
from control.store import policy_version
from extract import ExtractPlan, ExtractStore, Jobs, Shelf, estimate, rows_of
from kernel import (
    AgreementId,
    Caller,
    CallRefused,
    Limits,
    Observation,
    OrganisationId,
    ServiceName,
    SystemClock,
    Window,
    new_id,
)
from replica import QUARANTINE, Delivery, Lake, Lookups, Mode, ReplicaSettings, RunRecord, read_past, refresh_segments
from runtime.metrics.page import MetricsPage
from runtime.metrics.parts import of_build
from runtime.migrations import upgrade
from runtime.signing import Signer
from schemas import SHIPPED, Dataset, Registers, load_registers
from usage import Ledger, UsageSettings, find_decisions

CLOCK = SystemClock()
AALBORG, ODENSE = "29189420", "35209115"
SUPPLIER = "30808460"
OPERATOR = "87654321"

# Fictitious: 60 is added to the day.
ANNA, BENT, CARL, NOBODY = "6101701001", "6101701002", "6101701003", "6101709999"
PERSONS: list[dict[str, Any]] = [
    {
        "pnr": ANNA,
        "status": "01",
        "birth_date": date(1970, 1, 1),
        "status_from": datetime(1970, 1, 1, 12, 30),  # noqa: DTZ001 a register's times have no zone
        "municipality_code": "0851",
        "name": {"given_names": "Anna Ærø", "surname": "Prøve"},
        "address": {"municipality_code": "0851", "house_number": "012"},
        "address_text": {"street_address": "Prøvevej 12", "postcode": "9000"},
        "protections": [],
    },
    {
        "pnr": BENT,
        "status": "01",
        "municipality_code": "0851",
        "name": {"given_names": "Bent Hemmelig", "surname": "Prøve"},
        "address": {"municipality_code": "0851", "house_number": "099"},
        "address_text": {"street_address": "Skjultvej 99", "postcode": "9000"},
        "protections": [{"type": "0001", "from_date": date(2020, 1, 1), "to_date": None}],
    },
    {
        "pnr": CARL,
        "status": "90",
        "municipality_code": "0461",
        "name": {"given_names": "Carl", "surname": "Prøve"},
        "protections": [{"type": "0001", "from_date": date(2001, 1, 1), "to_date": date(2002, 1, 1)}],
    },
]
MUNICIPALITIES: list[dict[str, Any]] = [
    {"code": "0461", "name": "Odense", "cvr": ODENSE, "population": 204_895},
    {"code": "0851", "name": "Aalborg", "cvr": AALBORG, "population": 215_312},
]

EVERYTHING = (
    "cpr-persons", "cpr-persons-extract", "cpr-person-search", "municipalities", "municipalities-extract",
    "roads", "roads-extract", "authorities", "authorities-extract",
    "classes", "cvr-companies", "cvr-units", "cpr-person-base-data-extended-4", "cpr-person-base-data-extended-5",
    "cpr-query-3", "cvr-online-2",
    "korsbaek-notes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["code"])


@dataclass(slots=True)
class House:
    """failing   when set, what keeping a fact fails with
    failing_when   fails in these cases alone
    signer    of manifests, when set
    stall_s   how long a download may stall
    many      when set, how many rows an extract has, none of them from the lake; below 0, reading them fails
    """

    root: Path
    registers: Registers
    authority: TestAuthority
    strangers: TestAuthority
    control: ControlStore
    ledger: Ledger
    lake: Lake
    counters: Counters
    facts: list[Observation] = field(default_factory=list)
    agreements: dict[str, AgreementId] = field(default_factory=dict)
    systems: dict[str, str] = field(default_factory=dict)
    failing: Exception | None = None
    failing_when: Callable[[], bool] | None = None
    many: int = 0
    stall_s: float = 30.0
    signer: Signer | None = None
    _tls: list[LiveTls] = field(default_factory=list)
    _watcher: list[PolicyWatcher] = field(default_factory=list)

    @classmethod
    @contextmanager
    def open(cls, root: Path) -> Iterator[Self]:
        registers = load_registers(SHIPPED)
        url = f"sqlite:///{root / 'control.sqlite'}"
        upgrade(url)
        # Older than the certificate that expired, as authorities are.
        authority = TestAuthority.open_or_create(root / "authority", not_before=CLOCK.now() - timedelta(days=60))
        strangers = TestAuthority.open_or_create(root / "strangers")
        (root / "trust").mkdir()
        (root / "crl").mkdir()
        (root / "trust" / "authority.pem").write_bytes(authority.ca_pem)
        _write(root, "server", authority.issue_server(["localhost"]))
        with ExitStack() as stack:
            control = stack.enter_context(ControlStore(url, environment="test", clock=CLOCK))
            lake = stack.enter_context(Lake.open(root / "lake", ReplicaSettings(), write=True))
            # Tests read its files: none of them moves elsewhere because a minute has passed.
            lasting = UsageSettings(rotate_s=86_400.0)
            ledger = stack.enter_context(
                Ledger(root / "ledger", role="api", subject_key=b"k" * 32, clock=CLOCK, settings=lasting)
            )
            counters = stack.enter_context(Counters(root / "rates.bin"))
            house = cls(
                root=root, registers=registers, authority=authority, strangers=strangers, control=control,
                ledger=ledger, lake=lake, counters=counters,
            )  # fmt: skip
            house.publish("cpr.persons", PERSONS)
            house.publish("municipality.municipalities", MUNICIPALITIES)
            house._found()
            house._tls.append(stack.enter_context(house.live_tls()))
            house._watcher.append(stack.enter_context(PolicyWatcher(control)))
            yield house

    def dataset(self, name: str) -> Dataset:
        return next(dataset for dataset in self.registers.datasets if dataset.id == name)

    def publish(self, name: str, rows: list[dict[str, Any]], as_of: datetime | None = None) -> None:
        dataset = self.dataset(name)
        self.lake.prepare(dataset)
        run = RunRecord(
            run=new_id(), source=name, mode=Mode.FULL, started=CLOCK.now(), content_sha256="0" * 64, cursor="{}",
            as_of=as_of or CLOCK.now() - timedelta(hours=1), lines_in=len(rows), lines_quarantined=0,
            rows_in=len(rows), rows_quarantined=0,
        )  # fmt: skip
        table = pa.Table.from_pylist(rows, schema=dataset.arrow)
        self.lake.publish(dataset, Delivery(rows=table, mode=Mode.FULL, quarantine=QUARANTINE.empty_table(), run=run))
        refresh_segments(self.lake, dataset, self.root / "segments", ReplicaSettings())

    def doors(
        self,
        environment: Literal["test", "production"] = "test",
        *,
        extracts: str = "extracts",
        tls: LiveTls | None = None,
    ) -> Doors:
        store = ExtractStore(self.root / extracts, self.scan)
        return Doors(
            registers=self.registers,
            policy=self._watcher[0].current,
            trust=(tls or self.tls).trust,
            counters=self.counters,
            lookups=Lookups(self.root / "segments", [dataset.id for dataset in self.registers.datasets]),
            extracts=store,
            shelf=Shelf(self.root / "shelves", self.signer.sign if self.signer else None),
            signing_key=self.signer.public_pem if self.signer else b"",
            past=partial(read_past, self.lake),
            first_from=self.lake.first_from,
            find=partial(self.lake.search, timeout_s=300.0),
            corrections=self.lake.corrections,
            rows=lambda plan, keys: rows_of(
                lambda: self.lake, self.dataset(plan.dataset), plan, keys, segments=self.root / "segments"
            ),
            estimate=lambda plan: estimate(self.lake, self.dataset(plan.dataset), plan),
            jobs=Jobs(self.root / f"{extracts}-jobs", store, CLOCK, timedelta(hours=1)),
            stall_s=self.stall_s,
            observe=self.observe,
            clock=CLOCK,
            environment=environment,
            control=self.control,
            authority=lambda: self.authority,
            documents=self.documents,
            readiness=lambda: {"ledger": self.failing is None},
            decisions=lambda trace: find_decisions(
                self.root / "ledger", self.root / "usage", trace, since=CLOCK.now() - timedelta(days=35)
            ),
            status=lambda: [{"dataset": "municipality.municipalities", "rows": len(MUNICIPALITIES)}],
            metrics=self.metrics,
        )

    def metrics(self, open_metrics: bool) -> tuple[str, bytes]:
        families = MetricsPage({"build": lambda: of_build("0.1.0", "test")})
        return families.write(open_metrics=open_metrics)

    def scan(self, plan: ExtractPlan) -> pa.RecordBatchReader:
        if self.many < 0:
            raise OSError("the lake is gone")
        if self.many:
            return _repeated(self.dataset(plan.dataset), plan, self.many)
        return rows_of(lambda: self.lake, self.dataset(plan.dataset), plan, segments=self.root / "segments")

    def documents(self, store: ControlStore) -> Documents:
        signer = Signer.open(self.root / "documents.key")
        return Documents(store, self.registers, sign=signer.sign, public_pem=signer.public_pem)

    def observe(self, fact: Observation) -> None:
        if self.failing is not None:
            raise self.failing
        if self.failing_when is not None and self.failing_when():
            raise OSError("the disk is full")
        self.ledger.record(fact)
        self.facts.append(fact)

    def refused(self) -> CallRefused:
        """The newest fact, which is a refusal."""
        fact = self.facts[-1]
        assert isinstance(fact, CallRefused)
        return fact

    def context(self, certificate: str | None) -> ssl.SSLContext:
        """A client's context, with the certificate of that name."""
        context = ssl.create_default_context(cadata=self.authority.ca_pem.decode())
        if certificate is not None:
            context.load_cert_chain(self.root / f"{certificate}.pem", self.root / f"{certificate}.key")
        return context

    @property
    def tls(self) -> LiveTls:
        return self._tls[0]

    def live_tls(self, folder: Path | None = None) -> LiveTls:
        """The server's certificate, with what lies in the folders `trust` and `crl`, here or in another folder."""
        folder = folder or self.root
        files = TlsFiles(self.root / "server.pem", self.root / "server.key", folder / "trust", folder / "crl")
        return LiveTls(files, CLOCK, on_refused=refusals_to_ledger(self.observe, CLOCK))

    def fingerprint(self, name: str) -> str:
        return fingerprint_of(x509.load_pem_x509_certificate((self.root / f"{name}.pem").read_bytes()))

    def issue(self, name: str, cvr: str = SUPPLIER, **settings: Any) -> IssuedCertificate:
        issued = self.authority.issue_system(cvr, "Prøve Leverandør A/S", name, **settings)
        _write(self.root, name, issued)
        return issued

    def add_system(self, name: str, cvr: str = SUPPLIER) -> None:
        owner = self.control.find_organisation(cvr)
        assert owner is not None
        system = self.control.add_system(owner.id, name, purpose="prøve", contact="drift@example.dk")
        self.control.bind_certificate(system.id, self.issue(name, cvr).cert_pem, trust=self.root / "trust")
        self.systems[name] = system.id

    def agree(
        self, name: str, system: str, cvr: str, services: Mapping[str, ServiceTerms], limits: Limits | None = None
    ) -> None:
        municipality = self.control.find_organisation(cvr)
        assert municipality is not None
        terms = Terms(
            services={ServiceName(service): each for service, each in services.items()},
            purpose="prøve", legal_basis="prøve", reason="prøve", limits=limits or Limits(keys_per_call=100),
        )  # fmt: skip
        window = Window(CLOCK.now() - timedelta(days=1), CLOCK.now() + timedelta(days=30))
        system_id = next(each.id for each in self.control.systems() if each.name == system)
        made = Agreements(self.control, None).request(OrganisationId(municipality.id), system_id, terms, window)
        self.agreements[name] = made.id

    def settle(self) -> None:
        """Return when the policy in force has seen every change."""
        with self.control.reading() as db:
            version = policy_version(db)
        until = time.monotonic() + 10
        while self._watcher[0].current().version < version:
            assert time.monotonic() < until
            time.sleep(0.02)

    def _found(self) -> None:
        for kind, cvr, name in (
            (OrganisationKind.SUPPLIER, SUPPLIER, "Prøve Leverandør A/S"),
            (OrganisationKind.MUNICIPALITY, AALBORG, "Aalborg"),
            (OrganisationKind.MUNICIPALITY, ODENSE, "Odense"),
            (OrganisationKind.OPERATOR, OPERATOR, "Prøve Drift"),
        ):
            self.control.add_organisation(kind, cvr, name)
        self.add_system("operator", OPERATOR)
        for name in ("one", "two", "both", "lonely"):
            self.add_system(name)
        self.agree("one", "one", AALBORG, dict.fromkeys(EVERYTHING, ServiceTerms()))
        narrow = ServiceTerms(
            columns=frozenset({"pnr", "status", "name"}),
            rows={"municipality_code": frozenset({"0851"})},
            protected=True,
        )
        found = replace(narrow, columns=frozenset({"pnr", "status", "name", "municipality_code"}))
        self.agree(
            "two", "two", AALBORG, {"cpr-persons": narrow, "cpr-persons-extract": narrow, "cpr-person-search": found}
        )
        for cvr in (AALBORG, ODENSE):
            self.agree(f"both-{cvr}", "both", cvr, {"municipalities": ServiceTerms()})
        self.issue("unbound")
        self.issue("expired", days=2, not_before=datetime.now(UTC) - timedelta(days=10))
        self.issue("tomorrow", not_before=datetime.now(UTC) + timedelta(days=1))
        _write(self.root, "stranger", self.strangers.issue_system(SUPPLIER, "Fremmed", "stranger"))


IDLE_S: Final = 30
"""A connection that was idle for longer is not used again: the server may be closing it (it waits for 75 seconds)."""


@dataclass(slots=True)
class Client:
    """A system at the other end of one kept connection."""

    house: House
    port: int
    certificate: str | None = "one"
    _connection: http.client.HTTPSConnection | None = None
    _used: float = 0.0

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        connection = self.connected()
        connection.request(method, path, body, dict(headers or {}))
        return _reply(connection.getresponse())

    def send_pieces(self, path: str, pieces: Iterable[bytes], headers: Mapping[str, str]) -> Reply:
        """POST a body whose length is not known beforehand."""
        connection = self.connected()
        connection.request("POST", path, pieces, dict(headers), encode_chunked=True)
        return _reply(connection.getresponse())

    def connected(self) -> http.client.HTTPSConnection:
        now = time.monotonic()
        if self._connection is not None and now - self._used > IDLE_S:
            self._connection.close()
            self._connection = None
        self._used = now
        if self._connection is None:
            context = self.house.context(self.certificate)
            self._connection = http.client.HTTPSConnection("localhost", self.port, context=context, timeout=60)
        return self._connection

    def get(self, path: str, **headers: str) -> Reply:
        return self.call("GET", path, headers=_dashed(headers))

    def lookup(self, service: str, document: Any, **headers: str) -> Reply:
        return self.post(f"/v1/services/{service}/lookup", document, **headers)

    def post(self, path: str, document: Any, **headers: str) -> Reply:
        body = json.dumps(document).encode()
        return self.call("POST", path, body, {"Content-Type": "application/json", **_dashed(headers)})

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


@contextmanager
def serving(
    house: House,
    app: Any = None,
    *,
    drain_s: float = 10.0,
    folder: str = "extracts",
    context: ssl.SSLContext | None = None,
) -> Iterator[tuple[ApiServer, int]]:
    """A server in a thread, and its port. Extracts are kept in `folder`."""
    listening = socket.create_server(("127.0.0.1", 0))
    port: int = listening.getsockname()[1]
    app = app or make_app(house.doors(extracts=folder))
    server = ApiServer(app, listening, context or house.tls.context, drain_s=drain_s)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server, port
    finally:
        server.stop()
        thread.join(timeout=120)
        assert not thread.is_alive()


def _repeated(dataset: Dataset, plan: ExtractPlan, many: int) -> pa.RecordBatchReader:
    """A register of `many` rows, all the same: for tests of long transfers."""
    schema = pa.schema([dataset.arrow.field(name) for name in plan.columns])
    batch = pa.RecordBatch.from_pylist(MUNICIPALITIES[:1] * 10_000, schema=schema)
    return pa.RecordBatchReader.from_batches(schema, (batch for _ in range(many // 10_000)))


def a_caller() -> Caller:
    return Caller(system=new_id(), name="prøve", organisation_cvr=SUPPLIER, credential="0" * 64)  # type: ignore[arg-type]


def _reply(answer: http.client.HTTPResponse) -> Reply:
    return Reply(answer.status, {name.lower(): text for name, text in answer.getheaders()}, answer.read())


def _dashed(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): text for name, text in headers.items()}


def _write(root: Path, name: str, issued: IssuedCertificate) -> None:
    (root / f"{name}.pem").write_bytes(issued.cert_pem)
    (root / f"{name}.key").write_bytes(issued.key_pem)
