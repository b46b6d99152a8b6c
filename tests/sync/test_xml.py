"""XML: records by their name, values by their paths, and nothing that a document could do to the reader."""

from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import Column, Dataset, Kind
from sync import DeliveryUnreadable, SourceInvalid, SourceMisfit, XmlSpec
from sync.sources.decoded import Decoded
from tests.sync.reading import decoded_by, origin_of

TOWNS = Dataset(
    register="town",
    name="towns",
    key="id",
    columns=(
        Column(name="id", kind=Kind.TEXT),
        Column(name="name", kind=Kind.TEXT),
        Column(name="people", kind=Kind.INTEGER),
        Column(name="harbour", kind=Kind.BOOLEAN),
        Column(name="founded", kind=Kind.DATE),
        Column(name="tags", kind=Kind.ARRAY, item=Column(name="tag", kind=Kind.TEXT)),
        Column(name="seal", kind=Kind.OBJECT, fields=(Column(name="by", kind=Kind.TEXT),)),
    ),
)
SPEC = XmlSpec(
    record="t:town",
    mapping={
        "id": "@id",
        "name": "t:names/t:name",
        "people": "t:people",
        "harbour": "t:sea/@harbour",
        "founded": "t:founded",
        "tags": "t:tag",
    },
    namespaces={"t": "urn:towns"},
)


def town(key: str, inner: str = "") -> str:
    return f'<town id="{key}">{inner}</town>'


def document(*towns: str) -> bytes:
    return f'<?xml version="1.0"?>\n<r xmlns="urn:towns"><list>{"".join(towns)}</list></r>'.encode()


def decode(data: bytes, spec: XmlSpec = SPEC) -> Decoded:
    decoded = decoded_by(spec.decoder(TOWNS), data)
    assert decoded.rows_in == decoded.rows.num_rows + decoded.rows_quarantined
    assert decoded.lines_in == decoded.origin.height + decoded.quarantine.height
    return decoded


class TestADocument:
    def test_gives_what_the_mapping_says_of_each_record(self) -> None:
        inner = (
            "<names><name> Ærø </name></names><people>7</people><sea harbour='true'/><founded>1165-01-01</founded>"
            "<tag>a</tag><tag/><tag>b</tag><other>x</other><!-- no -->"
        )
        decoded = decode(document(town("b", inner), town("a")))
        empty, row = decoded.rows.to_pylist()
        assert row | {"founded": str(row["founded"])} == {
            "id": "b", "name": "Ærø", "people": 7, "harbour": True, "founded": "1165-01-01", "tags": ["a", "b"],
            "seal": None,
        }  # fmt: skip
        assert empty == dict.fromkeys(TOWNS.names) | {"id": "a", "tags": []}
        assert origin_of(decoded, "id")["line"].to_list() == [2, 1]

    def test_may_be_in_the_encoding_that_it_names(self) -> None:
        text = document(town("a", "<names><name>Ærø</name></names>")).decode().replace("?>", ' encoding="iso-8859-1"?>')
        assert decode(text.encode("iso-8859-1")).rows["name"].to_pylist() == ["Ærø"]

    def test_has_records_within_records_as_parts_of_them(self) -> None:
        assert decode(document(town("a", town("b")))).rows["id"].to_pylist() == ["a"]

    @pytest.mark.parametrize("data", [b"", b"towns", document(town("a"))[:-4], document(town("a")) + b"<more/>"])
    def test_that_is_not_whole_is_refused(self, data: bytes) -> None:
        with pytest.raises(DeliveryUnreadable, match="whole XML"):
            decode(data)

    @pytest.mark.parametrize(
        "doctype",
        [
            "<!DOCTYPE r>",
            '<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
            '<!DOCTYPE r SYSTEM "http://example.invalid/r.dtd">',
            '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        ],
    )
    @pytest.mark.parametrize("towns", ["", town("a", "<people>7</people>")])
    def test_with_a_document_type_is_refused(self, doctype: str, towns: str) -> None:
        with pytest.raises(DeliveryUnreadable, match="document type"):
            decode(document(towns).replace(b"?>\n", f"?>{doctype}".encode()))


class TestARecordIsHeldBack:
    @pytest.mark.parametrize(
        ("record", "rule"),
        [
            (town("x", "<people>many</people>"), "wrong_type"),
            (town("x", "<people>1e3</people>"), "wrong_type"),
            (town("x", "<people>7</people><people>8</people>"), "several"),
            (town("x", "<sea harbour='yes'/>"), "wrong_type"),
            (town("x", "<founded>2026-02-29</founded>"), "wrong_type"),
            (town("x", "<people><total>7</total></people>"), "wrong_type"),
            ("<town/>", "required"),
        ],
    )
    def test_with_its_number_and_comes_again_as_it_was(self, record: str, rule: str) -> None:
        held = decode(document(town("a"), record, town("z"))).quarantine
        assert held.select("line", "rule").rows() == [(2, rule)]
        again = decode(SPEC.decoder(TOWNS).again("", held["text"].to_list())).quarantine
        assert again.select("rule", "text").equals(held.select("rule", "text"))


class TestASource:
    @pytest.mark.parametrize(
        ("mapping", "refused"),
        [
            ({"id": "//town"}, SourceInvalid),
            ({"id": "town[1]"}, SourceInvalid),
            ({"id": ""}, SourceInvalid),
            ({"id": "other:id"}, SourceInvalid),
            ({"mayor": "mayor"}, SourceMisfit),
            ({"seal": "seal"}, SourceMisfit),
        ],
    )
    def test_that_cannot_be_used_is_refused(self, mapping: dict[str, str], refused: type[Exception]) -> None:
        with pytest.raises(refused):
            XmlSpec(record="town", mapping=mapping).decoder(TOWNS)


words = st.text(st.characters(categories=("L", "N", "P", "Zs")), max_size=4)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c", ""]), words, st.sampled_from(["", "7", "x"])), max_size=8))
def test_every_record_is_a_row_or_held_back(towns: list[tuple[str, str, str]]) -> None:
    told = [
        f"<town id={quoteattr(key)}><names><name>{escape(name)}</name></names><people>{people}</people></town>"
        for key, name, people in towns
    ]
    decoded = decode(document(*told))
    assert decoded.lines_in == len(towns)
    whole = [(key, name.strip() or None) for key, name, people in towns if key and people != "x"]
    alone = sorted(pair for pair in whole if [key for key, _ in whole].count(pair[0]) == 1)
    assert [(row["id"], row["name"]) for row in decoded.rows.to_pylist()] == alone
