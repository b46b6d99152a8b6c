"""A house with SOAP services and agreements for them, and messages as clients send them."""

# ruff: noqa: DTZ001  a register's times have no zone

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from lxml import etree

from api import make_app
from control import ServiceTerms
from extract import Circles, Database, Seal
from integrations import LiveSource
from tests.api.house import AALBORG, ANNA, CLOCK, MUNICIPALITIES, PERSONS, Client, House, Reply, serving
from tests.soap.every import KEYS, ROWS

DEMO_UUID = "d8a062c0-27d1-11e6-b67b-9e71128cae77"
PERSON_UUID = {4: "e6be2436-bf35-4df2-83fe-925142825dc2", 5: "4925d7a0-1b5b-11ec-bdc6-b312b83236d4"}
DEMO_PATH = "/service/SP/Demo/1"
ELSEWHERE = "https://korsbaek.example.dk/skole"
PERSON_PATH = "/service/CPR/PersonBaseDataExtended/"
DEMO = "http://serviceplatformen.dk/xml/wsdl/soap11/SP/Demo/1/"
PERSON = "http://serviceplatformen.dk/xml/wsdl/soap11/CPR/PersonBaseDataExtended/5/"
PNR = "http://serviceplatformen.dk/xml/schemas/cpr/PNR/1/"
AUTHORITY = "http://serviceplatformen.dk/xml/schemas/AuthorityContext/1/"
INVOCATION = "http://serviceplatformen.dk/xml/schemas/InvocationContext/1/"
CALL = "http://serviceplatformen.dk/xml/schemas/CallContext/1/"
FAULT = "http://serviceplatformen.dk/xml/schemas/ServiceplatformFault/1/"
SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"

ERIK, INGE, TEEN, GROWN, AWAY, ABROAD = (f"61017020{number:02}" for number in range(1, 7))
TODAY = datetime.now().date()  # noqa: DTZ005 as the people in the register live


FAMILY: list[dict[str, Any]] = [
    {
        "pnr": ERIK, "status": "01", "status_from": datetime(1991, 9, 23, 0, 0), "status_uncertain": True,
        "gender": "M", "birth_date": date(1960, 2, 29), "birth_date_uncertain": True, "start_date": date(1968, 4, 1),
        "occupation": "Møbelsnedker & <mester>", "municipality_code": "0851",
        "name": {
            "given_names": "Erik", "middle_name": "Ø", "surname": "Prøvesen", "surname_mark": "*",
            "valid_from": datetime(1960, 7, 1, 0, 0), "valid_from_uncertain": False,
            "addressing_name": "Prøvesen,Erik Ø",
        },
        "address": {
            "municipality_code": "0851", "road_code": "0123", "house_number": "7B", "floor": "02", "door": "tv",
            "care_of": "c/o Hansen", "moved_in": datetime(2010, 1, 15, 0, 0), "supplement_line_1": "Baghuset",
            "road_name": "Prøvevej", "address_uuid": "0a3f50ab-1b2c-32b8-e044-0003ba298018",
        },
        "address_text": {
            "addressing_name": "Prøvesen,Erik Ø", "street_address": "Prøvevej 7B,2 tv", "town": "Prøveby",
            "postcode": "9000", "post_district": "Aalborg", "municipality_code": "0851",
            "road_addressing_name": "Prøvevej",
        },
        "protections": [
            {"type": "0001", "from_date": date(2001, 1, 1), "to_date": date(2002, 1, 1)},
            {"type": "0003", "from_date": date(2015, 5, 5), "to_date": None},
        ],
        "citizenship": {
            "country_code": "5100", "valid_from": datetime(1991, 9, 23, 0, 0), "valid_from_uncertain": True,
        },
        "civil_status": {"code": "G", "spouse_pnr": INGE, "valid_from": datetime(1990, 6, 2, 0, 0)},
        "birth_registration": {"authority_code": "0851", "place": "Aalborg"},
        "children": [{"pnr": TEEN}, {"pnr": GROWN}, {"pnr": AWAY}],
        "parents": {
            "mother_pnr": "0000000000", "mother_birth_date": date(1930, 1, 2), "mother_name": "Olga Prøve",
            "father_pnr": ABROAD,
        },
        "guardianship": {
            "from_date": date(2000, 1, 1), "to_date": date(2001, 1, 1), "relation_type": "1", "type": "FULD",
        },
        "notes": [{"number": "01", "text": "En note", "from_date": date(2020, 1, 1)}],
        "address_history": [
            {
                "municipality_code": "0411", "road_code": "0001", "house_number": "12", "correction_mark": "K",
                "moved_in": datetime(1990, 1, 1), "moved_out": datetime(2010, 1, 15), "moved_out_uncertain": True,
            }
        ],
        "shared_residence": {"from_date": date(2019, 3, 1)},
    },
    {"pnr": INGE, "status": "90", "gender": "K", "birth_date": date(1961, 1, 1), "protections": [], "children": []},
    {"pnr": TEEN, "status": "01", "gender": "K", "birth_date": TODAY - timedelta(days=365 * 10), "protections": [],
     "custody": [{"type": "0003", "from_date": date(2016, 1, 1)}]},
    {"pnr": GROWN, "status": "01", "birth_date": date(1990, 1, 1), "protections": []},
    {"pnr": AWAY, "status": "80", "birth_date": TODAY - timedelta(days=365 * 5), "protections": []},
    {
        "pnr": ABROAD, "status": "80", "gender": "M", "birth_date": date(1890, 5, 5), "protections": [],
        "departure": {
            "country_code": "5160", "departed": datetime(1943, 7, 1), "foreign_address_line_1": "Prøvestrasse 1",
        },
        "contact_address": {"line_1": "Kontakt 1", "from_date": date(2020, 6, 1)},
        "disappearance": {"disappeared": datetime(1946, 2, 3, 12, 30), "disappeared_uncertain": True},
    },
]  # fmt: skip


