"""A YAML document with the line of every value, so that a fault can be pointed at.

Only plain YAML is read: no tags of Python, no key twice in one mapping. A date without quotation marks stays the
text that it is, since what a contract or a descriptor holds are texts, numbers and yes or no.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import yaml

from schemas.finding import Finding, Severity

_LARGEST_BYTES: Final = 1_000_000
_MOST_VALUES: Final = 100_000
_DEEPEST: Final = 50


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
            where = where[: max(where.rfind("."), where.rfind("["), 0)]
        return 1

    def finding(self, where: str, problem: str, remedy: str) -> Finding:
        return Finding(path=self.path, line=self.line(where), where=where, problem=problem, remedy=remedy)


@dataclass(frozen=True, slots=True)
class Review:
    """A document being read, and what is found wrong on the way: reading goes on after a fault."""

    document: Document
    findings: list[Finding] = field(default_factory=list)

    def error(self, where: str, problem: str, remedy: str) -> None:
        self.findings.append(self.document.finding(where, problem, remedy))

    def warning(self, where: str, problem: str, remedy: str) -> None:
        made = self.document.finding(where, problem, remedy)
        self.findings.append(replace(made, severity=Severity.WARNING))


def path_of(location: Collection[int | str]) -> str:
    """The path of a location given in steps: ('schema', 0, 'name') is `schema[0].name`."""
    path = ""
    for part in location:
        path = _item(path, part) if isinstance(part, int) else _entry(path, part)
    return path


def did_you_mean(name: str, known: Collection[str]) -> str:
    """A remedy for a name that is not known: the one it resembles, or all when they are few."""
    if near := get_close_matches(name, known, n=1):
        return f"write {near[0]}"
    return f"remove it, or use one of {', '.join(sorted(known))}" if len(known) <= 20 else "remove it"


def read_document(path: Path) -> tuple[Document | None, list[Finding]]:
    """The document, or None and what is wrong. Never raises for what a file may hold."""

    def fault(line: int, problem: str, remedy: str) -> tuple[None, list[Finding]]:
        return None, [Finding(path=path, line=line, where="document", problem=problem, remedy=remedy)]

    try:
        raw = path.read_bytes()
        if len(raw) > _LARGEST_BYTES:
            return fault(0, "the file is larger than 1 MB", "a contract is text that people write; split it")
        text = raw.decode("utf-8-sig")
    except OSError as error:
        return fault(0, f"cannot be read: {error.strerror}", "check the file and its permissions")
    except UnicodeDecodeError as error:
        return fault(raw[: error.start].count(b"\n") + 1, "is not UTF-8", "save the file with the encoding UTF-8")
    outline = _Outline()
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return fault(1, "the file is empty", "write the document, or remove the file")
            outline.walk(node, "", depth=0)
            value = loader.construct_document(node)
        finally:
            loader.dispose()
    # SafeLoader answers a wrong scalar after a tag (`!!int ""`) with whatever Python raised while reading it.
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or (
            str(error) if isinstance(error, ValueError) else type(error).__name__
        )
        return fault(mark.line + 1 if mark else outline.reached, f"is not plain YAML: {what}", "mend the line")
    if not isinstance(value, dict):
        return fault(1, "is not a mapping of names to values", "begin with `name: value` lines")
    review = Review(Document(path, value, outline.lines))
    for where, line in outline.twice:
        review.findings.append(
            Finding(
                path=path, line=line, where=where, problem="stands twice in one mapping", remedy="remove one of them"
            )
        )
    return review.document, review.findings


class _Loader(yaml.CSafeLoader):
    """libyaml's parser: a tenth of the time, and it refuses what is nested too deeply, or is half of a character."""

    yaml_implicit_resolvers = {  # noqa: RUF012  (the parent's own form)
        first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
        for first, found in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


class _Outline:
    """Where everything stands in a document that is not yet made into values."""

    def __init__(self) -> None:
        self.lines: dict[str, int] = {}
        self.twice: list[tuple[str, int]] = []
        self.reached = 1
        self.visited = 0

    def walk(self, node: yaml.Node, where: str, depth: int) -> None:
        """Note the lines of `node` and of all below it. Raises ValueError for what no contract holds."""
        # An alias makes one node stand in many places: a small file can hold more values than a machine can visit.
        self.visited += 1
        if self.visited > _MOST_VALUES:
            raise ValueError(f"holds more than {_MOST_VALUES} values")
        if depth > _DEEPEST:
            raise ValueError(f"nested deeper than {_DEEPEST} levels")
        self.reached = node.start_mark.line + 1
        self.lines.setdefault(where, self.reached)
        if isinstance(node, yaml.MappingNode):
            self.entries(node, where, depth)
        elif isinstance(node, yaml.SequenceNode):
            for number, child in enumerate(node.value):
                self.walk(child, _item(where, number), depth + 1)

    def entries(self, node: yaml.MappingNode, where: str, depth: int) -> None:
        seen: set[str] = set()
        for key, child in node.value:
            self.walk(key, where, depth + 1)
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            path = _entry(where, name)
            # `<<` merges mappings in, and may do so several times.
            if name in seen and name != "<<":
                self.twice.append((path, key.start_mark.line + 1))
            seen.add(name)
            self.lines[path] = key.start_mark.line + 1
            self.walk(child, path, depth + 1)


def _entry(where: str, name: str) -> str:
    shown = name[:80] if name.isprintable() else ascii(name[:80])
    return f"{where}.{shown}" if where else shown


def _item(where: str, number: int) -> str:
    return f"{where}[{number}]"
