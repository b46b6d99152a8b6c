"""The counters of calls on a full disk: whoever counts is refused, never killed by the operating system."""

import subprocess
import sys
from pathlib import Path

import pytest

from control import Counters
from kernel import DiskFull
from tests.small_disk import small_disk

COUNT = """
import sys
from pathlib import Path
from control import Counters
from tests.control.test_limits import NOON, grant_of
with Counters(Path(sys.argv[1])) as counters:
    print("open", flush=True)
    sys.stdin.readline()
    for number in range(200):
        counters.admit(grant_of(f"agreement-{number}", calls_per_day=5), None, NOON)
print("counted")
"""


def test_a_disk_that_fills_while_calls_are_counted_kills_nobody(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kilobytes=40_000) as disk:
        path = disk.root / "rates.bin"
        with subprocess.Popen(
            [sys.executable, "-c", COUNT, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as counting:
            assert counting.stdout is not None
            assert counting.stdout.readline() == "open\n"
            disk.fill()
            said, _ = counting.communicate("\n", timeout=60)
        assert (counting.returncode, said) == (0, "counted\n")


def test_a_file_with_holes_gets_its_room_before_anybody_counts_in_it(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kilobytes=40_000) as disk:
        path = disk.root / "rates.bin"
        with Counters(path):
            size = path.stat().st_size
        path.unlink()
        with path.open("wb") as file:
            # As an earlier version left it.
            file.truncate(size)
        disk.fill(but=1_000_000)
        with pytest.raises(DiskFull):
            Counters(path)
        assert path.stat().st_size == size
        disk.empty()
        with Counters(path):
            assert path.stat().st_blocks * 512 >= size
