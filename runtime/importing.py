"""A register folder made of a contract that was written elsewhere: contract, a service and a source to begin with."""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from kernel import OperatorMistake, new_id
from runtime.checking import check_folders
from runtime.files import write_whole
from schemas import NAME, Finding, ForeignRefused, Severity, Translated, read_contract, read_document, translate

_RULE: Final = re.compile(r"(?P<holder>.*)\.(?P<part>quality|relationships|logicalTypeOptions)(\[(?P<number>\d+)\])?")


class ImportRefused(OperatorMistake):
    """A contract cannot be imported as it is, or not to where it should go."""

    code = "import_refused"
    title = "A contract cannot be imported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """told       what was translated or left out
    to_decide  what somebody has to decide
    findings   what `contract check` says of the folder as it is
    """

    folder: Path
    files: tuple[str, ...]
    told: tuple[str, ...]
    to_decide: tuple[str, ...]
    findings: tuple[Finding, ...]


def import_contract(path: Path, folder: Path) -> Imported:
    """Write a register folder. Raises ImportRefused, and nothing is written."""
    register = folder.resolve().name
    if not NAME.fullmatch(register):
        raise ImportRefused(
            f"{register!r} cannot be a register's name", remedy="use lower-case letters, digits, underscores"
        )
    if folder.exists() and any(folder.iterdir()):
        raise ImportRefused(f"{folder} is not empty", remedy="name a folder that is new")
    document, findings = read_document(path)
    if document is None:
        first = findings[0]
        raise ImportRefused(f"{path}:{first.line}: {first.problem}", remedy=first.remedy)
    try:
        made = translate(document.value, new_id())
    except ForeignRefused as refused:
        raise ImportRefused(
            f"{path}: {refused}", remedy="give a contract of the Open Data Contract Standard 3"
        ) from None
    fit(made, register)
    files = {f"{register}.odcs.yaml": _yaml(made.contract)}
    for dataset in made.contract["schema"]:
        name = _service_name(register, dataset["name"])
        files[f"{name}.service.yaml"] = _yaml(_service(name, register, dataset))
        files[f"{dataset['name']}.source.yaml"] = _yaml(_source(name, register, dataset["name"], made.nested))
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        write_whole(folder / name, text.encode(), 0o644)
    decide = [*made.to_decide, "who may see what: every column is personal unless the contract said public"]
    decide.append("where the data comes from: see the *.source.yaml files")
    return Imported(
        folder=folder, files=tuple(files), told=tuple(made.told), to_decide=tuple(decide),
        findings=tuple(check_folders(folder)),
    )  # fmt: skip


def fit(made: Translated, register: str) -> None:
    """Take out the rules and options that the strict reader does not accept, and tell."""
    while True:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"{register}.odcs.yaml")
            path.write_text(_yaml(made.contract), encoding="utf-8")
            findings = read_contract(path, register)[2]
        found = next(
            ((each, at) for each in findings if each.severity is Severity.ERROR and (at := _RULE.match(each.where))),
            None,
        )
        if found is None:
            return
        finding, at = found
        holder = _at(made.contract, at["holder"])
        made.told.append(f"{finding.where}: left out, since it {finding.problem}")
        if at["number"] is None:
            del holder[at["part"]]
        else:
            del holder[at["part"]][int(at["number"])]


def _at(value: Any, where: str) -> Any:
    for step in re.findall(r"[^.\[\]]+", where):
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


def _service(name: str, register: str, dataset: dict[str, Any]) -> dict[str, Any]:
    title = dataset.get("businessName", dataset["name"])
    said = dataset.get("description", title)
    return {
        "name": name, "uuid": new_id(), "version": "1.0.0", "title": {"da": title, "en": title},
        "description": {"da": said, "en": said}, "status": "under-consideration", "service_type": "lookup",
        "integration_type": "replica", "dataset": f"{register}.{dataset['name']}", "sla_class": "simple",
    }  # fmt: skip


def _source(name: str, register: str, dataset: str, nested: frozenset[str]) -> dict[str, Any]:
    return {
        "name": name, "dataset": f"{register}.{dataset}",
        "connector": {"kind": "folder", "path": f"inbox/{register}/{dataset}"},
        "decoder": {"kind": "json", "per_line": True} if dataset in nested else {"kind": "csv"}, "mode": "full",
    }  # fmt: skip


def _service_name(register: str, dataset: str) -> str:
    words = [register] if dataset == register else [register, dataset]
    return "-".join(part for word in words for part in word.split("_") if part)[:63].strip("-")


def _yaml(value: dict[str, Any]) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110)
