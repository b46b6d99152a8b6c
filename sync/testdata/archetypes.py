"""What is special about some families: by slot, so that every hundred families hold each case once.

`production` is the day of the delivery: protections and the like are current, past or to come on that day.
"""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from uuid import UUID

from sync.testdata.family import DEAD_SLOT, FORMER, Family, add_former_home, bury, was_named
from sync.testdata.line import NO_TIME, NOBODY, d10, t12
from sync.testdata.numbers import number
from sync.testdata.person import (
    ABROAD_TAXED,
    ANNULLED,
    CHANGED,
    DELETED,
    DISAPPEARED,
    EMIGRATED,
    HIGH_ROAD,
    MIGRATED,
    Person,
    clear_text,
)  # fmt: skip
from sync.testdata.places import Municipality, municipalities

NAME_AND_ADDRESS, DIRECTORY, MARKETING, RESEARCH, CREDIT = "0001", "0002", "0003", "0004", "0005"
SWEDEN, GERMANY = "5120", "5180"
YEAR = timedelta(days=365)


def make_special(family: Family, production: date) -> None:
    """Give a family what its slot says."""
    if (make := SPECIAL.get(family.slot)) is not None:
        make(family, production)


def _protected(family: Family, production: date) -> None:
    for person in family.members:
        person.add("004", NAME_AND_ADDRESS, d10(production - 3 * YEAR), "")


def _protected_until(family: Family, production: date) -> None:
    for person in (family.woman, *family.children):
        person.add("004", NAME_AND_ADDRESS, d10(production - YEAR), d10(production + 20 * YEAR))


def _protected_once(family: Family, production: date) -> None:
    family.woman.add("004", NAME_AND_ADDRESS, d10(production - 12 * YEAR), d10(production - 10 * YEAR))
    family.woman.add("034", NAME_AND_ADDRESS, d10(production - 16 * YEAR), d10(production - 14 * YEAR))


def _protected_later(family: Family, production: date) -> None:
    family.man.add("004", NAME_AND_ADDRESS, d10(production + 20 * YEAR), "")


def _protected_otherwise(family: Family, production: date) -> None:
    for kind in (DIRECTORY, MARKETING, RESEARCH):
        family.man.add("004", kind, d10(production - 5 * YEAR), "")


def _emigrated(family: Family, production: date) -> None:
    left = production - 2 * YEAR
    man = family.man
    man.status, man.status_from = EMIGRATED, left
    man.add("005", SWEDEN, t12(left), "", "Provgränden 7", "S 21120 Malmö", "Sverige", "", "")
    man.add("024", "", GERMANY, t12(left - 9 * YEAR), "", GERMANY, t12(left - 8 * YEAR), "", "Musterweg 3",
            "D 24937 Flensburg", "Tyskland", "", "")  # fmt: skip
    man.event("A06", left)


def _disappeared(family: Family, production: date) -> None:
    gone = production - 4 * YEAR
    man = family.man
    man.status, man.status_from = DISAPPEARED, gone
    man.add("007", t12(gone), "*")
    man.add("025", "", t12(gone - 6 * YEAR), "", t12(gone - 5 * YEAR), "")
    man.event("A02", gone)


def _renamed(family: Family, production: date) -> None:
    was_named(family.man, "Gammelnavn", production - 7 * YEAR)
    family.man.add(
        "026", "A", "Fejl", "", "", "", "Fejlnavn", "", t12(production - 8 * YEAR), "", t12(production - 7 * YEAR), ""
    )
    family.man.event("A13", production - 7 * YEAR)


def _renumbered(family: Family, production: date) -> None:
    """The woman got a new number; the old one stays in the register with status 60 and points to it."""
    woman = family.woman
    changed = production - 3 * YEAR
    old = number(family.index, FORMER, woman.birth, female=True)
    family.former = Person(
        pnr=old, birth=woman.birth, female=True, given=woman.given, middle=woman.middle, surname=woman.surname,
        home=None, moved_in=changed, status=CHANGED, status_from=changed, current_pnr=woman.pnr, ended=changed,
        name_from=woman.name_from, birth_place=woman.birth_place,
    )  # fmt: skip
    del family.children[1:]
    woman.more["014"] = woman.more["014"][:1]
    family.man.more["014"] = family.man.more["014"][:1]
    woman.add("022", old, d10(woman.birth), "*", d10(changed), "")
    woman.event("P03", changed, "PN")


