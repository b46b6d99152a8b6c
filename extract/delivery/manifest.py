"""What a file holds, so that a receiver can see that it is whole."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from extract.plan import ExtractPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """plan      SHA-256 of the extract's plan: the file's identity
    sha256    of the file's bytes, lower-case hex
    created   when the file was finished
    """

    plan: str
    file: str
    service: str
    dataset: str
    snapshot: int
    format: str
    columns: tuple[str, ...]
    schema_hash: str
    contract_version: str
    rows: int
    size_bytes: int
    sha256: str
    created: datetime

    @classmethod
    def of(cls, plan: ExtractPlan, *, rows: int, size_bytes: int, sha256: str, created: datetime) -> Self:
        return cls(
            plan=plan.id,
            file=plan.file_name,
            service=plan.service,
            dataset=plan.dataset,
            snapshot=plan.snapshot,
            format=plan.format.value,
            columns=plan.columns,
            schema_hash=plan.schema_hash,
            contract_version=plan.contract_version,
            rows=rows,
            size_bytes=size_bytes,
            sha256=sha256,
            created=created,
        )

    def to_json(self) -> bytes:
        data = asdict(self) | {"created": self.created.isoformat()}
        data["bytes"] = data.pop("size_bytes")
        return (json.dumps(data, indent=2) + "\n").encode()

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        data: dict[str, Any] = json.loads(text)
        data["size_bytes"] = data.pop("bytes")
        data["columns"] = tuple(data["columns"])
        data["created"] = datetime.fromisoformat(data["created"])
        return cls(**data)
