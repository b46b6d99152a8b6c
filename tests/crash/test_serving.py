"""A short run of `python -m tests.crash.serving`."""

from pathlib import Path

import pytest

from tests.crash.serving import Serving


@pytest.mark.slow
def test_a_server_that_is_killed_gives_each_file_once_and_whole(tmp_path: Path) -> None:
    serving = Serving(tmp_path, 20261128)
    serving.run(3)
    assert serving.kills == 3
    assert serving.rounds > 0
