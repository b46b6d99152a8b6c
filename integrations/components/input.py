"""What a component takes from the body of a call."""

import re
from typing import Any

from integrations.carried import Carried
from integrations.errors import InputInvalid


def fields_of(carried: Carried, *known: str) -> dict[str, Any]:
    """The body, with no field but these. Raises InputInvalid."""
    body = carried.asked.document()
    if body.keys() - set(known):
        raise InputInvalid("there is a field that the service does not take", remedy=f"it takes {', '.join(known)}")
    return body


def field_of(carried: Carried, name: str, pattern: str) -> str:
    """The one field of the body, a text. Raises InputInvalid, naming the field and not its value."""
    value = fields_of(carried, name).get(name)
    if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
        raise InputInvalid(f"{name} is not there, or does not have its shape", remedy=f'send {{"{name}": "..."}}')
    return value
