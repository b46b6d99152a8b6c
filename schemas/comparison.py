"""The SQL that most rules of a contract are, read without a grammar of all SQL: one column compared with another.

A process that reads contracts would otherwise load a tenth of a second and 9 MB of grammar for one `<`. What is not
plainly such a comparison is left to `schemas/grammar.py`, which decides; what is, reads there just the same.
"""

import re
from collections.abc import Mapping
from typing import Final

from schemas.column import Column, Kind
from schemas.expression import Expression

_NAME: Final = r"(?:[a-z][a-z0-9]*_)+(?:from|to|until|since|day|on)"
"""As columns are called that such rules compare. SQL has no word of its own among them."""
_COUNTED: Final = re.compile(
    rf"\s*SELECT COUNT\(\*\) FROM rows WHERE ({_NAME}) *(=|<>|<=|>=|<|>) *({_NAME})\s*"  # noqa: S608  matched, not run
)
_KINDS: Final = {Kind.TEXT, Kind.INTEGER, Kind.NUMBER, Kind.DATE, Kind.TIMESTAMP}


def counted_comparison(query: str, columns: Mapping[str, Column]) -> Expression | None:
    """The condition of a plain count over the dataset, true or false for each row; None when it is not plainly one."""
    found = _COUNTED.fullmatch(query)
    if found is None:
        return None
    left, right = columns.get(found[1]), columns.get(found[3])
    if left is None or right is None or left.kind is not right.kind or left.kind not in _KINDS:
        return None
    return Expression(f'"{left.name}" {found[2]} "{right.name}"', frozenset({left.name, right.name}))
