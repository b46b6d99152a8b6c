import pytest

from kernel import Observation
from tests.usage.builders import NOON, a_delivery, a_refusal, an_answer
from usage.calls import SCHEMA, STORED, table_of
from usage.line import LINE_ALONE, row_of


def as_read(observation: Observation) -> dict[str, object]:
    row = row_of(observation, str.upper)
    stored = row | {"seq": 2, "time": row["time"].isoformat()}
    table = table_of([stored], file="f-1", node="node-1", role="api")
    assert table.schema == STORED
    (read,) = table.select(SCHEMA.names).to_pylist()
    return dict(read)


class TestRowOf:
    def test_an_answer_has_who_what_under_which_agreement_and_how_long(self) -> None:
        row = as_read(an_answer("e-1", subjects=("a", "b")))
        assert row["kind"] == "answered"
        assert (row["event"], row["time"], row["status"], row["snapshot"]) == ("e-1", NOON, 200, 7)
        assert (row["keys"], row["rows"], row["size_bytes"]) == (2, 1, 1_234)
        assert (row["own_us"], row["source_us"], row["total_us"]) == (70, 50, 120)
        assert row["subjects"] == ["A", "B"]
        assert (row["node"], row["role"]) == ("node-1", "api")

    def test_a_refusal_has_its_code_and_nothing_that_was_not_known_yet(self) -> None:
        row = as_read(a_refusal("e-2"))
        assert (row["kind"], row["code"], row["status"]) == ("refused", "agreement_missing", 403)
        assert row["peer"] == "192.0.2.7:50312"
        unknown = ("service", "system", "agreement", "municipality_cvr", "total_us", "rows", "credential")
        assert [row[name] for name in unknown] == [None] * len(unknown)

    def test_a_delivery_names_its_file_and_whether_it_was_whole(self) -> None:
        row = as_read(a_delivery("e-3", whole=False))
        assert (row["kind"], row["operation"], row["whole"]) == ("delivered", "extract", False)
        assert (row["extract"], row["rows"], row["status"]) == ("cd" * 32, 1_000, None)

    @pytest.mark.parametrize("observation", [an_answer(), a_refusal(), a_delivery()])
    def test_every_field_of_a_row_is_a_column_or_stands_in_the_line_alone(self, observation: Observation) -> None:
        assert row_of(observation, str).keys() <= set(SCHEMA.names) | LINE_ALONE
