"""The SQL connector: what becomes of values, what is new since, and that it only reads."""

import io
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sync import SourceFaulty, SourceInvalid
from sync.sources import Connector, Offered
from tests.sync.connectors.peer import FEW
from tests.sync.connectors.postgres import InDatabase, PostgresPeer, sql_spec

SINCE = {"column": "number"}


def only(connector: Connector, since: dict[str, str] | None = None) -> tuple[Offered, pa.Table]:
    (offered,) = connector.offered(since or {})
    with connector.open(offered) as stream:
        return offered, pq.read_table(io.BytesIO(stream.read()))


def keys(table: pa.Table) -> list[str]:
    found: list[str] = table["id"].to_pylist()
    return found


class TestValues:
    def test_keep_their_types(self, postgres: PostgresPeer, work: Path) -> None:
        with postgres.connect() as owner:
            owner.execute("create type size as enum ('small', 'large')")
            owner.execute("""create table libraries as select
                true as open, 7::int2 as small, 70000 as middle, 9007199254740993 as large, 0.1::float8 as share,
                12.50::numeric(10, 2) as price, 1.5::numeric as any_number, date '2026-11-02' as founded,
                timestamp '2026-11-02 08:30:00.000001' as local, timestamptz '2026-11-02 09:30+01' as moment,
                '7d444840-9dc0-11d1-b245-5ffdce74fad2'::uuid as key, '{"a": [1]}'::jsonb as more,
                array['x', 'y'] as several, 'large'::size as size, 'ab'::char(4) as padded, null::int as nothing""")
        with sql_spec(postgres, work).connect(work) as connector:
            _, table = only(connector)
        assert table.to_pylist() == [
            {
                "open": True, "small": 7, "middle": 70000, "large": 9007199254740993, "share": 0.1,
                "price": Decimal("12.50"), "any_number": "1.5", "founded": date(2026, 11, 2),
                "local": datetime(2026, 11, 2, 8, 30, 0, 1),  # noqa: DTZ001
                "moment": datetime(2026, 11, 2, 8, 30, tzinfo=UTC),
                "key": "7d444840-9dc0-11d1-b245-5ffdce74fad2", "more": '{"a": [1]}', "several": "{x,y}",
                "size": "large", "padded": "ab", "nothing": None,
            }
        ]  # fmt: skip
        assert table.schema.field("nothing").type == pa.int64()
        assert table.schema.field("price").type == pa.decimal128(10, 2)

    @pytest.mark.parametrize(
        "text", ["", None, "NULL", "\\N", "\\.", 'a "b", c', "two\nlines\r\n", "\t", "\u00e6\u00f8"]
    )
    def test_of_text_come_as_they_are(self, postgres: PostgresPeer, work: Path, text: str | None) -> None:
        with postgres.connect() as owner:
            owner.execute("create table libraries (id text, name text)")
            owner.execute("insert into libraries values ('1', %s), ('2', 'b')", [text])
        with sql_spec(postgres, work).connect(work) as connector:
            assert only(connector)[1]["name"].to_pylist() == [text, "b"]

    def test_of_a_table_without_rows_are_none(self, postgres: PostgresPeer, work: Path) -> None:
        InDatabase(postgres).put("", [])
        with sql_spec(postgres, work).connect(work) as connector:
            _, table = only(connector)
        assert (table.num_rows, table.column_names) == (0, ["id", "name", "number"])


class TestAQuery:
    def test_is_read_as_a_table(self, postgres: PostgresPeer, work: Path) -> None:
        InDatabase(postgres).put("", FEW)
        query = "select id, upper(name) as name from libraries where number > 0 -- all but one"
        with sql_spec(postgres, work, query=query).connect(work) as connector:
            offered, table = only(connector)
        assert table.to_pylist() == [{"id": "2", "name": "BO"}]
        assert offered.name == "query.parquet"

    @pytest.mark.parametrize(
        "query",
        [
            "select 1 as a, 2 as a",
            "selec 1",
            "with gone as (delete from libraries returning *) select * from gone",
            "select nextval('numbers') as a",
            "select 1/0 as a",
        ],
    )
    def test_that_cannot_be_read_or_would_write_is_refused(
        self, postgres: PostgresPeer, work: Path, query: str
    ) -> None:
        InDatabase(postgres).put("", FEW)
        with postgres.connect() as owner:
            owner.execute("create sequence numbers")
            owner.execute("grant all on all tables in schema public to reader")
            owner.execute("grant all on all sequences in schema public to reader")
        with sql_spec(postgres, work, query=query).connect(work) as connector, pytest.raises(SourceInvalid):
            connector.offered({})
        with postgres.connect() as owner:
            assert owner.execute("select count(*) from libraries").fetchone() == (2,)


class TestChanges:
    def test_are_read_from_the_last_value_on_and_only_when_there_are_any(
        self, postgres: PostgresPeer, work: Path
    ) -> None:
        InDatabase(postgres).put("", FEW)
        with sql_spec(postgres, work, changes=SINCE).connect(work) as connector:
            first, table = only(connector)
            assert keys(table) == ["1", "2"]
            assert connector.offered(first.position) == ()
            with postgres.connect() as owner:
                owner.execute("insert into libraries values ('3', 'Cy', 2)")
            second, table = only(connector, dict(first.position))
            assert keys(table) == ["2", "3"]
            with postgres.connect() as owner:
                # A transaction that was still under way: its row has the value that was the last one.
                owner.execute("insert into libraries values ('4', 'Di', 2)")
            third, table = only(connector, dict(second.position))
        assert sorted(keys(table)) == ["3", "4"]
        assert (third.position["at"], third.position["ties"]) == ("2", "2")

    def test_begin_where_the_source_file_says(self, postgres: PostgresPeer, work: Path) -> None:
        InDatabase(postgres).put("", FEW)
        with sql_spec(postgres, work, changes={**SINCE, "first": "1"}).connect(work) as connector:
            assert keys(only(connector)[1]) == ["2"]

    def test_of_another_table_begin_anew(self, postgres: PostgresPeer, work: Path) -> None:
        InDatabase(postgres).put("", FEW)
        with sql_spec(postgres, work, changes=SINCE).connect(work) as connector:
            position = dict(only(connector)[0].position)
        query = "select * from libraries"
        with sql_spec(postgres, work, query=query, changes=SINCE).connect(work) as connector:
            assert keys(only(connector, position)[1]) == ["1", "2"]

    def test_need_a_column_that_tells_rows_apart(
        self, postgres: PostgresPeer, work: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sync.sources.sql.MOST_TIES", 2)
        InDatabase(postgres).put("", FEW)
        with postgres.connect() as owner:
            owner.execute("insert into libraries values ('3', 'Cy', 1), ('4', 'Di', 1)")
        said = pytest.raises(SourceFaulty, match="3 rows have the last value of `number`")
        with sql_spec(postgres, work, changes=SINCE).connect(work) as connector, said:
            connector.offered({})


def test_a_socket_of_this_machine_needs_no_password(postgres: PostgresPeer, work: Path) -> None:
    InDatabase(postgres).put("", FEW)
    spec = sql_spec(postgres, work, host=str(postgres.folder), port=postgres.own_port, user="owner")
    with replace(spec, password=None).connect(work) as connector:
        assert keys(only(connector)[1]) == ["1", "2"]
