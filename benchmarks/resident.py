"""A process that does nothing but look up, and tells what of it lies in memory.

python -m benchmarks.resident <folder of segments> <dataset> <lookups> <file of keys>

Prints [anonymous, mapped] MB before the first lookup, half way and at the end, as JSON.
"""

import json
import random
import sys
from pathlib import Path

from benchmarks.memory import resident_mb
from kernel import DatasetId
from replica import Lookups


def main(folder: Path, dataset: DatasetId, lookups: int, keys: list[str]) -> None:
    chance = random.Random(1)
    reader = Lookups(folder, [dataset]).reader(dataset)
    found = [resident_mb()]
    for _ in range(2):
        for _ in range(lookups // 2):
            reader.get(chance.choice(keys))
        found.append(resident_mb())
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), DatasetId(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]).read_text().split())
