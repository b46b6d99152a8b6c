"""The page of an instance: where each part comes from, for the API's processes and for the command line."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from cryptography import x509
from prometheus_client import Metric

from control import ListFolder, Trust
from extract import Database, delivery_figures, made_now
from kernel import Clock, Floor
from runtime.attempts import Attempts
from runtime.beats import Beats
from runtime.instance import Instance
from runtime.metrics import parts
from runtime.metrics.page import MetricsPage
from runtime.room import volumes_of
from runtime.status import DatasetStatus
from usage import backlog_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """What the page is read from.

    attempts   what came of the last try of each source
    statuses   of every mirrored dataset, now
    trust      the authorities and lists in force
    floor      what stays free on the disk
    """

    attempts: Callable[[], Attempts]
    statuses: Callable[[], Sequence[DatasetStatus]]
    database: Database
    trust: Callable[[], Trust]
    floor: Floor


def page_of(instance: Instance, environment: str, stores: Stores, clock: Clock) -> MetricsPage:
    def mirror() -> Iterator[Metric]:
        statuses, attempts = stores.statuses(), stores.attempts()
        yield from parts.of_datasets(statuses)
        yield from parts.of_sources(
            statuses, {each.source: attempts.last(each.source) for each in statuses}, clock.now()
        )

    def certificates() -> Iterator[Metric]:
        server = x509.load_pem_x509_certificate(instance.server_files()[0].read_bytes())
        yield from parts.of_certificates(server, stores.trust(), len(ListFolder(instance.crl).state()), clock.now())

    return MetricsPage(
        {
            "build": lambda: parts.of_build(version("knudepunkt"), environment),
            "mirror": mirror,
            "deliveries": lambda: parts.of_deliveries(delivery_figures(stores.database, clock.now())),
            "extracts": lambda: parts.of_extracts(made_now(instance.extracts / "files")),
            "disks": lambda: parts.of_disks(dict(volumes_of(instance)), stores.floor),
            "jobs": lambda: parts.of_jobs(Beats(instance.beats).last(), clock.now()),
            "ledger": lambda: parts.of_ledger(backlog_of(instance.ledger, clock.now())),
            "certificates": certificates,
        }
    )
