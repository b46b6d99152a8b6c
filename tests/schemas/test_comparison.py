"""Comparisons that are read without the grammar of SQL say what it says, or nothing."""

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot.dialects.duckdb import DuckDB

from schemas import Column, Kind
from schemas.comparison import counted_comparison
from schemas.counted import NoCount, counted_condition
from schemas.expression import Expression, ExpressionRefused
from tests.loading import loaded_by, packages

OPERATORS = ("=", "<>", "<", "<=", ">", ">=", "!=", "==", "<=>", "~")
WORDS = sorted(word.lower() for word in {*DuckDB.Tokenizer.KEYWORDS, *DuckDB.Parser.FUNCTIONS} if word.isidentifier())
NAMES = st.one_of(
    st.sampled_from(("valid_from", "valid_to", "order", "day", "a1", "a_1", "Valid_to", "null", "rows")),
    st.sampled_from(WORDS),
    st.from_regex(r"[a-z]{1,4}(_[a-z]{1,4}){0,1}(_to|_from|_day)", fullmatch=True),
)
KINDS = st.sampled_from([kind for kind in Kind if kind not in (Kind.OBJECT, Kind.ARRAY)])
ENDS = st.sampled_from(("", " ", "\n", ";", " -- x", " AND 1 = 1"))


def by_grammar(query: str, columns: dict[str, Column]) -> tuple[Expression, Kind] | None:
    try:
        return counted_condition(query, columns.values())
    except (NoCount, ExpressionRefused):
        return None


@settings(max_examples=50, deadline=None)
@given(NAMES, NAMES, KINDS, KINDS, st.sampled_from(OPERATORS), st.sampled_from(("", " ", "  ")), ENDS)
def test_what_is_read_plainly_reads_the_same_by_the_grammar(
    left: str, right: str, left_kind: Kind, right_kind: Kind, operator: str, blank: str, end: str
) -> None:
    columns = {left: Column(name=left, kind=left_kind), right: Column(name=right, kind=right_kind)}
    query = f"SELECT COUNT(*) FROM rows WHERE {left}{blank}{operator}{blank}{right}{end}"
    found = counted_comparison(query, columns)
    assert found is None or by_grammar(query, columns) == (found, Kind.BOOLEAN)


def test_no_word_of_sql_is_taken_for_a_column() -> None:
    for word in WORDS:
        columns = {name: Column(name=name, kind=Kind.DATE) for name in (word, "valid_to")}
        query = f"SELECT COUNT(*) FROM rows WHERE valid_to < {word}"
        found = counted_comparison(query, columns)
        assert found is None or by_grammar(query, columns) == (found, Kind.BOOLEAN), word


def test_the_rule_that_most_contracts_have_is_read_plainly() -> None:
    columns = {name: Column(name=name, kind=Kind.DATE) for name in ("valid_from", "valid_to")}
    found = counted_comparison("SELECT COUNT(*) FROM rows WHERE valid_to < valid_from", columns)
    assert found == Expression('"valid_to" < "valid_from"', frozenset(columns))


def test_reading_contracts_loads_no_grammar_of_sql_and_no_engine() -> None:
    code = "from schemas import SHIPPED, load_registers\nload_registers(SHIPPED)"

    assert not packages(loaded_by(code)) & {"duckdb", "polars", "sqlglot"}
