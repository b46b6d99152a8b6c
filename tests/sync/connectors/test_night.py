"""The night road from a peer into a real lake: loaded once, and again when something is new."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel import DatasetId
from replica import Lake, Mode, ReplicaSettings
from schemas import Dataset
from sync import CsvSpec, Outcome, ParquetSpec, RunReport, SourceSpec, SourceUnreachable, run_source
from sync.connectors import ConnectorSpec
from sync.testdata.places import municipalities_csv
from tests.sync.conftest import FixedClock
from tests.sync.connectors.http_server import HttpPeer
from tests.sync.connectors.kinds import http_spec, sftp_spec
from tests.sync.connectors.postgres import PostgresPeer, sql_spec
from tests.sync.connectors.sftp_server import SftpPeer


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake.open(tmp_path / "lake", ReplicaSettings(), write=True) as opened:
        yield opened


def run(connector: ConnectorSpec, municipalities: Dataset, lake: Lake, work: Path) -> RunReport:
    spec = SourceSpec(
        name="municipalities",
        dataset=DatasetId("municipality.municipalities"),
        connector=connector,
        decoder=ParquetSpec() if "sql" in type(connector).__name__.lower() else CsvSpec(),
        mode=Mode.FULL,
    )
    return run_source(spec, municipalities, lake, clock=FixedClock(), work=work)


def test_over_sftp(sftp: SftpPeer, municipalities: Dataset, lake: Lake, work: Path) -> None:
    (sftp.root / "towns-1.csv").write_bytes(municipalities_csv())
    spec = sftp_spec(sftp, work)
    assert run(spec, municipalities, lake, work).published == 98
    assert run(spec, municipalities, lake, work).outcome is Outcome.NOTHING_NEW
    (sftp.root / "towns-2.csv").write_bytes(municipalities_csv().replace(b"Aarhus", b"\xc3\x85rhus"))
    report = run(spec, municipalities, lake, work)
    assert ([file.file for file in report.files], report.published) == (["towns-2.csv"], 1)


def test_from_a_database(postgres: PostgresPeer, municipalities: Dataset, lake: Lake, work: Path) -> None:
    header = municipalities_csv().decode().splitlines()[0].split(",")
    with postgres.connect() as owner:
        columns = ", ".join(f"{name} {'int' if name == 'population' else 'text'}" for name in header)
        owner.execute(f"create table libraries ({columns})")
        with owner.cursor().copy("copy libraries from stdin (format csv, header)") as copy:
            copy.write(municipalities_csv())
    spec = sql_spec(postgres, work)
    assert run(spec, municipalities, lake, work).published == 98
    assert run(spec, municipalities, lake, work).outcome is Outcome.NOTHING_NEW
    with postgres.connect() as owner:
        owner.execute("update libraries set population = population + 1 where code = '0101'")
    assert run(spec, municipalities, lake, work).published == 1


def test_over_http_where_the_peer_hung_up_last_time(
    http: HttpPeer, municipalities: Dataset, lake: Lake, work: Path
) -> None:
    http.raw = municipalities_csv()
    spec = http_spec(http, work, path="/doc.csv", format="csv")
    http.mischief.fault = "hangs up half way"
    with pytest.raises(SourceUnreachable):
        run(spec, municipalities, lake, work)
    http.mischief.fault = ""
    assert run(spec, municipalities, lake, work).published == 98
    http.asked.clear()
    assert run(spec, municipalities, lake, work).outcome is Outcome.NOTHING_NEW
    assert http.asked[0][2]["If-None-Match"]