_PLACE = {
    "country": "DK",
    "municipality_code": "0851",
    "road_code": "0123",
    "road": "Prøvevej",
    "house_number_from": "12",
    "letter_from": "b",
    "floor": "2",
    "postcode": "9000",
    "post_district": "Aalborg",
}
_COMMON: dict[str, Any] = {
    "address": _PLACE,
    "municipality_code": "0851",
    "industry_code": "620100",
    "industry_text": "Programmering",
    "advertising_protected": True,
    "start_date": date(2010, 1, 1),
    "addresses": [{**_PLACE, "valid_from": date(2012, 1, 1), "valid_to": None}],
    "industries": [{"code": "620100", "text": "Programmering", "valid_from": date(2010, 1, 1), "valid_to": None}],
}
COMPANIES: list[dict[str, Any]] = [
    {
        **_COMMON,
        "cvr": "99000001",
        "name": "Prøvefirmaet Ærø A/S",
        "form_code": "60",
        "form": "Aktieselskab",
        "forms": [{"code": "60", "text": "Aktieselskab", "valid_from": date(2010, 1, 1), "valid_to": None}],
        "names": [
            {"name": "Før", "valid_from": date(2010, 1, 1), "valid_to": date(2011, 1, 1)},
            {"name": "Prøvefirmaet Ærø A/S", "valid_from": date(2011, 1, 2), "valid_to": None},
        ],
        "employees": {"period": "2025", "count": 12, "interval": "ANTAL_10_19"},
        "unit_count": 2,
        "units": [{"p_number": "9900000001", "valid_from": date(2010, 1, 1), "valid_to": None}],
    },
    {"cvr": "99000002", "name": "Ophørt", "end_date": date(2020, 1, 1), "advertising_protected": False},
]
UNITS: list[dict[str, Any]] = [
    {
        **_COMMON,
        "p_number": f"990000000{number}",
        "cvr": "99000001",
        "name": f"Afdeling {number}",
        "names": [{"name": f"Afdeling {number}", "valid_from": date(2010, 1, 1), "valid_to": None}],
        "companies": [{"cvr": "99000001", "valid_from": date(2010, 1, 1), "valid_to": None}],
        "employees": {"period": "2025-K3", "count": None, "interval": "ANTAL_1_1"},
    }
    for number in (1, 2)
]


@dataclass(frozen=True, slots=True)
class Office:
    house: House
    port: int

    @property
    def agreement(self) -> str:
        return str(self.house.agreements["soapy"])

    def invocation(self, service: str, **changed: str) -> str:
        """An InvocationContext of the system `soapy`."""
        parts = {
            "ServiceAgreementUUID": self.agreement, "UserSystemUUID": self.house.systems["soapy"],
            "UserUUID": self.municipality, "ServiceUUID": service, **changed,
        }  # fmt: skip
        inside = "".join(f"<{name}>{text}</{name}>" for name, text in parts.items())
        return f'<InvocationContext xmlns="{INVOCATION}">{inside}</InvocationContext>'

    @property
    def municipality(self) -> str:
        found = self.house.control.find_organisation(AALBORG)
        assert found is not None
        return str(found.id)


