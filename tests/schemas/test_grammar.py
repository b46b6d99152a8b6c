"""Expressions of contracts: what may be written, and what it gives."""

import polars as pl
import pytest

from schemas import Column, Kind
from schemas.expression import ExpressionRefused
from schemas.grammar import read_expression

COLUMNS = (
    Column(name="text", kind=Kind.TEXT),
    Column(name="number", kind=Kind.INTEGER),
    Column(name="share", kind=Kind.NUMBER),
    Column(name="day", kind=Kind.DATE),
    Column(name="order", kind=Kind.TEXT),
    Column(name="list", kind=Kind.ARRAY, item=Column(name="item", kind=Kind.TEXT)),
)
ROW = pl.DataFrame(
    {"text": [" Ab "], "number": [7], "share": [0.26], "day": ["2026-03-04"], "order": ["0042"]}
).with_columns(pl.col("day").str.to_date())


@pytest.mark.parametrize(
    ("sql", "kind", "value"),
    [
        ("'it''s'", Kind.TEXT, "it's"),
        ("lower(trim(text)) || '-' || upper('x')", Kind.TEXT, "ab-X"),
        ("concat(order, '/', left(order, 2), right(order, 1), substr(order, 3, 2))", Kind.TEXT, "0042/00242"),
        ("replace(lpad('7', 3, '0'), '0', 'o') || rpad('a', 2, 'b')", Kind.TEXT, "oo7ab"),
        ("length(order)", Kind.INTEGER, 4),
        ("number + 2 * 3 - 1", Kind.INTEGER, 12),
        ("number % 4", Kind.INTEGER, 3),
        ("-abs(number)", Kind.INTEGER, -7),
        ("number / 2", Kind.NUMBER, 3.5),
        ("round(share, 1)", Kind.NUMBER, 0.3),
        ("greatest(number, 9) - least(number, 9)", Kind.INTEGER, 2),
        ("coalesce(nullif(order, '0042'), 'none')", Kind.TEXT, "none"),
        ("cast(order AS BIGINT)", Kind.INTEGER, 42),
        ("cast('x' || order AS BIGINT)", Kind.INTEGER, None),
        ("cast(number AS VARCHAR)", Kind.TEXT, "7"),
        ("cast(number AS DOUBLE)", Kind.NUMBER, 7.0),
        ("day < DATE '2026-03-05'", Kind.BOOLEAN, True),
        ("extract(year FROM day)", Kind.INTEGER, 2026),
        ("case when number between 1 and 9 then 'low' else 'high' end", Kind.TEXT, "low"),
        ("text is not null and not (number in (1, 2)) or number <> 7", Kind.BOOLEAN, True),
        ("order like '00%' and starts_with(order, '0')", Kind.BOOLEAN, True),
        ("text is distinct from order", Kind.BOOLEAN, True),
    ],
)
def test_gives(sql: str, kind: Kind, value: object) -> None:
    expression, found = read_expression(sql, COLUMNS)
    assert found is kind
    assert ROW.select(expression.over().alias("value"))["value"].to_list() == [value]


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "text text",
        "text; drop table x",
        "(select 1)",
        "number in (select 1)",
        "exists (select 1)",
        "number = any(select 1)",
        "select text",
        "elsewhere",
        "d.text",
        "list",
        "list[1]",
        "read_text('/etc/passwd')",
        "getenv('HOME')",
        "current_date",
        "now()",
        "random()",
        "sum(number)",
        "count(*)",
        "*",
        "sum(number) over ()",
        "cast(text AS BLOB)",
        "cast(text AS DECIMAL(3, 1))",
        "extract(epoch FROM day)",
        "day + interval 1 day",
        "$1",
        "?",
        "x -> x",
        "{'a': 1}",
        "[1, 2]",
        "null",
        "text + number",
        "'a' || " * 2_000 + "'a'",
    ],
)
def test_refuses(sql: str) -> None:
    with pytest.raises(ExpressionRefused):
        read_expression(sql, COLUMNS)
