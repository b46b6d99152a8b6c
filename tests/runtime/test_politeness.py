"""Work that can wait gives way, in every thread that it starts, and is itself again afterwards."""

import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor

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


def test_takes_a_small_share_where_no_time_is_idle() -> None:
    # In a process of its own, since niceness cannot be taken back by everybody.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        policy, niceness = pool.submit(_inside).result()
    assert policy == os.SCHED_OTHER
    assert niceness >= os.nice(0) + 10 or niceness == 19


def _inside() -> tuple[int, int]:
    with standing_back(idle=False):
        return os.sched_getscheduler(0), os.nice(0)
