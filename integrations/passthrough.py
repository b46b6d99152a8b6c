"""Pass-through: the platform calls the source on the consumer's behalf, and hands its answer on.

Where the call goes is declared and nothing else: the caller chooses neither host nor path, and of its parameters and
header fields only the declared ones leave. When the source cannot answer, a lookup that names a replica is answered
from there, and says so.
"""

from collections.abc import Callable, Generator, Mapping
from typing import Any, Final

import orjson

from integrations.asked import Came, Exchange, Fields, Pause, Reply, Road, Wanted
from integrations.carried import Carried
from integrations.errors import (
    InputInvalid,
    NarrowedTooFar,
    ReplicaTooOld,
    SourceAnswerInvalid,
    SourceFailed,
    SourceTooSlow,
    SourceUnreachable,
)
from integrations.lookup import lookup, today_of
from integrations.redirect import source_of
from integrations.stub import stub_of
from kernel import Grant, PlatformError, TryAgainLater
from replica import DatasetNotReady
from schemas import Fallback, Joining, JoiningInvalid, Method, PassThrough, ServiceType, Told

PAUSES_S: Final = (0.05, 0.2, 0.8)
"""Before each further try."""
_TELLS: Final[Mapping[Told, tuple[str, Callable[[Grant], str]]]] = {
    Told.MUNICIPALITY: ("knudepunkt-municipality", lambda grant: grant.municipality_cvr),
    Told.SYSTEM: ("knudepunkt-system", lambda grant: grant.system),
    Told.AGREEMENT: ("knudepunkt-agreement", lambda grant: grant.agreement),
}


def pass_through(carried: Carried) -> Road:
    """Raises what is wrong with the request, and what kept the source from answering."""
    live = carried.service.live
    assert isinstance(live, PassThrough)  # noqa: S101  as the descriptor's review holds
    ensure_whole(carried)
    subject = _subject(carried, live)
    if (stub := stub_of(carried, live.source)) is not None:
        return stub
    try:
        came = yield from _ask(carried, live)
    except TryAgainLater as refusal:
        if live.fallback is None or subject is None:
            raise
        return _from_replica(carried, live.fallback, subject, refusal)
    names = ("content-type", *sorted(live.response_headers))
    fields = tuple((name, came.fields[name]) for name in names if name in came.fields)
    return Reply(status=came.status, fields=fields, body=came.body, by="source", keys=int(subject is not None))


def ensure_whole(carried: Carried) -> None:
    """Raises NarrowedTooFar for an agreement that lets a part of the answer through: here nobody can cut it out.

    One that names every column of the service's dataset lets all of it through.
    """
    grant, service = carried.grant, carried.service
    named = grant.columns
    if named is not None and service.dataset is not None:
        named = None if named >= set(carried.desk.dataset(service.dataset).names) else named
    if named is None and not grant.rows:
        return
    raise NarrowedTooFar(
        f"the agreement narrows {service.name} by {'rows' if named is None else 'columns'}, and its answer "
        "comes from elsewhere",
        remedy="ask the municipality for an agreement on the whole service, or use a service that is answered here",
        rule="agreement.rows" if named is None else "agreement.columns",
        owner=f"municipality {grant.municipality_cvr}",
    )


def _ask(carried: Carried, live: PassThrough) -> Generator[Wanted, Any, Came]:
    """What the source answers, by one or more tries within one deadline."""
    desk, exchange = carried.desk, _exchange(carried, live)
    ends = desk.monotonic() + live.deadline_s
    source_of(live.source, desk.sources)
    tries = 0
    while True:
        desk.breakers.ask(live.source, desk.monotonic())
        failure: PlatformError
        try:
            came: Came = yield exchange(max(0.0, ends - desk.monotonic()))
        except (SourceUnreachable, SourceTooSlow, SourceAnswerInvalid) as error:
            failure = error
        else:
            if came.status not in live.failures:
                desk.breakers.answered(live.source)
                return came
            failure = SourceFailed(
                f"the source {live.source} answered with status {came.status}",
                remedy="call again later",
                rule=f"source.{live.source}",
                owner="the source",
                retry_after_s=5,
            )
        desk.breakers.failed(live.source, desk.monotonic())
        if tries >= live.retries or not _may_repeat(carried, failure):
            raise failure
        pause = PAUSES_S[tries]
        if desk.monotonic() + pause >= ends:
            raise failure
        yield Pause(pause)
        tries += 1


