"""A short run of `python -m tests.crash.downloads`."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.crash.downloads import Downloads


@pytest.mark.slow
def test_an_api_server_that_is_killed_gives_each_extract_once_and_whole(tmp_path: Path) -> None:
    with ExitStack() as stack:
        rounds = Downloads(tmp_path, 20261128, stack, rows=2_000)
        rounds.run(6)
    assert rounds.kills == 6
