"""Every attack runs against a real server, and whatever it was: no refusal was a 5xx, and nothing personal is in a log
line or on record as a reason.
"""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from control.audit import verify as verify_audit
from kernel import CallRefused
from tests.api.administration.staff import Office
from tests.api.house import House
from tests.attacks.harness import ensure_nothing_personal
from usage import verify


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "attack(tries, by, case): a line of docs/operating/attacks.md")


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """One house with its people and one server for all attacks; at the end its ledger and its audit trail are whole."""
    with Office.open(tmp_path_factory.mktemp("attacked")) as office:
        yield office
        house = office.house
        assert not verify(house.root / "ledger", house.root / "usage")
        with house.control.reading() as db:
            assert verify_audit(db)[1] is None


@pytest.fixture(scope="session")
def standing(office: Office) -> tuple[House, int]:
    return office.house, office.port


@pytest.fixture
def house(standing: tuple[House, int]) -> House:
    standing[0].facts.clear()
    return standing[0]


@pytest.fixture
def port(standing: tuple[House, int]) -> int:
    return standing[1]


@pytest.fixture
def by(request: pytest.FixtureRequest) -> str:
    """What the case says that it is refused by."""
    return str(next(iter(request.node.iter_markers("attack"))).kwargs["by"])


@pytest.fixture(autouse=True)
def many_may_apply(monkeypatch: pytest.MonkeyPatch) -> None:
    """All attackers come from one address. That few may apply from one is a test of its own (test_roles.py)."""
    monkeypatch.setattr("control.onboarding.flood.PER_HOUR", 10_000)


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
