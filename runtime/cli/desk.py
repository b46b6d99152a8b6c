"""What the administrator's verbs have in common: in whose name, and how things are shown."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from runtime.cli.console import console, print_json, print_table

AsOption = Annotated[
    str | None,
    typer.Option("--as", help="Act in a user's name, with their roles: the e-mail address. Else the house acts."),
]
OrganisationOption = Annotated[
    str | None, typer.Option("--org", help="Organisation: CVR number, name or id; your own with --as.")
]
NoteOption = Annotated[str, typer.Option("--note", help="Why; it stands in the trail, and in the notice.")]
OutOption = Annotated[Path | None, typer.Option("--out", help="Folder for key and certificate.")]


def show(view: Any, *, as_json: bool, said: str = "") -> None:
    """One thing, as a REST answer shows it."""
    import msgspec

    told = msgspec.to_builtins(view)
    if as_json:
        print_json(told)
        return
    out = console()
    if said:
        out.print(said, markup=False)
    for name, value in told.items():
        if value is not None:
            out.print(f"  {name}: {_plain(value)}", markup=False)


def show_all(views: Iterable[Any], columns: Sequence[str], *, as_json: bool, none: str) -> None:
    """Many things, the columns named."""
    import msgspec

    told = [msgspec.to_builtins(each) for each in views]
    if as_json:
        print_json(told)
    elif not told:
        console().print(none)
    else:
        print_table("", columns, [[_plain(each[name]) for name in columns] for each in told])


def moment(text: str, option: str) -> datetime:
    """A time or a day as the command line takes it; UTC unless it says otherwise."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("takes a time, such as 2027-01-01 or 2027-01-01T08:00", param_hint=option) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def content_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}") from None


def _plain(value: Any) -> Any:
    match value:
        case list() | tuple():
            return " ".join(str(each) for each in value)
        case str() if len(value) > 19 and value[4:5] == "-" and value[10:11] == "T":
            return f"{value[:10]} {value[11:19]}"
        case _:
            return value
