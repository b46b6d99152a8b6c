"""What the administrator's verbs have in common: in whose name, and how things are shown."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, JsonOption, console, print_json, print_table

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from runtime.administration import Desk

AsOption = Annotated[
    str | None,
    typer.Option("--as", help="Act in a user's name, with their roles: the e-mail address. Else the house acts."),
]
OrganisationOption = Annotated[
    str | None, typer.Option("--org", help="Organisation: CVR number, name or id; your own with --as.")
]
NoteOption = Annotated[str, typer.Option("--note", help="Why; it stands in the trail, and in the notice.")]
OutOption = Annotated[Path | None, typer.Option("--out", help="Folder for key and certificate.")]


@dataclass(frozen=True, slots=True)
class Errand:
    """One run of an administrator's verb: where, in whose name (None: the house's), and whether a script reads it."""

    instance: Path
    acting: str | None
    as_json: bool

    def desk(self) -> "AbstractContextManager[Desk]":
        """Raises InstanceMissing, Unregistered."""
        from runtime.administration import open_desk

        return open_desk(self.instance, self.acting)

    def show(self, view: Any, *, said: str = "") -> None:
        """One thing, as a REST answer shows it."""
        import msgspec

        told = msgspec.to_builtins(view)
        if self.as_json:
            print_json(told)
            return
        out = console()
        if said:
            out.print(said, markup=False)
        for name, value in told.items():
            if value is not None:
                out.print(f"  {name}: {_plain(value)}", markup=False)

    def show_all(self, views: Iterable[Any], columns: Sequence[str], *, none: str) -> None:
        """Many things, the columns named."""
        import msgspec

        told = [msgspec.to_builtins(each) for each in views]
        if self.as_json:
            print_json(told)
        elif not told:
            console().print(none)
        else:
            print_table("", columns, [[_plain(each[name]) for name in columns] for each in told])


_OPTIONS = tuple(
    Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=kind)
    for name, default, kind in (
        ("acting", None, AsOption), ("instance", DEFAULT_INSTANCE, InstanceOption), ("as_json", False, JsonOption),
    )
)  # fmt: skip


def on_errand(verb: Callable[..., None]) -> Callable[..., None]:
    """A command with the options that every administrator's verb has. `verb` gets what they say as its first argument,
    an Errand.
    """

    @wraps(verb)
    def run(*, instance: Path, acting: str | None, as_json: bool, **given: Any) -> None:
        verb(Errand(instance, acting, as_json), **given)

    _, *own = signature(verb).parameters.values()
    options = (*own, *_OPTIONS)
    # What typer reads a command's options from.
    run.__signature__ = Signature(options)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in options}
    return run


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
