import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from control import ControlStore, TestAuthority, Trust
from runtime.migrations import upgrade
from tests.control.builders import DAY, START, Cast, HandClock, trust_folder


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A control database with all migrations and nothing in it, to be copied."""
    path = tmp_path_factory.mktemp("control") / "empty.sqlite"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def url(migrated: Path, tmp_path: Path) -> str:
    shutil.copy(migrated, tmp_path / "control.sqlite")
    return f"sqlite:///{tmp_path / 'control.sqlite'}"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def store(url: str, clock: HandClock) -> Iterator[ControlStore]:
    """In production a municipality approves; the test environment has tests of its own."""
    with ControlStore(url, environment="production", clock=clock) as opened:
        yield opened


@pytest.fixture
def cast(store: ControlStore, clock: HandClock, url: str) -> Cast:
    return Cast.gather(store, clock, url)


@pytest.fixture(scope="session")
def authority_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("authority")
    TestAuthority.open_or_create(folder, not_before=START - 100 * DAY)
    return folder


@pytest.fixture(scope="session")
def authority(authority_folder: Path) -> TestAuthority:
    return TestAuthority.open_or_create(authority_folder)


@pytest.fixture
def trust(tmp_path: Path, authority: TestAuthority) -> Path:
    return trust_folder(tmp_path / "trust", authority.ca_pem)


@pytest.fixture
def trusted(trust: Path) -> Trust:
    return Trust.read(trust)
