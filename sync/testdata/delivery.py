"""Fictitious persons as deliveries of layout A, streamed: memory does not grow with the number of persons."""

from collections.abc import Iterable, Iterator
from datetime import date

from sync.testdata.archetypes import make_special
from sync.testdata.changes import change
from sync.testdata.family import Family, draw_family
from sync.testdata.line import line
from sync.testdata.numbers import CAPACITY, TooManyPersons
from sync.testdata.person import Person, address_text, body

JOB = "990001"
PRODUCTION = date(2026, 10, 30)
"""The day of the first delivery unless another is given; fixed, so that the same seed gives the same bytes."""
FAMILY = 4
FAMILIES_AT_ONCE = 500
ENCODING = "iso-8859-1"


def generate(persons: int, seed: int, production: date = PRODUCTION) -> Iterator[bytes]:
    """A status extract with so many persons, in pieces of about a megabyte.

    The addresses in clear text (003) of every 500 families follow after their other records, as a real delivery
    has them at its end. The same arguments give the same bytes. Raises TooManyPersons above 27 million.
    """
    if persons > CAPACITY * FAMILY:
        raise TooManyPersons(f"the generator has numbers for {CAPACITY * FAMILY:,} persons", remedy="ask for fewer")
    return _delivery(_persons(persons, seed, production), production, None)


def generate_changes(
    persons: int, seed: int, production: date, former: date, *, families: int | None = None
) -> Iterator[bytes]:
    """A change extract to follow `generate(persons, seed, former)`, with all records of each changed person.

    families   how many of them something happens to; by default one in twenty: moves, deaths, new names, births
               and protections
    """
    total = persons // FAMILY
    chosen = max(1, total // 20) if families is None else min(families, total)
    return _delivery(_changed(total, chosen, seed, former, production), production, former)


def file_name(production: date, job: str = JOB) -> str:
    """`dYYMMDD.lNNNNNN`: letter l, then the job number (the CPR office's guide to extracts)."""
    return f"d{production:%y%m%d}.l{job}"


def _persons(persons: int, seed: int, production: date) -> Iterator[list[Person]]:
    """The persons of a few hundred families at a time."""
    families = -(-persons // FAMILY)
    for first in range(0, families, FAMILIES_AT_ONCE):
        indices = range(first, min(first + FAMILIES_AT_ONCE, families))
        found = [person for index in indices for person in _family(seed, index, production).members]
        yield found[: persons - first * FAMILY]


def _changed(total: int, chosen: int, seed: int, former: date, production: date) -> Iterator[list[Person]]:
    step = total // chosen
    for turn in range(chosen):
        family = _family(seed, turn * step, former)
        yield change(family, turn, production)


def _family(seed: int, index: int, production: date) -> Family:
    family = draw_family(seed, index)
    make_special(family, production)
    return family


def _delivery(batches: Iterable[list[Person]], production: date, former: date | None) -> Iterator[bytes]:
    compact = f"{production:%Y%m%d}", "0" * 8 if former is None else f"{former:%Y%m%d}"
    yield _encoded([line("000", "0" * 10, JOB, *compact)])
    count = 0
    for batch in batches:
        lines = [each for person in batch for each in body(person)]
        lines += [address_text(person) for person in batch]
        count += len(lines)
        if lines:
            yield _encoded(lines)
    yield _encoded([line("999", "9" * 10, f"{count:08}")])


def _encoded(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode(ENCODING)
