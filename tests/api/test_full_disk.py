"""Calls on a platform whose disks are really full: refused with a reason and a time, answered when there is room."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.api.house import Client, House, serving
from tests.small_disk import Disk, small_disk


@contextmanager
def _shelves_beside(extracts: Disk, root: Path) -> Iterator[None]:
    """A shelf holds links: it lies on the disk of the files."""
    (extracts.root / ".shelves").mkdir()
    (root / "shelves").symlink_to(extracts.root / ".shelves")
    yield


def test_calls_are_refused_with_a_reason_and_answered_again_and_each_answer_is_on_record(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "ledger", kilobytes=1_000) as ledger,
        small_disk(tmp_path / "extracts", kilobytes=1_000) as extracts,
        _shelves_beside(extracts, tmp_path),
        House.open(tmp_path) as house,
        serving(house) as (_, port),
    ):
        client = Client(house, port)
        lookup, extract = "/v1/services/municipalities/records/0851", "/v1/services/municipalities-extract/extract"
        assert client.get(lookup).status == 200
        extracts.fill()
        refused = client.get(extract)
        assert (refused.status, refused.code, refused.headers["retry-after"]) == (503, "disk_full", "60")
        jobs = client.post("/v1/services/municipalities-extract/extracts", {})
        assert (jobs.status, jobs.code) == (503, "disk_full")
        assert all(each.startswith(".") for each in extracts.names())
        ledger.fill()
        answers = [client.get(lookup) for _ in range(30)]
        kept = [each for each in answers if each.status == 200]
        told = {(each.status, each.code) for each in answers if each.status != 200}
        assert told == {(503, "ledger_unavailable")}
        on_record = sum(
            path.read_bytes().count(b'"kind":"answered"') for path in (tmp_path / "ledger").rglob("*.jsonl")
        )
        assert on_record == 1 + len(kept)
        ledger.empty()
        extracts.empty()
        assert client.get(lookup).status == 200
        assert client.get(extract).status == 200
        client.close()
