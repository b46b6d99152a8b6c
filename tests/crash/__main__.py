"""python -m tests.crash --kills 200 --seed N: kill the mirror's writer, and look at what is left each time."""

import sys
import tempfile
from pathlib import Path

from tests.crash.program import asked
from tests.crash.rounds import Rounds

given = asked("tests.crash", __doc__)
with tempfile.TemporaryDirectory(prefix="crash-") as folder:
    rounds = Rounds(Path(folder), given.seed)
    rounds.run(given.kills)
sys.stdout.write(f"{rounds.summary()}: always the old snapshot or the new one\n")
