"""An interface for any service that looks records up, made from its dataset's contract: no code, WSDL and XSD included.

One operation, `lookup`: keys in, records out, each with what of it is withheld, and the keys that have none.
"""

from dataclasses import replace
from typing import Final

from api.doors import Doors
from api.soap.errors import PayloadInvalid
from api.soap.established.shared import ANY_CONTEXT, CONTEXTS
from api.soap.interface import Answered, Interface, Turn, declared, writer_of
from api.soap.notation import Schema, schema
from api.soap.own import own_interface, own_namespace, response_of
from api.threads import in_thread
from api.visit import today_of
from integrations import lookup as look_up
from kernel import Operation
from schemas import Column, Dataset, Kind, Service

FEW_KEYS: Final = 32
_KINDS: Final = {
    Kind.TEXT: "string", Kind.INTEGER: "long", Kind.NUMBER: "double", Kind.BOOLEAN: "boolean", Kind.DATE: "date",
    Kind.TIMESTAMP: "dateTime",
}  # fmt: skip


def generic(doors: Doors, service: Service) -> Interface:
    dataset = doors.registers.dataset_of(service)
    types = record_schema(own_namespace(service), dataset)
    written = writer_of(types).element(response_of(types, Operation.LOOKUP), declared(types))

    async def answer(turn: Turn) -> Answered:
        keys, columns = turn.texts("key"), turn.texts("column")
        if not keys:
            raise PayloadInvalid("the request has no key", remedy="add one or more", rule="soap.payload")
        visit = turn.visit
        visit.asks_about(keys)
        call, grant = turn.admit(tuple(columns) or None)
        reader, today = doors.lookups.reader(dataset.id), today_of(visit.request)

        def look() -> Answered:
            found = look_up(call, keys, grant, dataset, reader, today)
            records = [
                {"key": key, "withheld": found.withheld.get(key, ()), "content": row}
                for key, row in found.found.items()
            ]
            body = written(
                {
                    "snapshot": found.info.snapshot, "asOf": found.info.as_of, "record": records,
                    "missing": found.missing,
                }
            )  # fmt: skip
            return Answered(grant=grant, body=body, info=found.info, keys=len(keys), rows=len(records))

        # One lookup takes less time than handing it to a thread; a thousand would keep everybody else waiting.
        return look() if len(keys) <= FEW_KEYS else await in_thread(look)

    return own_interface(service, types, Operation.LOOKUP, answer)


def record_schema(namespace: str, dataset: Dataset) -> Schema:
    """Types of a lookup; every column may be missing, since agreements leave columns out."""
    lines: list[str] = []
    content = ", ".join(_particle(column, "Record", lines) for column in dataset.columns)
    text = "\n".join(
        [
            f"type LookupRequestType = {ANY_CONTEXT}, key+:string, column*:string",
            "type LookupResponseType = snapshot:long, asOf:dateTime, record*:FoundType, missing*:string",
            "type FoundType = key:string, withheld*:string, content:RecordType",
            f"type RecordType = {content}",
            *lines,
            "element LookupRequest : LookupRequestType",
            "element LookupResponse : LookupResponseType",
        ]
    )
    return schema(namespace, f"{dataset.name}.xsd", text, **CONTEXTS)


def _particle(column: Column, within: str, lines: list[str]) -> str:
    """A column in the notation; what it needs of types is added to `lines`."""
    item, many = column, "?"
    if column.kind is Kind.ARRAY and column.item is not None:
        item, many = replace(column.item, name=column.name), "*"
    name = f"{within}_{column.name}"
    match item.kind:
        case Kind.OBJECT:
            inside = ", ".join(_particle(field, name, lines) for field in item.fields)
            lines.append(f"type {name} = {inside}")
        case Kind.ARRAY:
            lines.append(f"type {name} = {_particle(replace(item, name='item'), name, lines)}")
        case _:
            return f"{column.name}{many}:{_KINDS[item.kind]}"
    return f"{column.name}{many}:{name}"
