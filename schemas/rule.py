"""Rules of a dataset beyond those of its single columns: what `quality` and `relationships` of a contract say.

A rule tests rows. What breaks it is held back (severity error) or counted in the run's report (warning). A rule with
a limit looks at the delivery as a whole instead: when it does not hold, an error refuses the delivery.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from kernel import DatasetId
from schemas.expression import Expression
from schemas.finding import Severity

Path = tuple[str, ...]
"""A column, and the names of the fields within it; arrays on the way are walked through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Nothing there, or a text that stands for nothing."""

    column: str
    texts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalid:
    """Neither null nor one of `allowed`, or not as `pattern` says."""

    column: str
    allowed: frozenset[str] | None = None
    pattern: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicated:
    """All of `columns` are there, and stand so in another row too."""

    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Rows for which `broken` is true; unknown is not true."""

    broken: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckDigit:
    """A number that does not hold modulus 11; where nothing stands, nothing is wrong."""

    path: Path
    scheme: Literal["cpr", "cvr"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey:
    """A value that `column` of `dataset` does not have, neither in the mirror nor, for a dataset that refers to itself,
    in the delivery.
    """

    path: Path
    dataset: DatasetId
    column: str


@dataclass(frozen=True, slots=True)
class RowCount:
    """Every row. Only of a delivery that is the whole dataset."""


Test = Missing | Invalid | Duplicated | Condition | CheckDigit | ForeignKey | RowCount

_HOLDS: Final[Mapping[str, Callable[[float, float, float], bool]]] = {
    "mustBe": lambda found, value, _: found == value,
    "mustNotBe": lambda found, value, _: found != value,
    "mustBeGreaterThan": lambda found, value, _: found > value,
    "mustBeGreaterOrEqualTo": lambda found, value, _: found >= value,
    "mustBeLessThan": lambda found, value, _: found < value,
    "mustBeLessOrEqualTo": lambda found, value, _: found <= value,
    "mustBeBetween": lambda found, low, high: low <= found <= high,
    "mustNotBeBetween": lambda found, low, high: not low <= found <= high,
}
OPERATORS: Final = tuple(_HOLDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How many rows may break a rule.

    operator   one of OPERATORS, the standard's words
    values     two for the Between operators, else one
    percent    of the delivery's rows, not a number of them
    """

    operator: str
    values: tuple[float, ...]
    percent: bool = False

    def holds(self, found: int, rows: int) -> bool:
        measured = 100 * found / rows if self.percent and rows else float(found)
        return _HOLDS[self.operator](measured, self.values[0], self.values[-1])

    def __str__(self) -> str:
        words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in self.operator)
        return f"{words} {' and '.join(f'{value:g}' for value in self.values)}{' percent' if self.percent else ' rows'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """name     as reports and the quarantine call it, for instance foreign_key
    reason   what is wrong with a row that breaks it, without its values
    limit    None: each row that breaks it counts for itself
    where    its place in the contract
    """

    name: str
    test: Test
    reason: str
    severity: Severity = Severity.ERROR
    limit: Limit | None = None
    where: str = field(default="", compare=False, repr=False)

    @property
    def columns(self) -> frozenset[str]:
        """Those that it looks at."""
        match self.test:
            case Missing(column=name) | Invalid(column=name):
                return frozenset({name})
            case Duplicated(columns=names):
                return frozenset(names)
            case Condition(broken=expression):
                return expression.columns
            case CheckDigit(path=path) | ForeignKey(path=path):
                return frozenset(path[:1])
            case RowCount():
                return frozenset()
