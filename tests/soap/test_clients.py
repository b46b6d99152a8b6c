"""SOAP stacks that know nothing but the WSDL: zeep, and PHP's own. Each calls every service through mutual TLS."""

import json
import shutil
import subprocess
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import zeep
import zeep.exceptions
import zeep.helpers

from api.soap.paths import soap_path
from tests.api.house import AALBORG, NOBODY
from tests.soap.every import KEYS
from tests.soap.post import DEMO_PATH, DEMO_UUID, ELSEWHERE, ERIK, PERSON_PATH, PERSON_UUID, Office

Ask = Callable[..., Any]
"""(path, operation, request) -> the answer as plain values. Raises Refused."""


class Refused(Exception):
    """With the fault's text."""


UNDER = {"AuthorityContext": {"MunicipalityCVR": AALBORG}}


@pytest.fixture(scope="module")
def zeep_asks(standing_office: Office) -> Ask:
    house, root = standing_office.house, standing_office.house.root
    (root / "ca.pem").write_bytes(house.authority.ca_pem)
    clients: dict[str, Any] = {}
    # zeep is written without types.
    library: Any = zeep

    def ask(path: str, operation: str, request: Mapping[str, Any], version: int = 1) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if path not in clients:
                session = requests.Session()
                session.verify, session.cert = str(root / "ca.pem"), (str(root / "soapy.pem"), str(root / "soapy.key"))
                session.trust_env = False
                address = f"https://localhost:{standing_office.port}{path}?wsdl"
                clients[path] = library.Client(address, transport=library.Transport(session=session))
            client = clients[path]
            port = list(next(iter(client.wsdl.services.values())).ports)[version - 1]
            try:
                found = client.bind(port_name=port)[operation](**request)
            except zeep.exceptions.Fault as fault:
                raise Refused(fault.message) from None
        return library.helpers.serialize_object(found, dict)

    return ask


