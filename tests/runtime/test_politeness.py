"""Work that can wait gives way, in every thread that it starts, and is itself again afterwards."""

import os
import threading

import pytest

from runtime.politeness import standing_back

pytestmark = pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="this system has no policy for idle time")


def test_gives_way_while_the_block_runs() -> None:
    before, seen = os.sched_getscheduler(0), list[int]()
    with standing_back():
        thread = threading.Thread(target=lambda: seen.append(os.sched_getscheduler(0)))
        thread.start()
        thread.join()
        assert [os.sched_getscheduler(0), *seen] == [os.SCHED_IDLE] * 2
    assert os.geteuid() != 0 or os.sched_getscheduler(0) == before
