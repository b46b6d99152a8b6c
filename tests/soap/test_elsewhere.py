"""A service that is elsewhere says so over SOAP: the address is an element of the answer."""

from api.soap.elsewhere import location_schema
from kernel import CallAnswered, CallRefused, Channel, Operation
from tests.api.house import AALBORG, Client
from tests.soap.post import ELSEWHERE, Office, answer_of, authority, demo_request, fault_of, post
from tests.soap.types import types_of

PLACES = "urn:knudepunkt:korsbaek-places:1"
PATH = "/soap/korsbaek-places"
ASKED = f'<LocationRequest xmlns="{PLACES}">{authority()}</LocationRequest>'


def test_the_address_is_an_element_of_the_answer(office: Office, client: Client) -> None:
    answer = answer_of(post(client, PATH, ASKED))
    types_of(location_schema(PLACES)).validate(answer)
    assert answer.findtext(f"{{{PLACES}}}location") == f"{ELSEWHERE}/places"
    assert answer.findtext(f"{{{PLACES}}}permanent") == "false"
    fact = office.house.facts[-1]
    assert isinstance(fact, CallAnswered)
    assert (fact.channel, fact.operation, fact.municipality_cvr) == (Channel.SOAP, Operation.LOCATION, AALBORG)


def test_it_is_the_one_that_rest_says(client: Client) -> None:
    where = client.get("/v1/services/korsbaek-places/location").json["location"]
    assert answer_of(post(client, PATH, ASKED)).findtext(f"{{{PLACES}}}location") == where


def test_what_is_to_be_called_there_is_refused_here(client: Client) -> None:
    assert fault_of(post(client, PATH, demo_request())).error == "soap_operation_unknown"


def test_nobody_is_told_without_an_agreement(office: Office) -> None:
    other = Client(office.house, office.port, "narrow")
    assert fault_of(post(other, PATH, ASKED)).error == "agreement_missing"
    assert isinstance(office.house.facts[-1], CallRefused)
    other.close()
