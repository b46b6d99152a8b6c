"""Every attack runs against a real server, and whatever it was: no refusal was a 5xx, and nothing personal is in a log
line or on record as a reason.
"""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from kernel import CallRefused
from tests.api.house import House, serving
from tests.attacks.harness import ensure_nothing_personal
from usage import verify


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "attack(tries, by): a line of docs/operating/attacks.md")


@pytest.fixture(scope="session")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, int]]:
    """One house and one server for all attacks; at the end its ledger is whole."""
    with House.open(tmp_path_factory.mktemp("attacked")) as house, serving(house) as (_, port):
        yield house, port
        assert not verify(house.root / "ledger", house.root / "usage")


@pytest.fixture
def house(standing: tuple[House, int]) -> House:
    standing[0].facts.clear()
    return standing[0]


@pytest.fixture
def port(standing: tuple[House, int]) -> int:
    return standing[1]


@pytest.fixture(autouse=True)
def watched(request: pytest.FixtureRequest) -> Iterator[None]:
    attacked: House | None = request.getfixturevalue("house") if "house" in request.fixturenames else None
    with capture_logs() as logs:
        yield
    ensure_nothing_personal(repr(logs))
    assert not [line for line in logs if line["event"] == "request_failed"], logs
    if attacked is not None:
        refused = [each for each in attacked.facts if isinstance(each, CallRefused)]
        assert not [each for each in refused if each.status >= 500], refused
        ensure_nothing_personal(repr([(each.reason, each.remedy, each.rule) for each in refused]))
