"""CVR Online 2 (SF1530): companies and production units by number and by search, from the platform's own mirror."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from lxml import etree

from api.doors import Doors
from api.soap.context import leaf
from api.soap.errors import AnswerNotPossible, PayloadInvalid
from api.soap.established.cvr_answer import COMPANY, NEEDED, UNIT, company, related, unit
from api.soap.established.cvr_search import MOST_FOUND, company_search, unit_search
from api.soap.established.cvr_types import OPERATIONS, OUTER, OUTER_SCHEMA, WSDL
from api.soap.faults import SoapFault
from api.soap.interface import Answered, Interface, SoapOperation, Turn, declared, one_of, writer_of
from api.soap.notation import Name
from api.threads import in_thread
from api.visit import today_of
from integrations import lookup as look_up
from integrations import search as find_out
from kernel import DatasetId, Grant, Operation
from replica import Condition, Op, Search
from schemas import Dataset, Service

COMPANY_NOT_FOUND: Final = "Required property '/virksomhed/CVRNummer' missing."
"""Clients take exactly this text for "no such company"; the other is made after it."""
UNIT_NOT_FOUND: Final = "Required property '/produktionsenhed/PNummer' missing."
_UNITS: Final = DatasetId("cvr.production_units")


def cvr(doors: Doors, service: Service) -> Interface:
    companies = doors.registers.dataset_of(service)
    units = doors.registers.dataset(_UNITS)
    writer, declarations = writer_of(OUTER_SCHEMA), declared(OUTER_SCHEMA)

    def wrapped(name: str) -> Callable[[Any], str]:
        """An answer in its two elements of the same name."""
        written = writer.element(Name(OUTER, name), declarations)
        return lambda value: written({name: value})

    def one(
        dataset: Dataset, identifier: str, columns: tuple[str, ...], make: Callable[[Any, int], Any], holds: str,
        response: str, missing: str,
    ) -> Callable[[Turn], Any]:  # fmt: skip
        written = wrapped(response)

        async def answer(turn: Turn) -> Answered:
            key = _text(_inner(turn), identifier)
            call, grant = turn.admit()
            call = replace(call, columns=_covered(grant, columns, dataset.key))
            reader = doors.lookups.reader(dataset.id)
            found = look_up(call, [key], grant, dataset, reader, today_of(turn.visit.request))
            row = found.found.get(key)
            if row is None:
                return Answered(grant=grant, body=SoapFault(missing), info=found.info, keys=1)
            body = written({holds: make(row, int(found.info.snapshot))})
            return Answered(grant=grant, body=body, info=found.info, keys=1, rows=1)

        return answer

    def many(
        dataset: Dataset, columns: tuple[str, ...], ask: Callable[[Any], Search],
        make: Callable[[list[Any], bool], Any], response: str,
    ) -> Callable[[Turn], Any]:  # fmt: skip
        written = wrapped(response)

        async def answer(turn: Turn) -> Answered:
            asked, visit = ask(_inner(turn)), turn.visit
            call, grant = turn.admit()
            call = replace(call, columns=_covered(grant, columns, dataset.key))
            reader = doors.lookups.reader(dataset.id)
            snapshot = reader.info.snapshot
            find = partial(find_out, call, asked, grant, service, dataset)
            found = await in_thread(
                lambda: find(
                    lambda of, search: doors.find(of, search, snapshot),
                    lambda wanted: reader if reader.info.snapshot == wanted else doors.past(dataset, wanted),
                    today_of(visit.request),
                )
            )
            rows = list(found.page.found.values())
            body = written(make(rows, found.next is not None))
            return Answered(grant=grant, body=body, info=found.page.info, rows=len(rows))

        return answer

    answers: Mapping[str, tuple[Operation, Callable[[Turn], Any]]] = {
        "getLegalUnit": (Operation.LOOKUP, one(
            companies, "LegalUnitIdentifier", COMPANY, company, "LegalUnit", "GetLegalUnitResponse", COMPANY_NOT_FOUND,
        )),
        "getProductionUnit": (Operation.LOOKUP, one(
            units, "ProductionUnitIdentifier", UNIT, unit, "ProductionUnit", "GetProductionUnitResponse",
            UNIT_NOT_FOUND,
        )),
        "searchLegalUnit": (Operation.SEARCH, many(
            companies, ("cvr",), company_search, partial(_identifiers, "LegalUnit", "cvr"), "SearchLegalUnitResponse",
        )),
        "searchProductionUnit": (Operation.SEARCH, many(
            units, ("p_number",), unit_search, partial(_identifiers, "ProductionUnit", "p_number"),
            "SearchProductionUnitResponse",
        )),
        "getRelatedProductionUnitNameAndAddress": (Operation.SEARCH, many(
            units, UNIT, _of_company, _related, "GetRelatedProductionUnitNameAndAddressResponse",
        )),
    }  # fmt: skip
    return Interface(
        paths=("/service/CVR/Online/2",),
        namespace=WSDL,
        schema=OUTER_SCHEMA,
        operations=tuple(
            SoapOperation(
                name=name,
                action=f"{WSDL}{name}",
                request=Name(OUTER, f"{name[0].upper()}{name[1:]}Request"),
                response=Name(OUTER, f"{name[0].upper()}{name[1:]}Response"),
                kind=answers[name][0],
                answer=answers[name][1],
            )
            for name in OPERATIONS
        ),
        port_type="CvrPortType",
        binding="CvrBinding",
        service="RelatedProductionUnitNameAndAddressGet",
        port="CvrService",
        faults=False,
    )


def _inner(turn: Turn) -> Any:
    """The request within the request, by what its name ends in."""
    found = [each for each in turn.fields if etree.QName(each).localname.endswith("Request")]
    if len(found) != 1:
        raise PayloadInvalid("the request holds no request of the inner name, or two", remedy="see ?wsdl")
    return found[0]


def _text(request: Any, name: str) -> str:
    found = one_of(request, name)
    if found is None:
        raise PayloadInvalid(f"the request has no {name}", remedy="add it", rule="soap.payload")
    return leaf(found, name)


def _covered(grant: Grant, columns: tuple[str, ...], key: str) -> tuple[str, ...]:
    """Of what an answer can hold, what the agreement covers. Raises AnswerNotPossible."""
    covered = tuple(each for each in columns if grant.columns is None or each in grant.columns)
    needed = {key} | (NEEDED if len(columns) > 1 else frozenset())
    if missing := needed - set(covered):
        raise AnswerNotPossible(
            f"the agreement leaves out {', '.join(sorted(missing))}, which this interface's answer cannot be without",
            remedy="have the agreement extended, or call the service over REST",
            rule="agreement.columns",
            owner=f"municipality {grant.municipality_cvr}",
            ends=grant.valid.end,
        )
    return covered


def _of_company(request: Any) -> Search:
    number = _text(request, "LegalUnitIdentifier")
    return Search(conditions=(Condition(column="cvr", op=Op.EQ, value=number),), limit=MOST_FOUND)


def _identifiers(kind: str, key: str, rows: list[Any], more: bool) -> Any:
    found = {f"{kind}Identifier": [row[key] for row in rows], "@moreResultsExistIndicator": more}
    return {f"{kind}IdentifierCollection": found}


def _related(rows: list[Any], more: bool) -> Any:
    del more
    found = {"ProductionUnitNameAndAddress": [related(row) for row in rows]}
    return {"ProductionUnitNameAndAddressCollection": found}
