"""CPRQueryService 3 (SF1520): persons by a query, current data alone, from the platform's own search."""

from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any, Final

from api.doors import Doors
from api.rest.search import searched
from api.soap.established.person_answer import in_force
from api.soap.established.query_search import read_search, wanted_rows
from api.soap.established.reference import Words
from api.soap.established.shared import ANY_CONTEXT, CONTEXTS
from api.soap.interface import Answered, Interface, SoapOperation, Turn, declared, writer_of
from api.soap.notation import Name, schema
from api.threads import in_thread
from api.visit import today_of
from kernel import Call, Grant, Operation
from schemas import Service
from sync import house_number

NAMESPACE: Final = "http://serviceplatformen.dk/xml/wsdl/soap11/CPR/CPRQueryService/3/"
COLUMNS: Final = ("pnr", "status", "name", "address", "address_text", "contact_address", "municipality_code",
                  "protections", "address_uuid")  # fmt: skip
SCHEMA: Final = schema(
    NAMESPACE,
    "CPRQueryService.xsd",
    f"""
type callCPRPersonListRequestType = {ANY_CONTEXT}, searchParameter:string
type navnType = fornavn?:string, mellemnavn?:string, efternavn?:string, adrnavn?:string
type kommuneType = navn:string, nummer:string, kode:integer
type adresseType = vejnavn?:string, husnummer?:string, etage?:string, sidedoer?:string, standardadresse?:string,
    bynavn?:string, postnummer?:string, postdistrikt?:string, kommune:kommuneType, adresseUUID?:string
type kontaktadresseType = {", ".join(f"kontaktadr{number}?:string" for number in range(1, 6))}
type personType = gaeldendePersonnummer:string, navn:navnType, adresse:adresseType,
    kontaktadresse?:kontaktadresseType, status:integer, adressebeskyttelse:boolean
type callCPRPersonListResponseType = antal:integer, person*:personType
element callCPRPersonListRequest : callCPRPersonListRequestType
element callCPRPersonListResponse : callCPRPersonListResponseType
""",
    **CONTEXTS,
)


def query(doors: Doors, service: Service) -> Interface:
    del service
    response = Name(NAMESPACE, "callCPRPersonListResponse")
    written = writer_of(SCHEMA).element(response, declared(SCHEMA))
    words = Words(doors)

    async def answer(turn: Turn) -> Answered:
        parameter, visit = turn.text("searchParameter"), turn.visit
        asked, rows = read_search(parameter, words.codes), wanted_rows(parameter)
        call, grant = turn.admit()
        call = _within(call, grant)
        found = await in_thread(partial(searched, visit, call, grant, asked, None))
        today = today_of(visit.request)
        people = [_person(row, words, today) for row in list(found.page.found.values())[:rows]]
        visit.asks_about(list(found.page.found)[:rows])
        body = written({"antal": found.total or 0, "person": people})
        return Answered(grant=grant, body=body, info=found.page.info, rows=len(people))

    return Interface(
        paths=("/service/CPR/Query/3",),
        namespace=NAMESPACE,
        schema=SCHEMA,
        operations=(
            SoapOperation(
                name="callCPRPersonList",
                action=f"{NAMESPACE}callCPRPersonList",
                request=Name(NAMESPACE, "callCPRPersonListRequest"),
                response=response,
                kind=Operation.SEARCH,
                answer=answer,
            ),
        ),
        port_type="CPRQueryServicePortType",
        binding="CPRQueryServiceBinding",
        service="CPRQueryService",
        port="CPRQueryServicePort",
    )


def _within(call: Call, grant: Grant) -> Call:
    """Of what an answer can hold, what the agreement covers."""
    return replace(call, columns=tuple(each for each in COLUMNS if grant.columns is None or each in grant.columns))


def _person(row: dict[str, Any], words: Words, today: date) -> dict[str, Any]:
    name, coded, written = (row.get(each) or {} for each in ("name", "address", "address_text"))
    contact, code = row.get("contact_address"), row.get("municipality_code")
    return {
        "gaeldendePersonnummer": row.get("pnr") or "",
        "navn": {
            "fornavn": name.get("given_names"), "mellemnavn": name.get("middle_name"), "efternavn": name.get("surname"),
            "adrnavn": name.get("addressing_name"),
        },
        "adresse": {
            "vejnavn": coded.get("road_name") or words.road(coded.get("municipality_code"), coded.get("road_code")),
            "husnummer": house_number(coded.get("house_number")), "etage": coded.get("floor"),
            "sidedoer": coded.get("door"), "standardadresse": written.get("street_address"),
            "bynavn": written.get("town"), "postnummer": written.get("postcode"),
            "postdistrikt": written.get("post_district"),
            "kommune": {
                "navn": (words.municipality(code) if code else None) or "", "nummer": words.cvr(code),
                "kode": code or "0",
            },
            "adresseUUID": coded.get("address_uuid") or row.get("address_uuid"),
        },
        "kontaktadresse": None if contact is None else {
            f"kontaktadr{number}": contact[f"line_{number}"] for number in range(1, 6)
        },
        "status": row.get("status") or "0",
        "adressebeskyttelse": any(
            each["type"] == "0001" and in_force(each["from_date"], each["to_date"], today)
            for each in row.get("protections") or ()
        ),
    }  # fmt: skip
