from collections.abc import Iterator

import pytest

from tests.api.administration.staff import Office


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """One house for all of these tests; each makes what it changes."""
    with Office.open(tmp_path_factory.mktemp("office")) as opened:
        yield opened
