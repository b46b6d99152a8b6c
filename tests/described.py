"""Answers held against what the OpenAPI document says of them."""

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012


@dataclass(frozen=True, slots=True)
class Described:
    """document   an OpenAPI document"""

    document: dict[str, Any]

    def hold(self, method: str, path: str, status: int, kind: str, body: bytes) -> None:
        """Fails when path, method, status, media type or body of an answer are not as the document says."""
        template = self._template(urlsplit(path).path)
        verb = "get" if method == "HEAD" else method.lower()
        operation = self.document["paths"][template][verb]
        answer = operation["responses"].get(str(status))
        assert answer is not None, f"{method} {template} answers {status}, of which nothing is said"
        if "$ref" in answer:
            answer = self.document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
        content = answer.get("content", {})
        media = kind.partition(";")[0].strip()
        if not body:
            return
        assert media in content, f"{method} {template} answers {status} as {media}, of which nothing is said"
        schema = content[media].get("schema")
        if schema is not None and media.endswith("json"):
            check(self.document, schema, json.loads(body))

    def _template(self, path: str) -> str:
        """The most particular path of the document that this one is of."""
        for template in sorted(self.document["paths"], key=lambda each: (each.count("{"), -len(each))):
            pattern = "".join("[^/]+" if each.startswith("{") else re.escape(each)
                              for each in re.split(r"(\{[^}]*\})", template))  # fmt: skip
            if re.fullmatch(pattern, path):
                return str(template)
        raise AssertionError(f"the document has no path for {path}")


def check(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    """Fails with what is wrong. The schema's references lead into the document."""
    registry: Registry[Any] = Registry().with_resource("urn:openapi", DRAFT202012.create_resource(document))
    faults = list(Draft202012Validator(_rebased(schema), registry=registry).iter_errors(value))
    assert not faults, f"{faults[0].json_path}: {faults[0].message}"


def _rebased(schema: Any) -> Any:
    """References lead into the document."""
    if isinstance(schema, dict):
        return {name: f"urn:openapi{inner}" if name == "$ref" else _rebased(inner) for name, inner in schema.items()}
    return [_rebased(inner) for inner in schema] if isinstance(schema, list) else schema
