"""What a process holds of its memory when it has read much and rests."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from replica import Lake
from tests.replica.builders import PERSONS, SETTINGS, a_delivery

ROWS = 300_000
ENOUGH_MB = 60.0
"""What stays is not rows: of the same reading, 88 MB stayed when nothing was asked back, and 39 MB stay now."""


@pytest.mark.slow
def test_what_was_taken_for_reading_is_given_back(tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    names = [f"navn {number * 7919 % ROWS}, en lang række ord til et navn" for number in range(ROWS)]
    rows = pa.table({"pnr": [f"{number:010d}" for number in range(ROWS)], "name": names})
    for field in PERSONS.arrow:
        if field.name not in rows.column_names:
            rows = rows.append_column(field, pa.nulls(ROWS, field.type))
    with Lake.open(folder, SETTINGS, write=True) as lake:
        lake.prepare(PERSONS)
        lake.publish(PERSONS, replace(a_delivery([]), rows=rows.select(PERSONS.names)))

    done = subprocess.run(
        [sys.executable, "-m", "tests.replica.big_read", str(folder), str(ENOUGH_MB)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    most, rest = json.loads(done.stdout)
    assert most > 1.4 * ENOUGH_MB, "reading took too little for the test to say anything"
    assert rest <= ENOUGH_MB
