"""Register folders to be written by tests: whole ones, and ones that differ in what a test is about."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from schemas import Finding, Severity, check_registers

UUID = "6b0f4f43-8c3e-4f3a-9d8d-0e6d9f0c7a52"
OTHER_UUID = "1c9a6c0e-52b5-4a51-8f0e-1b7d3c2e4f60"

_CONTRACT: dict[str, Any] = {
    "apiVersion": "v3.1.0",
    "kind": "DataContract",
    "id": "ships-contract",
    "name": "Ships",
    "version": "1.0.0",
    "status": "active",
    "schema": [
        {
            "name": "ships",
            "logicalType": "object",
            "properties": [
                {"name": "imo", "logicalType": "string", "primaryKey": True},
                {"name": "tonnage", "logicalType": "integer"},
            ],
        }
    ],
}

_SERVICE: dict[str, Any] = {
    "name": "ships",
    "uuid": UUID,
    "version": "1.0.0",
    "title": {"da": "Skibe", "en": "Ships"},
    "description": {"da": "Slå et skib op.", "en": "Look a ship up."},
    "status": "production",
    "service_type": "lookup",
    "integration_type": "replica",
    "dataset": "ships.ships",
    "sla_class": "simple",
}

PROTECTIONS: dict[str, Any] = {
    "name": "protections",
    "logicalType": "array",
    "items": {
        "logicalType": "object",
        "properties": [
            {"name": "type", "logicalType": "string"},
            {"name": "from_date", "logicalType": "date"},
            {"name": "to_date", "logicalType": "date"},
        ],
    },
}
RULE: dict[str, Any] = {
    "list": "protections",
    "type": "type",
    "types": ["0001"],
    "from": "from_date",
    "to": "to_date",
}


def a_contract(*more: dict[str, Any], key: dict[str, Any] | None = None, **dataset: Any) -> dict[str, Any]:
    """The contract of ships. `more` properties; `key` and `dataset` change what is there already."""
    made = deepcopy(_CONTRACT)
    made["schema"][0]["properties"][0].update(key or {})
    made["schema"][0]["properties"] += more
    made["schema"][0].update(dataset)
    return made


def a_service(**changes: Any) -> dict[str, Any]:
    """The lookup of ships. A change to None takes the field away."""
    return {name: value for name, value in {**deepcopy(_SERVICE), **changes}.items() if value is not None}


def custom(**properties: Any) -> list[dict[str, Any]]:
    return [{"property": name, "value": value} for name, value in properties.items()]


def write(
    folder: Path, *, contract: dict[str, Any] | str | None = None, services: tuple[dict[str, Any], ...] = ()
) -> Path:
    """The folder as a register, with a contract (of ships by default) and services."""
    folder.mkdir(parents=True, exist_ok=True)
    text = contract if isinstance(contract, str) else dump(a_contract() if contract is None else contract)
    (folder / f"{folder.name}.odcs.yaml").write_text(text, encoding="utf-8")
    for service in services:
        (folder / f"{service['name']}.service.yaml").write_text(dump(service), encoding="utf-8")
    return folder


def dump(document: dict[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def errors(*folders: Path) -> list[Finding]:
    return [finding for finding in check_registers(*folders) if finding.severity is Severity.ERROR]


def warnings(*folders: Path) -> list[Finding]:
    return [finding for finding in check_registers(*folders) if finding.severity is Severity.WARNING]
