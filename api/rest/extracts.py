"""/v1/services/{service}/extracts: extracts that are asked for now and fetched when they are ready; and what one would
be, before it is asked for.
"""

from datetime import datetime
from typing import Any, Final

import orjson

from api.answer import Answer
from api.rest.extract_request import Planned, file_path, in_body, in_query, manifest_path, planned
from api.rest.transfer import shelved
from api.threads import in_thread
from api.visit import Visit
from extract import ExtractPlan, Job, JobState, Progress
from kernel import Grant, SnapshotId

RETRY_AFTER_S: Final = 2


async def begin(visit: Visit) -> Answer:
    """Ask for an extract to be made: 202, and where to look for it."""
    caller = visit.identify()
    return await accepted(visit, await planned(visit, caller, *await in_body(visit.request)))


async def accepted(visit: Visit, wanted: Planned) -> Answer:
    """Raises TooManyExtracts."""
    jobs, estimate = visit.doors.jobs, visit.doors.estimate

    def begun() -> JobState:
        return jobs.look(jobs.begin(wanted.grant.agreement, wanted.plan, estimate(wanted.plan)))

    state = await in_thread(begun)
    answer = _answer(visit, wanted.grant, 202, await _told(visit, wanted.grant, state), wanted.plan.snapshot)
    answer.headers += [
        (b"location", _path(state.job).encode()),
        (b"retry-after", b"%d" % RETRY_AFTER_S),
    ]
    return answer


async def look(visit: Visit) -> Answer:
    """How far one is."""
    grant, job = await _own(visit)
    state = await in_thread(lambda: visit.doors.jobs.look(job))
    answer = _answer(visit, grant, 200, await _told(visit, grant, state), job.plan.snapshot)
    if state.progress is Progress.RUNNING:
        answer.headers.append((b"retry-after", b"%d" % RETRY_AFTER_S))
    return answer


async def listing(visit: Visit) -> Answer:
    """Those of the agreement that are not over."""
    caller = visit.identify()
    visit.request.parameters()
    _, grant = visit.admit(caller)
    jobs = visit.doors.jobs
    states = await in_thread(lambda: [jobs.look(job) for job in jobs.of(grant.agreement)])
    told = [await _told(visit, grant, state) for state in states]
    info = visit.doors.lookups.reader(visit.dataset.id).info
    return _answer(visit, grant, 200, {"extracts": told}, info.snapshot)


async def cancel(visit: Visit) -> Answer:
    """End one. Once more is no fault."""
    grant, job = await _own(visit)
    await in_thread(lambda: visit.doors.jobs.cancel(job))
    visit.answered(grant, status=204, snapshot=job.plan.snapshot)
    return Answer(204, [(b"knudepunkt-trace", visit.request.trace.encode())], b"")


async def explain(visit: Visit) -> Answer:
    """What an extract would be: rows, columns, what is left out and why. Nothing is made."""
    caller = visit.identify()
    wanted = await planned(visit, caller, *in_query(visit.request))
    grant, plan = wanted.grant, wanted.plan
    rows = await in_thread(lambda: visit.doors.estimate(plan))
    asked = [name for name in visit.dataset.names if name not in plan.columns]
    left_out = {
        name: "agreement" if grant.columns is not None and name not in grant.columns else "not asked for"
        for name in asked
    }
    hidden = set(visit.dataset.protected_columns) & set(plan.columns) if plan.hide_protected_on else set()
    document = _plan(plan) | {
        "explanation": plan.explain(),
        "columns": plan.columns,
        "left_out": left_out,
        "withheld_from_protected": sorted(hidden),
        "rows_estimated": rows,
        "ready": await in_thread(lambda: visit.doors.extracts.find(plan) is not None),
    }
    return _answer(visit, grant, 200, document, plan.snapshot)


async def _own(visit: Visit) -> tuple[Grant, Job]:
    """Raises ExtractJobUnknown, also for another agreement's or service's."""
    caller = visit.identify()
    visit.request.parameters()
    _, grant = visit.admit(caller)
    name = visit.request.last_segment.decode("ascii", "replace")
    return grant, await in_thread(lambda: visit.doors.jobs.get(grant.agreement, visit.service.name, name))


async def _told(visit: Visit, grant: Grant, state: JobState) -> dict[str, Any]:
    job, plan, extract = state.job, state.job.plan, state.extract
    told: dict[str, Any] = {"id": job.id, "state": state.progress, **_plan(plan)} | {
        "rows": state.rows,
        "rows_expected": job.rows_expected,
        "bytes": state.size_bytes,
        "created": _iso(job.created),
        "expires": _iso(job.expires),
    }
    if extract is not None and extract.manifest.covered_by(grant):
        refusal = await shelved(visit, grant, extract)
        told["sha256"] = extract.manifest.sha256
        # Looked at again when there is room, it is on the shelf; the download itself needs none.
        told |= (
            {"file": file_path(plan), "manifest": manifest_path(plan)} if refusal is None
            else {"not_on_shelf_because": refusal.code}
        )  # fmt: skip
    return told


def _plan(plan: ExtractPlan) -> dict[str, Any]:
    return {
        "service": plan.service,
        "kind": plan.kind,
        "full_because": plan.full_because,
        "format": plan.format,
        "compression": plan.compression,
        "snapshot": plan.snapshot,
        "since": str(plan.since) if plan.since else None,
        "cursor": str(plan.cursor) if plan.cursor else None,
        "file_name": plan.file_name,
    }


def _path(job: Job) -> str:
    return f"/v1/services/{job.plan.service}/extracts/{job.id}"


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _answer(visit: Visit, grant: Grant, status: int, document: dict[str, Any], snapshot: SnapshotId) -> Answer:
    body = orjson.dumps(document)
    visit.answered(grant, status=status, snapshot=snapshot, size_bytes=len(body))
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    return Answer(status, [*headers, (b"knudepunkt-trace", visit.request.trace.encode())], body)
