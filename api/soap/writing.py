"""Answers as XML, exactly in the order and form that a schema says. Types are turned into functions once.

A value is a mapping from element names to values (`@name` for attributes, `""` for the text of a type with attributes),
a list where an element may repeat. None, or a name that is not there, leaves an optional element out. Texts lose what
XML cannot carry. A value that its simple type does not admit is left out where it may be, and else is AnswerUnfit.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final

from api.soap.errors import AnswerUnfit
from api.soap.names import XSD
from api.soap.notation import Complex, Name, Particle, Schema
from kernel import COPENHAGEN

Render = Callable[[Any], str | None]
"""The text of a value, ready to stand in XML; None when it does not fit."""
Write = Callable[[Any, list[str]], bool]
"""Adds a value's element; False when it does not fit and nothing was added."""

_UNFIT: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPECIAL: Final = re.compile('[&<>"]')
_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_OFFSETS: Final = {timedelta(hours=1): "+01:00", timedelta(hours=2): "+02:00"}


def text(value: Any) -> str:
    """A text as it may stand in an element or attribute."""
    found = str(value)
    clean = found if found.isascii() and found.isprintable() else _UNFIT.sub("\ufffd", found)
    return _SPECIAL.sub(lambda mark: _ESCAPES[mark[0]], clean)


@lru_cache(maxsize=100_000)
def day(value: date) -> str:
    """A date with Copenhagen's zone on that day: clients read it in this very form."""
    return f"{value.isoformat()}{_zone(datetime.combine(value, time(0)))}"


@lru_cache(maxsize=100_000)
def moment(value: datetime) -> str:
    """A moment with milliseconds and Copenhagen's zone. Without a zone, it is Danish wall-clock time."""
    local = value.astimezone(COPENHAGEN).replace(tzinfo=None) if value.tzinfo is not None else value
    return f"{local.isoformat(timespec='milliseconds')}{_zone(local)}"


