"""What contracts say of each other's datasets: seen only when all of them are read."""

from collections.abc import Collection, Iterator, Mapping

from kernel import DatasetId
from schemas.column import Classification, Column, Kind
from schemas.contract import Contract
from schemas.dataset import Dataset
from schemas.derivation import FromDataset
from schemas.document import Document
from schemas.finding import Finding
from schemas.rule import ForeignKey, Rule

_STRICTNESS = tuple(Classification)


def review_references(
    contracts: Collection[Contract], documents: Mapping[str, Document], unsure: Collection[str]
) -> Iterator[Finding]:
    """Keys and code lists that lead nowhere.

    documents   of the contracts, by register
    unsure      registers whose contract has errors: what they promise is not known
    """
    datasets = {dataset.id: dataset for contract in contracts for dataset in contract.datasets}
    for contract in contracts:
        document = documents[contract.register]
        for number, dataset in enumerate(contract.datasets):
            for rule in dataset.rules:
                if isinstance(rule.test, ForeignKey) and _register(rule.test.dataset) not in unsure:
                    yield from _review_key(document, dataset, rule, rule.test, datasets)
            for place, column in enumerate(dataset.columns):
                if isinstance(column.derived, FromDataset) and _register(column.derived.dataset) not in unsure:
                    where = f"schema[{number}].properties[{place}].customProperties"
                    yield from _review_list(document, column, column.derived, where, datasets)


def leaf(dataset: Dataset, path: tuple[str, ...]) -> Column:
    """The column or field at the end of a path; arrays on the way are walked through. Raises KeyError."""
    found = dataset.column(path[0])
    for name in path[1:]:
        inside = found.item if found.item is not None else found
        found = {field.name: field for field in inside.fields}[name]
    return found if found.item is None else found.item


def _review_key(
    document: Document, dataset: Dataset, rule: Rule, test: ForeignKey, datasets: Mapping[DatasetId, Dataset]
) -> Iterator[Finding]:
    target = datasets.get(test.dataset)
    if target is None:
        yield document.finding(f"{rule.where}.to", f"no contract promises {test.dataset!r}", _among(datasets))
        return
    if test.column not in target.names:
        yield document.finding(
            f"{rule.where}.to", f"{test.dataset} has no column {test.column!r}", f"use one of {', '.join(target.names)}"
        )
        return
    here, there = leaf(dataset, test.path).kind, target.column(test.column).kind
    if here is not there:
        yield document.finding(
            rule.where, f"is {here}, and {test.dataset}.{test.column} is {there}", "give both the same logicalType"
        )


def _review_list(
    document: Document, column: Column, derived: FromDataset, where: str, datasets: Mapping[DatasetId, Dataset]
) -> Iterator[Finding]:
    target = datasets.get(derived.dataset)
    if target is None:
        yield document.finding(where, f"no contract promises {derived.dataset!r}", _among(datasets))
    elif wrong := [name for name in (derived.code, derived.text) if not _is_text(target, name)]:
        yield document.finding(
            where, f"{derived.dataset} has no text column {wrong[0]!r}", f"use one of {', '.join(target.names)}"
        )
    elif _STRICTNESS.index(target.column(derived.text).classification) > _STRICTNESS.index(column.classification):
        grade = target.column(derived.text).classification
        yield document.finding(where, f"tells of {derived.text}, which is {grade}", f"classify the column as {grade}")


def _is_text(dataset: Dataset, name: str) -> bool:
    return name in dataset.names and dataset.column(name).kind is Kind.TEXT


def _among(datasets: Collection[DatasetId]) -> str:
    return f"name one of {', '.join(sorted(datasets))}" if datasets else "add the contract that promises it"


def _register(dataset: DatasetId) -> str:
    return dataset.partition(".")[0]
