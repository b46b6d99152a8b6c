from pathlib import Path

import pytest

from tests.usage.builders import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "ledger", tmp_path / "usage")
