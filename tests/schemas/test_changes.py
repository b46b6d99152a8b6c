"""What a change of a contract means: one case per rule of the table, and what the version has to say about it."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from schemas import Contract, Grade, compare, grade_of, load_registers, version_fault
from schemas.changes import _OF_A_COLUMN, _OF_A_DATASET
from tests.schemas.builders import PROTECTIONS, RULE, a_contract, custom, write

COMPATIBLE, ADDITIVE, BREAKING = Grade.COMPATIBLE, Grade.ADDITIVE, Grade.BREAKING
TEXT: dict[str, Any] = {"name": "extra", "logicalType": "string"}
NUMBER: dict[str, Any] = {"name": "extra", "logicalType": "integer"}
WIDER: dict[str, Any] = {"name": "extra", "logicalType": "number"}


def read(folder: Path, document: dict[str, Any]) -> Contract:
    return load_registers(write(folder / "ships", contract=document)).contracts[0]


def changes(tmp_path: Path, old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, str, Grade]]:
    found = compare(read(tmp_path / "old", old), read(tmp_path / "new", new))
    return [(change.what, change.place, change.grade) for change in found]


def options(**values: Any) -> dict[str, Any]:
    return {"logicalTypeOptions": values}


COLUMN_CASES: list[tuple[str, Grade, dict[str, Any], dict[str, Any]]] = [
    ("type_widened", ADDITIVE, NUMBER, NUMBER | {"logicalType": "number"}),
    ("type_widened", ADDITIVE, NUMBER | {"logicalType": "date"}, NUMBER | {"logicalType": "timestamp"}),
    ("type_changed", BREAKING, NUMBER, TEXT),
    ("type_changed", BREAKING, NUMBER | {"logicalType": "number"}, NUMBER),
    ("classification_changed", BREAKING, TEXT, TEXT | {"classification": "personal"}),
    ("classification_changed", BREAKING, TEXT | {"classification": "personal"}, TEXT),
    ("required_dropped", BREAKING, TEXT | {"required": True}, TEXT),
    ("required_added", COMPATIBLE, TEXT, TEXT | {"required": True}),
    ("unique_dropped", BREAKING, TEXT | {"unique": True}, TEXT),
    ("unique_added", COMPATIBLE, TEXT, TEXT | {"unique": True}),
    ("pattern_added", COMPATIBLE, TEXT, TEXT | options(pattern="a")),
    ("pattern_changed", ADDITIVE, TEXT | options(pattern="a"), TEXT | options(pattern="b")),
    ("pattern_changed", ADDITIVE, TEXT | options(pattern="a"), TEXT),
    ("bounds_narrowed", COMPATIBLE, NUMBER | options(minimum=1), NUMBER | options(minimum=2)),
    ("bounds_narrowed", COMPATIBLE, NUMBER, NUMBER | options(maximum=2)),
    ("bounds_widened", ADDITIVE, NUMBER | options(minimum=1), NUMBER),
    ("values_removed", COMPATIBLE, TEXT, TEXT | {"enum": [{"value": "a"}]}),
    ("values_added", ADDITIVE, TEXT | {"enum": [{"value": "a"}]}, TEXT | {"enum": [{"value": "a"}, {"value": "b"}]}),
    ("derivation_changed", ADDITIVE, TEXT, TEXT | {"transformLogic": "upper(imo)"}),
    ("secondary_key_added", ADDITIVE, TEXT, TEXT | {"customProperties": custom(secondaryKey=True)}),
    ("secondary_key_dropped", BREAKING, TEXT | {"customProperties": custom(secondaryKey=True)}, TEXT),
    ("words_changed", COMPATIBLE, TEXT, TEXT | {"description": "More"}),
]


class TestAColumn:
    @pytest.mark.parametrize(("what", "grade", "old", "new"), COLUMN_CASES)
    def test_that_changed(
        self, tmp_path: Path, what: str, grade: Grade, old: dict[str, Any], new: dict[str, Any]
    ) -> None:
        assert changes(tmp_path, a_contract(old), a_contract(new)) == [(what, "ships.extra", grade)]

    def test_is_tested_in_each_way_that_the_table_has(self) -> None:
        assert {what for what, *_ in COLUMN_CASES} == {what for what, *_ in _OF_A_COLUMN}

    def test_that_is_new_adds_unless_it_must_be_there(self, tmp_path: Path) -> None:
        assert changes(tmp_path, a_contract(), a_contract(TEXT)) == [("column_added", "ships.extra", ADDITIVE)]
        assert changes(tmp_path, a_contract(), a_contract(TEXT | {"required": True})) == [
            ("required_column_added", "ships.extra", BREAKING)
        ]
        derived = TEXT | {"required": True, "transformLogic": "upper(imo)"}
        assert changes(tmp_path, a_contract(), a_contract(derived)) == [("column_added", "ships.extra", ADDITIVE)]

    def test_that_went_breaks(self, tmp_path: Path) -> None:
        assert changes(tmp_path, a_contract(TEXT), a_contract()) == [("column_dropped", "ships.extra", BREAKING)]

    def test_may_get_another_name(self, tmp_path: Path) -> None:
        new = TEXT | {"name": "other", "customProperties": custom(previousName="extra"), "description": "More"}
        assert changes(tmp_path, a_contract(TEXT), a_contract(new)) == [
            ("column_renamed", "ships.other", BREAKING), ("words_changed", "ships.other", COMPATIBLE),
        ]  # fmt: skip
        assert changes(tmp_path, a_contract(new), a_contract(new)) == []

    def test_is_compared_within(self, tmp_path: Path) -> None:
        def calls(*fields: dict[str, Any]) -> dict[str, Any]:
            items = {"logicalType": "object", "properties": list(fields)}
            return a_contract({"name": "calls", "logicalType": "array", "items": items})

        old = calls(TEXT, {"name": "gone", "logicalType": "string"})
        new = calls(TEXT | {"required": True}, {"name": "new", "logicalType": "string"})
        assert changes(tmp_path, old, new) == [
            ("required_added", "ships.calls.[].extra", COMPATIBLE),
            ("column_added", "ships.calls.[].new", ADDITIVE),
            ("column_dropped", "ships.calls.[].gone", BREAKING),
        ]


class TestADataset:
    def test_that_changed(self, tmp_path: Path) -> None:
        found = set()
        keyless = deepcopy(a_contract(TEXT))
        keyless["schema"][0]["properties"][0].pop("primaryKey")
        keyless["schema"][0]["properties"][2]["primaryKey"] = True
        found |= {what for what, *_ in changes(tmp_path / "key", a_contract(TEXT), keyless)}
        protected = {"classification": "protected", **TEXT}
        other = RULE | {"types": ["0002"]}
        plain = a_contract(PROTECTIONS, protected, customProperties=custom(protection=RULE))
        changed = a_contract(PROTECTIONS, protected, customProperties=custom(protection=other))
        assert changes(tmp_path / "protection", plain, changed) == [("protection_changed", "ships", BREAKING)]
        fresh = a_contract(customProperties=custom(freshnessTargetSeconds=60))
        assert changes(tmp_path / "fresh", a_contract(), fresh) == [("freshness_changed", "ships", COMPATIBLE)]
        said = a_contract(description="More")
        assert changes(tmp_path / "words", a_contract(), said) == [("words_changed", "ships", COMPATIBLE)]
        lines = a_contract(customProperties=custom(recordLayout="cpr"))
        assert changes(tmp_path / "lines", a_contract(), lines) == [("record_layout_added", "ships", ADDITIVE)]
        assert changes(tmp_path / "no-lines", lines, a_contract()) == [("record_layout_dropped", "ships", BREAKING)]
        found |= {"protection_changed", "freshness_changed", "words_changed"}
        found |= {"record_layout_added", "record_layout_dropped"}
        assert {what for what, *_ in _OF_A_DATASET} <= found

    def test_that_came_or_went(self, tmp_path: Path) -> None:
        two = a_contract()
        two["schema"].append(deepcopy(two["schema"][0]) | {"name": "boats"})
        assert changes(tmp_path, a_contract(), two) == [("dataset_added", "boats", ADDITIVE)]
        assert changes(tmp_path, two, a_contract()) == [("dataset_dropped", "boats", BREAKING)]

    def test_got_or_lost_a_rule(self, tmp_path: Path) -> None:
        ruled = a_contract(quality=[{"metric": "rowCount", "mustBeGreaterThan": 5}])
        assert changes(tmp_path, a_contract(), ruled) == [("rule_added", "ships", COMPATIBLE)]
        assert changes(tmp_path, ruled, a_contract()) == [("rule_dropped", "ships", ADDITIVE)]

    def test_that_is_as_it_was_has_not_changed(self, tmp_path: Path) -> None:
        assert changes(tmp_path, a_contract(TEXT), a_contract(TEXT)) == []
        renamed = a_contract() | {"name": "Vessels"}
        assert changes(tmp_path, a_contract(), renamed) == [("words_changed", "contract", COMPATIBLE)]


@pytest.mark.parametrize(
    ("old", "new", "to", "fault"),
    [
        (TEXT, TEXT, "1.0.0", None),
        (TEXT, TEXT | {"description": "More"}, "1.0.0", "something changed: raise the version, 1.0.1"),
        (TEXT, TEXT | {"description": "More"}, "1.0.1", None),
        (NUMBER, WIDER, "1.0.1", "the change adds something: raise the minor version, 1.1.0"),
        (NUMBER, WIDER, "1.1.0", None),
        (NUMBER, TEXT, "1.7.0", "the change is breaking: raise the major version, 2.0.0"),
        (NUMBER, TEXT, "2.0.0", None),
        (TEXT, TEXT | {"description": "More"}, "0.9.0", "the version went back from 1.0.0 to 0.9.0"),
    ],
)  # fmt: skip
def test_the_version_follows_the_change(
    tmp_path: Path, old: dict[str, Any], new: dict[str, Any], to: str, fault: str | None
) -> None:
    found = compare(read(tmp_path / "old", a_contract(old)), read(tmp_path / "new", a_contract(new)))
    assert version_fault(found, "1.0.0", to) == fault


def test_the_gravest_change_decides(tmp_path: Path) -> None:
    both = compare(
        read(tmp_path / "old", a_contract(NUMBER)), read(tmp_path / "new", a_contract(TEXT | {"description": "x"}))
    )
    assert grade_of(both) is BREAKING
    assert grade_of(()) is None
