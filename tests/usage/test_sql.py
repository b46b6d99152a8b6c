import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from kernel import RequestInvalid
from replica.engine import connect
from tests.usage.builders import KEY, NOON, House, a_delivery, a_refusal, an_answer
from usage import SqlInvalid, SqlRefused, SqlTimeout, SqlTooLarge, ask, subject_hash, take_in
from usage.grammar import check_with_duckdb, offered_functions
from usage.sandbox import lock_down, offer

ATTACKS = {
    "two statements": "select 1; drop table calls",
    "two harmless statements": "select 1; select 2",
    "a statement behind a comment": "select 1 /* ; */; drop view calls -- select",
    "a statement behind a line comment": "select 1 --\n; drop view calls",
    "drop": "drop view calls",
    "insert": "insert into calls values (1)",
    "delete": "delete from calls",
    "update": "update calls set status = 200",
    "create": "create table mine as select * from calls",
    "macro": "create macro m() as table select * from read_text('/etc/passwd')",
    "writing in a WITH": "with gone as (delete from calls returning *) select * from gone",
    "select into": "select * into mine from calls",
    "copy out": "copy (select * from calls) to '/tmp/calls.csv'",
    "copy in": "copy calls from '/etc/passwd'",
    "export": "export database '/tmp/all'",
    "import": "import database '/tmp/all'",
    "attach": "attach '/tmp/other.db'",
    "attach a lake": "attach 'ducklake:sqlite:usage/catalog.sqlite' as mine",
    "detach": "detach lake",
    "use": "use lake",
    "set": "set enable_external_access = true",
    "reset": "reset lock_configuration",
    "pragma": "pragma database_list",
    "pragma as a call": "call pragma_version()",
    "install": "install httpfs",
    "load": "load '/tmp/evil.duckdb_extension'",
    "call": "call ducklake_snapshots('lake')",
    "checkpoint": "checkpoint",
    "vacuum": "vacuum",
    "prepare": "prepare p as select 1",
    "execute": "execute p",
    "explain analyze": "explain analyze select * from calls",
    "show settings": "show all tables",
    "secret": "create secret s (type s3, key_id 'a', secret 'b')",
    "transaction": "commit",
    "a CSV file by name": "select * from 'file.csv'",
    "a Parquet file by name": "from 'usage/data/main/calls/*.parquet'",
    "a file in double quotes": 'select * from "/etc/passwd"',
    "a web address": "select * from 'https://example.org/x.parquet'",
    "read_csv": "select * from read_csv('/etc/passwd')",
    "read_csv in capitals": "select * from READ_CSV_AUTO('/etc/passwd')",
    "read_text": "select * from read_text('/etc/passwd')",
    "read_blob in a subquery": "select (select content from read_blob('/etc/passwd'))",
    "read_json deep inside": "select 1 where exists (select 1 from (select * from read_json('/etc/x') j) k)",
    "parquet_scan": "select * from parquet_scan('x.parquet')",
    "parquet_metadata": "select * from parquet_metadata('x.parquet')",
    "sniff_csv": "from sniff_csv('/etc/passwd')",
    "glob": "select * from glob('/**')",
    "a quoted function name": "select * from \"read_text\"('/etc/passwd')",
    "a function with its schema": "select * from main.read_text('/etc/passwd')",
    "a scalar with its catalogue": "select system.main.current_setting('home_directory')",
    "getenv": "select getenv('HOME')",
    "getenv quoted": "select \"getenv\"('HOME')",
    "getenv by dot": "select 'HOME'.getenv()",
    "current_setting": "select current_setting('secret_directory')",
    "getvariable": "select getvariable('x')",
    "settings": "select * from duckdb_settings()",
    "secrets": "select * from duckdb_secrets()",
    "databases": "select * from duckdb_databases()",
    "extensions": "select * from duckdb_extensions()",
    "system view": "select * from duckdb_tables",
    "sqlite_master": "select * from sqlite_master",
    "information_schema": "select * from information_schema.tables",
    "pg_catalog": "select * from pg_catalog.pg_class",
    "the lake itself": "select * from lake.main.calls",
    "keys in the catalogue": "select * from __ducklake_metadata_lake.main.ducklake_data_file",
    "the lines not taken in": "select * from untaken",
    "a view with its schema": "select * from main.calls",
    "another version": "select * from calls at (version => 1)",
    "lake snapshots": "select * from ducklake_snapshots('lake')",
    "sqlite_scan": "select * from sqlite_scan('catalog.sqlite', 'ducklake_data_file')",
    "query": "from query('select * from duckdb_settings()')",
    "query_table": "from query_table('duckdb_settings')",
    "serialized SQL": "select * from json_execute_serialized_sql(json_serialize_sql('select 1'))",
    "a WITH that hides a system view": "with duckdb_views as (select * from duckdb_views) select * from duckdb_views",
    "a WITH seen from outside": "select * from duckdb_views, (with duckdb_views as (select 1) from duckdb_views)",
    "a WITH used before it is there": (
        "with a as (select * from duckdb_views), duckdb_views as (select 1) select * from a"
    ),
    "a union with more": "select event from calls union all select name from duckdb_settings()",
    "in an ORDER BY": "select 1 from calls order by (select max(name) from duckdb_settings())",
    "in a lambda": "select list_transform([1], lambda x: getenv('A'))",
    "in a window": "select max(current_setting('threads')) over () from calls",
    "in a describe": "describe select * from read_csv('/etc/passwd')",
    "in a summarize": "summarize 'file.csv'",
    "in a pivot": "pivot read_csv('/etc/passwd') on column0",
    "a Python variable": "select * from house",
    "a sleeper": "select sleep_ms(100000)",
    "a log line": "select write_log('x')",
    "a parameter": "select ?",
    "a NUL": "select 1 \0; drop view calls",
    "longer than anybody writes": "select " + "1+" * 20_000 + "1",
}
HARMLESS = (
    "from calls",
    "select count(*) as n from calls -- the end",
    "select count(*) from calls;",
    "with calls as (select * from calls where status = 200) select service, count(*) from calls group by all",
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 5) select sum(i) from n",
    "select * from calls c join calls d using (event) where c.time >= d.time",
    "select time::date as day, channel, sum(rows) from calls group by all order by all limit 5",
    "select date_trunc('hour', time) as hour, quantile_cont(own_us, [0.5, 0.99]) from calls group by all",
    "select row_number() over (partition by kind order by time desc) as n, * exclude (reason) from calls qualify n = 1",
    "select s, count(*) from (select unnest(subjects) as s from calls) group by s",
    "select d, event from range(date '2031-03-01', date '2031-03-07', interval 1 day) g(d) left join calls on time < d",
    "select case when status >= 500 then 'bad' else 'good' end, count(*) filter (whole) from calls group by all",
    "select code from calls where reason ilike '%agreement%' and code is not null and peer like '192.%'",
    "select kind, channel, count(*) from calls group by cube (kind, channel)",
    "select count(distinct system), max_by(event, time), string_agg(distinct code, ',') from calls",
    "describe calls",
    "summarize calls_daily",
    "select day, calls, failed from calls_daily where municipality_cvr = '11111111'",
    "values (1), (2)",
)  # fmt: skip


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Four events in the lake, two in a sealed file that was not taken in."""
    root = tmp_path_factory.mktemp("full")
    house = House(root / "ledger", root / "usage")
    house.record(an_answer("e-1", subjects=("0101301234",)), a_refusal("e-2"), a_delivery("e-3"))
    house.record(an_answer("e-4", municipality_cvr="22222222"))
    take_in(house.ledger, house.usage)
    house.record(an_answer("e-5", subjects=("0101301234",), status=500), a_refusal("e-6"))
    return house


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    return connect(tmp_path_factory.mktemp("engine"))


class TestCalls:
    def test_what_is_in_the_lake_and_what_is_not_yet(self, full: House) -> None:
        answer = ask(full.ledger, full.usage, "select event, time, kind, status from calls order by event")
        assert answer.columns == ("event", "time", "kind", "status")
        assert answer.table["event"].to_pylist() == ["e-1", "e-2", "e-3", "e-4", "e-5", "e-6"]
        assert answer.table["time"].to_pylist() == [NOON] * 6
        assert (answer.truncated, answer.left_out) == (False, ())

    def test_lines_of_a_living_process_count_before_there_is_any_lake(self, house: House) -> None:
        with house.open_ledger() as ledger:
            ledger.record(an_answer())
            ledger.record(an_answer())
            answer = ask(house.ledger, house.usage, "select count(*), sum(rows) as rows from calls")
        assert answer.table.to_pylist() == [{"count_star()": 2, "rows": 2}]

    def test_an_organisation_sees_its_own_rows_only(self, full: House) -> None:
        answer = ask(full.ledger, full.usage, "select event from calls order by 1", cvr="11111111")
        assert answer.table["event"].to_pylist() == ["e-1", "e-3", "e-5"]

    def test_no_error_shows_an_organisation_what_it_may_not_see(self, full: House) -> None:
        with pytest.raises(SqlInvalid) as failed:
            ask(full.ledger, full.usage, "select cast(event as int) from calls where kind <> 'x'", cvr="22222222")
        assert "e-4" in failed.value.message
        answer = ask(
            full.ledger,
            full.usage,
            "select 1 from calls where cast(replace(event, 'e-4', '4') as int) > 0",
            cvr="22222222",
        )
        assert answer.table.num_rows == 1

    def test_the_calls_about_a_person_are_found_by_the_keyed_hash(self, full: House) -> None:
        hashed = subject_hash(KEY, "0101301234")
        sql = f"select count(*) as n from calls where list_contains(subjects, '{hashed}')"
        assert ask(full.ledger, full.usage, sql).table.to_pylist() == [{"n": 2}]

    def test_days_are_days_in_copenhagen(self, house: House) -> None:
        late = NOON.replace(month=7, hour=22, minute=30)
        house.record(an_answer(at=late), an_answer(at=late, status=503))
        sql = "select day::varchar as day, calls, failed, rows from calls_daily"
        answer = ask(house.ledger, house.usage, sql)
        assert answer.table.to_pylist() == [{"day": "2031-07-05", "calls": 2, "failed": 1, "rows": 2}]

    def test_a_damaged_file_is_left_out_and_named(self, house: House) -> None:
        house.record(an_answer("e-1"))
        house.record(an_answer("e-2"))
        spoilt = house.files("sealed")[0]
        spoilt.write_bytes(spoilt.read_bytes().replace(b"answered", b"answerer"))
        answer = ask(house.ledger, house.usage, "select event from calls")
        assert answer.table["event"].to_pylist() == ["e-2"]
        assert answer.left_out == (spoilt.name,)

    def test_columns_have_names_of_their_own_and_sums_are_plain_numbers(self, full: House) -> None:
        answer = ask(full.ledger, full.usage, "select 1 as n, 2 as n, sum(size_bytes) as size from calls")
        assert answer.columns == ("n", "n_1", "size")
        assert answer.table.schema.field("size").type == "int64"


class TestRefused:
    @pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
    def test_by_the_house(self, full: House, attack: str) -> None:
        with pytest.raises((SqlRefused, SqlInvalid)) as refused:
            ask(full.ledger, full.usage, attack)
        assert refused.value.status == 400
        assert refused.value.remedy

    @pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
    def test_by_the_engines_own_parser_alone(self, engine: duckdb.DuckDBPyConnection, attack: str) -> None:
        with pytest.raises((SqlRefused, SqlInvalid)):
            check_with_duckdb(engine, attack)

    def test_the_error_does_not_repeat_what_may_be_somebodys_number(self, full: House) -> None:
        for sql in ("select * from '0101301234'", "select '0101301234'::date"):
            with pytest.raises((SqlRefused, SqlInvalid)) as refused:
                ask(full.ledger, full.usage, sql)
            assert "0101301234" not in refused.value.message

    def test_a_cvr_number_that_is_none(self, full: House) -> None:
        with pytest.raises(RequestInvalid):
            ask(full.ledger, full.usage, "from calls", cvr="1' or '1'='1")


class TestAllowed:
    @pytest.mark.parametrize("sql", HARMLESS)
    def test_by_both_parsers(self, engine: duckdb.DuckDBPyConnection, sql: str) -> None:
        from usage.second_opinion import check_with_sqlglot

        assert check_with_sqlglot(sql)
        check_with_duckdb(engine, sql)

    def test_and_answered(self, full: House, tmp_path: Path) -> None:
        with connect(tmp_path) as con:
            offer(con, full.ledger, full.usage, None)
            lock_down(con, full.usage)
            for sql in HARMLESS:
                assert con.execute(sql).to_arrow_table().num_columns > 0

    def test_only_functions_that_the_engine_has_are_listed(self, engine: duckdb.DuckDBPyConnection) -> None:
        known = {row[0] for row in engine.execute("select distinct function_name from duckdb_functions()").fetchall()}
        assert offered_functions() - known <= {"coalesce", "ifnull", "row_number", "unnest", "extract"}


class TestInvalid:
    def test_a_wrong_column_is_told_in_duckdbs_words(self, full: House) -> None:
        with pytest.raises(SqlInvalid, match="nope"):
            ask(full.ledger, full.usage, "select nope from calls")

    @pytest.mark.parametrize("sql", ["", "  \n", "selec 1", "select 'open"])
    def test_what_is_no_sql(self, full: House, sql: str) -> None:
        with pytest.raises(SqlInvalid):
            ask(full.ledger, full.usage, sql)


class TestLimits:
    def test_more_rows_than_allowed_are_cut_and_told(self, full: House) -> None:
        answer = ask(full.ledger, full.usage, "select * from range(1000000000)", max_rows=10)
        assert (answer.table.num_rows, answer.truncated) == (10, True)
        answer = ask(full.ledger, full.usage, "select * from range(10)", max_rows=10)
        assert (answer.table.num_rows, answer.truncated) == (10, False)

    @pytest.mark.parametrize(
        "bomb",
        [
            "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n",
            "select levenshtein(repeat('a', 200000), repeat('b', 200000))",
        ],
    )
    def test_a_question_without_end_is_stopped(self, full: House, bomb: str) -> None:
        # Neither of them would end by itself within the time that a run of the tests has.
        with pytest.raises(SqlTimeout):
            ask(full.ledger, full.usage, bomb, timeout_s=0.3)

    @pytest.mark.parametrize(
        "bomb",
        [
            "select length(repeat('x', 2000000000))",
            "select repeat('x', 1000000) as x from range(100)",
        ],
    )
    def test_a_question_too_large_for_its_room_is_stopped(self, full: House, bomb: str) -> None:
        with pytest.raises(SqlTooLarge):
            ask(full.ledger, full.usage, bomb, memory_mb=300, timeout_s=300.0)

    def test_nothing_is_left_in_the_scratch_folder(self, full: House) -> None:
        with pytest.raises(SqlTimeout):
            ask(full.ledger, full.usage, "select count(*) from range(1000000000000)", timeout_s=0.1)
        assert list((full.usage / "scratch").iterdir()) == []


class TestEngine:
    """What is left when both parsers have been fooled: the engine itself refuses."""

    FILES = (
        "select * from read_text('/etc/hostname')",
        "select * from '/etc/hostname.csv'",
        "select * from glob('/etc/*')",
        "copy (select 1) to '/tmp/knudepunkt-test.csv'",
        "attach '/tmp/knudepunkt-test.db'",
        "export database '/tmp/knudepunkt-test'",
        "install json",
        "load '/tmp/x.duckdb_extension'",
        "select * from 'https://example.org/x.csv'",
        "set enable_external_access = true",
        "set allowed_directories = ['/']",
        "set memory_limit = '100GB'",
        "reset lock_configuration",
        "select * from house",
    )

    def test_draws_no_progress_into_the_pipe_that_the_answer_comes_by(self, tmp_path: Path) -> None:
        """Which it would of itself, of a question of two seconds or more, in a process that was begun as these are."""
        program = (
            "import sys; from pathlib import Path; from replica.engine import connect\n"
            "with connect(Path(sys.argv[1])) as con:\n"
            "    con.execute('SET progress_bar_time = 0')\n"
            "    con.execute('SELECT sum(hash(i)) FROM range(3000000) t(i)').fetchall()\n"
        )
        done = subprocess.run(
            [sys.executable, "-P", "-c", program, str(tmp_path)], capture_output=True, text=True, check=True,
            env={"PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip
        assert done.stdout == ""

    @pytest.mark.parametrize("cvr", [None, "11111111"], ids=["operator", "organisation"])
    def test_opens_nothing_and_lets_nothing_be_set(self, full: House, tmp_path: Path, cvr: str | None) -> None:
        house = full.ledger  # a Python variable that SQL must not see
        assert house.exists()
        with connect(tmp_path) as con:
            con.execute("SET python_enable_replacements = false")
            offer(con, full.ledger, full.usage, cvr)
            lock_down(con, full.usage if cvr is None else None)
            for sql in self.FILES:
                with pytest.raises(duckdb.Error):
                    con.execute(sql)

    def test_an_organisations_question_runs_without_the_lake(self, full: House, tmp_path: Path) -> None:
        with connect(tmp_path) as con:
            offer(con, full.ledger, full.usage, "11111111")
            lock_down(con, None)
            names = {row[0] for row in con.execute("select database_name from duckdb_databases()").fetchall()}
            assert names == {"memory", "system", "temp"}
            assert con.execute("select count(*) from duckdb_tables()").fetchone() == (1,)
            data = full.usage / "data"
            with pytest.raises(duckdb.Error):
                con.execute(f"copy (select 1) to '{data}/x.csv'")