def _widowed(family: Family, production: date) -> None:
    bury(family.man, production - YEAR, widowed=family.woman)
    family.man.event("A21", production - YEAR)
    family.woman.event("A21", production - YEAR, "ÆG")


def _dead(family: Family, production: date) -> None:
    for years, person in enumerate(family.members, start=1):
        bury(person, max(person.birth, production - years * YEAR))


def _divorced(family: Family, production: date) -> None:
    on = production - 4 * YEAR
    woman, man = family.woman, family.man
    for person, spouse in ((woman, man), (man, woman)):
        wedding = person.civil[6]
        person.civil = ("F", spouse.pnr, "", "", "", "", t12(on), "", "")
        reference = t12(on - YEAR)
        person.add("029", "", "G", spouse.pnr, "", "", "", "", wedding, "", t12(on), "", reference)
        person.add("029", "K", "G", spouse.pnr, "", "", "", "", wedding, "", t12(on + timedelta(days=9)), "", "")
        person.add("030", "", reference, d10(on - YEAR), "", d10(on), "")
    for child in family.children:
        child.more["016"] = []
        child.add("016", "0003", d10(child.birth), "", "", "", "")
        child.add("051", d10(on), "")


def _separated(family: Family, production: date) -> None:
    on = production - timedelta(days=100)
    for person in (family.woman, family.man):
        person.civil = (*person.civil[:8], t12(on))
        person.add("013", t12(on), d10(on), "")


def _guarded_by_number(family: Family, production: date) -> None:
    on = d10(production - YEAR)
    family.man.add("017", on, "", "", "0001", family.woman.pnr, on, "", "", "", "", "", "", "")


def _guarded_by_address(family: Family, production: date) -> None:
    on = d10(production - YEAR)
    family.man.add(
        "052", on, "*", d10(production + 9 * YEAR), "0002", "", "", "Værgekontoret Prøvesen", on,
        "Musterweg 4", "D 24937 Flensburg", "Tyskland", "", "", "DELVIS",
    )  # fmt: skip


def _contact_address(family: Family, production: date) -> None:
    family.woman.add("006", "Postboks 17", "Øvelseskontoret", "", "", "", d10(production - YEAR), "")


def _conditions(family: Family, production: date) -> None:
    family.man.add("018", "3", "F", d10(production - YEAR), "", "Førtidspension, prøvetekst")
    family.man.add("018", "4", "0101", d10(production - 2 * YEAR), "*", "")


def _noted(family: Family, production: date) -> None:
    family.woman.add("019", "02", "Navn i udlandet: Prufung-Ærøe", d10(production - YEAR), "")
    family.woman.add("019", "01", "Første notat", d10(production - YEAR), d10(production + YEAR))


def _votes(family: Family, production: date) -> None:
    for code in ("0001", "0004"):
        family.man.add("020", code, d10(production - YEAR), d10(production - 2 * YEAR), "")


def _ordered_to_move(family: Family, production: date) -> None:
    family.man.add("021", d10(production - timedelta(days=10)), "Flytte inden 14 dage")


def _credit_warned(family: Family, production: date) -> None:
    family.man.add("050", CREDIT, t12(production - YEAR))
    family.man.add("035", CREDIT, t12(production - 5 * YEAR), t12(production - 4 * YEAR))


def _left_church(family: Family, production: date) -> None:
    family.woman.church = "U"
    family.woman.add("028", "F", d10(family.woman.birth), "*", d10(production - YEAR), "")


def _naturalised(family: Family, production: date) -> None:
    man = family.man
    man.citizenship = ("5100", t12(production - 5 * YEAR), "")
    man.add("027", "", GERMANY, f"{man.birth.year}00000000", "*", t12(production - 5 * YEAR), "")
    man.birth_place = (GERMANY, "Flensburg")


