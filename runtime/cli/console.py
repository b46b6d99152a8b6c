"""How the command line speaks: people on a terminal, scripts through --json."""

import errno
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kernel import OperatorMistake, PlatformError

if TYPE_CHECKING:
    from rich.console import Console

    from sync import RunReport

DEFAULT_INSTANCE = Path("instance")
_ROOM: Final = 10_000
"""Columns that a table may take where no terminal ends them."""

_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG})

InstanceOption = Annotated[
    Path,
    typer.Option("--instance", envvar="KNUDEPUNKT_INSTANCE", help="Folder of the instance.", show_default=True),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
HandleOption = Annotated[int | None, typer.Option("--fd", hidden=True)]
LifelineOption = Annotated[int | None, typer.Option("--lifeline", hidden=True)]


class FileUnusable(OperatorMistake):
    code = "file_unusable"
    title = "A file or folder cannot be used"

    @classmethod
    def of(cls, error: OSError) -> "FileUnusable | None":
        """What an error of the system means to whoever named the file; None for one that is about no file or disk."""
        if error.filename is None and error.errno not in _DISK:
            return None
        where = "" if error.filename is None else f"{error.filename}: "
        remedy = (
            "make room for it, or name a place on another disk" if error.errno in _DISK else
            "name one that is there and that you may use; to write a file, a folder that you may write to"
        )  # fmt: skip
        return cls(f"{where}{error.strerror}", remedy=remedy)


def console(*, stderr: bool = False) -> "Console":
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def print_error(error: PlatformError) -> None:
    """What is wrong and what to do, on standard error."""
    err = console(stderr=True)
    err.print(f"[bold red]{error.title}[/]: ", end="")
    err.print(error.message, markup=False)
    if error.remedy:
        err.print("What to do: ", end="", style="bold")
        err.print(error.remedy, markup=False)
    err.print(f"({error.code})", style="dim")


def print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def print_reports(reports: Sequence["RunReport"], *, as_json: bool) -> None:
    """What runs of sources did; exit code 1 when one was refused."""
    if as_json:
        print_json([report.as_dict() for report in reports])
    else:
        out = console()
        for report in reports:
            out.print(report.one_line(), style=None if report.ok else "bold red", markup=False)
            for warning in report.warnings:
                out.print(f"  note: {warning}", markup=False, style="yellow")
    if not all(report.ok for report in reports):
        raise typer.Exit(1)


def print_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table whose first column, what each row is about, is whole on every terminal; in a pipe, all of it is."""
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", header_style="bold")
    for number, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*(Text(shown(cell)) for cell in row))
    out = console()
    if not out.is_terminal:
        roomy = out.options.update(width=_ROOM, max_width=_ROOM)
        out.width = max(out.width, Measurement.get(out, roomy, table).maximum)
    out.print(table)


def shown(cell: Any) -> str:
    """A value as people read it in a table or a list."""
    match cell:
        case None:
            return ""
        case bool():
            return "yes" if cell else "no"
        case int():
            return f"{cell:,}"
        case float():
            return f"{cell:,.3f}"
        case datetime():
            return cell.strftime("%Y-%m-%d %H:%M:%S")
        case list() | dict():
            return json.dumps(cell, ensure_ascii=False, default=_plain)
        case _:
            return str(cell)


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
