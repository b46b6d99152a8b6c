"""JSON: what fits the contract comes in, what does not is held back by its number, and nothing is lost on the way."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import Classification, Column, Dataset, Kind
from sync import DeliveryUnreadable, JsonSpec, SourceInvalid, SourceMisfit
from sync.sources.decoded import Decoded
from sync.sources.json_documents import JsonDecoder, mapped
from tests.sync.reading import decoded_by, origin_of

SHIPS = Dataset(
    register="ships",
    name="ships",
    key="imo",
    columns=(
        Column(name="imo", kind=Kind.TEXT),
        Column(name="tonnage", kind=Kind.INTEGER),
        Column(name="built", kind=Kind.DATE),
        Column(name="seen", kind=Kind.TIMESTAMP),
        Column(
            name="owners",
            kind=Kind.ARRAY,
            item=Column(name="item", kind=Kind.OBJECT, fields=(Column(name="name", kind=Kind.TEXT),)),
            classification=Classification.PERSONAL,
        ),
    ),
)
WHOLE: dict[str, Any] = {
    "imo": "9321483", "tonnage": 170_794, "built": "2006-08-12", "seen": "2026-07-01T12:00:00+00:00",
    "owners": [{"name": "Rederi"}],
}  # fmt: skip


def decode(data: Any, *, per_line: bool = False, records: str = "@", **mapping: str) -> Decoded:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    decoder = JsonDecoder(SHIPS, mapped(mapping, SHIPS) if mapping else dict, records=records, per_line=per_line)
    decoded = decoded_by(decoder, raw)
    assert decoded.rows_in == decoded.rows.num_rows + decoded.rows_quarantined
    assert decoded.lines_in == decoded.origin.height + decoded.quarantine.height
    return decoded


def rules(decoded: Decoded) -> dict[int, str]:
    return dict(decoded.quarantine.select("line", "rule").iter_rows())


class TestADocument:
    def test_gives_its_records_typed_and_sorted(self) -> None:
        decoded = decode([WHOLE, {"imo": "1"}])
        assert decoded.rows["imo"].to_pylist() == ["1", "9321483"]
        row = decoded.rows.to_pylist()[1]
        # A time with a zone becomes Danish wall-clock time.
        assert (row["tonnage"], str(row["built"]), str(row["seen"])) == (170_794, "2006-08-12", "2026-07-01 14:00:00")
        assert row["owners"] == [{"name": "Rederi"}]

    def test_may_have_its_records_anywhere_and_other_names_for_things(self) -> None:
        document = {"hits": [{"_source": {"number": "7", "size": {"gross": 5}}}]}
        decoded = decode(document, records="hits[]._source", imo="number", tonnage="size.gross")
        assert decoded.rows.select(["imo", "tonnage"]).to_pylist() == [{"imo": "7", "tonnage": 5}]

    def test_that_was_cut_off_is_refused(self) -> None:
        with pytest.raises(DeliveryUnreadable) as refused:
            decode(json.dumps([WHOLE]).encode()[:-3])
        assert "Rederi" not in refused.value.message

    def test_without_records_where_they_should_be_is_refused(self) -> None:
        with pytest.raises(DeliveryUnreadable):
            decode({"hats": []}, records="hits[]")

    def test_of_a_path_that_is_none_says_so_before_anything_is_read(self) -> None:
        with pytest.raises(SourceInvalid):
            mapped({"imo": "hits[["}, SHIPS)
        with pytest.raises(SourceInvalid):
            JsonSpec(records="hits[[").decoder(SHIPS)

    def test_cannot_fill_a_column_that_the_contract_does_not_have(self) -> None:
        with pytest.raises(SourceMisfit, match="captain"):
            JsonSpec(mapping={"captain": "name"}).decoder(SHIPS)

    def test_with_something_else_than_a_function_of_the_path_takes_is_refused(self) -> None:
        with pytest.raises(DeliveryUnreadable):
            decode({"hits": 5}, records="sort(hits)")


class TestARecord:
    @pytest.mark.parametrize(
        ("change", "rule"),
        [
            ({"tonnage": "many"}, "wrong_type"),
            ({"tonnage": 1.5}, "wrong_type"),
            ({"tonnage": True}, "wrong_type"),
            ({"tonnage": 2**63}, "wrong_type"),
            ({"built": "2006-13-01"}, "wrong_type"),
            ({"built": 2006}, "wrong_type"),
            ({"seen": "noon"}, "wrong_type"),
            ({"imo": 9321483}, "wrong_type"),
            ({"owners": {}}, "wrong_type"),
            ({"owners": ["Rederi"]}, "wrong_type"),
            ({"owners": [{"nickname": "R"}]}, "unknown_field"),
            ({"captain": "Hemmelig"}, "unknown_field"),
            ({"imo": None}, "required"),
        ],
    )
    def test_that_does_not_fit_is_held_back_alone(self, change: dict[str, Any], rule: str) -> None:
        decoded = decode([{"imo": "1"}, WHOLE | change, {"imo": "2"}])
        assert rules(decoded) == {2: rule}
        assert decoded.rows["imo"].to_pylist() == ["1", "2"]
        assert "Hemmelig" not in decoded.quarantine["reason"][0]
        assert json.loads(decoded.quarantine["text"][0]) == WHOLE | change

    def test_that_shares_its_key_is_held_back_with_the_other(self) -> None:
        assert rules(decode([{"imo": "1"}, {"imo": "2"}, {"imo": "1"}])) == {1: "unique", 3: "unique"}

    def test_that_is_no_object_is_held_back(self) -> None:
        assert rules(decode([5, None, "text", [1], {"imo": "1"}])) == dict.fromkeys((1, 2, 3, 4), "malformed")


class TestADocumentOnEachLine:
    def test_is_read_past_a_line_that_is_not_json(self) -> None:
        decoded = decode(b'{"imo": "1"}\n{"imo": \n\n{"imo": "2"}', per_line=True)
        assert decoded.rows["imo"].to_pylist() == ["1", "2"]
        assert rules(decoded) == {2: "malformed"}
        assert decoded.quarantine["text"].to_list() == ['{"imo": ']

    def test_that_holds_no_records_is_held_back_as_it_is(self) -> None:
        decoded = decode(b'{"hits": [{"imo": "1"}]}\n{"other": 1}\n{"hits": []}', per_line=True, records="hits")
        assert decoded.rows["imo"].to_pylist() == ["1"]
        assert decoded.quarantine.select("rule", "text").rows() == [("malformed", '{"other": 1}')]

    def test_has_its_held_back_records_read_again_by_themselves(self) -> None:
        """A record lies deeper in its line than in a replay, a line that cannot be read does not."""
        decoder = JsonDecoder(SHIPS, dict, records="hits", per_line=True)
        data = b'{"hits": [{"imo": "1"}, {"imo": 2}]}\n{"hits": \n'
        held = decoded_by(decoder, data).quarantine
        assert held["text"].to_list() == ['{"imo":2}', '{"hits": ']
        again = decoded_by(decoder, decoder.again("", held["text"].to_list()))
        assert again.quarantine.select("rule", "text").equals(held.select("rule", "text"))


values = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text("a1-", max_size=3), st.just([]), st.just({}))
records_of = st.lists(
    st.one_of(values, st.dictionaries(st.sampled_from([*SHIPS.names, "else"]), values, max_size=4)), max_size=6
)


@settings(max_examples=60, deadline=None)
@given(records=records_of, per_line=st.booleans())
def test_whatever_is_delivered_is_published_or_held_back_and_comes_again_as_it_was(
    records: list[Any], per_line: bool
) -> None:
    data = "\n".join(map(json.dumps, records)).encode() if per_line else json.dumps(records).encode()
    if per_line and any(isinstance(record, list | type(None)) for record in records):
        return  # a list on a line is so many records, and null is none
    decoded = decode(data, per_line=per_line)
    assert decoded.rows_in == len(records)
    told = {**rules(decoded), **dict.fromkeys(origin_of(decoded, "imo")["line"], "")}
    assert sorted(told) == list(range(1, len(records) + 1))
    decoder = JsonDecoder(SHIPS, dict, per_line=per_line)
    again = decoded_by(decoder, decoder.again(decoded.frame, decoded.quarantine["text"].to_list()))
    assert sorted(again.quarantine["rule"]) == sorted(decoded.quarantine["rule"])
    assert again.rows.num_rows == 0