def _marked(family: Family, _production: date) -> None:
    woman, man = family.woman, family.man
    woman.given, woman.name_marks = "Anne Marie Louise Frederikke Wilhelmine Augusta Car", ("+", "", "=")
    man.name_marks = ("*", "*", "")
    man.name_from = f"{man.birth.year}{man.birth.month:02}001799"
    man.uncertain_birth = True
    man.citizenship = ("5100", MIGRATED, "*")


def _relatives_shown(family: Family, production: date) -> None:
    woman, man = family.woman, family.man
    for child in family.children:
        child.add("031", woman.pnr, *clear_text(woman.home, woman.name), "")
        child.add("032", man.pnr, *clear_text(man.home, man.name), d10(production - YEAR))
        for parent in (woman, man):
            parent.add("033", child.pnr, *clear_text(child.home, child.name), "")


def _immigrated(family: Family, production: date) -> None:
    for person in family.members:
        person.citizenship = (SWEDEN, t12(person.birth), "")
        person.add("024", "", "0000", NO_TIME, "", SWEDEN, t12(production - YEAR), "*", *[""] * 5)
        person.event("A04", production - YEAR)


def _spouse_abroad(family: Family, _production: date) -> None:
    """The spouse has no number, so birth date and name stand in its place."""
    wedding = family.woman.civil[6]
    family.woman.civil = ("G", "", "1970-05-00", "*", "Ingenmand,Björn", "*", wedding, "*", "")


def _mother_unknown(family: Family, _production: date) -> None:
    for child in family.children:
        child.mother = (NOBODY, "1968-00-00", "*", "Fiktivsen,Ulla", "=")
        child.father = (NOBODY, "", "", "", "")


def _taxed_from_abroad(family: Family, _production: date) -> None:
    man = family.man
    man.status, man.uuid = ABROAD_TAXED, ""
    if man.home is not None:
        man.home = type(man.home)(Municipality("0010", ""), "9999", "", 0, "", "", "", "")


def _high_road(family: Family, _production: date) -> None:
    for person in family.members:
        if person.home is not None:
            person.status, person.home = HIGH_ROAD, person.home.with_high_road_code()


def _withdrawn(family: Family, production: date) -> None:
    for person, status in zip(family.children, (ANNULLED, DELETED), strict=True):
        person.status, person.status_from, person.ended = status, production - YEAR, production - YEAR
    family.children[1].current_pnr = family.children[0].pnr


def _supplemented(family: Family, _production: date) -> None:
    for person in family.members:
        person.supplement, person.care_of = ("Adgang fra gården", "2. opgang, ringeklokke Ø"), "c/o Prøvesen"


def _keyed(family: Family, production: date) -> None:
    family.woman.key_constant = "SAG-2026-0042"
    family.woman.add("099", t12(production), "A01", "", "SAG-2026-0042")
    family.woman.add("099", "", "P42", "BØ", "")


def _corrected(family: Family, production: date) -> None:
    until = production - 9 * YEAR
    for mark in "KAÆ":
        add_former_home(family.man, family.random, municipalities()[0], until - YEAR, until, mark)


def _identified(family: Family, _production: date) -> None:
    for person in family.members:
        person.uuid = str(UUID(int=family.random.getrandbits(128), version=4))


SPECIAL: Mapping[int, Callable[[Family, date], None]] = {
    2: _protected,
    5: _protected_until,
    8: _protected_once,
    9: _protected_later,
    10: _protected_otherwise,
    12: _emigrated,
    15: _disappeared,
    18: _renamed,
    21: _renumbered,
    24: _widowed,
    27: _divorced,
    30: _separated,
    33: _guarded_by_number,
    36: _guarded_by_address,
    39: _contact_address,
    42: _conditions,
    45: _noted,
    48: _votes,
    51: _ordered_to_move,
    54: _credit_warned,
    57: _left_church,
    60: _naturalised,
    63: _marked,
    66: _identified,
    69: _relatives_shown,
    72: _immigrated,
    75: _corrected,
    78: _taxed_from_abroad,
    81: _high_road,
    84: _spouse_abroad,
    87: _mother_unknown,
    90: _withdrawn,
    93: _supplemented,
    96: _keyed,
    DEAD_SLOT: _dead,
}
