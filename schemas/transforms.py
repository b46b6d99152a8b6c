"""Derived columns of a contract, read: `transformLogic`, or the custom property `codeList`.

    transformLogic: "CASE WHEN status IN ('70', '80', '90') THEN 'gone' ELSE 'here' END"

    customProperties:
      - {property: codeList, value: {column: status, file: statuses.csv}}
      - property: codeList
        value: {column: municipality_code, dataset: municipality.municipalities, code: code, text: name}

A file lies beside the contract: CSV with the header `code,text`, or YAML with `code: text` lines.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from open_data_contract_standard.model import SchemaProperty

from kernel import DatasetId
from schemas.column import Classification, Column, Kind
from schemas.derivation import Computed, Derivation, FromDataset, FromList
from schemas.document import Review, read_document
from schemas.expression import NAMES, ExpressionRefused

CODE_LIST: Final = "codeList"
_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\.(csv|yaml)")
_DATASET: Final = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_STRICTNESS: Final = tuple(Classification)


def read_derivations(
    review: Review, properties: Sequence[SchemaProperty], columns: tuple[Column, ...], where: str
) -> tuple[Column, ...]:
    """The columns, those that are derived with how.

    A derived column may read what is delivered, and derived columns that stand before it.
    """
    readable = {column.name: column for prop, column in zip(properties, columns, strict=True) if not _is_derived(prop)}
    made: list[Column] = []
    for number, (prop, column) in enumerate(zip(properties, columns, strict=True)):
        place, derived = f"{where}[{number}]", None
        if _is_derived(prop):
            derived = _derivation(review, prop, column, readable, place)
            readable[column.name] = column
        if derived is not None:
            _review_column(review, prop, column, [readable[name] for name in reads(derived)], place)
        made.append(replace(column, derived=derived))
    return tuple(made)


def reads(derived: Derivation) -> frozenset[str]:
    """The columns that a derived column is worked out from."""
    return derived.expression.columns if isinstance(derived, Computed) else frozenset({derived.column})


def _is_derived(prop: SchemaProperty) -> bool:
    return prop.transformLogic is not None or _code_list(prop) is not None


def _code_list(prop: SchemaProperty) -> int | None:
    named = (number for number, each in enumerate(prop.customProperties or []) if each.property == CODE_LIST)
    return next(named, None)


def _derivation(
    review: Review, prop: SchemaProperty, column: Column, readable: Mapping[str, Column], where: str
) -> Derivation | None:
    listed = _code_list(prop)
    if listed is None:
        return _computed(review, prop.transformLogic or "", column, readable, f"{where}.transformLogic")
    if prop.transformLogic is not None:
        review.error(f"{where}.transformLogic", "stands beside a code list", "keep one of them")
        return None
    value = (prop.customProperties or [])[listed].value
    return _looked_up(review, value, column, readable, f"{where}.customProperties[{listed}].value")


def _computed(review: Review, text: str, column: Column, readable: Mapping[str, Column], where: str) -> Computed | None:
    # Late, as for rules: few contracts have SQL.
    from schemas.grammar import read_expression

    try:
        expression, kind = read_expression(text, readable.values())
    except ExpressionRefused as refused:
        review.error(
            where, str(refused),
            f"use one expression over the dataset's columns, made of {NAMES}; words belong in transformDescription",
        )  # fmt: skip
        return None
    if kind is not column.kind and (kind, column.kind) != (Kind.INTEGER, Kind.NUMBER):
        review.error(where, f"gives {kind}, and the column is {column.kind}", "cast it, or mend the logicalType")
        return None
    return Computed(expression=expression)


def _looked_up(
    review: Review, value: Any, column: Column, readable: Mapping[str, Column], where: str
) -> FromList | FromDataset | None:
    forms = ({"column", "file"}, {"column", "dataset", "code", "text"})
    if (
        not isinstance(value, dict)
        or set(value) not in forms
        or not all(isinstance(part, str) for part in value.values())
    ):
        review.error(where, "is not a code list", "give column and file, or column, dataset, code and text")
        return None
    source = readable.get(value["column"])
    if source is None or source.kind is not Kind.TEXT:
        review.error(
            f"{where}.column", "is not a text column that is delivered or derived above", "name the column of the codes"
        )
        return None
    if column.kind is not Kind.TEXT:
        review.error(where, f"gives texts, and the column is {column.kind}", "make its logicalType string")
        return None
    if "dataset" in value:
        if not _DATASET.fullmatch(value["dataset"]):
            review.error(f"{where}.dataset", "is not a dataset", "write <register>.<dataset>")
            return None
        return FromDataset(
            column=source.name, dataset=DatasetId(value["dataset"]), code=value["code"], text=value["text"]
        )
    entries = _entries(review, value["file"], f"{where}.file")
    return None if entries is None else FromList(column=source.name, file=value["file"], entries=entries)


def _entries(review: Review, name: str, where: str) -> tuple[tuple[str, str], ...] | None:
    """The entries of a file beside the contract, by code."""
    if not _FILE.fullmatch(name):
        review.error(where, "is not a file beside the contract", "name a .csv or .yaml file without a folder")
        return None
    path = review.document.path.parent / name
    read = _csv_entries if path.suffix == ".csv" else _yaml_entries
    try:
        entries = read(path)
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        what = (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__
        review.error(where, f"{name} cannot be used: {what}", "write CSV with the header code,text, or YAML")
        return None
    codes = [code for code, _ in entries]
    if twice := sorted({code for code in codes if codes.count(code) > 1}):
        review.error(where, f"{name} has the code {twice[0]!r} twice", "remove one of them")
        return None
    return tuple(sorted(entries))


def _csv_entries(path: Path) -> list[tuple[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file, strict=True)
    if header != ["code", "text"] or any(len(row) != 2 for row in rows):
        raise ValueError("not two columns with the header code,text")
    return [(code, text) for code, text in rows]


def _yaml_entries(path: Path) -> list[tuple[str, str]]:
    document, findings = read_document(path)
    if document is None or findings:
        raise ValueError(f"line {findings[0].line}: {findings[0].problem}")
    if not all(isinstance(part, str) for entry in document.value.items() for part in entry):
        raise ValueError("holds a code or text that is not text; put codes in quotation marks")
    return list(document.value.items())


def _review_column(review: Review, prop: SchemaProperty, column: Column, read: Sequence[Column], where: str) -> None:
    if prop.primaryKey:
        review.error(f"{where}.primaryKey", "a key is delivered, not derived", "choose another key")
    for source in read:
        if _STRICTNESS.index(source.classification) > _STRICTNESS.index(column.classification):
            review.error(
                f"{where}.classification",
                f"is {column.classification}, and {source.name}, which it tells of, is {source.classification}",
                f"classify it as {source.classification}",
            )
