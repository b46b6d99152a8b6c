"""The folder connector: what it offers, and that nothing is read half."""

from pathlib import Path

import pytest

from sync import FileUnsettled, SourceUnreachable
from sync.sources import Folder


class TestAFolder:
    def test_offers_files_of_the_pattern_by_name(self, tmp_path: Path) -> None:
        for name in ("d261102.l1", "d261030.l1", "notes.txt", ".d261030.l1.part", "d261030.l1.metadata"):
            (tmp_path / name).write_bytes(b"x")
        (tmp_path / "d261103.l1").mkdir()
        assert [each.name for each in Folder(tmp_path, "d*").offered({})] == ["d261030.l1", "d261102.l1"]

    def test_waits_for_the_trigger_when_the_sender_writes_one(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_bytes(b"x")
        folder = Folder(tmp_path, "*.csv", trigger=True)
        assert folder.offered({}) == ()
        (tmp_path / "a.csv.trigger").touch()
        assert [each.name for each in folder.offered({})] == ["a.csv"]

    def test_says_so_when_a_file_changes_while_it_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_bytes(b"half")
        folder = Folder(tmp_path, "*")
        (offered,) = folder.offered({})
        reading = folder.open(offered)
        assert reading.__enter__().read() == b"half"
        with path.open("ab") as more:
            more.write(b" and half")
        with pytest.raises(FileUnsettled):
            reading.__exit__(None, None, None)

    def test_says_so_when_a_file_or_itself_is_gone(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_bytes(b"x")
        folder = Folder(tmp_path, "*")
        (offered,) = folder.offered({})
        path.unlink()
        with pytest.raises(SourceUnreachable), folder.open(offered):
            pass
        with pytest.raises(SourceUnreachable):
            Folder(tmp_path / "nowhere", "*").offered({})