def _may_repeat(carried: Carried, failure: PlatformError) -> bool:
    if not isinstance(carried.asked.body, bytes):
        return False
    lookup = carried.service.service_type is ServiceType.LOOKUP
    never_arrived = isinstance(failure, SourceUnreachable) and not failure.arrived
    return lookup or Method(carried.asked.method).repeatable or never_arrived


def _exchange(carried: Carried, live: PassThrough) -> Callable[[float], Exchange]:
    """What is asked of the source, but for the time that is left."""
    asked, grant = carried.asked, carried.grant
    allowed = live.request_headers | {"content-type"}
    told: Fields = tuple((name, str(value(grant))) for told, (name, value) in _TELLS.items() if told in live.tell)
    sent = tuple((name, text) for name, text in asked.headers.items() if name in allowed)
    repeatable = carried.service.service_type is ServiceType.LOOKUP or Method(asked.method).repeatable
    hedge_s = live.hedge_after_s if repeatable and isinstance(asked.body, bytes) else None

    def within(seconds: float) -> Exchange:
        return Exchange(
            source=live.source, method=asked.method, path=live.path, query=asked.query, fields=sent + told,
            body=asked.body, timeout_s=seconds, most_bytes=live.most_response_bytes, hedge_s=hedge_s,
        )  # fmt: skip

    return within


def _subject(carried: Carried, live: PassThrough) -> str | None:
    """The identifier that the call asks about, for the ledger and for the replica. Raises InputInvalid."""
    place = live.fallback.key if live.fallback is not None else live.subject
    if place is None:
        return None
    try:
        found = place.value(carried.asked.document())
    except JoiningInvalid:
        found = None
    if not isinstance(found, str):
        raise InputInvalid(
            f"the body holds no text at {place.text}", remedy="see the service in GET /openapi.json", rule="body"
        )
    carried.visit.asks_about([found])
    return found


def _from_replica(carried: Carried, fallback: Fallback, key: str, refusal: TryAgainLater) -> Reply:
    """The answer of the replica, as old as the caller accepts. Raises the refusal when there is none."""
    call, dataset_id = carried.call, carried.service.dataset
    assert dataset_id is not None  # noqa: S101  as the descriptor's review holds
    dataset = carried.desk.dataset(dataset_id)
    try:
        found = lookup(call, [key], carried.grant, dataset, carried.desk.reader(dataset_id), today_of(call))
    except DatasetNotReady:
        raise refusal from None
    age_s = max(0, int((call.received - found.info.as_of).total_seconds()))
    oldest_s = carried.asked.oldest_s
    if oldest_s is not None and age_s > oldest_s:
        raise ReplicaTooOld(
            f"{refusal.message}; its replica is {age_s} seconds old, and the call accepts {oldest_s}",
            remedy="call again later, or accept an older answer: Cache-Control: max-age",
            rule="request.cache-control",
            owner="the caller",
            left=0,
            retry_after_s=refusal.retry_after_s,
        )
    record = plain(found.found.get(key))
    document = {"record": record, "withheld": found.withheld.get(key, ())}
    body = document if fallback.answer is None else worked_out(fallback.answer, {"record": record})
    return Reply(
        status=404 if record is None else 200, fields=JSON, body=orjson.dumps(body), by="replica", why=refusal.code,
        info=found.info, keys=1, rows=0 if record is None else 1,
    )  # fmt: skip


JSON: Final[Fields] = (("content-type", "application/json"),)


def plain(value: Any) -> Any:
    """As JSON has it: times as texts."""
    return orjson.loads(orjson.dumps(value, option=orjson.OPT_UTC_Z))


def worked_out(joining: Joining, known: dict[str, Any]) -> Any:
    """Raises SourceAnswerInvalid when what came does not fit what the descriptor makes of it."""
    try:
        return joining.value(known)
    except JoiningInvalid as error:
        raise SourceAnswerInvalid(
            f"the answer {error}", remedy="tell the operator", rule="service.answer", owner="the operator"
        ) from None
