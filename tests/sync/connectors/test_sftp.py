"""The SFTP connector: how it logs in, how it reads, and that it lets go."""

from dataclasses import replace
from pathlib import Path

import pytest

from sync import SourceDenied, SourceFaulty, SourceInvalid, SourceUnreachable
from sync.connectors.secret import Secret
from sync.sources.remote import Selection
from tests.sync.connectors.kinds import sftp_spec
from tests.sync.connectors.peer import FEW, MANY, as_csv
from tests.sync.connectors.sftp_server import SftpPeer, new_key
from tests.waiting import eventually


class TestTheSftpConnector:
    def test_logs_in_with_a_key(self, sftp: SftpPeer, work: Path) -> None:
        (sftp.root / "a.csv").write_bytes(as_csv(FEW))
        key = work.parent / "key"
        sftp.client_key = new_key(key)
        with replace(sftp_spec(sftp, work), password=None, key=Secret(key)).connect(work) as connector:
            assert [each.name for each in connector.offered({})] == ["a.csv"]

    def test_is_refused_with_a_key_of_somebody_else(self, sftp: SftpPeer, work: Path) -> None:
        key = work.parent / "other"
        new_key(key)
        spec = replace(sftp_spec(sftp, work), password=None, key=Secret(key))
        with pytest.raises(SourceDenied), spec.connect(work) as connector:
            connector.offered({})

    def test_needs_the_secret_that_the_source_names(self, sftp: SftpPeer, work: Path) -> None:
        spec = sftp_spec(sftp, work)
        with pytest.raises(SourceInvalid, match="missing cannot be read"):
            replace(spec, password=Secret(work.parent / "missing")).connect(work)
        (work.parent / "empty").touch()
        with pytest.raises(SourceInvalid, match="empty is empty"):
            replace(spec, password=Secret(work.parent / "empty")).connect(work)
        with pytest.raises(SourceInvalid, match="password is not a private key") as said:
            replace(spec, password=None, key=Secret(work.parent / "password")).connect(work)
        assert (work.parent / "password").read_text().strip() not in said.value.message

    def test_offers_a_file_when_its_trigger_is_there(self, sftp: SftpPeer, work: Path) -> None:
        (sftp.root / "a.csv").write_bytes(as_csv(FEW))
        with replace(sftp_spec(sftp, work), selection=Selection(trigger=True)).connect(work) as connector:
            assert connector.offered({}) == ()
            (sftp.root / "a.csv.trigger").touch()
            assert [each.name for each in connector.offered({})] == ["a.csv"]

    def test_reads_a_file_whole_from_a_server_that_gives_less_than_asked(self, sftp: SftpPeer, work: Path) -> None:
        (sftp.root / "a.csv").write_bytes(as_csv(MANY))
        sftp.mischief.fault = "gives less than asked"
        with sftp_spec(sftp, work).connect(work) as connector:
            (offered,) = connector.offered({})
            with connector.open(offered) as stream:
                assert stream.read() == as_csv(MANY)

    def test_holds_one_file_at_a_time(self, sftp: SftpPeer, work: Path) -> None:
        for name in ("a.csv", "b.csv"):
            (sftp.root / name).write_bytes(as_csv(MANY))
        with sftp_spec(sftp, work).connect(work) as connector:
            for offered in connector.offered({}):
                with connector.open(offered) as stream:
                    stream.read()
                assert sum(path.stat().st_size for path in work.rglob("*") if path.is_file()) == offered.size_bytes

    def test_does_not_fetch_what_is_larger_or_slower_than_allowed(self, sftp: SftpPeer, work: Path) -> None:
        (sftp.root / "a.csv").write_bytes(as_csv(MANY))
        spec = sftp_spec(sftp, work)
        for selection, error, word in (
            (Selection(max_bytes=1000), SourceFaulty, "max_bytes"),
            (Selection(deadline_s=0), SourceUnreachable, "deadline_s"),
        ):
            with replace(spec, selection=selection).connect(work) as connector:
                (offered,) = connector.offered({})
                with pytest.raises(error) as said, connector.open(offered):
                    pass
                assert word in said.value.remedy

    def test_closes_its_connection(self, sftp: SftpPeer, work: Path) -> None:
        with sftp_spec(sftp, work).connect(work) as connector:
            connector.offered({})
            assert sftp.connected() == 1
        eventually(lambda: sftp.connected() == 0)
