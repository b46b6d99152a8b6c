"""Expressions that join answers, in JMESPath (https://jmespath.org): a language without loops, names or side effects.

Compiled when a descriptor is read, so a slip is found then and by its line, never by a caller.
"""

from dataclasses import dataclass, field
from typing import Any, Final, Self

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult

LONGEST: Final = 2_000
_RELATIVE: Final = frozenset(
    {"subexpression", "index_expression", "pipe", "projection", "value_projection", "filter_projection", "flatten"}
)
"""Nodes of which only the first part looks at the names around; what follows looks at what that part found."""


class JoiningInvalid(ValueError):
    """What stands there is no expression, or one that cannot be used. The message says why."""


@dataclass(frozen=True, slots=True)
class Joining:
    """text    as it stands in the descriptor
    roots   the names that it begins with: what must be known before it can be worked out
    """

    text: str
    roots: frozenset[str] = field(compare=False)
    _compiled: ParsedResult = field(repr=False, compare=False)

    @classmethod
    def of(cls, text: str) -> Self:
        """Raises JoiningInvalid."""
        if len(text) > LONGEST:
            raise JoiningInvalid(f"longer than {LONGEST} characters")
        try:
            compiled = jmespath.compile(text)
        except JMESPathError as error:
            raise JoiningInvalid(str(error).splitlines()[0]) from None
        except RecursionError:
            raise JoiningInvalid("nested too deeply") from None
        return cls(text, frozenset(_roots(compiled.parsed)), compiled)

    def value(self, known: dict[str, Any]) -> Any:
        """What it gives for these names. Raises JoiningInvalid when their values do not fit, without showing them."""
        try:
            return self._compiled.search(known)
        except JMESPathError as error:
            raise JoiningInvalid(f"cannot be worked out ({type(error).__name__})") from None


def _roots(node: Any) -> set[str]:
    kind, children = node["type"], node["children"]
    if kind == "field":
        return {node["value"]}
    if kind in {"current", "identity"}:
        raise JoiningInvalid("begins with everything; name what it is about")
    if kind in _RELATIVE:
        return _roots(children[0])
    # `&name` in a function is about each element of what the function looks at.
    return {name for child in children if child["type"] != "expref" for name in _roots(child)}
