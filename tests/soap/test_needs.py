"""What real clients need in an answer, each a test: exact out."""

import re
import subprocess
from pathlib import Path

import pytest
from lxml import etree

from tests.api.house import ANNA, BENT, CARL, Client
from tests.soap.post import (
    ABROAD,
    ERIK,
    INGE,
    PERSON,
    PERSON_PATH,
    PNR,
    Office,
    answer_of,
    ask_person,
    enveloped,
    person_request,
)

PEOPLE = (ANNA, BENT, CARL, ERIK, INGE, ABROAD)


def text(client: Client, pnr: str, path: str) -> str | None:
    found = answer_of(ask_person(client, pnr)).findtext("/".join(f"{{{PERSON}}}{step}" for step in path.split("/")))
    return None if found is None else str(found)


@pytest.mark.parametrize("pnr", PEOPLE)
@pytest.mark.parametrize(
    "path",
    [
        "persondata/navn", "adresse/aktuelAdresse", "relationer", "persondata/status", "persondata/statsborgerskab",
        "persondata/tilmeldtDigitalpost", "persondata/adressebeskyttelse",
    ],
)  # fmt: skip
def test_what_clients_read_without_looking_is_there_for_everybody(client: Client, pnr: str, path: str) -> None:
    assert text(client, pnr, path) is not None


@pytest.mark.parametrize("path", ["persondata/navn", "adresse/aktuelAdresse", "relationer", "persondata/status"])
def test_it_is_there_under_an_agreement_that_covers_little(office: Office, path: str) -> None:
    client = Client(office.house, office.port, "narrow")
    assert text(client, ANNA, path) is not None
    client.close()


def test_a_birth_date_has_a_zone(client: Client) -> None:
    assert text(client, ERIK, "persondata/foedselsdato/dato") == "1960-02-29+01:00"


def test_a_citizenship_date_has_milliseconds_and_an_offset(client: Client) -> None:
    assert text(client, ERIK, "persondata/statsborgerskab/statsborgerskabDato/dato") == "1991-09-23T00:00:00.000+02:00"


def test_an_uncertain_date_has_its_mark(client: Client) -> None:
    assert text(client, ERIK, "persondata/foedselsdato/usikkerhedsmarkering") == "*"
    assert text(client, ERIK, "persondata/startdato/usikkerhedsmarkering") is None


def test_no_date_of_the_two_centuries_has_another_offset_than_clients_read(client: Client) -> None:
    dates = re.findall(r"<ns3:dato>([^<]*)</ns3:dato>", ask_person(client, ABROAD).body.decode())
    assert dates == [
        "1890-05-05+01:00", "1946-02-03T12:30:00.000+01:00", "1943-07-01T00:00:00.000+02:00",
    ]  # fmt: skip


def test_the_prefixes_are_soap_ns2_and_ns3_and_the_contexts_namespace_is_the_default(client: Client) -> None:
    answer = answer_of(ask_person(client))
    assert answer.getparent().getparent().prefix == "soap"
    assert (answer.prefix, answer.nsmap["ns3"], answer.nsmap["ns2"]) == ("ns3", PERSON, PNR)
    assert answer.nsmap[None] == "http://serviceplatformen.dk/xml/schemas/InvocationContext/1/"


@pytest.mark.parametrize("pnr", [ANNA, INGE])
def test_an_unmarried_person_is_told_to_be(client: Client, pnr: str) -> None:
    assert text(client, pnr, "persondata/civilstand/civilstand") == "U"


def test_a_fault_is_http_500_also_for_clients_that_look_at_the_status_first(client: Client) -> None:
    assert ask_person(client, "6101709999").status == 500


def test_a_file_with_certificate_and_key_is_enough_to_log_in(office: Office, tmp_path: Path) -> None:
    root = office.house.root
    (tmp_path / "both.pem").write_bytes((root / "soapy.pem").read_bytes() + (root / "soapy.key").read_bytes())
    (tmp_path / "ca.pem").write_bytes(office.house.authority.ca_pem)
    address = f"https://localhost:{office.port}{PERSON_PATH}5"
    seen = subprocess.run(
        ["curl", "-sS", "--cacert", tmp_path / "ca.pem", "--cert", tmp_path / "both.pem", "-d", "@-", address],
        input=enveloped(person_request()).encode(), capture_output=True, check=True,
    )  # fmt: skip
    assert etree.fromstring(seen.stdout)[-1][0].tag == f"{{{PERSON}}}PersonLookupResponse"
