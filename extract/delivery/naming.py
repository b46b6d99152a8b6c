"""The name of a delivery's file, by a template of the subscription. Pure."""

import re
from datetime import datetime
from typing import Final

from extract.delivery.faults import SubscriptionInvalid
from kernel import COPENHAGEN

_TEMPLATE: Final = re.compile(r"(?:[A-Za-z0-9_-]|\{[a-z]+\})(?:[A-Za-z0-9._-]|\{[a-z]+\}){0,119}")
_FIELDS: Final = frozenset({"yymmdd", "yyyymmdd", "agreement", "number", "snapshot"})
CIRCLE: Final = "D{yymmdd}.L{number}.{agreement}"
"""What established readers of subscription files look for: the day after the first character, and the agreement."""


def checked_template(text: str) -> str:
    """A template as it may be: letters, digits, `._-` and fields in braces, `{number}` or `{snapshot}` among them so
    that no two deliveries have one name. Raises SubscriptionInvalid.
    """
    fields = set(re.findall(r"\{([a-z]+)\}", text))
    if not _TEMPLATE.fullmatch(text) or fields - _FIELDS or not fields & {"number", "snapshot"}:
        raise SubscriptionInvalid(
            "the template of file names is not as it must be",
            remedy=f"use letters, digits and ._-, and {', '.join(f'{{{each}}}' for each in sorted(_FIELDS))}; "
            "{number} or {snapshot} must be there",
            rule="subscription.name",
        )
    return text


def file_name(template: str, *, planned: datetime, agreement: str, number: int, snapshot: int) -> str:
    """planned   when the delivery was planned; its day in Copenhagen is the file's"""
    day = planned.astimezone(COPENHAGEN)
    values = {
        "yymmdd": f"{day:%y%m%d}",
        "yyyymmdd": f"{day:%Y%m%d}",
        "agreement": agreement,
        "number": f"{number:06d}",
        "snapshot": f"{snapshot:08d}",
    }
    return re.sub(r"\{([a-z]+)\}", lambda found: values[found[1]], template)
