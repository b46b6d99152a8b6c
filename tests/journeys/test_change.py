"""A change file that arrives while the platform runs reaches every road without a restart."""

import json
import time
from datetime import date
from pathlib import Path

from runtime.demo import Stage
from sync import write_changes
from tests.journeys.platform import Platform, knudepunkt, make_stage, running


def extracted(platform: Platform) -> tuple[int, dict[str, dict[str, object]]]:
    with platform.client() as http:
        answer = http.get("/v1/services/cpr-persons-extract/extract", params={"format": "ndjson"})
    rows = [json.loads(line) for line in answer.text.splitlines()]
    return int(answer.headers["knudepunkt-snapshot"]), {row["pnr"]: row for row in rows}


def changed(stage: Stage) -> Path:
    """A change file of the same fictitious persons, put where the source looks."""
    return write_changes(stage.instance.inbox, 60, 7, date(2026, 11, 2))


def test_a_change_file_reaches_lookups_and_extracts_of_running_processes(tmp_path: Path) -> None:
    stage = make_stage(tmp_path / "instance", persons=60)
    with running(stage) as platform:
        before, old = extracted(platform)
        changed(stage)
        # The worker may come first: either way it is there within moments.
        knudepunkt("sync", "cpr-persons", instance=stage.instance.root, check=False)
        deadline = time.monotonic() + 30
        after, new = extracted(platform)
        while after == before and time.monotonic() < deadline:
            time.sleep(0.2)
            after, new = extracted(platform)
        assert after > before
        moved = [pnr for pnr, row in new.items() if row != old.get(pnr)]
        assert moved
        with platform.client() as http:
            answer = http.post("/v1/services/cpr-persons/lookup", json={"key": moved[0]}).json()
        assert answer["snapshot"] == after
        assert {name: answer["record"][name] for name in ("status", "address")} == {
            name: new[moved[0]][name] for name in ("status", "address")
        }
