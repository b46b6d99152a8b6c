from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.api.house import Client, House, serving

Connect = Callable[..., Client]


@pytest.fixture(scope="session")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, int]]:
    """One house and one server for all tests that leave them as they were."""
    with House.open(tmp_path_factory.mktemp("house")) as house, serving(house) as (_, port):
        yield house, port


@pytest.fixture
def house(standing: tuple[House, int]) -> Iterator[House]:
    found = standing[0]
    found.facts.clear()
    found.failing = None
    yield found
    found.failing = None


@pytest.fixture
def connect(standing: tuple[House, int]) -> Iterator[Connect]:
    """Connect with the certificate of that name: `one` (bound, one agreement) unless said otherwise."""
    with ExitStack() as stack:

        def made(certificate: str | None = "one") -> Client:
            client = Client(*standing, certificate)
            stack.callback(client.close)
            return client

        yield made


@pytest.fixture
def client(connect: Connect, house: House) -> Client:
    return connect()
