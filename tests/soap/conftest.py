from collections.abc import Iterator

import pytest

from tests.api.house import Client
from tests.soap.post import Office, open_office
from tests.soap.token_office import TokenOffice, open_tokens


@pytest.fixture(scope="session")
def standing_office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with open_office(tmp_path_factory.mktemp("office")) as office:
        yield office


@pytest.fixture
def office(standing_office: Office) -> Iterator[Office]:
    house = standing_office.house
    house.facts.clear()
    house.failing = None
    yield standing_office
    house.failing = None


@pytest.fixture
def client(office: Office) -> Iterator[Client]:
    client = Client(office.house, office.port, "soapy")
    yield client
    client.close()


@pytest.fixture(scope="session")
def standing_tokens(standing_office: Office) -> Iterator[TokenOffice]:
    with open_tokens(standing_office.house) as tokens:
        yield tokens


@pytest.fixture
def tokens(office: Office, standing_tokens: TokenOffice) -> TokenOffice:
    return standing_tokens
