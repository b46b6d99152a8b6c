from collections.abc import Iterator

import pytest

from tests.journeys.platform import Platform, make_stage, running


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One running platform for the tests that leave it as they found it."""
    with running(make_stage(tmp_path_factory.mktemp("platform") / "instance")) as found:
        yield found
