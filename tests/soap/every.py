"""A row or two of every register that no other test of SOAP has, and a key of each service that looks records up."""

# ruff: noqa: DTZ001  a register's times have no zone

from datetime import date, datetime
from typing import Any, Final

from tests.api.house import ANNA

ROWS: Final[dict[str, list[dict[str, Any]]]] = {
    "authority.authorities": [
        {"authority_code": "0851", "type": "05", "short_name": "Aalborg", "valid_from": datetime(1970, 4, 1, 0, 0)}
    ],
    "classification.classes": [
        {"code": "27.03", "scheme": "KLE", "level": 2, "parent": "27", "title": "Børn & unge <prøve>",
         "valid_from": date(2020, 1, 1)}
    ],
    "korsbaek.notes": [{"reference": "N-1", "pnr": ANNA, "text": "En note", "weight": 3}],
    "road.roads": [
        {"road": "08510123", "municipality_code": "0851", "road_code": "0123", "addressing_name": "Prøvevej",
         "valid_from": datetime(1980, 1, 1, 0, 0)}
    ],
}  # fmt: skip
KEYS: Final = {
    "authorities": ("0851", "authority_code"),
    "classes": ("27.03", "code"),
    "cpr-person-search": (ANNA, "pnr"),
    "cpr-persons": (ANNA, "pnr"),
    "cvr-companies": ("99000001", "cvr"),
    "cvr-units": ("9900000001", "p_number"),
    "korsbaek-notes": ("N-1", "reference"),
    "municipalities": ("0851", "code"),
    "roads": ("08510123", "road"),
}
"""By service: a key, and the column it stands in."""
