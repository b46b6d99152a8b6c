"""What operators see of an instance through a process that answers: the status of each dataset, and the metrics."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from api import Doors
from control import ListFolder, Trust, load_trust
from extract import Database
from replica import DatasetNotReady, Standing
from runtime.clock import CLOCK
from runtime.instance import Instance
from runtime.migrated import open_control
from runtime.room import floor_of
from runtime.settings import Settings
from runtime.status import DatasetStatus, Watched, status_now, status_of
from runtime.wiring import House
from schemas import SHIPPED
from sync import load_sources

if TYPE_CHECKING:
    from runtime.metrics.page import MetricsPage


class Watching:
    """Made ready when somebody looks: a process that answers lookups needs neither sources nor metrics."""

    def __init__(self, house: House, trust: Callable[[], Trust]) -> None:
        self._house, self._trust = house, trust

    def statuses(self) -> Sequence[DatasetStatus]:
        """Of every mirrored dataset, now. Blocks."""
        try:
            standing = Standing.of(self._house.scanner.lake())
        except DatasetNotReady:
            standing = Standing({}, {})
        return status_of(self._watched, standing, CLOCK.now())

    def told(self) -> list[Mapping[str, Any]]:
        """As `statuses`, as plain values for JSON."""
        return [each.as_dict() for each in self.statuses()]

    def metrics(self, open_metrics: bool) -> tuple[str, bytes]:
        """Media type and text of the page. Blocks. Raises MetricsBusy."""
        return self._page.write(open_metrics=open_metrics)

    @cached_property
    def _watched(self) -> Watched:
        house, root = self._house, self._house.instance
        sources = load_sources(SHIPPED, root.registers, root=root.root)
        return Watched(root, house.settings, house.registers, sources, CLOCK)

    @cached_property
    def _page(self) -> "MetricsPage":
        from runtime.metrics.instance import Stores, page_of

        house = self._house
        stores = Stores(
            attempts=lambda: self._watched.attempts,
            statuses=self.statuses,
            database=Database(house.control.reading, house.control.noting),
            trust=self._trust,
            floor=floor_of(house.settings),
        )
        return page_of(house.instance, house.settings.environment, stores, CLOCK)


@contextmanager
def standalone_page(instance: Instance, settings: Settings) -> Iterator["MetricsPage"]:
    """The page of an instance that this process is no part of. Raises as `open_control`."""
    from runtime.metrics.instance import Stores, page_of

    watched = Watched.of(instance, settings, CLOCK)

    def trust() -> Trust:
        return Trust.read(instance.trust, ListFolder(instance.crl).read(load_trust(instance.trust)))

    with open_control(instance, settings) as control:
        stores = Stores(
            attempts=lambda: watched.attempts,
            statuses=lambda: status_now(watched),
            database=Database(control.reading, control.noting),
            trust=trust,
            floor=floor_of(settings),
        )
        yield page_of(instance, settings.environment, stores, CLOCK)


def with_watching(doors: Doors, house: House, trust: Callable[[], Trust]) -> Doors:
    """Doors through which operators see how the platform is."""
    watching = Watching(house, trust)
    return replace(doors, status=watching.told, metrics=watching.metrics)
