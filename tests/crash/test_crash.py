"""A short run of `python -m tests.crash`."""

from pathlib import Path

import pytest

from tests.crash.rounds import Rounds


@pytest.mark.slow
def test_a_killed_writer_leaves_the_old_snapshot_or_the_new_one(tmp_path: Path) -> None:
    rounds = Rounds(tmp_path, seed=20261123)
    rounds.run(6, longest_s=1.0)
    assert sum(rounds.killed_in.values()) == 6
