"""What the rooms tell, as metrics. Each function takes a room's values and gives families. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from cryptography import x509
from prometheus_client import Metric

from control import Trust
from extract import AlarmKind, DeliveryFigures
from kernel import Floor, Volume
from runtime.attempts import Attempt
from runtime.beats import Beat
from runtime.metrics.page import gauge
from runtime.status import DatasetStatus
from usage import Backlog

FLOORED: Final = ("extracts", "exchange")
"""Places below whose floor nothing new is begun."""


def of_datasets(statuses: Sequence[DatasetStatus]) -> Iterator[Metric]:
    yield gauge("dataset_rows", {(each.dataset,): each.rows for each in statuses})
    yield gauge("dataset_snapshot", _known({each.dataset: each.snapshot for each in statuses}))
    yield gauge("dataset_age_seconds", _known({each.dataset: each.age_s for each in statuses}))
    yield gauge("dataset_target_age_seconds", _known({each.dataset: each.target_s for each in statuses}))


def of_sources(
    statuses: Sequence[DatasetStatus], attempts: Mapping[str, Attempt | None], now: datetime
) -> Iterator[Metric]:
    """attempts   the last try of each source; None for one that was never tried"""
    runs = {each.source: each.last_run for each in statuses}
    ended = {name: run.finished.timestamp() for name, run in runs.items() if run is not None}
    tried = {name: None if attempt is None else attempt.at.timestamp() for name, attempt in attempts.items()}
    yield gauge("source_last_run_timestamp_seconds", _known(ended))
    yield gauge("source_last_try_timestamp_seconds", _known(tried))
    yield gauge("source_failures", {(name,): attempt.failures if attempt else 0 for name, attempt in attempts.items()})
    yield gauge("source_quarantined_rows", {(each.source,): each.quarantined_rows for each in statuses})
    late = {
        (each.source,): 0.0 if each.missing_since is None else max(0.0, (now - each.missing_since).total_seconds())
        for each in statuses
    }
    yield gauge("source_late_seconds", late)


def of_deliveries(figures: DeliveryFigures) -> Iterator[Metric]:
    yield gauge("deliveries", figures.deliveries)
    # Zeros are told too: an alert on a series that comes and goes would not see it end.
    services = {service for service, _ in figures.subscriptions} | {service for service, _ in figures.deliveries}
    alarms = {(service, kind): figures.alarms.get((service, kind), 0) for service in services for kind in AlarmKind}
    yield gauge("delivery_alarms", alarms)
    yield gauge("delivery_oldest_waiting_seconds", figures.oldest_s)
    yield gauge("delivery_failing_endpoints", figures.failing)
    yield gauge("delivery_resting_endpoints", figures.resting)
    yield gauge("subscriptions", figures.subscriptions)


def of_ledger(backlog: Backlog) -> Iterator[Metric]:
    places = {("open",): backlog.open, ("sealed",): backlog.sealed, ("faulty",): backlog.faulty}
    yield gauge("ledger_files", places)
    yield gauge("ledger_sealed_bytes", backlog.sealed_bytes)
    yield gauge("ledger_intake_lag_seconds", backlog.waited_s)


def of_jobs(beats: Mapping[str, Beat], now: datetime) -> Iterator[Metric]:
    ages = {(job,): max(0.0, (now - beat.ended).total_seconds()) for job, beat in beats.items()}
    yield gauge("job_age_seconds", ages)
    yield gauge("job_failing", {(job,): beat.failed for job, beat in beats.items()})


def of_extracts(made_now: int) -> Iterator[Metric]:
    yield gauge("extracts_in_production", made_now)


def of_disks(volumes: Mapping[str, Volume], floor: Floor) -> Iterator[Metric]:
    """floor   of the places that hold it"""
    yield gauge("disk_size_bytes", {(place,): each.size_bytes for place, each in volumes.items()})
    yield gauge("disk_free_bytes", {(place,): each.free_bytes for place, each in volumes.items()})
    yield gauge("disk_floor_bytes", {(place,): floor.of(volumes[place]) for place in FLOORED if place in volumes})


def of_certificates(server: x509.Certificate, trust: Trust, list_files: int, now: datetime) -> Iterator[Metric]:
    """list_files   how many files there are that should hold lists of revoked certificates"""

    def left(until: datetime) -> float:
        return (until - now).total_seconds()

    yield gauge("server_certificate_left_seconds", left(server.not_valid_after_utc))
    authorities: dict[tuple[str, ...], float] = {}
    for each in trust.authorities:
        name = (each.subject.rfc4514_string(),)
        # While an authority renews its own certificate there are two of one name: the later one counts.
        authorities[name] = max(left(each.not_valid_after_utc), authorities.get(name, float("-inf")))
    yield gauge("authority_left_seconds", authorities)
    due = {(each.file, each.issuer): left(each.next_update) for each in trust.lists if each.next_update is not None}
    yield gauge("revocation_list_left_seconds", due)
    yield gauge("revocation_lists_ignored", list_files - len({each.file for each in trust.lists}))


def of_build(version: str, environment: str) -> Iterator[Metric]:
    yield gauge("build_info", {(version, environment): 1})


def _known(values: Mapping[Any, float | None]) -> dict[tuple[str, ...], float]:
    return {(str(name),): value for name, value in values.items() if value is not None}
