"""`knudepunkt quarantine`: what was held back, and trying it again."""

from typing import Annotated

import typer

from runtime.cli.console import (
    DEFAULT_INSTANCE,
    InstanceOption,
    JsonOption,
    console,
    print_json,
    print_reports,
    print_table,
)
from runtime.cli.progress import run_progress

app = typer.Typer(help="Lines that broke a rule of their contract.", no_args_is_help=True)

SourceArgument = Annotated[str, typer.Argument(help="Source, as `knudepunkt status` names it.")]


@app.callback()
def quarantines() -> None:
    """Lines that broke a rule of their contract."""


@app.command("list")
def list_(instance: InstanceOption = DEFAULT_INSTANCE, as_json: JsonOption = False) -> None:
    """Count what is held back, by source, file and rule.

    Example: `knudepunkt quarantine list`
    """
    from runtime.quarantine import held_back

    counts = held_back(instance)
    if as_json:
        print_json([each._asdict() for each in counts])
    elif not counts:
        console().print("Nothing is held back.")
    else:
        print_table("", ("source", "file", "rule", "lines", "since"), counts)


@app.command()
def show(
    source: SourceArgument,
    limit: Annotated[int, typer.Option(help="At most this many lines.", min=1)] = 50,
    text: Annotated[bool, typer.Option("--text", help="Show the lines themselves: they are personal data.")] = False,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Show held-back lines of a source: file, line, rule and reason.

    Examples:

    `knudepunkt quarantine show cpr-persons`

    `knudepunkt quarantine show municipalities --text --json`
    """
    from runtime.quarantine import held_lines

    headings = ("file", "line", "rule", "reason", *(["text"] if text else []))
    rows = [{name: row[name] for name in headings} for row in held_lines(instance, source)[:limit]]
    if as_json:
        print_json(rows)
    elif not rows:
        console().print("Nothing is held back.")
    else:
        print_table("", headings, [tuple(row.values()) for row in rows])


@app.command()
def replay(
    source: SourceArgument,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Read held-back lines again, by the rules as they are now, and publish what passes.

    Do it after a contract or a code list was mended. What came anew since is left as it is; what still breaks a
    rule stays in the quarantine.

    Example: `knudepunkt quarantine replay municipalities`
    """
    from replica import Lake
    from runtime.clock import CLOCK
    from runtime.environment import settings_of
    from runtime.instance import Instance
    from runtime.mirroring import Mirroring

    found = Instance.find(instance)
    settings = settings_of(found)
    mirroring = Mirroring.of(found, settings, CLOCK)
    (chosen,) = mirroring.named([source])
    with Lake.open(found.lake, settings.replica, write=True) as lake, run_progress() as tell:
        report = mirroring.replay(chosen, lake, tell)
    print_reports([report], as_json=as_json)
