"""Where fictitious people live: the real municipalities, on roads that they do not have.

Codes, names and populations are Statistics Denmark's of 1 January 2019; CVR numbers are the municipalities' own.
Postcodes are made from the municipality code.
"""

import csv
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from random import Random

from sync.testdata.names import ROADS, TOWNS


@dataclass(frozen=True, slots=True)
class Municipality:
    code: str
    name: str

    @property
    def postcode(self) -> str:
        return f"{1000 + int(self.code) * 9 % 9000:04}"


GREENLAND = Municipality("0956", "Nuuk")


@cache
def municipalities() -> tuple[Municipality, ...]:
    with (files("sync.testdata") / "municipalities.csv").open(encoding="utf-8") as lines:
        return tuple(Municipality(row["code"], row["name"]) for row in csv.DictReader(lines))


def municipalities_csv() -> bytes:
    """The register of municipalities as a file: code, name, region, cvr, population."""
    return (files("sync.testdata") / "municipalities.csv").read_bytes()


@dataclass(frozen=True, slots=True)
class Home:
    """floor   `` or two characters
    door    ``, or the side or number as four characters, right-aligned
    """

    municipality: Municipality
    road_code: str
    road: str
    house: int
    letter: str
    floor: str
    door: str
    town: str

    @property
    def house_number(self) -> str:
        return f"{self.house:03}{self.letter}"

    @property
    def postcode(self) -> str:
        return self.municipality.postcode

    @property
    def standard_address(self) -> str:
        """CPR's standard address: leading zeros dropped, `,` before the floor, `,-` before a door number."""
        if not self.road:
            return ""
        text = f"{self.road} {self.house}{f' {self.letter}' if self.letter else ''}"
        if not self.floor:
            return text
        door = self.door.strip()
        side = f",-{door.lstrip('0')}" if door.isdigit() else f" {door}" if door else ""
        return f"{text},{self.floor.lstrip('0')}{side}"

    def with_high_road_code(self) -> "Home":
        return replace(self, road_code="9901")


def road_code(number: int) -> str:
    """The code of a road, by its place in `names.ROADS`."""
    return f"{100 + 37 * number:04}"


def draw_home(random: Random, municipality: Municipality) -> Home:
    road = random.randrange(len(ROADS))
    flat = random.random() < 0.5
    return Home(
        municipality=municipality,
        road_code=road_code(road),
        road=ROADS[road],
        house=1 + random.randrange(180),
        letter="ABC"[random.randrange(3)] if random.random() < 0.1 else "",
        floor=("st", "01", "02", "05")[random.randrange(4)] if flat else "",
        door=("  tv", "  th", "  mf", "0012")[random.randrange(4)] if flat else "",
        town=TOWNS[random.randrange(len(TOWNS))],
    )
