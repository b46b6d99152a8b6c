"""PersonBaseDataExtended 4 and 5 (SF1520): one person with everything, from the platform's own mirror of CPR."""

from dataclasses import replace
from datetime import date
from functools import lru_cache
from typing import Any, Final

from api.doors import Doors
from api.soap.errors import AnswerNotPossible
from api.soap.established.person_answer import COLUMNS, NEEDED, is_minor, person_answer
from api.soap.established.person_types import NAMESPACE, person_schema
from api.soap.established.reference import Words
from api.soap.faults import SoapFault
from api.soap.interface import Answered, Interface, SoapOperation, Turn, declared, writer_of
from api.soap.notation import Name
from api.visit import today_of
from integrations import RecordReader
from integrations import lookup as look_up
from kernel import Grant, Operation
from schemas import Service

NOT_FOUND: Final = "PNR not found"
"""Clients take exactly this text for "no such person"."""


def person_4(doors: Doors, service: Service) -> Interface:
    return _interface(doors, service, 4)


def person_5(doors: Doors, service: Service) -> Interface:
    return _interface(doors, service, 5)


def _interface(doors: Doors, service: Service, version: int) -> Interface:
    schema, namespace = person_schema(version), NAMESPACE.format(version=version)
    response = Name(namespace, "PersonLookupResponse")
    written = writer_of(schema).element(response, declared(schema))
    words, dataset = Words(doors), doors.registers.dataset_of(service)

    async def answer(turn: Turn) -> Answered:
        number, visit = turn.text("PNR"), turn.visit
        visit.asks_about([number])
        call, grant = turn.admit()
        call = replace(call, columns=_columns(grant))
        today = today_of(visit.request)
        reader = doors.lookups.reader(dataset.id)
        found = look_up(call, [number], grant, dataset, reader, today)
        row = found.found.get(number)
        if row is None:
            return Answered(grant=grant, body=SoapFault(NOT_FOUND), info=found.info, keys=1)
        body = written(person_answer(row, _minors(row, reader, today), words, today))
        return Answered(grant=grant, body=body, info=found.info, keys=1, rows=1)

    return Interface(
        paths=(f"/service/CPR/PersonBaseDataExtended/{version}",),
        namespace=namespace,
        schema=schema,
        operations=(
            SoapOperation(
                name="PersonLookup",
                action=f"{namespace}PersonLookup",
                request=Name(namespace, "PersonLookupRequest"),
                response=response,
                kind=Operation.LOOKUP,
                answer=answer,
            ),
        ),
        port_type="PersonBaseDataExtendedPortType",
        binding="PersonBaseDataExtendedBinding",
        service="PersonBaseDataExtendedService",
        port="PersonBaseDataExtendedPort",
    )


def _columns(grant: Grant) -> tuple[str, ...]:
    """Of what the answer can hold, what the agreement covers. Raises AnswerNotPossible."""
    columns = _covered(grant.columns)
    if missing := NEEDED - set(columns):
        raise AnswerNotPossible(
            f"the agreement leaves out {', '.join(sorted(missing))}, which this interface's answer counts",
            remedy="have the agreement extended, or call the service over REST",
            rule="agreement.columns",
            owner=f"municipality {grant.municipality_cvr}",
            ends=grant.valid.end,
        )
    return columns


@lru_cache(maxsize=1_000)
def _covered(columns: frozenset[str] | None) -> tuple[str, ...]:
    return tuple(each for each in COLUMNS if columns is None or each in columns)


def _minors(row: Any, reader: RecordReader, today: date) -> int:
    """Counted from the children's own rows, as the register does; nothing but the number leaves."""
    numbers = [each["pnr"] for each in row["children"] or ()]
    if not numbers:
        return 0
    children, _ = reader.get_many(numbers, ("status", "birth_date"))
    return sum(is_minor(each, today) for each in children.values())
