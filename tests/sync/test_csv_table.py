"""CSV: lines that do not fit the contract are held back with their number."""

import pytest

from schemas import Dataset
from sync import DeliveryUnreadable, SourceMisfit
from sync.sources import CsvDecoder, Decoded
from tests.sync.reading import decoded_by, origin_of

HEAD = "code,name,region,cvr,population"
GOOD = "0101,København,Hovedstaden,64942212,623404"


def decode(text: str | bytes, dataset: Dataset, **settings: str) -> Decoded:
    data = text if isinstance(text, bytes) else text.encode()
    decoder = CsvDecoder(dataset, **settings)
    return decoded_by(decoder, data)


class TestAFile:
    def test_gives_rows_of_the_contracts_types_sorted_by_key(self, municipalities: Dataset) -> None:
        decoded = decode(f"{HEAD}\n0751,Aarhus,Midtjylland,55133018,349977\n{GOOD}\n", municipalities)
        assert decoded.rows.schema == municipalities.arrow
        assert decoded.rows.to_pylist()[0] == {
            "code": "0101",
            "name": "København",
            "region": "Hovedstaden",
            "region_code": None,
            "cvr": "64942212",
            "population": 623404,
        }
        assert origin_of(decoded, "code")["line"].to_list() == [3, 2]

    def test_may_name_its_columns_in_any_order_and_leave_optional_ones_out(self, municipalities: Dataset) -> None:
        decoded = decode("population,name,code\r\n7,Ærø,0492\r\n", municipalities)
        assert decoded.rows.to_pylist() == [
            {"code": "0492", "name": "Ærø", "region": None, "region_code": None, "cvr": None, "population": 7}
        ]

    def test_may_quote_its_values_and_begin_with_a_byte_order_mark(self, municipalities: Dataset) -> None:
        text = '\ufeffcode;name;population\n"0101";"a ""b"";c";1\n'
        assert decode(text, municipalities, delimiter=";").rows["name"].to_pylist() == ['a "b";c']

    @pytest.mark.parametrize(
        ("header", "problem"),
        [
            ("code,name,population,secret", "unknown: secret"),
            ("code,name,population,region_code", "unknown: region_code"),
            ("code,name", "missing: population"),
            ("name,population", "missing: code"),
            ("code,code,name,population", "twice: code"),
        ],
    )
    def test_with_another_header_is_refused(self, header: str, problem: str, municipalities: Dataset) -> None:
        with pytest.raises(DeliveryUnreadable, match=problem):
            decode(f"{header}\n", municipalities)

    def test_in_another_encoding_is_refused(self, municipalities: Dataset) -> None:
        text = f"{HEAD}\n{GOOD}\n".encode("iso-8859-1")
        with pytest.raises(DeliveryUnreadable, match="utf-8"):
            decode(text, municipalities)
        assert decode(text, municipalities, encoding="iso-8859-1").rows["name"].to_pylist() == ["København"]

    @pytest.mark.parametrize("text", ["", "\n \n"])
    def test_of_nothing_is_refused(self, text: str, municipalities: Dataset) -> None:
        with pytest.raises(DeliveryUnreadable, match="empty"):
            decode(text, municipalities)

    def test_cannot_hold_a_nested_dataset(self, persons: Dataset) -> None:
        with pytest.raises(SourceMisfit, match="address"):
            CsvDecoder(persons)


class TestALineIsHeldBack:
    @pytest.mark.parametrize(
        ("line", "rule"),
        [
            ("0147,Frederiksberg,Hovedstaden,11259979", "wrong_columns"),
            ("0147,Frederiksberg,Hovedstaden,11259979,1,2", "wrong_columns"),
            ('0147,"Frederiksberg,Hovedstaden,11259979,1', "wrong_columns"),
            ("0147,Frederiksberg,Hovedstaden,11259979,many", "wrong_type"),
            ("0147,Frederiksberg,Hovedstaden,11259979,1e3", "wrong_type"),
            ("0147,Frederiksberg,Hovedstaden,11259979,99999999999999999999", "wrong_type"),
            (",Frederiksberg,Hovedstaden,11259979,1", "required"),
        ],
    )
    def test_with_its_number_and_reason(self, line: str, rule: str, municipalities: Dataset) -> None:
        last = "0751,Aarhus,Midtjylland,55133018,349977"
        decoded = decode(f"{HEAD}\n{GOOD}\n\n{line}\n{last}\n", municipalities)
        assert [(number, broke, text) for number, broke, _, text in decoded.quarantine.rows()] == [(4, rule, line)]
        assert decoded.rows["code"].to_pylist() == ["0101", "0751"]
        assert decoded.lines_in == decoded.lines_envelope + decoded.origin.height + decoded.quarantine.height
        assert decoded.rows_in == decoded.rows.num_rows + decoded.rows_quarantined

    def test_with_all_others_that_have_its_key(self, municipalities: Dataset) -> None:
        decoded = decode(f"{HEAD}\n{GOOD}\n0751,Aarhus,,,1\n{GOOD}\n", municipalities)
        assert decoded.quarantine["line"].to_list() == [2, 4]
        assert decoded.rows["code"].to_pylist() == ["0751"]
