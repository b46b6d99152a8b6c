"""A change file that arrives while the platform runs reaches every road without a restart."""

import json
from datetime import date
from pathlib import Path

from runtime.demo import Stage
from sync import write_changes
from tests.journeys.platform import Platform, knudepunkt, make_stage, running
from tests.waiting import eventually

LOOKUP = "/v1/services/cpr-persons/lookup"


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
        eventually(lambda: extracted(platform)[0] > before)
        after, new = extracted(platform)
        moved = [pnr for pnr, row in new.items() if row != old.get(pnr)]
        assert moved
        with platform.client() as http:
            body = {"key": moved[0]}
            eventually(lambda: http.post(LOOKUP, json=body).json()["snapshot"] == after)
            answer = http.post(LOOKUP, json=body).json()
        assert {name: answer["record"][name] for name in ("status", "address")} == {
            name: new[moved[0]][name] for name in ("status", "address")
        }
