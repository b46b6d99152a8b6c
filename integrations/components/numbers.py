"""Checks of numbers: what can be said of a personal or a company number without looking anybody up."""

import re
from typing import Any

import orjson

from integrations.asked import Reply, Road
from integrations.carried import Carried
from integrations.components.input import field_of
from integrations.passthrough import JSON
from schemas.cpr_number import FICTITIOUS_DAY, birth_date, has_check_digit
from schemas.cvr_number import is_right


def check_cpr_number(carried: Carried) -> Road:
    """Of `pnr`: whether it has the form of a personal number, a date in it, and a check digit that is right.

    A number without a right check digit may be somebody's all the same: since October 2007 they are given out.
    """
    number = field_of(carried, "pnr", "[^\\x00-\\x1f]{1,40}")
    carried.visit.asks_about([number])
    yield from ()
    return _said(cpr_facts(number))


def check_cvr_number(carried: Carried) -> Road:
    """Of `cvr`: whether it has the form of a company number, and a check digit that is right."""
    number = field_of(carried, "cvr", "[^\\x00-\\x1f]{1,40}")
    yield from ()
    shaped = re.fullmatch("[0-9]{8}", number) is not None
    return _said({"shaped": shaped, "valid": shaped and is_right(number)})


def cpr_facts(number: str) -> dict[str, Any]:
    """shaped       ten digits
    valid        shaped, with a date in it
    check_digit  whether it holds modulus 11; None when it is not valid
    birth_date   None when it is not valid
    gender       by the last digit: male (odd) or female; None when it is not valid
    fictitious   whether it is one of those made for tests, with 60 added to the day
    """
    shaped = re.fullmatch("[0-9]{10}", number) is not None
    born = birth_date(number) if shaped else None
    valid = born is not None
    return {
        "shaped": shaped,
        "valid": valid,
        "check_digit": has_check_digit(number) if valid else None,
        "birth_date": born,
        "gender": ("male" if int(number[9]) % 2 else "female") if valid else None,
        "fictitious": valid and int(number[:2]) > FICTITIOUS_DAY,
    }


def _said(facts: dict[str, Any]) -> Reply:
    return Reply(fields=JSON, body=orjson.dumps(facts), keys=1, rows=1)
