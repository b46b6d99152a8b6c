"""CprSubscription 1 (SF6002): whom a subscriber follows, over SOAP. The circle is the one that REST speaks of, and its
changes come as files: see extract/delivery.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from api.doors import Doors
from api.errors import RouteUnknown
from api.soap.context import leaf
from api.soap.errors import PayloadInvalid
from api.soap.established.shared import CONTEXTS, PERSONAL_NUMBER
from api.soap.interface import Answered, Answering, Interface, SoapOperation, Turn, declared, one_of, writer_of
from api.soap.notation import Name, schema
from api.threads import in_thread
from extract import Circles, Filter, FilterKind
from kernel import Grant, Operation
from schemas import Service

NAMESPACE: Final = "http://serviceplatformen.dk/xml/wsdl/soap11/CprSubscriptionService/1/"
_VALUES: Final = {
    "PNRSubscription": "&pnr:PNR", "AgeRangeSubscription": "AgeRange:AgeRangeType",
    "MunicipalityCodeSubscription": "MunicipalityCode:string", "ChangeCodeSubscription": "ChangeCode:ChangeCodeType",
    "NoFilterSubscription": "",
}  # fmt: skip
_GROUPS: Final = {
    "PNR": FilterKind.NUMBER, "AgeRange": FilterKind.AGE, "MunicipalityCode": FilterKind.MUNICIPALITY,
    "EventChangeCode": FilterKind.EVENT,
}  # fmt: skip
_CONTEXT: Final = "&callctx:CallContext?, &authctx:AuthorityContext?, &invctx:InvocationContext?"
CHANGES: Final = tuple(f"{verb}{what}" for what in _VALUES for verb in ("Add", "Remove"))
SCHEMA: Final = schema(
    NAMESPACE,
    "CprSubscriptionService.xsd",
    "simple ChangeCodeType = string maxLength=3\n"
    "simple ResultType = string enumeration=ADDED enumeration=REMOVED enumeration=ALREADY_EXISTED "
    "enumeration=NON_EXISTING_PNR\n"
    f"simple FilterGroupType = string {' '.join(f'enumeration={each}' for each in _GROUPS)}\n"
    "type AgeRangeType = StartAge:integer, EndAge:integer\n"
    + "".join(
        f"type {verb}{what}Type = {_CONTEXT}{', ' if value else ''}{value}\n"
        f"type {verb}{what}ResponseType = Result:ResultType\n"
        f"element {verb}{what} : {verb}{what}Type\nelement {verb}{what}Response : {verb}{what}ResponseType\n"
        for what, value in _VALUES.items()
        for verb in ("Add", "Remove")
    )
    + f"type RemoveAllType = {_CONTEXT}, FilterGroup:FilterGroupType\n"
    "type RemoveAllResponseType = Result:ResultType\n"
    f"type GetAllFiltersType = {_CONTEXT}\n"
    "type GetAllFiltersResponseType = AgeRange*:AgeRangeType, ChangeCode*:ChangeCodeType, MunicipalityCode*:string, "
    "&pnr:PNR*, noFilter:boolean\n"
    + "".join(f"element {name}{end} : {name}{end}Type\n" for name in ("RemoveAll", "GetAllFilters")
              for end in ("", "Response")),
    pnr=PERSONAL_NUMBER,
    **CONTEXTS,
)  # fmt: skip


def subscription(doors: Doors, service: Service) -> Interface:
    del service
    writer, declarations = writer_of(SCHEMA), declared(SCHEMA)

    def answering(
        name: str, read: Callable[[Turn], Filter | None], act: Callable[[Circles, Grant, Any], dict[str, Any]]
    ) -> Answering:
        written = writer.element(Name(NAMESPACE, f"{name}Response"), declarations)

        async def answer(turn: Turn) -> Answered:
            wanted = read(turn)
            if wanted is not None and wanted.kind is FilterKind.NUMBER:
                turn.visit.asks_about([wanted.value])
            _, grant = turn.admit()
            circles = doors.circles
            if circles is None:
                raise RouteUnknown("there are no circles here", remedy="see the catalogue: GET /v1/catalogue")
            value = await in_thread(lambda: act(circles, grant, wanted))
            if numbers := value.get("PNR"):
                turn.visit.asks_about(numbers)
            return Answered(grant=grant, body=written(value))

        return answer

    answers: dict[str, Answering] = {}
    for what in _VALUES:
        read = partial(_filter, what)
        answers[f"Add{what}"] = answering(f"Add{what}", read, lambda circles, grant, wanted: _result(
            circles.add(grant, wanted)
        ))  # fmt: skip
        answers[f"Remove{what}"] = answering(f"Remove{what}", read, lambda circles, grant, wanted: _result(
            circles.remove(grant, wanted)
        ))  # fmt: skip
    answers["RemoveAll"] = _remove_all(answering)
    everything = partial(answering, "GetAllFilters", lambda _: None)
    answers["GetAllFilters"] = everything(lambda circles, grant, _: _all(circles, grant))
    path = "/service/CPRSubscription/CPRSubscription/1"
    return Interface(
        paths=(f"{path}/", path),
        namespace=NAMESPACE,
        schema=SCHEMA,
        operations=tuple(
            SoapOperation(
                name=name,
                action="",
                request=Name(NAMESPACE, name),
                response=Name(NAMESPACE, f"{name}Response"),
                kind=Operation.CALL,
                answer=answer,
            )
            for name, answer in answers.items()
        ),
        port_type="CprSubscriptionWebServicePortType",
        binding="CprSubscriptionWebServiceBinding",
        service="CprSubscriptionWebService",
        port="CprSubscriptionWebServicePort",
    )


def _remove_all(answering: Callable[..., Answering]) -> Answering:
    def read(turn: Turn) -> Filter:
        group = turn.text("FilterGroup")
        if group not in _GROUPS:
            raise PayloadInvalid("FilterGroup is none of the four", remedy=f"give one of {', '.join(_GROUPS)}")
        # Its kind alone matters.
        return Filter(_GROUPS[group])

    def act(circles: Circles, grant: Grant, wanted: Filter) -> dict[str, Any]:
        circles.clear(grant, wanted.kind)
        return _result("REMOVED")

    return answering("RemoveAll", read, act)


def _filter(what: str, turn: Turn) -> Filter:
    """Raises PayloadInvalid, CircleFilterInvalid."""
    match what:
        case "PNRSubscription":
            return Filter.of(FilterKind.NUMBER, turn.text("PNR"))
        case "MunicipalityCodeSubscription":
            return Filter.of(FilterKind.MUNICIPALITY, turn.text("MunicipalityCode"))
        case "ChangeCodeSubscription":
            return Filter.of(FilterKind.EVENT, turn.text("ChangeCode"))
        case "AgeRangeSubscription":
            ages = turn.one("AgeRange")
            bounds = [] if ages is None else [one_of(ages, name) for name in ("StartAge", "EndAge")]
            if not bounds or None in bounds:
                raise PayloadInvalid("the request has no AgeRange with StartAge and EndAge", remedy="add it")
            return Filter.of(FilterKind.AGE, "-".join(leaf(each, "an age") for each in bounds))
    return Filter.of(FilterKind.EVERYBODY)


def _result(outcome: str) -> dict[str, Any]:
    return {"Result": str(outcome)}


def _all(circles: Circles, grant: Grant) -> dict[str, Any]:
    found = circles.filters(grant)

    def of(kind: FilterKind) -> list[str]:
        return [each.value for each in found if each.kind is kind]

    ranges = [dict(zip(("StartAge", "EndAge"), each.split("-"), strict=True)) for each in of(FilterKind.AGE)]
    return {
        "AgeRange": ranges, "ChangeCode": of(FilterKind.EVENT), "PNR": of(FilterKind.NUMBER),
        # The established service gives codes without zeros before them.
        "MunicipalityCode": [each.lstrip("0") for each in of(FilterKind.MUNICIPALITY)],
        "noFilter": bool(of(FilterKind.EVERYBODY)),
    }  # fmt: skip
