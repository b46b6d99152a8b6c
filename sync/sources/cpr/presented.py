"""What the platform says where the register says less: pure functions over values of a person row.

The mirror holds what the register delivered; these raise it when it is shown, as Serviceplatformen does ("SF1520 - CPR
Replika opslag", 3.1.4.2, and the CPR office's guide to extracts, section 6, for addresses). One of them is applied
when rows are decoded: the derived column `municipality_code`, which decides whose agreement covers a person, has
Christiansø with Bornholm. The address's own code stays as delivered.
"""

import re
from collections.abc import Mapping

CHRISTIANSOE, BORNHOLM = "0411", "0400"
NO_MUNICIPALITY_CVR = "19435075"
"""KOMBIT's CVR number: stands where no Danish municipality is."""
UNMARRIED = "U"
LONGEST_ADDRESS = 34
SIDES = ("TH", "TV", "MF")
GREENLAND = "09"
"""Begins the municipality codes of Greenland."""
HOUSE_NUMBER = re.compile(r"0*([0-9]{1,3}) ?([A-ZÆØÅ]?)", re.IGNORECASE)


def presented_municipality(code: str) -> str:
    """Christiansø is no municipality; Bornholm serves the people there."""
    return BORNHOLM if code == CHRISTIANSOE else code


def municipality_cvr(code: str | None, cvr_by_code: Mapping[str, str]) -> str:
    """The CVR number of the municipality with that code, `NO_MUNICIPALITY_CVR` when there is none in Denmark.

    cvr_by_code   the municipalities of Denmark
    """
    return cvr_by_code.get(presented_municipality(code or ""), NO_MUNICIPALITY_CVR)


def civil_status(code: str | None) -> str:
    """A person of whom nothing is known is unmarried."""
    return code or UNMARRIED


def house_number(text: str | None) -> str | None:
    """A house number as NNNX: three digits and a letter or nothing. Anything else is given back as it is."""
    if text is None or not (found := HOUSE_NUMBER.fullmatch(text.strip())):
        return text
    return f"{int(found[1]):03}{found[2].upper()}"


def standard_address(
    road: str | None,
    number: str | None,
    floor: str | None = None,
    door: str | None = None,
    building: str | None = None,
    *,
    municipality: str = "",
) -> str | None:
    """An address as CPR writes it on one line, from the parts of a current address; None without a road.

    road           addressing name
    building       shown in Greenland, for a house without a number
    municipality   code; tells Greenland
    """
    if not road or not road.strip():
        return None
    text = road.strip()
    rest = _within(floor, door)
    digits, letter = _split(number)
    if digits:
        spaced = f"{text} {digits} {letter}{rest}"
        # The blank before the letter is the first thing to go when the line is full.
        fits = bool(letter) and len(spaced) <= LONGEST_ADDRESS
        return (spaced if fits else f"{text} {digits}{letter}{rest}")[:LONGEST_ADDRESS].rstrip()
    if municipality.startswith(GREENLAND) and _bare(building):
        text = f"{text} BNR {_bare(building)}"
    return f"{text}{rest}"[:LONGEST_ADDRESS].rstrip()


def _within(floor: str | None, door: str | None) -> str:
    """Where in the house: `,2 tv`, `,1,-12`."""
    text = f",{_bare(floor)}" if _bare(floor) else ""
    side = _bare(door)
    if not side:
        return text
    return f"{text} {side}" if side.upper() in SIDES else f"{text},-{side}"


def _split(number: str | None) -> tuple[str, str]:
    """Digits without leading zeros, and the letter."""
    bare = _bare(number)
    digits = bare.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZÆØÅabcdefghijklmnopqrstuvwxyzæøå ")
    return digits, bare[len(digits) :].strip()


def _bare(text: str | None) -> str:
    """Without blanks around it and zeros before it."""
    return (text or "").strip().lstrip("0")
