"""A fingerprint changes when a row does, and only then."""

from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replica.engine import connect
from replica.fingerprint import HIGH, LOW, fingerprinted
from replica.statements import sql_type

INNER = pa.struct(
    [("code", pa.string()), ("day", pa.date32()), ("deep", pa.struct([("words", pa.list_(pa.string()))]))]
)
SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("name", pa.string()),
        ("other", pa.string()),
        ("number", pa.int64()),
        ("share", pa.float64()),
        ("known", pa.bool_()),
        ("at", pa.timestamp("us")),
        ("address", INNER),
        ("notes", pa.list_(INNER)),
        ("numbers", pa.list_(pa.int64())),
        ("words", pa.list_(pa.list_(pa.string()))),
    ]
)

# Texts that look like the text that is hashed: separators, quotes, names of fields.
texts = st.none() | st.sampled_from(
    ["", "a", "ab", '"', "\\", "\x1e", "\x1ename=", "\x1d", "null", "a\x1eb", "æ", "\0"]
)
words = st.none() | st.lists(texts, max_size=3)
days = st.none() | st.dates()
inner = st.none() | st.fixed_dictionaries(
    {"code": texts, "day": days, "deep": st.none() | st.fixed_dictionaries({"words": words})}
)
rows = st.fixed_dictionaries(
    {
        "key": st.just("1"),
        "name": texts,
        "other": texts,
        "number": st.none() | st.integers(-2, 12),
        "share": st.none() | st.floats(allow_nan=False, width=32),
        "known": st.none() | st.booleans(),
        "at": st.none() | st.datetimes(),
        "address": inner,
        "notes": st.none() | st.lists(inner, max_size=3),
        "numbers": st.none() | st.lists(st.none() | st.integers(-2, 12), max_size=3),
        "words": st.none() | st.lists(words, max_size=3),
    }
)


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(tmp_path_factory.mktemp("scratch"), threads=1) as opened:
        yield opened


def fingerprints(con: duckdb.DuckDBPyConnection, table: pa.Table) -> list[tuple[int, int]]:
    con.register("incoming", table)
    found: list[tuple[int, int]] = con.execute(
        f"SELECT {LOW}, {HIGH} FROM ({fingerprinted(table.schema, 'incoming')})"
    ).fetchall()
    return found


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(rows, min_size=2, max_size=12), st.data())
def test_two_rows_share_one_only_when_they_are_the_same(
    con: duckdb.DuckDBPyConnection, drawn: list[dict[str, Any]], data: st.DataObject
) -> None:
    # A row beside itself with one column of another row: near misses are what a hash must tell apart.
    column = data.draw(st.sampled_from(SCHEMA.names))
    near = [row | {column: drawn[0][column]} for row in drawn]
    both = [*drawn, *near]
    found = fingerprints(con, pa.Table.from_pylist(both, schema=SCHEMA))
    told = [repr(row) for row in both]
    for number, one in enumerate(told):
        for other in range(number):
            assert (found[number] == found[other]) == (one == told[other])


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(rows, min_size=1, max_size=5), st.permutations(SCHEMA.names))
def test_neither_the_order_of_columns_nor_empty_new_ones_change_one(
    con: duckdb.DuckDBPyConnection, drawn: list[dict[str, Any]], order: list[str]
) -> None:
    table = pa.Table.from_pylist(drawn, schema=SCHEMA)
    wider = pa.struct([pa.field("a_new_field", pa.string()), *INNER])
    grown = pa.schema(
        [
            pa.field(name, {"notes": pa.list_(wider), "address": wider}.get(name, SCHEMA.field(name).type))
            for name in order
        ]
        + [pa.field("a_new_column", pa.list_(INNER))]
    )
    assert fingerprints(con, pa.Table.from_pylist(drawn, schema=grown)) == fingerprints(con, table)


def test_is_what_it_was_in_earlier_versions(con: duckdb.DuckDBPyConnection) -> None:
    """A mirror that was loaded before must not look changed after an upgrade."""
    row = {
        "key": "0102034567", "name": 'Ål "B" Ø', "number": 7, "share": 0.1, "known": True,
        "address": {"code": "0101", "deep": {"words": ["x", None, ""]}}, "numbers": [1, None], "words": [[], None],
    }  # fmt: skip
    (found,) = fingerprints(con, pa.Table.from_pylist([row], schema=SCHEMA))
    assert found == (10_517_442_542_580_766_594, 9_743_197_845_506_251_070)


def test_names_every_type_that_a_column_can_have() -> None:
    assert sql_type(pa.list_(INNER)) == 'STRUCT("code" VARCHAR, "day" DATE, "deep" STRUCT("words" VARCHAR[]))[]'
