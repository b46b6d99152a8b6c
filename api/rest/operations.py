"""What operators see: GET /v1/operations/status, and GET /metrics for their Prometheus."""

from typing import Final

import orjson

from api.answer import Answer
from api.doors import Doors
from api.errors import OperatorsOnly
from api.request import Request
from api.rest.admin.who import Looker, looker_of
from api.threads import in_thread
from api.visit import refusal_on_record
from kernel import PlatformError

METRICS: Final = "/metrics"
OPEN_METRICS: Final = "application/openmetrics-text"
_NOT_KEPT: Final = (b"cache-control", b"no-store")


async def status(doors: Doors, request: Request) -> Answer:
    """Every mirrored dataset: rows, snapshot, age against its target, last run, quarantine, next run, trouble."""
    await _operators_alone(doors, request, "the catalogue shows how fresh each service is: GET /v1/catalogue")
    datasets = await in_thread(doors.status)
    body = {"environment": doors.environment, "datasets": datasets, "trace": request.trace}
    headers = [(b"content-type", b"application/json"), _NOT_KEPT]
    return Answer(200, headers, orjson.dumps(body, option=orjson.OPT_UTC_Z))


async def metrics(doors: Doors, request: Request) -> Answer:
    """How the platform is, in numbers: OpenMetrics for whoever takes it, else Prometheus' older text."""
    await _operators_alone(doors, request, "metrics are for the operator's own monitoring")
    accepted = request.joined("accept")
    open_metrics = OPEN_METRICS in accepted
    media_type, body = await in_thread(lambda: doors.metrics(open_metrics))
    return Answer(200, [(b"content-type", media_type.encode()), _NOT_KEPT], body)


async def _operators_alone(doors: Doors, request: Request, remedy: str) -> None:
    """Raises OperatorsOnly, ParameterUnknown, and what `looker_of` raises; on record, each of them."""
    looker: Looker | None = None
    try:
        looker = await in_thread(lambda: looker_of(doors, request))
        request.parameters()
        if not looker.operator:
            raise OperatorsOnly(
                "neither a system nor a person of an operator of the platform asks",
                remedy=remedy,
                rule="organisation.kind",
                owner=f"organisation {looker.organisation_cvr}",
            )
    except PlatformError as error:
        raise refusal_on_record(doors, request, error, caller=looker.caller if looker else None) from None
