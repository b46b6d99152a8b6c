"""Canaries: no personal number and no name of the test data gets into a log, the ledger or an error text."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from runtime.instance import Instance
from tests.journeys.platform import Platform, knudepunkt


def identifiers(platform: Platform) -> list[str]:
    """Every personal number of the register, and names that are long enough to be found by themselves."""
    with platform.client() as http:
        text = http.get("/v1/services/cpr-persons-extract/extract", params={"format": "ndjson"}).text
    rows = [json.loads(line) for line in text.splitlines()]
    names = {row["name"]["addressing_name"] for row in rows if row["name"]}
    return [row["pnr"] for row in rows] + sorted(name for name in names if name and len(name) > 8)


def files_below(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Each file with its content. One that gets another name meanwhile is met under that."""
    seen: set[Path] = set()
    while new := {path for path in folder.rglob("*") if path.is_file()} - seen:
        seen |= new
        for path in sorted(new):
            with suppress(FileNotFoundError):
                yield path, path.read_bytes()


def test_nothing_personal_is_in_logs_ledger_usage_or_names_of_files(platform: Platform) -> None:
    known = identifiers(platform)
    assert len(known) > 60
    with platform.client() as http:
        http.post("/v1/services/cpr-persons/lookup", json={"keys": known[:20]})
        http.post("/v1/services/cpr-persons/lookup", json={"key": known[0], known[1]: 1})
        http.post("/v1/services/cpr-persons/lookup", content=known[2])
        http.get(f"/v1/services/cpr-persons/records/{known[3]}")
        http.get(f"/v1/services/{known[4]}/lookup")
        http.get(f"/nothing/{known[5]}?pnr={known[6]}")
        http.get("/v1/services/cpr-persons-extract/extract", params={"columns": known[7]})
        answers = [
            http.post("/v1/services/cpr-persons/lookup", json={"key": f"{known[8]}x"}).text,
            http.get("/v1/services/cpr-persons-extract/extract", params={known[9]: "1"}).text,
        ]
    assert not [each for each in known for text in answers if each in text]
    instance: Instance = platform.instance
    # The mirror's Parquet files are encrypted, and so must hold none of it either. Its catalogue is not looked at: it
    # holds
    # their keys, and the least and greatest key of each file, and is kept like a key.
    for folder in (instance.logs, instance.ledger, instance.usage, instance.control, instance.lake / "data"):
        for path, content in files_below(folder):
            found = [each for each in known if each.encode() in content]
            assert not found, f"{path.name} holds {len(found)} identifiers"
            assert not [each for each in known if each in path.name]


def test_a_broken_delivery_names_no_number_in_its_report(platform: Platform, tmp_path: Path) -> None:
    root = tmp_path / "instance"
    knudepunkt("init", instance=root)
    knudepunkt("testdata", "--persons", "40", "--out", str(root / "inbox"), instance=root)
    (file,) = (root / "inbox" / "cpr").iterdir()
    lines = file.read_bytes().split(b"\n")
    lines[5] = lines[5][:9]
    file.write_bytes(b"\n".join(lines))
    done = knudepunkt("sync", "--json", instance=root, check=False)
    numbers = {line[3:13].decode("latin-1") for line in lines if line[:1] == b"0" and line[3:13].isdigit()}
    numbers -= {"0000000000"}
    assert not [number for number in numbers if number in done.stdout + done.stderr]
