"""SQL that looks values up in a dataset of the mirror: what refers to it, and codes that it has texts for.

Pure: text out. `asked` is a registered table with one column, `value`; names come from contracts and are quoted.
"""

from kernel import DatasetId
from replica.statements import quoted


def present(dataset: DatasetId, column: str) -> str:
    """Those of the values that stand in the column, each once."""
    name = quoted(column)
    return f"SELECT DISTINCT {name} AS value FROM {_table(dataset)} SEMI JOIN asked ON asked.value = {name}"


def texts(dataset: DatasetId, code: str, text: str) -> str:
    """code and text of the rows whose `code` is asked for, one text a code."""
    return (
        f"SELECT {quoted(code)} AS code, min({quoted(text)}) AS text FROM {_table(dataset)} "
        f"SEMI JOIN asked ON asked.value = {quoted(code)} GROUP BY {quoted(code)}"
    )


def _table(dataset: DatasetId) -> str:
    register, _, name = dataset.partition(".")
    return f"lake.{quoted(register)}.{quoted(name)}"
