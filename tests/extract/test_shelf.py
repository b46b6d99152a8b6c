"""What an agreement finds on its shelf."""

import hashlib
import json
import os
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from extract import SIGNATURE, Extract, ExtractNotReady, ExtractStore, Format, Shelf
from kernel import AgreementId, Grant
from tests.extract.builders import FORMATS, PUBLISHED, SERVICE, grant, plan
from tests.extract.conftest import Source
from tests.waiting import eventually

OURS, THEIRS = AgreementId("agreement-1"), AgreementId("agreement-2")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "extracts" / "agreements")


def made(store: ExtractStore, kind: Format = Format.CSV, columns: str | None = None) -> Extract:
    extract = store.open(plan(kind=kind, columns=columns))
    for _ in extract.chunks():
        pass
    return extract


def touched(path: Path) -> int:
    path.touch()
    return path.stat().st_ctime_ns


class TestTime:
    def test_what_is_put_there_while_it_is_tidied_away_is_there_afterwards(
        self, shelf: Shelf, store: ExtractStore
    ) -> None:
        extract = made(store)
        shelf.put(OURS, extract)
        putting = ThreadPoolExecutor(1)
        done: list[Future[None]] = []

        def asked_for_this_moment(*_: object) -> bool:
            done.append(putting.submit(shelf.put, OURS, extract))
            with pytest.raises(TimeoutError):
                done[0].result(0.05)
            return False

        assert shelf.tidy(datetime.now(UTC) + timedelta(days=1), asked_for_this_moment) == 1
        done[0].result(60)
        putting.shutdown()
        name = plan().file_name
        assert shelf.names(OURS, SERVICE) == ("SHA256SUMS", name, f"{name}.manifest.json")
        manifest = shelf.manifest(OURS, SERVICE, name)
        assert manifest is not None
        assert manifest.number == 2

    def test_putting_it_there_again_makes_it_young_again(
        self, shelf: Shelf, store: ExtractStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("extract.delivery.shelf_files.RENEWED_S", -1.0)
        extract = made(store)
        shelf.put(OURS, extract)
        described = shelf.folder(OURS, SERVICE) / f"{plan().file_name}.manifest.json"
        before, probe = described.stat(), tmp_path / "probe"
        # The file system's clock goes in steps.
        eventually(lambda: touched(probe) > before.st_ctime_ns)
        shelf.put(OURS, extract)
        after = described.stat()
        assert (after.st_mtime_ns, after.st_ctime_ns > before.st_ctime_ns) == (before.st_mtime_ns, True)

    def test_an_extract_whose_time_was_over_is_told_and_leaves_nothing(self, shelf: Shelf, store: ExtractStore) -> None:
        extract = made(store)
        extract.path.unlink()
        with pytest.raises(ExtractNotReady, match="over"):
            shelf.put(OURS, extract)
        assert shelf.names(OURS, SERVICE) == ()


class TestFilesOfTheirOwn:
    def test_another_one_of_the_name_takes_its_place_and_the_chain_goes_on(
        self, shelf: Shelf, store: ExtractStore, tmp_path: Path
    ) -> None:
        told = made(store).manifest
        for number, content in enumerate((b"first", b"first", b"second")):
            path = tmp_path / f"{number}"
            path.write_bytes(content)
            sha256 = hashlib.sha256(content).hexdigest()
            shelf.put_file(OURS, path, replace(told, file="D310310.L000001", sha256=sha256), None)
        file = shelf.folder(OURS, SERVICE) / "D310310.L000001"
        manifest = shelf.manifest(OURS, SERVICE, file.name)
        assert manifest is not None
        assert (file.read_bytes(), manifest.number) == (b"second", 2)
        checked = subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=file.parent, check=True)
        assert checked.returncode == 0