def utc(value: datetime) -> str:
    """A moment in UTC, to the millisecond."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _zone(local: datetime) -> str:
    offset = local.replace(tzinfo=COPENHAGEN).utcoffset() or timedelta()
    # Before 1894 Denmark had its own time, and some tables of zones have double summer time after the war.
    return _OFFSETS.get(offset, "+01:00" if offset < timedelta(minutes=90) else "+02:00")


def _whole(value: Any) -> str | None:
    try:
        return str(int(value))
    except (TypeError, ValueError):
        return None


def _number(value: Any) -> str | None:
    return str(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _flag(value: Any) -> str | None:
    return "true" if value is True else "false" if value is False else None


_BUILTIN: Final[Mapping[str, Render]] = {
    "string": text, "anyURI": text, "integer": _whole, "int": _whole, "long": _whole, "nonNegativeInteger": _whole,
    "positiveInteger": _whole, "gYear": text, "decimal": _number, "double": _number,
    "boolean": _flag,
    "date": lambda value: day(value) if isinstance(value, date) else None,
    "dateTime": lambda value: moment(value) if isinstance(value, datetime) else None,
}  # fmt: skip


class Writer:
    """Writes elements of a schema and of all that it imports.

    prefixes   by namespace; each must be declared by whoever writes the envelope
    """

    def __init__(self, schema: Schema, prefixes: Mapping[str, str]) -> None:
        self._schemas, self._prefixes = schema.every(), prefixes
        self._made: dict[Name, Write] = {}

    def element(self, name: Name, declared: str) -> Callable[[Any], str]:
        """A function from a value to the text of a declared element of a complex type. Raises AnswerUnfit.

        declared   the namespace declarations that it carries
        """
        write = self._written(name, self._schemas[name.namespace].elements[name.local])
        opened = f"<{self._tag(name)}"

        def written(value: Any) -> str:
            out = [f"{opened}{declared}"]
            if not write(value, out):
                raise AnswerUnfit(f"the element {name.local} cannot be written", remedy="report it with the trace id")
            out[1] = out[1].removeprefix(opened)
            return "".join(out)

        return written

    def _tag(self, name: Name) -> str:
        prefix = self._prefixes[name.namespace]
        return f"{prefix}:{name.local}" if prefix else name.local

    def _written(self, name: Name, kind: Name) -> Write:
        tag, complex_ = self._tag(name), self._complex(kind)
        if complex_ is None:
            return _leaf(tag, self._render(kind))
        content = self._content(kind, complex_)
        attributes = self._attributes(complex_)

        def write(value: Any, out: list[str]) -> bool:
            before = len(out)
            out.append(f"<{tag}{attributes(value)}>" if attributes else f"<{tag}>")
            if not content(value, out):
                del out[before:]
                return False
            out.append(f"</{tag}>")
            return True

        return write

    def _complex(self, kind: Name) -> Complex | None:
        return None if kind.namespace == XSD else self._schemas[kind.namespace].complex.get(kind.local)

    def _content(self, kind: Name, complex_: Complex) -> Write:
        """Made once for a type. None of ours holds itself."""
        if kind not in self._made:
            self._made[kind] = self._body(complex_)
        return self._made[kind]

    def _body(self, complex_: Complex) -> Write:
        if complex_.base is not None and not complex_.extends_complex:
            render = self._render(complex_.base)

            def text_of(value: Any, out: list[str]) -> bool:
                found = render(value[""])
                if found is not None:
                    out.append(found)
                return found is not None

            return text_of
        particles = self._inherited(complex_)
        steps = [self._step(each) for branch in particles for each in branch]
        # Of a choice, whoever makes the value fills one branch; an element that must be there is of its branch alone.
        lone = len(particles) == 1

        def write(value: Any, out: list[str]) -> bool:
            for name, required, many, write_one in steps:
                found = value.get(name)
                if found is None:
                    if required and lone:
                        return False
                    continue
                if not many:
                    if not write_one(found, out) and required:
                        return False
                    continue
                for each in found:
                    write_one(each, out)
            return True

        return write

    def _inherited(self, complex_: Complex) -> tuple[tuple[Particle, ...], ...]:
        if complex_.base is None:
            return complex_.branches
        base = self._schemas[complex_.base.namespace].complex[complex_.base.local]
        return ((*self._inherited(base)[0], *complex_.branches[0]),)

    def _step(self, particle: Particle) -> tuple[str, bool, bool, Write]:
        return particle.name.local, particle.least > 0, particle.many, self._written(particle.name, particle.type)

    def _attributes(self, complex_: Complex) -> Callable[[Any], str] | None:
        every = list(complex_.attributes)
        base = complex_.base
        while base is not None and (found := self._complex(base)) is not None:
            every = [*found.attributes, *every]
            base = found.base
        if not every:
            return None
        renders = [(each.name, f"@{each.name}", self._render(each.type)) for each in every]

        def attributes(value: Any) -> str:
            written = ""
            for name, key, render in renders:
                if (found := value.get(key)) is not None and (rendered := render(found)) is not None:
                    written += f' {name}="{rendered}"'
            return written

        return attributes

    def _render(self, kind: Name) -> Render:
        if kind.namespace == XSD:
            return _BUILTIN[kind.local]
        simple = self._schemas[kind.namespace].simple[kind.local]
        return _restricted(self._render(simple.base), simple.facets)


def _leaf(tag: str, render: Render) -> Write:
    start, end = f"<{tag}>", f"</{tag}>"

    def write(value: Any, out: list[str]) -> bool:
        found = render(value)
        if found is None:
            return False
        out.append(f"{start}{found}{end}")
        return True

    return write


def _restricted(base: Render, facets: tuple[tuple[str, str], ...]) -> Render:
    """A render that admits what the facets do. A text that is too long is cut, since half an address beats none."""
    allowed = frozenset(value for name, value in facets if name == "enumeration")
    patterns = [re.compile(value) for name, value in facets if name == "pattern"]
    bounds = {name: int(value) for name, value in facets if name not in {"enumeration", "pattern"}}
    longest = bounds.get("maxLength", bounds.get("length"))
    shortest = bounds.get("minLength", bounds.get("length", 0))
    least, most = bounds.get("minInclusive"), bounds.get("maxInclusive")

    def render(value: Any) -> str | None:
        if isinstance(value, str):
            if longest is not None:
                value = value[:longest]
            if len(value) < shortest:
                return None
        found = base(value)
        if found is None or (allowed and found not in allowed):
            return None
        if patterns and not any(each.fullmatch(found) for each in patterns):
            return None
        if (least is not None and int(found) < least) or (most is not None and int(found) > most):
            return None
        return found

    return render