@contextmanager
def open_office(root: Path) -> Iterator[Office]:
    with House.open(root) as house:
        house.publish("cpr.persons", [*PERSONS, *FAMILY])
        house.publish("municipality.municipalities", MUNICIPALITIES)
        house.publish("cvr.companies", COMPANIES)
        house.publish("cvr.production_units", UNITS)
        for dataset, rows in ROWS.items():
            house.publish(dataset, rows)
        house.add_system("soapy")
        house.add_system("narrow")
        person = "cpr-person-base-data-extended"
        services = (
            "demo-service",
            f"{person}-4",
            f"{person}-5",
            "cpr-query-3",
            "cvr-online-2",
            "cpr-subscription-1",
            "korsbaek-places",
            *KEYS,
        )
        house.agree("soapy", "soapy", AALBORG, dict.fromkeys(services, ServiceTerms()))
        columns = frozenset({"pnr", "status", "name", "children", "protections"})
        within = {"municipality_code": frozenset({"0851"})}
        house.agree("narrow", "narrow", AALBORG, {
            f"{person}-5": ServiceTerms(columns=columns, rows=within, protected=True),
            f"{person}-4": ServiceTerms(columns=columns - {"children"}),
        })  # fmt: skip
        house.settle()
        known = {each["pnr"] for each in (*PERSONS, *FAMILY)}
        database = Database(house.control.reading, house.control.noting)
        circles = Circles(database, Seal(b"k" * 32), lambda _, numbers: numbers & known, CLOCK)
        with serving(
            house, make_app(replace(house.doors(), circles=circles, sources={"korsbaek": LiveSource(url=ELSEWHERE)}))
        ) as (_, port):
            yield Office(house, port)


def authority(cvr: str = AALBORG) -> str:
    return (
        f'<a:AuthorityContext xmlns:a="{AUTHORITY}"><a:MunicipalityCVR>{cvr}</a:MunicipalityCVR></a:AuthorityContext>'
    )


def call_context(**told: str) -> str:
    inside = "".join(f"<c:{name}>{text}</c:{name}>" for name, text in told.items())
    return f'<c:CallContext xmlns:c="{CALL}">{inside}</c:CallContext>'


def enveloped(body: str, *, namespace: str = SOAP_11, header: str = "") -> str:
    head = f"<s:Header>{header}</s:Header>" if header else ""
    return f'<s:Envelope xmlns:s="{namespace}">{head}<s:Body>{body}</s:Body></s:Envelope>'


def person_request(pnr: str = ANNA, context: str | None = None, namespace: str = PERSON) -> str:
    number = f'<n:PNR xmlns:n="{PNR}">{pnr}</n:PNR>'
    inside = (authority() if context is None else context) + number
    return f'<p:PersonLookupRequest xmlns:p="{namespace}">{inside}</p:PersonLookupRequest>'


def demo_request(message: str = "hej", context: str | None = None) -> str:
    inside = authority() if context is None else context
    return (
        f'<d:CallDemoServiceRequest xmlns:d="{DEMO}">{inside}<d:messageString>{message}</d:messageString>'
        "</d:CallDemoServiceRequest>"
    )


def post(client: Client, path: str, body: str | bytes, **headers: str) -> Reply:
    """POST an envelope as it is, or a body in an envelope of SOAP 1.1."""
    data = body if isinstance(body, bytes) else (body if "Envelope" in body else enveloped(body)).encode()
    dashed = {name.replace("_", "-"): text for name, text in headers.items()}
    return client.call("POST", path, data, {"Content-Type": "text/xml; charset=utf-8"} | dashed)


def ask_person(client: Client, pnr: str = ANNA, version: int = 5) -> Reply:
    namespace = PERSON.replace("/5/", f"/{version}/")
    return post(client, f"{PERSON_PATH}{version}", person_request(pnr, namespace=namespace))


def answer_of(reply: Reply) -> Any:
    """The element in the body of a reply that is no fault."""
    assert reply.status == 200, reply.body
    return etree.fromstring(reply.body)[-1][0]


@dataclass(frozen=True, slots=True)
class Fault:
    code: str
    text: str
    error: str
    error_text: str


def fault_of(reply: Reply) -> Fault:
    """What a fault of SOAP 1.1 says, in its string and in its detail."""
    assert reply.status == 500, (reply.status, reply.body[:500])
    fault = etree.fromstring(reply.body).find(f"{{{SOAP_11}}}Body/{{{SOAP_11}}}Fault")
    (error,) = fault.iter(f"{{{FAULT}}}Error")
    return Fault(
        fault.findtext("faultcode"), fault.findtext("faultstring"),
        error.findtext(f"{{{FAULT}}}ErrorCode"), error.findtext(f"{{{FAULT}}}ErrorText"),
    )  # fmt: skip
