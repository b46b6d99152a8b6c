"""How a column that no source delivers gets its values: by an expression, or from a code list."""

from dataclasses import dataclass

from kernel import DatasetId
from schemas.expression import Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    expression: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class FromList:
    """The text that a list beside the contract has for the code in `column`; null for a code that it lacks.

    entries   (code, text), by code
    file      its name
    """

    column: str
    file: str
    entries: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FromDataset:
    """What the column `text` of `dataset` holds where its column `code` holds the value of `column`: as the mirror has
    it while a delivery is loaded; null for a code that it lacks.
    """

    column: str
    dataset: DatasetId
    code: str
    text: str


Derivation = Computed | FromList | FromDataset