@pytest.fixture(scope="module")
def php_asks(standing_office: Office) -> Ask:
    if shutil.which("php") is None:
        pytest.skip("php is not installed")
    house, root = standing_office.house, standing_office.house.root
    (root / "ca.pem").write_bytes(house.authority.ca_pem)
    (root / "soapy-both.pem").write_bytes((root / "soapy.pem").read_bytes() + (root / "soapy.key").read_bytes())

    def ask(path: str, operation: str, request: Mapping[str, Any], version: int = 1) -> Any:
        seen = subprocess.run(
            [
                "php", Path(__file__).with_name("client.php"), f"https://localhost:{standing_office.port}{path}?wsdl",
                root / "soapy-both.pem", root / "ca.pem", operation, str(version),
            ],
            input=json.dumps(request), capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        found = json.loads(seen.stdout)
        if "fault" in found:
            raise Refused(found["fault"])
        return found["answer"]

    return ask


@pytest.fixture(params=["zeep", "php"])
def ask(request: pytest.FixtureRequest) -> Ask:
    found: Ask = request.getfixturevalue(f"{request.param}_asks")
    return found


def test_demo_service(ask: Ask) -> None:
    answer = ask(DEMO_PATH, "callDemoService", {**UNDER, "messageString": "blåbær"})
    assert answer in ({"responseString": "blåbær"}, "blåbær")


def test_demo_service_with_the_agreement_named(standing_office: Office, ask: Ask) -> None:
    context = {
        "ServiceAgreementUUID": standing_office.agreement, "UserSystemUUID": standing_office.house.systems["soapy"],
        "UserUUID": standing_office.municipality, "ServiceUUID": DEMO_UUID, "AccountingInfo": "konto",
    }  # fmt: skip
    answer = ask(DEMO_PATH, "callDemoService", {"InvocationContext": context, "messageString": "hej"})
    assert answer in ({"responseString": "hej"}, "hej")


@pytest.mark.parametrize("version", PERSON_UUID)
def test_a_person(ask: Ask, version: int) -> None:
    answer = ask(f"{PERSON_PATH}{version}", "PersonLookup", {**UNDER, "PNR": ERIK})
    assert answer["persondata"]["navn"]["fornavn"] == "Erik"
    assert answer["adresse"]["aktuelAdresse"]["vejnavn"] == "Prøvevej"
    assert len(answer["relationer"]["barn"]) == 3


def test_an_unknown_person_is_the_text_that_clients_compare(ask: Ask) -> None:
    with pytest.raises(Refused, match=r"^PNR not found$"):
        ask(f"{PERSON_PATH}5", "PersonLookup", {**UNDER, "PNR": NOBODY})


def test_a_call_without_context_is_refused(ask: Ask) -> None:
    with pytest.raises(Refused, match="Security model for the called operation was not provided"):
        ask(DEMO_PATH, "callDemoService", {"messageString": "hej"})


def test_persons_by_a_query(ask: Ask) -> None:
    answer = ask(
        "/service/CPR/Query/3",
        "callCPRPersonList",
        {**UNDER, "searchParameter": "q=fornavn:Erik AND kommunecvr:29189420"},
    )
    assert (answer["antal"], [each["gaeldendePersonnummer"] for each in answer["person"]]) == (1, [ERIK])


@pytest.mark.parametrize("version", [1, 2])
def test_any_service_that_looks_records_up(ask: Ask, version: int) -> None:
    answer = ask("/soap/municipalities", "lookup", {**UNDER, "key": ["0851", "0461"]}, version)
    names = [each["content"]["name"] for each in answer["record"]]
    assert names == ["Aalborg", "Odense"]


@pytest.mark.parametrize("service", KEYS)
def test_every_service_that_looks_records_up(ask: Ask, service: str) -> None:
    key, column = KEYS[service]
    answer = ask(f"/soap/{service}", "lookup", {**UNDER, "key": [key]})
    assert [each["content"][column] for each in answer["record"]] == [key]


def test_none_is_left_out(standing_office: Office) -> None:
    """Whoever adds a register adds a key of it here."""
    registers = standing_office.house.registers
    paths = {soap_path(each) for each in registers.services if each.live is None and not each.soap}
    assert paths - {None} == {f"/soap/{service}" for service in KEYS}


@pytest.mark.parametrize("version", [1, 2])
def test_where_a_redirected_service_is(ask: Ask, version: int) -> None:
    answer = ask("/soap/korsbaek-places", "location", UNDER, version)
    assert answer == {"service": "korsbaek-places", "location": f"{ELSEWHERE}/places", "permanent": False}


def test_a_company(standing_office: Office, ask: Ask) -> None:
    context = {
        "ServiceAgreementUUID": standing_office.agreement, "UserSystemUUID": standing_office.house.systems["soapy"],
        "UserUUID": standing_office.municipality, "ServiceUUID": "c0daecde-e278-43b7-84fd-477bfeeea027",
    }  # fmt: skip
    inner = {"LegalUnitIdentifier": 99000001, "level": 1}
    answer = ask("/service/CVR/Online/2", "getLegalUnit", {"InvocationContext": context, "GetLegalUnitRequest": inner})
    # Where there is but one element, zeep gives what is in it.
    for name in ("GetLegalUnitResponse", "LegalUnit"):
        answer = answer.get(name, answer)
    assert answer["LegalUnitName"]["name"] == "Prøvefirmaet Ærø A/S"


def test_whom_a_system_follows(ask: Ask) -> None:
    path = "/service/CPRSubscription/CPRSubscription/1/"
    added = ask(path, "AddPNRSubscription", {**UNDER, "PNR": ERIK})
    assert added in ({"Result": "ADDED"}, {"Result": "ALREADY_EXISTED"}, "ADDED", "ALREADY_EXISTED")
    found = ask(path, "GetAllFilters", UNDER)
    assert (ERIK in found["PNR"], found["noFilter"]) == (True, False)
