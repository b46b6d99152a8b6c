"""Doors of rooms. A room's `__init__.py` says what the room offers, and loads none of it.

    if TYPE_CHECKING:
        from usage.ledger import Ledger
        from usage.sql import Answer, ask

    hang_door(__name__)

What stands there as imports is what people, mypy and import-linter read. `hang_door` reads it too: `from usage import
Ledger` then loads `usage.ledger` and what that needs, and leaves the rest of the room, with the libraries behind it, on
disk. Whoever wants a room's settings does not wait for its engines, and no process holds what it never uses.

Modules import at their top as ever, so what a process uses is loaded when it starts and not during a call.
"""

import ast
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any


class _Door(ModuleType):
    _offered: Mapping[str, tuple[str, str]]
    """name -> where it is defined: module, name there"""

    def __getattr__(self, name: str) -> Any:
        if name not in self._offered:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}", name=name, obj=self)
        module, inside = self._offered[name]
        found = getattr(import_module(module), inside)
        super().__setattr__(name, found)
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        # A module that was loaded is put into its room under its own name. Where that is also the name of what it
        # offers, `integrations.lookup` say, the room goes on offering the latter.
        if name in self._offered and isinstance(value, ModuleType):
            value = getattr(value, self._offered[name][1])
        super().__setattr__(name, value)


def hang_door(room: str) -> None:
    """For the end of a room's `__init__.py`, with its `__name__`."""
    module = sys.modules[room]
    vars(module)["_offered"] = _offered_in(Path(module.__file__ or "").read_text(encoding="utf-8"))
    module.__class__ = _Door


def _offered_in(source: str) -> dict[str, tuple[str, str]]:
    """What the imports under `if TYPE_CHECKING:` name, and where it is."""
    return {
        alias.asname or alias.name: (statement.module or "", alias.name)
        for block in ast.parse(source).body
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
