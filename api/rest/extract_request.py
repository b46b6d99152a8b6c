"""What an extract is asked for with, in a query or in a body, and the plan that follows from it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

from api.answer import Headers
from api.doors import Moment
from api.errors import BodyInvalid, ParameterInvalid
from api.moment import FIELDS as MOMENTS
from api.moment import moment_of
from api.request import Request, columns_of, nameable
from api.rest.json_body import json_body, object_of, texts_of
from api.threads import in_thread
from api.visit import Visit, today_of
from extract import Compression, Cursor, ExtractPlan, ExtractRequest, Format, plan_extract
from kernel import Caller, Grant, SnapshotId
from replica import SnapshotInfo
from schemas import Dataset

E = TypeVar("E", bound=StrEnum)

FIELDS: Final = ("format", "compression", "columns", "since", "otherwise", *MOMENTS)
_ASYNC: Final = re.compile(r"(^|[,;\s])respond-async($|[,;\s])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Planned:
    grant: Grant
    info: SnapshotInfo
    plan: ExtractPlan


async def planned(visit: Visit, caller: Caller, wanted: ExtractRequest, moment: Moment | None) -> Planned:
    """Admit the call, and choose what to write. Raises what `Visit.admit` and `plan_extract` raise."""
    _, grant = visit.admit(caller, wanted.columns)
    if moment is None:
        info = visit.doors.lookups.reader(visit.dataset.id).info
    else:
        past = visit.doors.past
        info = await in_thread(lambda: past(visit.dataset, moment).info)
    doors, since, today = visit.doors, wanted.since, today_of(visit.request)
    if since is None:
        return Planned(grant, info, plan_extract(wanted, grant, visit.dataset, info, today))

    def corrections(dataset: Dataset, before: SnapshotId, until: SnapshotId) -> Sequence[SnapshotId]:
        found = doors.corrections(dataset, before, until)
        since.ensure_taken_since(doors.past(dataset, before).info.published)
        return found

    plan = await in_thread(lambda: plan_extract(wanted, grant, visit.dataset, info, today, corrections))
    return Planned(grant, info, plan)


def in_query(request: Request) -> tuple[ExtractRequest, Moment | None]:
    """Raises ParameterInvalid, naming the parameter and not its value."""
    asked = request.parameters(*FIELDS)
    return _asked(asked, columns_of(asked))


async def in_body(request: Request) -> tuple[ExtractRequest, Moment | None]:
    """Raises BodyInvalid, ParameterInvalid."""
    request.parameters()
    body = object_of(await json_body(request))
    if unknown := body.keys() - set(FIELDS):
        raise BodyInvalid(f"there is no field {nameable(min(unknown))}", remedy=f"it takes {', '.join(FIELDS)}")
    columns = body.get("columns")
    texts = {name: value for name, value in body.items() if name not in {"columns", *MOMENTS} and value is not None}
    if not all(isinstance(value, str) for value in texts.values()):
        wrong = min(name for name, value in texts.items() if not isinstance(value, str))
        raise BodyInvalid(f"{wrong} is not a text", remedy="see GET /openapi.json")
    moments = {name: body[name] for name in MOMENTS if body.get(name) is not None}
    return _asked(texts | moments, None if columns is None else tuple(texts_of(columns, "columns")))


def responds_async(request: Request) -> bool:
    """Whether the caller would rather come back than wait (RFC 7240)."""
    preference = request.text("Prefer")
    return preference is not None and _ASYNC.search(preference) is not None


def described(plan: ExtractPlan) -> Headers:
    """Header fields that tell what a file is."""
    name = plan.file_name
    fields = [
        (b"content-type", plan.media_type.encode()),
        (b"content-disposition", f'attachment; filename="{name}"'.encode()),
        (b"link", f'<{manifest_path(plan)}>; rel="describedby"'.encode()),
        (b"knudepunkt-extract", plan.kind.encode()),
    ]
    if plan.cursor is not None:
        fields.append((b"knudepunkt-cursor", str(plan.cursor).encode()))
    if plan.full_because is not None:
        fields.append((b"knudepunkt-full-because", plan.full_because.encode()))
    if plan.corrections:
        fields.append((b"knudepunkt-corrections", ", ".join(map(str, plan.corrections)).encode()))
    return fields


def file_path(plan: ExtractPlan) -> str:
    return f"/v1/services/{plan.service}/files/{plan.file_name}"


def manifest_path(plan: ExtractPlan) -> str:
    return f"{file_path(plan)}.manifest.json"


def _asked(asked: Mapping[str, Any], columns: tuple[str, ...] | None) -> tuple[ExtractRequest, Moment | None]:
    since, otherwise = asked.get("since"), asked.get("otherwise")
    if otherwise not in {None, "full"} or (otherwise is not None and since is None):
        raise ParameterInvalid(
            "otherwise does not say what it may",
            remedy="with since, otherwise=full takes the whole dataset when a delta is not possible; else leave it out",
            rule="parameter.otherwise",
        )
    wanted = ExtractRequest(
        format=_one_of(Format, asked, "format", Format.CSV),
        compression=_one_of(Compression, asked, "compression", Compression.NONE),
        columns=columns,
        since=None if since is None else Cursor.read(since),
        otherwise_full=otherwise is not None,
    )
    return wanted, moment_of(asked)


def _one_of(kind: type[E], asked: Mapping[str, str], name: str, default: E) -> E:
    try:
        return kind(asked.get(name, default))
    except ValueError:
        raise ParameterInvalid(
            f"there is no such {name}", remedy=f"{name} is one of {', '.join(kind)}", rule=f"parameter.{name}"
        ) from None
