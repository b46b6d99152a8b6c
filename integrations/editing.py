"""What a change of one record makes of it. Pure: the record as it is, the change, and what the agreement covers."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from integrations.errors import ConditionMissing, RecordChanged, RecordOutside, RecordUnknown
from kernel import Grant
from replica import SnapshotInfo
from schemas import ColumnsNotCovered, Dataset, visible_columns

Record = dict[str, Any]
"""As JSON has it, each column of the dataset, derived ones too."""


class Kind(StrEnum):
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """PUT makes the record or takes its place; PATCH changes the fields that it names (RFC 7396); DELETE removes it.

    fields     of PUT and PATCH
    if_match   entity tags, or `*` for whatever is there; None when the call does not say
    only_new   If-None-Match: *
    """

    kind: Kind
    key: str
    fields: Mapping[str, Any]
    if_match: str | None = None
    only_new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """record   as it is now, None when it is gone
    created  whether it was not there before
    """

    record: Record | None
    created: bool
    info: SnapshotInfo


Decide = Callable[[Record | None], Record | None]
"""The record as it is, to the record as it shall be: without derived columns, None to remove it. Raises refusals."""
Write = Callable[[Dataset, str, Decide], Written]
"""(dataset, key, decide). Raises what `decide` raises, what its contract says of the record, and LakeBusy."""


def etag_of(record: Record) -> str:
    """A strong entity tag: the same for the same content (RFC 9110, 8.8.3)."""
    canonical = orjson.dumps(record, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)
    return f'"{hashlib.sha256(canonical).hexdigest()[:32]}"'


def edited(edit: Edit, current: Record | None, grant: Grant, dataset: Dataset) -> Record | None:
    """The record as it shall be, None for removed.

    A record outside the agreement's rows is as if it were not there, but for its key, which is taken. Raises
    RecordUnknown, RecordOutside, RecordChanged, ConditionMissing, ColumnUnknown, ColumnsNotCovered.
    """
    outside = current is not None and not _within(current, grant)
    if edit.kind is not Kind.PUT and (current is None or outside):
        raise RecordUnknown(
            "there is no record with this key that the agreement covers", remedy="check the key", rule="agreement.rows"
        )
    if outside:
        raise _outside(grant)
    _ensure_condition(edit, current)
    if edit.kind is Kind.DELETE:
        return None
    _ensure_columns(edit, grant, dataset)
    own = [column.name for column in dataset.columns if column.derived is None]
    before = {name: None if current is None else current[name] for name in own}
    if edit.kind is Kind.PUT:
        # What the agreement does not show, it does not empty either.
        seen = _writable(grant, dataset)
        before |= {name: None for name in own if name in seen}
    shall = {**before, **edit.fields, dataset.key: edit.key}
    if not _within(shall, grant):
        raise _outside(grant)
    return shall


def _ensure_condition(edit: Edit, current: Record | None) -> None:
    remedy = "look the record up; its answer has the ETag to send as If-Match"
    if current is None:
        if edit.if_match is not None:
            raise RecordChanged("there is no such record any more", remedy=remedy, rule="if-match")
        return
    if edit.only_new:
        raise RecordChanged("there is a record with this key already", remedy=remedy, rule="if-none-match")
    if edit.if_match is None:
        raise ConditionMissing("the call changes a record and has no If-Match", remedy=remedy, rule="if-match")
    tags = [tag.strip() for tag in edit.if_match.split(",")]
    if tags != ["*"] and etag_of(current) not in tags:
        raise RecordChanged("the record is not as it was when it was looked up", remedy=remedy, rule="if-match")


def _ensure_columns(edit: Edit, grant: Grant, dataset: Dataset) -> None:
    named = tuple(name for name in edit.fields if name != dataset.key)
    if not named:
        return
    visible_columns(dataset, grant, named)
    if hidden := [name for name in named if name not in _writable(grant, dataset)]:
        raise ColumnsNotCovered(
            f"the agreement does not show {', '.join(sorted(hidden))} of protected persons",
            remedy="ask the municipality for an agreement that does",
            rule="agreement.protected",
            owner=f"municipality {grant.municipality_cvr}",
        )


def _writable(grant: Grant, dataset: Dataset) -> frozenset[str]:
    covered = frozenset(dataset.names) if grant.columns is None else grant.columns
    return covered if grant.protected else covered - frozenset(dataset.protected_columns)


def _within(record: Mapping[str, Any], grant: Grant) -> bool:
    return all(record.get(name) in values for name, values in grant.rows.items())


def _outside(grant: Grant) -> RecordOutside:
    return RecordOutside(
        "the record lies outside the rows that the agreement covers",
        remedy="check the record, or ask the municipality for an agreement that covers it",
        rule="agreement.rows",
        owner=f"municipality {grant.municipality_cvr}",
    )
