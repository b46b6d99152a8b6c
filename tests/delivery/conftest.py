from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.delivery.builders import Desk, database


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with database(tmp_path) as found:
        yield Desk(tmp_path, found)
