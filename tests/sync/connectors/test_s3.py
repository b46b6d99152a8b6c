"""The S3 connector: who we are there, and what is a folder of a bucket."""

from dataclasses import replace
from pathlib import Path

import pytest

from sync import SourceDenied, SourceInvalid
from sync.connectors.secret import Secret
from tests.sync.connectors.kinds import s3_spec
from tests.sync.connectors.peer import FEW, as_csv
from tests.sync.connectors.s3_server import BUCKET, PREFIX, S3Peer


class TestTheS3Connector:
    def test_offers_the_files_of_its_folder_and_of_none_below(self, s3: S3Peer, work: Path) -> None:
        for key in (PREFIX, f"{PREFIX}a.csv", f"{PREFIX}old/b.csv", "c.csv"):
            s3.client.put_object(Bucket=BUCKET, Key=key, Body=as_csv(FEW))
        with s3_spec(s3, work).connect(work) as connector:
            assert [each.name for each in connector.offered({})] == ["a.csv"]
        with s3_spec(s3, work, prefix="").connect(work) as connector:
            assert [each.name for each in connector.offered({})] == ["c.csv"]

    def test_reads_an_open_bucket_without_a_signature(self, s3: S3Peer, work: Path) -> None:
        s3.client.put_object(Bucket=BUCKET, Key=f"{PREFIX}a.csv", Body=as_csv(FEW))
        spec = s3_spec(s3, work, access_key=None, secret_key=None, anonymous=True)
        with spec.connect(work) as connector:
            assert len(connector.offered({})) == 1
        assert s3.signed == [False]

    def test_is_somebody_or_says_that_it_is_nobody(
        self, s3: S3Peer, work: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        spec = s3_spec(s3, work, access_key=None, secret_key=None)
        with spec.connect(work) as connector, pytest.raises(SourceDenied, match="no credentials"):
            connector.offered({})
        with pytest.raises(SourceInvalid, match="missing"):
            replace(s3_spec(s3, work), secret_key=Secret(work / "missing")).connect(work)
