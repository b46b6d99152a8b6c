"""Companies and production units as CVR Online answers them, from rows of the platform's own mirror. Pure.

What the register's public distribution does not tell and the type cannot be without is answered as "no": import and
export, main division, ancillary unit. Protection against advertising is answered as there unless it is known not to be.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

Row = Mapping[str, Any]
Value = dict[str, Any]

COMPANY: Final = (
    "cvr", "name", "address", "industry_code", "industry_text", "industries", "advertising_protected", "start_date",
    "end_date", "employees", "names", "addresses", "form_code", "form", "forms", "units",
)  # fmt: skip
UNIT: Final = (
    "p_number", "cvr", "name", "address", "industry_code", "industry_text", "industries", "advertising_protected",
    "start_date", "end_date", "employees", "names", "addresses", "companies",
)  # fmt: skip
NEEDED: Final = frozenset({"name", "address", "start_date", "names"})
"""Columns that the types cannot be without, beside the keys."""
_SUPPLIER: Final = "Erhvervsstyrelsen"
_INTERVALS: Final = ((0, "A"), (1, "B"), (2, "C"), (5, "D"), (10, "E"), (20, "F"), (50, "G"), (100, "H"), (200, "I"),
                     (500, "J"), (1_000, "K"))  # fmt: skip
_NOWHERE: Final = "ZZ"
"""The country code that ISO 3166 leaves to its users: where none is known."""


def company(row: Row, version: int) -> Value:
    form = _period(row.get("forms"))
    code = row.get("form_code")
    return {
        "@versionIdentifier": version,
        "LegalUnitIdentifier": row["cvr"],
        "LegalUnitName": _name(row),
        "AdvertisingProtectionIndicator": row.get("advertising_protected") is not False,
        "ExporterIndicator": False,
        "ImporterIndicator": False,
        "Lifecycle": _life(row),
        "AddressOfficial": address(row),
        "AddressPOBox": _box(row),
        "ActivityInformation": _activity(row),
        "BusinessFormat": None if code is None else {
            "BusinessFormatCode": code, "DataSupplierIdentifier": _SUPPLIER,
            "MunicipalCommunity": "kommune" in (row.get("form") or "").lower(), **form,
        },
        **_employment(row),
        "ProductionUnitAffiliationCollection": None if not row.get("units") else {
            "ProductionUnitAffiliation": [
                {"ProductionUnitIdentifier": each["p_number"], **_between(each)} for each in row["units"]
            ]
        },
    }  # fmt: skip


def unit(row: Row, version: int) -> Value:
    owners = row.get("companies") or ()
    return {
        "@versionIdentifier": version,
        "ProductionUnitIdentifier": row["p_number"],
        "ProductionUnitName": _name(row),
        "AdvertisingProtectionIndicator": row.get("advertising_protected") is not False,
        "AncillaryUnitIndicator": False,
        "MainDivisionIndicator": False,
        "Lifecycle": _life(row),
        "AddressLocation": address(row),
        "AddressPOBox": _box(row),
        "LegalUnitAffiliation": None if not row.get("cvr") else {
            "LegalUnitIdentifier": row["cvr"], **_between(_newest(owners)),
        },
        "ActivityInformation": _activity(row),
        "EmploymentYear": _employment(row).get("EmploymentYear"),
    }  # fmt: skip


def related(row: Row) -> Value:
    """A unit by name and address, as a company's units are listed."""
    return {
        "ProductionUnitIdentifier": row["p_number"], "ProductionUnitName": _name(row), "AddressLocation": address(row),
        "AdvertisingProtectionIndicator": row.get("advertising_protected") is not False,
    }  # fmt: skip


def address(row: Row) -> Value:
    """Codes and words where they make a whole Danish address; the country in any case."""
    place = row.get("address") or {}
    house = _house(place.get("house_number_from"), place.get("letter_from"))
    country = place.get("country")
    codes = (place.get("municipality_code"), place.get("road_code"), house)
    words = (place.get("road"), house, place.get("postcode"), place.get("post_district"))
    return {
        "AddressAccess": dict(
            zip(("MunicipalityCode", "StreetCode", "StreetBuildingIdentifier"), codes, strict=True)
        ) if all(codes) else None,
        "AddressPostalExtended": None if not all(words) else {
            "StreetName": place["road"], "StreetBuildingIdentifier": house, "FloorIdentifier": place.get("floor"),
            "SuiteIdentifier": place.get("door"), "DistrictSubdivisionIdentifier": place.get("town"),
            "PostCodeIdentifier": place["postcode"], "DistrictName": place["post_district"],
            "CareOfName": place.get("care_of"),
            "StreetBuildingIdentifierTo": _house(place.get("house_number_to"), place.get("letter_to")),
        },
        "CountryIdentificationCode": {"": country or _NOWHERE, "@scheme": "iso3166-alpha2"},
        **_period(row.get("addresses")),
    }  # fmt: skip


def _house(number: str | None, letter: str | None) -> str | None:
    found = re.fullmatch("0*([1-9][0-9]{0,2})", number or "")
    return f"{found[1]}{(letter or '').upper()}" if found else None


def _box(row: Row) -> Value | None:
    place = row.get("address") or {}
    box = place.get("po_box")
    return {**address(row), "PostOfficeBoxIdentifier": box} if box and box.isdigit() else None


def _name(row: Row) -> Value:
    names = row.get("names") or ()
    held = _newest(names)
    return {
        "name": row.get("name") or "", "@sequenceNumber": max(0, len(names) - 1), **_between(held or {}),
    }  # fmt: skip


def _life(row: Row) -> Value:
    """Without a first day, the first day that anything is known of."""
    starts = [each["valid_from"] for name in ("names", "addresses") for each in row.get(name) or ()]
    known = [each for each in starts if each is not None]
    return {
        "StartDate": row.get("start_date") or min(known, default=row.get("end_date")),
        "CessationDate": row.get("end_date"),
    }


def _activity(row: Row) -> Value | None:
    code = row.get("industry_code")
    if code is None:
        return None
    main = {"ActivityCode": code, "ActivityDescription": row.get("industry_text"), **_period(row.get("industries"))}
    return {"MainActivity": main}


def _employment(row: Row) -> Value:
    """A year's or a quarter's count; a month's is neither."""
    counted = row.get("employees") or {}
    period = re.fullmatch(r"([0-9]{4})(?:-K([1-4]))?", counted.get("period") or "")
    interval = re.fullmatch(r"ANTAL_([0-9]+)_([0-9]+)", counted.get("interval") or "")
    if period is None or interval is None:
        return {}
    least = int(interval[1])
    code = [letter for bound, letter in _INTERVALS if bound <= least][-1]
    value = {
        "@referenceYear": period[1], "NumberOfEmployees": counted.get("count"), "EmploymentIntervalCode": code,
        "EmploymentInterval": {
            "MinimumNumberOfEmployees": least, "MaximumNumberOfEmployees": int(interval[2]),
        },
    }  # fmt: skip
    if period[2] is None:
        return {"EmploymentYear": value}
    return {"EmploymentQuarter": {**value, "@referenceQuarter": period[2]}}


def _newest(history: Any) -> Row:
    def late(each: Row) -> tuple[bool, date]:
        return each.get("valid_to") is None, each.get("valid_from") or date.min

    found: Row = max(history or ({},), key=late)
    return found


def _period(history: Any) -> Value:
    return _between(_newest(history))


def _between(each: Row) -> Value:
    return {"@validFromDate": each.get("valid_from"), "@validToDate": each.get("valid_to")}
