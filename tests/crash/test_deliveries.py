"""A short run of `python -m tests.crash.deliveries`."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.crash.deliveries import Deliveries


@pytest.mark.slow
def test_a_killed_courier_and_lines_that_are_cut_lose_and_double_nothing(tmp_path: Path) -> None:
    with ExitStack() as stack:
        rounds = Deliveries(tmp_path, 20261128, 4, stack)
        rounds.run(4, longest_s=0.7)
    assert rounds.kills == 4
