"""The road register and the authority register that go with the persons: their roads, in their municipalities.

Positions follow P05780 and P02680; the lines are written out here and not made from the decoder's tables, so a wrong
position in a table is noticed.
"""

from collections.abc import Iterable
from datetime import date

from sync.testdata.names import ROADS, TOWNS
from sync.testdata.places import GREENLAND, Municipality, municipalities, road_code

ROAD_JOB, AUTHORITY_JOB = "990002", "990003"
REGISTERED, SINCE = "202001021200", "190001011200"
ENCODING = "iso-8859-1"
COUNTRIES = (("5100", "Danmark", "DK", "DNK", "208"), ("5120", "Sverige", "SE", "SWE", "752"),
             ("5180", "Tyskland", "DE", "DEU", "276"))  # fmt: skip
SPLIT_ROAD, NOTED_ROAD, RENAMED_ROAD = 1, 2, 3
"""Roads of each municipality with two towns, with a note and a locality, and with a former name."""


def road_register(production: date, places: Iterable[Municipality] | None = None) -> bytes:
    """All roads on which generated persons can live; towns and post districts by even and odd house numbers."""
    found = (*municipalities(), GREENLAND) if places is None else places
    lines = [line for place in found for number in range(len(ROADS)) for line in _road(place, number)]
    return _delivery(ROAD_JOB, production, lines)


def authority_register(production: date) -> bytes:
    """The municipalities as authorities (type 05), a closed one, and some countries with their ISO codes."""
    lines = [_authority(place.code, "05", f"{place.name} Kommune") for place in municipalities()]
    lines.append(_authority("0199", "05", "Opdigtet Kommune", until="200612312400"))
    for code, name, *iso in COUNTRIES:
        lines += [_authority(code, "20", name, iso=iso), f"002{code}{'fiktivt':<19}"]
    return _delivery(AUTHORITY_JOB, production, lines)


def _road(place: Municipality, number: int) -> list[str]:
    key, name = f"{place.code}{road_code(number)}", ROADS[number]
    lines = [f"001{key}{REGISTERED}{'0' * 16}{SINCE}{name:<20.20}{name}"]
    town = TOWNS[number % len(TOWNS)]
    ranges = [("001 ", "099Z"), ("101 ", "999 ")] if number == SPLIT_ROAD else [("001 ", "999 ")]
    for index, (low, high) in enumerate(ranges):
        for parity in "UL":
            where = f"{key}{low}{high}{parity}{REGISTERED}"
            if town or index:
                lines.append(f"003{where}{town or 'Prøvested'}")
            lines.append(f"004{where}{place.postcode}{place.name}")
    if number == NOTED_ROAD:
        lines.append(f"005{key}01{'Adgang kun fra gården':<40}{REGISTERED}{SINCE}")
        lines.append(f"002{key}001A{'st':<2}{'  tv':<4}{REGISTERED} {SINCE}{'0' * 12}Øvelsesgården")
        lines += [f"013{key}001 999 U{REGISTERED}{'7001'}Prøve Sogn", f"014{key}001 999 U{REGISTERED}{'01'}Rådhuset"]
    if number == RENAMED_ROAD:
        former = "Gammel Testvej"
        lines.append(f"016{key}{REGISTERED}{SINCE}{'199912312400'}{former:<20}{former}")
    return lines


def _authority(code: str, kind: str, name: str, *, until: str = "0" * 12, iso: Iterable[str] = ("", "", "")) -> str:
    two, three, digits = iso
    address = "".join(f"{line:<34}" for line in ("Borgmesterkontoret", "Rådhuspladsen 1", "", "", ""))
    return (
        f"001{code}{kind}1{REGISTERED}{'00000000':<8}{SINCE}{until}{name:<20.20}{address}{'':<8}{name:<60}"
        f"{'post@example.dk':<100}{two:<2}{three:<3}{digits:<3}"
    )


def _delivery(job: str, production: date, lines: list[str]) -> bytes:
    whole = [f"000{job}{production:%Y%m%d}", *(line.rstrip() for line in lines), f"999{len(lines):08}", ""]
    return "\n".join(whole).encode(ENCODING)
