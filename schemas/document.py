"""A YAML document with the line of every value, so that a fault can be pointed at.

Only plain YAML is read: no tags, no aliases into themselves, no key twice in one mapping.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from schemas.finding import Finding

_LONGEST = 2_000_000
_MOST_VALUES = 100_000


@dataclass(frozen=True, slots=True)
class Document:
    """value   what the file says, as Python values
    lines   1-based line of each value by its path, for instance `schema[0].name`
    """

    path: Path
    value: dict[str, Any]
    lines: dict[str, int] = field(repr=False)

    def line(self, where: str) -> int:
        """The line of `where`, or of the nearest thing around it."""
        while where:
            if where in self.lines:
                return self.lines[where]
            where = where.rpartition("[" if where.endswith("]") else ".")[0]
        return 1

    def finding(self, where: str, problem: str, remedy: str) -> Finding:
        return Finding(path=self.path, line=self.line(where), where=where, problem=problem, remedy=remedy)


def read_document(path: Path) -> tuple[Document | None, list[Finding]]:
    """The document, or None and what is wrong. Never raises for what a file may hold."""

    def fault(line: int, problem: str, remedy: str) -> tuple[None, list[Finding]]:
        return None, [Finding(path=path, line=line, where="document", problem=problem, remedy=remedy)]

    try:
        raw = path.read_bytes()
        if len(raw) > _LONGEST:
            return fault(0, "the file is larger than 2 MB", "a contract is text that people write; split it")
        text = raw.decode("utf-8")
    except OSError as error:
        return fault(0, f"cannot be read: {error.strerror}", "check the file and its permissions")
    except UnicodeDecodeError as error:
        return fault(raw[: error.start].count(b"\n") + 1, "is not UTF-8", "save the file with the encoding UTF-8")
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return fault(1, "the file is empty", "write the document, or remove the file")
            lines: dict[str, int] = {}
            twice = _walk(node, "", lines, depth=0)
            value = loader.construct_document(node)
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error)
        return fault(mark.line + 1 if mark else 1, f"is not YAML: {what}", "mend the line")
    if not isinstance(value, dict):
        return fault(1, "is not a mapping of names to values", "begin with `name: value` lines")
    document = Document(path, value, lines)
    return document, [
        Finding(
            path=path,
            line=line,
            where=where,
            problem="stands twice in one mapping",
            remedy="remove one of them",
        )
        for where, line in twice
    ]


def _walk(node: yaml.Node, where: str, lines: dict[str, int], depth: int) -> list[tuple[str, int]]:
    """Note the line of every value below `node`; returns keys that stand twice."""
    if depth > 50:
        raise ValueError("nested deeper than 50 levels")
    # An alias makes one node stand in many places: a small file can hold more values than a machine can visit.
    if len(lines) > _MOST_VALUES:
        raise ValueError(f"holds more than {_MOST_VALUES} values")
    lines.setdefault(where, node.start_mark.line + 1)
    twice: list[tuple[str, int]] = []
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, child in node.value:
            name = str(key.value)
            path = f"{where}.{name}" if where else name
            if name in seen:
                twice.append((path, key.start_mark.line + 1))
            seen.add(name)
            lines[path] = key.start_mark.line + 1
            twice += _walk(child, path, lines, depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        for number, child in enumerate(node.value):
            twice += _walk(child, f"{where}[{number}]", lines, depth + 1)
    return twice
