"""What operators see: GET /v1/operations/status."""

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

_HEADERS: Final = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]


async def status(doors: Doors, request: Request) -> Answer:
    """Every mirrored dataset: rows, snapshot, age against its target, last run, quarantine, next run, trouble."""
    looker: Looker | None = None
    try:
        looker = await in_thread(lambda: looker_of(doors, request))
        request.parameters()
        if not looker.operator:
            raise OperatorsOnly(
                "neither a system nor a person of an operator of the platform asks",
                remedy="the catalogue shows how fresh each service is: GET /v1/catalogue",
                rule="organisation.kind",
                owner=f"organisation {looker.organisation_cvr}",
            )
    except PlatformError as error:
        raise refusal_on_record(doors, request, error, caller=looker.caller if looker else None) from None
    datasets = await in_thread(doors.status)
    body = {"environment": doors.environment, "datasets": datasets, "trace": request.trace}
    return Answer(200, list(_HEADERS), orjson.dumps(body, option=orjson.OPT_UTC_Z))
