"""A fictitious family of four: two adults, two children, one home. What is special about some comes after."""

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from uuid import UUID

from sync.testdata import names
from sync.testdata.line import d10, t12
from sync.testdata.numbers import CYCLE_DAYS, number
from sync.testdata.person import DENMARK, GREENLANDIC, Person
from sync.testdata.places import GREENLAND, Municipality, draw_home, municipalities

CYCLE = 100
"""Families before the pattern repeats: one per municipality, one in Greenland, one whose members are dead."""
GREENLAND_SLOT, DEAD_SLOT = 98, 99
FIRST_BIRTH = date(1955, 1, 1)
STRIDE = 7_919  # a prime that CYCLE_DAYS does not have, so that every day is used once in a cycle
MAN_OFFSET_DAYS, CHILD_DAYS = 400, (10_227, 11_300)
WOMAN, MAN, ELDER, YOUNGER, FORMER = range(5)


@dataclass(slots=True)
class Family:
    """slot   0..CYCLE-1: decides the municipality and what is special about the family"""

    index: int
    slot: int
    random: Random
    woman: Person
    man: Person
    children: list[Person]
    former: Person | None = None

    @property
    def members(self) -> list[Person]:
        """Always four; a former number stands in for the younger child."""
        return [self.woman, self.man, *self.children, *([self.former] if self.former else [])]


def draw_family(seed: int, index: int) -> Family:
    """The `index`th family of a seed; the same every time, whatever families were drawn before."""
    random = Random(seed * 1_000_003 + index)  # noqa: S311 -- test data, not secrets
    slot = index % CYCLE
    places = municipalities()
    place = GREENLAND if slot == GREENLAND_SLOT else places[slot % len(places)]
    home = draw_home(random, place)
    surname = random.choice(names.SURNAMES)
    woman_days = index * STRIDE % CYCLE_DAYS
    births = [
        FIRST_BIRTH + timedelta(days=days)
        for days in (
            woman_days,
            (index * STRIDE + MAN_OFFSET_DAYS) % CYCLE_DAYS,
            *(woman_days + later for later in CHILD_DAYS),
        )
    ]
    wedding = births[ELDER] - timedelta(days=300 + random.randrange(900))
    members = []
    for role, birth in enumerate(births):
        female = role == WOMAN or (role != MAN and random.random() < 0.5)
        members.append(
            Person(
                pnr=number(index, role, birth, female=female),
                birth=birth,
                female=female,
                given=random.choice(names.WOMEN if female else names.MEN),
                middle=random.choice(names.MIDDLE),
                surname=surname,
                home=home,
                moved_in=max(wedding, birth),
                status=GREENLANDIC if slot == GREENLAND_SLOT else "01",
                occupation="" if role > MAN else random.choice(names.OCCUPATIONS),
                birth_place=(random.choice(places).code, ""),
                church=random.choice("FFFFU"),
            )
        )
    woman, man, *children = members
    _marry(random, woman, man, wedding)
    _raise(woman, man, children)
    for adult in (woman, man):
        if random.random() < 0.6:
            _moved_from(random, adult, places)
    if slot % 2:
        uuid = str(UUID(int=random.getrandbits(128), version=4))
        for person in members:
            person.uuid = uuid
    for person in members:
        person.add("037", str(UUID(int=random.getrandbits(128), version=4)))
    return Family(index, slot, random, woman, man, children)


def _marry(random: Random, woman: Person, man: Person, wedding: date) -> None:
    for person, spouse in ((woman, man), (man, woman)):
        person.civil = ("G", spouse.pnr, "", "", "", "", t12(wedding), "", "")
        person.add("029", "", "U", "", "", "", "", "", t12(person.birth), "", t12(wedding), "", "")
    maiden = random.choice(names.SURNAMES)
    if maiden != woman.surname:
        was_named(woman, maiden, wedding)


def was_named(person: Person, surname: str, until: date) -> None:
    """The person had another surname, from an uncertain day in the year of birth, until `until`."""
    since = f"{person.birth.year}00001299"
    marks = ("", person.given, "", person.middle, "", surname, "", since, "*", t12(until), "")
    person.add("026", *marks)
    person.name_from = t12(until)


def _raise(woman: Person, man: Person, children: list[Person]) -> None:
    for child in children:
        child.mother, child.father = (woman.pnr, "", "", "", ""), (man.pnr, "", "", "", "")
        child.citizenship = (DENMARK, t12(child.birth), "")
        child.name_from = t12(child.birth)
        child.occupation = ""
        for parent in (woman, man):
            parent.add("014", child.pnr)
        if child.birth.year > 2008:  # under 18 when this was written, so custody still stands
            for kind in ("0003", "0004"):
                child.add("016", kind, d10(child.birth), "", "", "", "")


def _moved_from(random: Random, person: Person, places: tuple[Municipality, ...]) -> None:
    """One or two former homes, the last one left on the day the person moved in here."""
    until = person.moved_in
    for _ in range(1 + (random.random() < 0.3)):
        since = max(person.birth, until - timedelta(days=400 + random.randrange(3_000)))
        add_former_home(person, random, random.choice(places), since, until)
        until = since
    person.former_municipality = person.more["023"][0][14:18]
    person.left_municipality = person.moved_in


def add_former_home(
    person: Person, random: Random, place: Municipality, since: date, until: date, mark: str = ""
) -> None:
    home = draw_home(random, place)
    person.add(
        "023", mark, place.code, home.road_code, home.house_number, home.floor, home.door, "", "",
        t12(since), "", t12(until), "",
    )  # fmt: skip


def bury(person: Person, on: date, widowed: Person | None = None) -> None:
    """The person died: status 90, civil status D; the spouse is a widow or widower from that day."""
    person.status, person.status_from, person.ended = "90", on, on
    person.civil = ("D", "", "", "", "", "", t12(on), "", "")
    if widowed is not None:
        widowed.civil = ("E", person.pnr, "", "", "", "", t12(on), "", "")
