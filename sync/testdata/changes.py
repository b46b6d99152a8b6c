"""What happens to some families between two deliveries."""

from dataclasses import replace
from datetime import date
from random import Random

from sync.testdata import names
from sync.testdata.family import Family, bury, was_named
from sync.testdata.line import d10, t12
from sync.testdata.numbers import newborn_number
from sync.testdata.person import DENMARK, HAS_ADDRESS, Person
from sync.testdata.places import draw_home, municipalities

NEWBORNS = 300


def change(family: Family, turn: int, on: date) -> list[Person]:
    """Let something happen to a family on a day; gives the persons whose records changed.

    turn   0, 1, 2 ...: moves, deaths, new names, births and protections take turns
    """
    what = (_move, _bury, _rename, _bear, _protect)[turn % 5]
    return what(family, turn // 5, on)


def _move(family: Family, turn: int, on: date) -> list[Person]:
    place = municipalities()[(family.slot + 1 + turn) % len(municipalities())]
    home = draw_home(Random(family.index), place)  # noqa: S311 -- test data
    moved = [person for person in family.members if person.home is not None and person.status in HAS_ADDRESS]
    for person in moved:
        former = person.home
        if former is None:
            continue
        person.add(
            "023", "", former.municipality.code, former.road_code, former.house_number, former.floor, former.door,
            "", person.care_of, t12(person.moved_in), "", t12(on), "",
        )  # fmt: skip
        person.former_municipality, person.left_municipality = former.municipality.code, on
        person.home, person.moved_in, person.uuid = replace(home), on, ""
        person.event("A01", on)
    return moved


def _bury(family: Family, _turn: int, on: date) -> list[Person]:
    if family.woman.status == "90":
        return []
    bury(family.woman, on, widowed=family.man if family.man.status != "90" else None)
    family.woman.event("A21", on)
    family.man.event("A21", on, "ÆG")
    return [family.woman, family.man]


def _rename(family: Family, turn: int, on: date) -> list[Person]:
    person = family.man
    was_named(person, person.surname, on)
    person.surname = names.SURNAMES[turn % len(names.SURNAMES)]
    person.event("A13", on)
    return [person]


def _bear(family: Family, turn: int, on: date) -> list[Person]:
    if turn >= NEWBORNS or family.woman.status == "90":
        return []
    female = turn % 2 == 0
    child = Person(
        pnr=newborn_number(turn, on, female=female), birth=on, female=female, given="", middle="",
        surname=family.woman.surname, home=family.woman.home, moved_in=on, uuid=family.woman.uuid,
        birth_place=(municipalities()[family.slot % len(municipalities())].code, ""),
        citizenship=(DENMARK, t12(on), ""), church="A", name_from=t12(on),
        mother=(family.woman.pnr, "", "", "", ""), father=(family.man.pnr, "", "", "", ""),
    )  # fmt: skip
    for kind in ("0003", "0004"):
        child.add("016", kind, d10(on), "", "", "", "")
    for parent in (family.woman, family.man):
        parent.add("014", child.pnr)
        parent.event("P10", on, "BØ")
    return [family.woman, family.man, child]


def _protect(family: Family, _turn: int, on: date) -> list[Person]:
    unprotected = [person for person in family.members if not person.more.get("004")]
    for person in unprotected:
        person.add("004", "0001", d10(on), "")
        person.event("A33", on)
    return unprotected