class TestShelf:
    def test_holds_the_file_its_manifest_and_the_sums(self, shelf: Shelf, store: ExtractStore) -> None:
        shelf.put(OURS, made(store))
        name = plan().file_name
        assert shelf.names(OURS, SERVICE) == ("SHA256SUMS", name, f"{name}.manifest.json")
        assert shelf.manifest(OURS, SERVICE, name) == store.open(plan()).manifest.numbered(1, None, None)

    def test_is_accepted_by_sha256sum(self, shelf: Shelf, store: ExtractStore) -> None:
        for kind in FORMATS:
            shelf.put(OURS, made(store, kind))
        checked = subprocess.run(
            ["sha256sum", "--strict", "-c", "SHA256SUMS"],
            cwd=shelf.folder(OURS, SERVICE),
            capture_output=True,
            text=True,
            check=True,
        )
        assert checked.stdout.count(": OK\n") == len(FORMATS)

    def test_holds_links_that_cost_no_room(self, shelf: Shelf, store: ExtractStore) -> None:
        extract = made(store)
        shelf.put(OURS, extract)
        shelf.put(THEIRS, extract)
        files = [shelf.folder(each, SERVICE) / plan().file_name for each in (OURS, THEIRS)]
        assert len({file.stat().st_ino for file in [*files, extract.path]}) == 1
        files[0].unlink()
        assert files[1].stat().st_size == extract.size_bytes

    def test_bears_the_time_of_the_publication(self, shelf: Shelf, store: ExtractStore) -> None:
        shelf.put(OURS, made(store))
        for name in (plan().file_name, f"{plan().file_name}.manifest.json"):
            assert (shelf.folder(OURS, SERVICE) / name).stat().st_mtime == PUBLISHED.timestamp()

    def test_does_not_take_what_is_not_finished(self, shelf: Shelf, store: ExtractStore, source: Source) -> None:
        source.gate.clear()
        extract = store.open(plan())
        with pytest.raises(ExtractNotReady):
            shelf.put(OURS, extract)
        assert shelf.names(OURS, SERVICE) == ()

    def test_changes_nothing_when_a_file_is_put_there_again(self, shelf: Shelf, store: ExtractStore) -> None:
        extract = made(store)
        shelf.put(OURS, extract)
        before = {path: path.stat() for path in shelf.folder(OURS, SERVICE).iterdir()}
        shelf.put(OURS, extract)
        after = {path: path.stat() for path in shelf.folder(OURS, SERVICE).iterdir()}
        assert {path: s.st_mtime_ns for path, s in before.items()} == {path: s.st_mtime_ns for path, s in after.items()}

    def test_shows_a_file_only_with_its_manifest(self, shelf: Shelf, store: ExtractStore) -> None:
        extract = made(store)
        folder = shelf.folder(OURS, SERVICE)
        folder.mkdir(parents=True)
        os.link(extract.path, folder / plan().file_name)  # as a crash would leave it
        assert shelf.names(OURS, SERVICE) == ()
        shelf.put(OURS, extract)
        assert len(shelf.names(OURS, SERVICE)) == 3

    def test_loses_no_sum_when_many_are_put_there_at_once(self, shelf: Shelf, store: ExtractStore) -> None:
        names = ["number", "name", "born", "seen", "alive", "income", "children", "municipality"]
        extracts = [made(store, columns=each) for each in names]
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda each: shelf.put(OURS, each), extracts))
        sums = (shelf.folder(OURS, SERVICE) / "SHA256SUMS").read_text().splitlines()
        assert {line.split()[1] for line in sums} == {each.plan.file_name for each in extracts}

    def test_chains_its_manifests_so_that_a_lost_file_shows(self, shelf: Shelf, store: ExtractStore) -> None:
        names = [each.plan.file_name for each in (made(store, columns=c) for c in ("number", "name", "born"))]
        for extract in (made(store, columns=c) for c in ("number", "name", "born")):
            shelf.put(OURS, extract)
        folder = shelf.folder(OURS, SERVICE)
        texts = [(folder / f"{name}.manifest.json").read_bytes() for name in names]
        manifests = [json.loads(text) for text in texts]
        assert [each["number"] for each in manifests] == [1, 2, 3]
        assert [each["previous"] for each in manifests] == [None, *(hashlib.sha256(t).hexdigest() for t in texts[:2])]
        shelf.put(THEIRS, made(store))
        found = shelf.manifest(THEIRS, SERVICE, plan().file_name)
        assert found is not None
        assert (found.number, found.previous) == (1, None)

    @pytest.mark.parametrize("lost", ["chain", "manifests"])
    def test_goes_on_counting_after_a_crash_and_after_files_went(
        self, shelf: Shelf, store: ExtractStore, lost: str
    ) -> None:
        for column in ("number", "name"):
            shelf.put(OURS, made(store, columns=column))
        folder = shelf.folder(OURS, SERVICE)
        last = max(folder.glob("*.manifest.json"), key=lambda path: json.loads(path.read_bytes())["number"])
        digest = hashlib.sha256(last.read_bytes()).hexdigest()
        for path in [folder / ".chain"] if lost == "chain" else list(folder.glob("[!.]*")):
            path.unlink()
        shelf.put(OURS, made(store, columns="born"))
        found = shelf.manifest(OURS, SERVICE, plan(columns="born").file_name)
        assert found is not None
        assert (found.number, found.previous) == (3, digest)

    @pytest.mark.parametrize("step", ["link", "manifest", "signature"])
    def test_that_somebody_died_at_keeps_nothing_for_ever(self, shelf: Shelf, store: ExtractStore, step: str) -> None:
        shelf.put(OURS, made(store))
        extract, place = made(store, columns="name"), shelf.folder(OURS, SERVICE)
        before = set(place.iterdir())
        left = {"link": f".{extract.plan.file_name}.link", "manifest": extract.plan.file_name}.get(step)
        if left is not None:
            (place / left).hardlink_to(extract.path)
        else:
            (place / f"{extract.plan.file_name}{SIGNATURE}").write_bytes(b"signature")
        shelf.tidy(datetime.now(UTC) - timedelta(hours=1))
        assert set(place.iterdir()) == before
        assert extract.path.stat().st_nlink == 1
        shelf.put(OURS, extract)
        found = shelf.manifest(OURS, SERVICE, extract.plan.file_name)
        assert found is not None
        assert found.number == 2

    @pytest.mark.parametrize("name", ["", "..", "../x", "/etc/passwd", "a\0b", ".lock", "SHA256SUMS", "x" * 300])
    def test_has_no_manifest_for_what_is_no_extract(self, shelf: Shelf, store: ExtractStore, name: str) -> None:
        shelf.put(OURS, made(store))
        assert shelf.manifest(OURS, SERVICE, name) is None


class TestCover:
    """Whether a file may still be shown: its manifest against the grant as it stands now."""

    @pytest.mark.parametrize(
        ("made_under", "now", "covered"),
        [
            (grant(), grant(), True),
            (grant("number"), grant("number name"), True),
            (grant("number"), grant(), True),
            (grant(), grant("number"), False),
            (grant(), grant(rows={"municipality": frozenset({"0101"})}), False),
            (grant(rows={"municipality": frozenset({"0101"})}), grant(), True),
            (
                grant(rows={"municipality": frozenset({"0101"})}),
                grant(rows={"municipality": frozenset({"0101", "0102"})}),
                True,
            ),
            (
                grant(rows={"municipality": frozenset({"0101", "0102"})}),
                grant(rows={"municipality": frozenset({"0101"})}),
                False,
            ),
            (grant(protected=True), grant(), False),
            (grant(), grant(protected=True), True),
            (grant("number", protected=True), grant("number"), True),
        ],
    )
    def test_of_a_manifest_by_a_grant(self, store: ExtractStore, made_under: Grant, now: Grant, covered: bool) -> None:
        extract = store.open(plan(made_under))
        for _ in extract.chunks():
            pass
        assert extract.manifest.covered_by(now) is covered
