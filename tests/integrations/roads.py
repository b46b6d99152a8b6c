"""Roads driven without a network, on a clock that is turned: what a source does is a function of the time."""

import heapq
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from integrations import (
    Asked,
    Begin,
    Breakers,
    Came,
    Desk,
    Exchange,
    LiveSource,
    Next,
    Pause,
    Reply,
    Road,
    Work,
    invoke,
)
from kernel import (
    AgreementId,
    Call,
    Caller,
    Channel,
    Grant,
    NotAllowed,
    Operation,
    OrganisationId,
    PlatformError,
    ServiceName,
    SnapshotId,
    SystemId,
    Window,
    new_trace_id,
)
from replica import SnapshotInfo
from schemas import SHIPPED, Dataset, Service, load_registers

REGISTERS = load_registers(SHIPPED)
NOW = datetime(2031, 2, 10, 12, tzinfo=UTC)
Source = Callable[[Exchange, float], tuple[float, Came | PlatformError]]
"""What a source does with a request at a time: how many seconds later comes what."""


@dataclass(slots=True)
class AVisit:
    """Stands in for a call that came in by a door; everybody has an agreement, but for services in `without`."""

    service: Service
    without: frozenset[str] = frozenset()
    told: list[tuple[str, str]] = field(default_factory=list)
    subjects: list[str] = field(default_factory=list)
    narrowed: dict[str, Any] = field(default_factory=dict)

    def identify(self) -> Caller:
        return Caller(system=SystemId("s"), name="prøve", organisation_cvr="12345678", credential="0" * 64)

    def admit(self, caller: Caller) -> tuple[Call, Grant]:
        name = self.service.name
        if name in self.without:
            raise NotAllowed(f"no agreement names {name}")
        call = Call(
            trace=new_trace_id(),
            caller=caller,
            channel=Channel.REST,
            service=name,
            operation=Operation.CALL,
            received=NOW,
        )
        grant = Grant(
            agreement=AgreementId("a"), system=caller.system, municipality=OrganisationId("m"),
            municipality_cvr="29189420", service=ServiceName(name), valid=Window(NOW - timedelta(days=1)),
            terms_hash="0" * 64, **self.narrowed,
        )  # fmt: skip
        return call, grant

    def asks_about(self, keys: list[str]) -> None:
        self.subjects += keys

    def observe(self, grant: Grant, reply: Reply) -> None:
        self.told.append((self.service.name, reply.by))

    def refused(self, error: PlatformError) -> PlatformError:
        self.told.append((self.service.name, error.code))
        return error

    def beside(self, service: Service, grant: Grant) -> "AVisit":
        return replace(self, service=service)


@dataclass(slots=True)
class Shelf:
    """A mirror of a few rows."""

    dataset: Dataset
    rows: Mapping[str, Mapping[str, Any]]

    def get_many(self, keys: Any, columns: Any = None) -> tuple[dict[str, dict[str, Any]], SnapshotInfo]:
        info = SnapshotInfo(
            dataset=self.dataset.id, snapshot=SnapshotId(7), published=NOW, as_of=NOW - timedelta(seconds=100),
            rows=len(self.rows),
        )  # fmt: skip
        wanted = columns or self.dataset.names
        return {key: {name: self.rows[key].get(name) for name in wanted} for key in keys if key in self.rows}, info


@dataclass(slots=True)
class World:
    """A clock and the sources. `run` drives a road to its end, and turns the clock as it waits."""

    source: Source
    rows: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=lambda: {each.name: each for each in REGISTERS.services})
    now: float = 0.0
    asked: list[Exchange] = field(default_factory=list)
    breakers: Breakers = field(default_factory=Breakers)
    write: Any = None
    find: Any = None
    _number: Any = field(default_factory=itertools.count)

    @property
    def desk(self) -> Desk:
        return Desk(
            environment="production",
            monotonic=lambda: self.now,
            services=self.services,
            sources={"korsbaek": LiveSource(url="https://source.invalid")},
            breakers=self.breakers,
            find=self.find,
            write=self.write,
            info=lambda name: Shelf(REGISTERS.dataset(name), {}).get_many([])[1],
            changed=lambda *_: [],
            events=None,
            dataset=REGISTERS.dataset,
            reader=lambda name: Shelf(REGISTERS.dataset(name), self.rows.get(name, {})),
        )

    def call(self, visit: AVisit, body: bytes, method: str = "POST", oldest_s: int | None = None) -> Reply:
        return self.run(invoke(visit, self.desk, Asked(method=method, body=body, oldest_s=oldest_s)))

    def run(self, road: Road) -> Reply:
        """Every road that is begun goes on when what it waits for has come, in the order of time."""
        waiting: list[tuple[float, int, _Way, Any]] = []
        root = _Way("", road, None)
        self._go(root, None, waiting)
        while root.outcome is None:
            at, _, way, came = heapq.heappop(waiting)
            if way.outcome is not None or (way.waits and came is _OVER and at < way.until):
                continue
            self.now = max(self.now, at)
            if came is _OVER:
                if way.waits and self.now >= way.until:
                    way.waits = False
                    self._go(way, None, waiting)
                continue
            self._go(way, came, waiting)
        if isinstance(root.outcome, PlatformError):
            raise root.outcome
        reply: Reply = root.outcome
        return reply

    def _go(self, way: "_Way", came: Any, waiting: "list[tuple[float, int, _Way, Any]]") -> None:
        while True:
            try:
                wanted = way.road.throw(came) if isinstance(came, PlatformError) else way.road.send(came)
            except StopIteration as done:
                self._end(way, done.value, waiting)
                return
            except PlatformError as error:
                self._end(way, error, waiting)
                return
            match wanted:
                case Exchange():
                    self.asked.append(wanted)
                    after, outcome = self.source(wanted, self.now)
                    self._push(waiting, self.now + after, way, outcome)
                    return
                case Pause(seconds=seconds):
                    self._push(waiting, self.now + seconds, way, None)
                    return
                case Work(run=run):
                    came = run()
                case Begin(name=name, road=road):
                    self._go(_Way(name, road, way), None, waiting)
                    came = None
                case Next(timeout_s=timeout_s):
                    if way.ended:
                        came = way.ended.pop(0)
                        continue
                    way.waits, way.until = True, self.now + timeout_s
                    self._push(waiting, way.until, way, _OVER)
                    return
                case _:
                    raise AssertionError(wanted)

    def _end(self, way: "_Way", outcome: Any, waiting: "list[tuple[float, int, _Way, Any]]") -> None:
        way.outcome = outcome
        if way.above is not None:
            if way.above.waits:
                way.above.waits = False
                self._push(waiting, self.now, way.above, (way.name, outcome))
            else:
                way.above.ended.append((way.name, outcome))

    def _push(self, waiting: "list[tuple[float, int, _Way, Any]]", at: float, way: "_Way", came: Any) -> None:
        heapq.heappush(waiting, (at, next(self._number), way, came))


_OVER = object()


@dataclass(slots=True)
class _Way:
    name: str
    road: Road
    above: "_Way | None"
    ended: list[tuple[str, Any]] = field(default_factory=list)
    waits: bool = False
    until: float = 0.0
    outcome: Any = None
