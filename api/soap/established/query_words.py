"""The query language of CPRQueryService: the part of Lucene's that its clients use, read into a tree. Pure.

    Egon AND Olsen      efternavn:Prøve*      foedselsdato:["1900-01-01" TO "2004-06-30"]      NOT status:03
    (by:Aalborg OR by:Odense) -fornavn:Anna      "Anna Ærø"      efternavn^20.0      *:*

Words side by side are joined by OR, as there; `-` and NOT take away. What stands after `^` weighs, and here nothing is
weighed. A backslash takes the next character as it is.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 10_000
MOST_TERMS: Final = 200
DEEPEST: Final = 20

_TOKEN: Final = re.compile(
    r'(?P<space>\s+)|(?P<phrase>"(?:\\.|[^"\\])*")|(?P<mark>&&|\|\||[()\[\]{}:!])|(?P<boost>\^[0-9.]+)'
    r'|(?P<sign>[+-](?=\S))|(?P<word>(?:\\.|[^\s()\[\]{}:"^\\])+)'
)
_JOINS: Final = {"AND": "AND", "&&": "AND", "OR": "OR", "||": "OR"}


class QueryUnreadable(ValueError):
    """With what is wrong, in words that do not repeat the query."""


@dataclass(frozen=True, slots=True)
class Term:
    """field    None for free text
    text     with `*` and `?` as wildcards, other than in a phrase
    """

    field: str | None
    text: str
    phrase: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A range; None is open. `inclusive` of its lower and of its upper end."""

    field: str
    lower: str | None
    upper: str | None
    inclusive: tuple[bool, bool]


@dataclass(frozen=True, slots=True)
class Everything:
    pass


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple["Query", ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple["Query", ...]


@dataclass(frozen=True, slots=True)
class Without:
    part: "Query"


Query = Term | Span | Everything | And | Or | Without


def read_query(text: str) -> Query:
    """Raises QueryUnreadable."""
    if len(text) > LONGEST:
        raise QueryUnreadable(f"the query has more than {LONGEST:,} characters")
    tokens = list(_tokens(text))
    if len(tokens) > MOST_TERMS * 4:
        raise QueryUnreadable(f"the query has more than {MOST_TERMS} terms")
    reader = _Reader(tokens)
    found = reader.alternatives(None, 0)
    if reader.at < len(tokens):
        raise QueryUnreadable(f"the query cannot be read from its {reader.at + 1}th word on")
    return found


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise QueryUnreadable(f"the query cannot be read at character {at + 1}")
        at = found.end()
        kind = found.lastgroup or ""
        if kind not in {"space", "boost"}:
            yield kind, found[0]


@dataclass(slots=True)
class _Reader:
    tokens: list[tuple[str, str]]
    at: int = 0

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self) -> tuple[str, str]:
        found = self.peek()
        self.at += 1
        return found

    def expect(self, mark: str) -> None:
        if self.take()[1] != mark:
            raise QueryUnreadable(f"a {mark} is missing in the query")

    def alternatives(self, field: str | None, depth: int) -> Query:
        """Clauses joined by OR, said or not; those that take away hold for all of them."""
        if depth > DEEPEST:
            raise QueryUnreadable(f"brackets lie more than {DEEPEST} deep in the query")
        wanted: list[Query] = []
        unwanted: list[Query] = []
        while True:
            clause = self.together(field, depth)
            parts = clause.parts if isinstance(clause, And) else (clause,)
            if all(isinstance(part, Without) for part in parts):
                unwanted += parts
            else:
                wanted.append(clause)
            kind, text = self.peek()
            if kind == "end" or text in {")", "]", "}"}:
                break
            if _JOINS.get(text) == "OR":
                self.take()
        found: Query = Everything() if not wanted else wanted[0] if len(wanted) == 1 else Or(tuple(wanted))
        return And((found, *unwanted)) if unwanted else found

    def together(self, field: str | None, depth: int) -> Query:
        parts = [self.clause(field, depth)]
        while _JOINS.get(self.peek()[1]) == "AND":
            self.take()
            parts.append(self.clause(field, depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def clause(self, field: str | None, depth: int) -> Query:
        kind, text = self.peek()
        if text in {"NOT", "!"} or (kind, text) == ("sign", "-"):
            self.take()
            return Without(self.clause(field, depth + 1) if depth < DEEPEST else self.value(field, depth))
        if (kind, text) == ("sign", "+"):
            self.take()
        return self.value(field, depth)

    def value(self, field: str | None, depth: int) -> Query:
        kind, text = self.take()
        if text == "(":
            found = self.alternatives(field, depth + 1)
            self.expect(")")
            return found
        if text in {"[", "{"} and kind == "mark":
            return self.span(field, inclusive=text == "[")
        if kind == "phrase":
            return Term(field, _plain(text[1:-1]), phrase=True)
        if kind != "word" or text in {*_JOINS, "NOT", "TO"}:
            raise QueryUnreadable(f"a word is missing in the query before its {self.at}th")
        if self.peek()[1] == ":" and field is None:
            self.take()
            if text == "*" and self.peek()[1] == "*":
                self.take()
                return Everything()
            return self.value(text, depth)
        return Everything() if text == "*" and field is None else Term(field, text)

    def span(self, field: str | None, *, inclusive: bool) -> Query:
        if field is None:
            raise QueryUnreadable("a range stands in the query without a field")
        lower = self.bound()
        if self.take()[1] != "TO":
            raise QueryUnreadable("a range in the query has no TO")
        upper = self.bound()
        end = self.take()[1]
        if end not in {"]", "}"}:
            raise QueryUnreadable("a range in the query does not end")
        return Span(field, lower, upper, (inclusive, end == "]"))

    def bound(self) -> str | None:
        kind, text = self.take()
        if kind == "phrase":
            return _plain(text[1:-1])
        if kind != "word":
            raise QueryUnreadable("a range in the query has no bound")
        return None if text == "*" else _plain(text)


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
