"""GET /v1/services/{service}/extract: a whole dataset or what has changed in it, streamed while it is written, or from
the finished file.

identify -> grant -> plan -> file -> ledger -> the first byte leaves. The end is on record before the last piece leaves.
"""

from api.answer import Answer
from api.freshness import stamps
from api.pieces import Followed
from api.rest.extract_request import described, in_query, planned, responds_async
from api.rest.extracts import accepted
from api.rest.outflow import Outflow
from api.rest.transfer import Transfer, finished, nothing
from api.threads import in_thread, pulled
from api.visit import Visit
from extract import xml_schema_of


async def extract(visit: Visit) -> Answer:
    """The file. Ready: with ETag, Content-Length and Range. Being made: as it grows, and cut if it fails."""
    request = visit.request
    caller = visit.identify()
    wanted = await planned(visit, caller, *in_query(request))
    grant, info, plan = wanted.grant, wanted.info, wanted.plan
    store = visit.doors.extracts
    if responds_async(request) and request.method == "GET" and await in_thread(lambda: store.find(plan)) is None:
        answer = await accepted(visit, wanted)
        answer.headers.append((b"preference-applied", b"respond-async"))
        return answer
    # HEAD starts no production: it tells what is known now.
    file = await in_thread(lambda: store.find(plan) if request.method == "HEAD" else store.open(plan, grant.agreement))
    headers = stamps(info, request.trace, request.received, personal=visit.offer.personal) + described(plan)
    if file is not None and file.ready:
        return await finished(visit, grant, file, headers)
    if file is None:
        visit.answered(grant, status=200, snapshot=info.snapshot)
        return Answer(200, headers, nothing)
    flow = Outflow(request, visit.doors.stall_s)
    pieces = pulled(file.chunks(slice_bytes=lambda: flow.pace.run_bytes))
    # Before anything is promised: a production that fails at once is a refusal, not a cut download.
    first = await anext(pieces, b"")
    visit.answered(grant, status=200, snapshot=info.snapshot)
    transfer = Transfer(
        visit, grant, extract=plan.id, snapshot=plan.snapshot, pieces=Followed(pieces, first), flow=flow, file=file
    )  # fmt: skip
    return Answer(200, headers, transfer.send)


async def schema(visit: Visit) -> Answer:
    """The schema (XSD) of the service's XML extracts, of all columns; a delta's rows begin with `_operation`."""
    request = visit.request
    caller = visit.identify()
    request.parameters()
    _, grant = visit.admit(caller)
    body = xml_schema_of(visit.dataset)
    visit.answered(grant, status=200, snapshot=visit.doors.lookups.reader(visit.dataset.id).info.snapshot)
    headers = [(b"content-type", b"application/xml"), (b"cache-control", b"no-cache")]
    return Answer(200, [*headers, (b"knudepunkt-trace", request.trace.encode())], body)
