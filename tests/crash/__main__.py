"""python -m tests.crash --kills 200 --seed N: kill the mirror's writer, and look at what is left each time."""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.crash.rounds import Rounds

parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
parser.add_argument("--kills", type=int, default=200)
parser.add_argument("--seed", type=int, default=random.randrange(10**6))
given = parser.parse_args()
with tempfile.TemporaryDirectory(prefix="crash-") as folder:
    rounds = Rounds(Path(folder), given.seed)
    sys.stdout.write(f"seed {given.seed}, {given.kills} kills\n")
    sys.stdout.flush()
    rounds.run(given.kills)
sys.stdout.write(f"{rounds.summary()}: always the old snapshot or the new one\n")
