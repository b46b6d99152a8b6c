"""The page: parts that are read one by one, written as OpenMetrics or as Prometheus' older text."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import structlog
from prometheus_client import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from kernel import TryAgainLater
from runtime.metrics.families import FAMILIES

PLAIN: Final = CONTENT_TYPE_PLAIN_0_0_4
OPEN_METRICS: Final = CONTENT_TYPE_LATEST
_PATIENCE_S: Final = 2.0

_log = structlog.get_logger(__name__)

Part = Callable[[], Iterable[Metric]]


class MetricsBusy(TryAgainLater):
    code = "metrics_busy"
    title = "Metrics are worked out for one reader at a time"


def gauge(name: str, values: Mapping[Any, float] | float) -> Metric:
    """A family with its values, by tuples of its labels in their order; or with one, when it has no labels.

    Raises KeyError for a name that is not in FAMILIES.
    """
    told = FAMILIES[name]
    by_labels = values if isinstance(values, Mapping) else {(): values}
    found = GaugeMetricFamily(told.full_name, told.meaning, labels=told.labels, unit=told.unit)
    for labels, value in by_labels.items():
        found.add_metric(labels, value)
    return found


class MetricsPage(Collector):
    """parts   by name; each reads a store when it is called. One that fails is left out, and the page says so"""

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self._parts = parts
        self._reading = threading.Lock()

    def write(self, *, open_metrics: bool = False) -> tuple[str, bytes]:
        """Media type and text. Blocks. Raises MetricsBusy when another reader's page takes long."""
        if not self._reading.acquire(timeout=_PATIENCE_S):
            raise MetricsBusy("another reader's page is being worked out", remedy="read it again", retry_after_s=5)
        try:
            if open_metrics:
                return OPEN_METRICS, generate_openmetrics(self)  # type: ignore[no-untyped-call]
            return PLAIN, generate_latest(self)
        finally:
            self._reading.release()

    def values(self) -> list[dict[str, Any]]:
        """Every value with its name and labels, for JSON. Blocks."""
        return [
            {"name": each.name, "labels": each.labels, "value": each.value}
            for family in self.collect()
            for each in family.samples
        ]

    def collect(self) -> Iterator[Metric]:
        readable: dict[tuple[str, ...], float] = {}
        for name, part in self._parts.items():
            try:
                # Whole or not at all.
                found = list(part())
            except Exception as error:
                readable[name,] = 0
                _log.warning("metrics_part_not_read", part=name, error=type(error).__name__)
            else:
                readable[name,] = 1
                yield from found
        yield gauge("part_readable", readable)
