"""What a freed buffer leaves behind, in a process of its own."""

import subprocess
import sys

PROGRAM = """
import ctypes
from runtime.heap import LARGE_BYTES, steady_heap

take, give = ctypes.pythonapi.PyMem_RawMalloc, ctypes.pythonapi.PyMem_RawFree
take.restype, take.argtypes, give.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]

def kept_kb():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))

{settle}
before, pins = kept_kb(), []
for _ in range(2):
    # Something small behind each keeps the heap from shrinking, as it is in a process that lives long.
    used = []
    for _ in range(200):
        used.append(take(LARGE_BYTES))
        ctypes.memset(used[-1], 1, LARGE_BYTES)
        pins.append(take(1000))
    for each in used:
        give(each)
connections = [take(LARGE_BYTES) for _ in range(200)]
print(kept_kb() - before)
"""


def kept_kb(settle: str) -> int:
    program = PROGRAM.format(settle=settle)
    return int(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)


def test_what_was_freed_is_the_systems_again_and_no_buffer_takes_it_over() -> None:
    assert kept_kb("steady_heap()") < 5_000
    # As it is without: 200 buffers that nobody has written to.
    assert kept_kb("") > 40_000
