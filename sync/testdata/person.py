"""A fictitious person, and the records of layout A that tell about them."""

from dataclasses import dataclass, field
from datetime import date

from sync.testdata.line import NO_TIME, NOBODY, d10, line, t12
from sync.testdata.places import Home

RESIDENT, HIGH_ROAD, GREENLANDIC, ABROAD_TAXED = "01", "03", "05", "20"
ANNULLED, DELETED, CHANGED, DISAPPEARED, EMIGRATED, DEAD = "30", "50", "60", "70", "80", "90"
HAS_ADDRESS = (RESIDENT, HIGH_ROAD, GREENLANDIC, ABROAD_TAXED)
"""Status below 30: the others have no current address (002) and an empty one in clear text (003)."""
DENMARK = "5100"
MIGRATED = "199103201299"
"""Stands for `before the register was moved`: an uncertain time, not an event."""


@dataclass(slots=True)
class Person:
    """more   record -> further lines, ready"""

    pnr: str
    birth: date
    female: bool
    given: str
    middle: str
    surname: str
    home: Home | None
    moved_in: date
    status: str = RESIDENT
    status_from: date | None = None
    current_pnr: str = ""
    ended: date | None = None
    occupation: str = ""
    key_constant: str = ""
    uncertain_birth: bool = False
    former_municipality: str = "0000"
    left_municipality: date | None = None
    supplement: tuple[str, ...] = ()
    care_of: str = ""
    uuid: str = ""
    name_marks: tuple[str, str, str] = ("", "", "")
    name_from: str = NO_TIME
    birth_place: tuple[str, str] = ("", "")
    citizenship: tuple[str, str, str] = (DENMARK, MIGRATED, "*")
    church: str = "F"
    civil: tuple[str, ...] = ("U", "", "", "", "", "", NO_TIME, "", "")
    mother: tuple[str, ...] = (NOBODY, "", "", "", "")
    father: tuple[str, ...] = (NOBODY, "", "", "", "")
    more: dict[str, list[str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The addressing name, at most 34 characters."""
        return " ".join(part for part in (self.given, self.middle, self.surname) if part)[:34]

    def add(self, code: str, *values: str) -> None:
        """One more record of this person."""
        self.more.setdefault(code, []).append(line(code, self.pnr, *values))

    def event(self, code: str, on: date, derived: str = "") -> None:
        self.add("099", t12(on), code, derived, "")


def body(person: Person) -> list[str]:
    """All records of a person but the address in clear text, which a delivery has at its end."""
    lines = [
        line(
            "001",
            person.pnr,
            person.current_pnr,
            person.status,
            t12(person.status_from),
            "",
            "K" if person.female else "M",
            d10(person.birth),
            "*" if person.uncertain_birth else "",
            d10(person.birth),
            "*" if person.birth.year < 1968 else "",
            d10(person.ended),
            "",
            person.occupation,
            person.key_constant,
        ),
        line(
            "008",
            person.pnr,
            person.given,
            person.name_marks[0],
            person.middle,
            person.name_marks[1],
            person.surname,
            person.name_marks[2],
            person.name_from,
            "*" if person.name_from.endswith("99") else "",
            person.name,
        ),
        line("009", person.pnr, *person.birth_place),
        line("010", person.pnr, *person.citizenship),
        line("011", person.pnr, person.church, d10(person.birth), "*" if person.birth.year < 1968 else ""),
        line("012", person.pnr, *person.civil),
        line("015", person.pnr, *_parent(person, person.mother), *_parent(person, person.father)),
    ]
    if person.home is not None and person.status in HAS_ADDRESS:
        lines.append(_address(person, person.home))
        if person.uuid:
            lines.append(line("060", person.pnr, person.uuid))
    for more in person.more.values():
        lines += more
    return lines


def address_text(person: Person) -> str:
    """Record 003; without an address its codes are zeros and the rest is blank."""
    home = person.home if person.status in HAS_ADDRESS else None
    return line("003", person.pnr, *clear_text(home, person.name, person.care_of))


def clear_text(home: Home | None, name: str, care_of: str = "") -> tuple[str, ...]:
    """The fields that 003, 031, 032 and 033 share, from ADRNVN on."""
    if home is None:
        return (name, "", "", "", "", "0000", "", "0000", "0000", "", "", "", "", "")
    place = home.municipality
    codes = (place.code, home.road_code, home.house_number, home.floor, home.door, "")
    return (name, care_of, "", home.standard_address, home.town, home.postcode, place.name, *codes, home.road)


def _parent(person: Person, parent: tuple[str, ...]) -> tuple[str, ...]:
    """pnr, birth date, its mark, name, its mark -> the seven fields of a parent in 015."""
    return (d10(person.birth), "*" if parent[0] == NOBODY else "", *parent)


def _address(person: Person, home: Home) -> str:
    supplement = (*person.supplement, *[""] * (5 - len(person.supplement)))
    values = (
        person.pnr,
        home.municipality.code,
        home.road_code,
        home.house_number,
        home.floor,
        home.door,
        "",
        person.care_of,
        t12(person.moved_in),
        "",
        t12(person.moved_in),
        "",
        person.former_municipality,
        t12(person.left_municipality),
        "",
        home.municipality.code if person.supplement else "0000",
        *supplement,
        d10(person.moved_in) if person.supplement else "",
        "",
    )
    return line("02B", *values, home.road, person.uuid) if person.uuid else line("002", *values)
