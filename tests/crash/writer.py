"""A process that publishes, refreshes segments and maintains until it is killed.

python -m tests.crash.writer FOLDER SEED

It says on standard output what it is about to do and what is done. What a publication makes of the rows follows from
`the_next`, which the parent knows too.
"""

import json
import random
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from replica import Lake, Mode, refresh_segments
from tests.replica.builders import PERSONS, SETTINGS, a_delivery, a_row

KEYS = [f"{number:05d}" for number in range(400)]
NOW_OVER = replace(SETTINGS, keep_days=0, quarantine_days=0, reader_patience_s=5.0)
State = dict[str, str]


def the_next(state: State, step: int, seed: int) -> tuple[State, Mode, State, list[str]]:
    """The state after a step, and the delivery that leads there: mode, rows, keys to delete."""
    chance = random.Random(f"{seed} {step}")
    if chance.random() < 0.3:
        rows = {
            key: str(step) if chance.random() < 0.4 else state.get(key, "x") for key in KEYS if chance.random() < 0.8
        }
        return rows, Mode.FULL, rows, []
    rows = dict.fromkeys(chance.sample(KEYS, 30), str(step))
    deletes = [key for key in chance.sample(KEYS, 20) if key not in rows]
    after = {key: status for key, status in (state | rows).items() if key not in deletes}
    return after, Mode.DELTA, rows, deletes


def say(**told: object) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def work(folder: Path, seed: int) -> None:
    chance = random.Random()
    with Lake.open(folder / "lake", SETTINGS, write=True) as lake:
        lake.prepare(PERSONS)
        table = lake.scan(PERSONS, columns=["pnr", "status"]).read_all() if lake.info(PERSONS) else None
        state = dict(zip(*(table[name].to_pylist() for name in ("pnr", "status")), strict=True)) if table else {}
        last = lake.last_run("a source")
        step = int(last.cursor) if last else 0
        while True:
            step += 1
            state, mode, rows, deletes = the_next(state, step, seed)
            say(begins="publication", step=step)
            delivery = a_delivery(
                [a_row(key, status=status) for key, status in rows.items()], mode, deletes=deletes,
                cursor=str(step), content_sha256=f"{step:064d}", as_of=datetime.now(UTC),
            )  # fmt: skip
            published = lake.publish(PERSONS, delivery)
            say(done="publication", step=step, snapshot=published.snapshot)
            say(begins="segments")
            refresh_segments(lake, PERSONS, folder / "segments", SETTINGS)
            say(done="segments")
            if chance.random() < 0.4:
                say(begins="maintenance")
                lake.maintain(NOW_OVER if chance.random() < 0.5 else SETTINGS)
                say(done="maintenance")


if __name__ == "__main__":
    say(begins="opening")
    work(Path(sys.argv[1]), int(sys.argv[2]))
