"""A process that reads a whole lake and then rests: python -m tests.replica.big_read <lake>

Prints how much more of its own it held in memory than before, in MB: at the most while it read, and at rest.
"""

import json
import sys
import time
from pathlib import Path

import pyarrow as pa

from benchmarks.memory import resident_mb
from replica import Lake, ReplicaSettings
from tests.replica.builders import PERSONS

PATIENCE_S = 60.0


def main(folder: Path, enough_mb: float) -> None:
    with Lake.open(folder, ReplicaSettings(threads=2), write=False) as lake:
        before = resident_mb()[0]
        most = 0.0
        for _ in range(2):
            # What another database of the process does when it closes must not keep this one from giving back.
            with Lake.open(folder, ReplicaSettings(threads=1), write=False):
                pass
            for _ in lake.scan(PERSONS):
                most = max(most, resident_mb()[0] - before)
        pa.default_memory_pool().release_unused()
        deadline = time.monotonic() + PATIENCE_S
        while (rest := resident_mb()[0] - before) > enough_mb and time.monotonic() < deadline:
            time.sleep(0.1)
    print(json.dumps([most, rest]))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
