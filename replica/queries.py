"""Named queries of `queries.sql`: `-- name --` begins one, bound parameters only."""

import re
from functools import cache
from pathlib import Path


@cache
def query(name: str) -> str:
    """The text of a query. Raises KeyError."""
    return _all()[name]


@cache
def _all() -> dict[str, str]:
    text = (Path(__file__).parent / "queries.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- (\w+) --$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))
