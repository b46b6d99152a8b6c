"""Children that are copies of their parent. Each case runs in a process of its own: this one has threads."""

import json
import subprocess
import sys

START = """
import os, signal, subprocess, sys, threading, time
from kernel import OperatorMistake
from runtime.forking import Forked, settle_memory
from runtime.logs import configure_logs
configure_logs(role="test", human=False)
settle_memory()
def refused(): raise OperatorMistake("the disk is full", remedy="make room")
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", START + code], capture_output=True, text=True, timeout=60, check=True)


def test_a_child_does_its_work_ends_and_says_how() -> None:
    done = run(
        "well = Forked(lambda: print('worked', flush=True)); print(well.wait())\n"
        "ill = Forked(lambda: [][1]); print(ill.wait(), ill.poll())\n"
        "print(Forked(refused).wait())\n"
    )
    assert done.stdout.splitlines() == ["worked", "0", "1 1", "1"]
    bug, mistake = map(json.loads, done.stderr.splitlines())
    assert "IndexError" in bug["exception"]
    assert (mistake["reason"], mistake["remedy"], "exception" in mistake) == ("the disk is full", "make room", False)


def test_a_child_that_is_told_to_stop_stops_whenever_it_hears_of_it() -> None:
    """Also before it has a handler of its own: that of its parent would only note it."""
    done = run(
        "signal.signal(signal.SIGTERM, lambda *_: print('noted', flush=True))\n"
        "for pause in (0, 0.001, 0.2):\n"
        "    child = Forked(lambda: time.sleep(60)); time.sleep(pause)\n"
        "    child.send_signal(signal.SIGTERM); print(child.wait(30))\n"
        "child.send_signal(signal.SIGTERM); child.kill()\n"
    )
    assert done.stdout.splitlines() == [str(-15)] * 3


def test_waiting_for_a_child_ends_when_patience_does() -> None:
    done = run(
        "child = Forked(lambda: time.sleep(60))\n"
        "try: child.wait(0.05)\n"
        "except subprocess.TimeoutExpired: print('waited')\n"
        "child.kill(); print(child.wait())\n"
    )
    assert done.stdout.splitlines() == ["waited", "-9"]
