"""`knudepunkt demo`: the whole platform with fictitious data, and what to try."""

import shlex
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, console
from runtime.cli.progress import run_progress
from runtime.cli.up import start_detached

if TYPE_CHECKING:
    from runtime.demo import Stage
    from runtime.outcome import Try


def demo(
    instance: InstanceOption = DEFAULT_INSTANCE,
    persons: Annotated[int, typer.Option(min=10, help="How many fictitious persons.")] = 400,
    seed: Annotated[int, typer.Option(help="The same seed gives the same persons.")] = 1,
    check: Annotated[
        bool, typer.Option("--check", help="In a temporary folder: run the listed commands, check each, stop.")
    ] = False,
) -> None:
    """Make an instance with fictitious data if it is missing, run it in the background, and say what to try.

    Examples:

    `knudepunkt demo`, later `knudepunkt down`

    `knudepunkt demo --persons 100000`

    `knudepunkt demo --check` (exit code 0 only if all that it promises holds)
    """
    if check:
        _check(persons, seed)
        return
    from runtime.client import addresses
    from runtime.demo_source import start_source
    from runtime.processes import running_parent

    stage = _stage(instance, persons, seed)
    start_source(stage.instance)
    if running_parent(stage.instance) is None:
        start_detached(stage.instance)
    out = console()
    out.print("\n[bold]Try this[/] (paste it as it is):\n")
    for number, item in enumerate(_tries(stage, instance), 1):
        out.print(f"[bold]{number}. {item.title}[/]")
        out.print(item.command, markup=False)
        out.print()
    out.print("Stop it with:  ", end="")
    out.print(f"{_program(Path.cwd())} down{_where(instance)}", markup=False)
    port = addresses(stage.instance).api[1]
    out.print(f"More: README.md, docs/guides/, and https://localhost:{port}/openapi.json", style="dim")


def _check(persons: int, seed: int) -> None:
    from runtime.demo_source import start_source
    from runtime.processes import running_parent
    from runtime.tries import run_all

    out = console()
    with tempfile.TemporaryDirectory(prefix="knudepunkt-") as name:
        folder = Path(name)
        instance = folder / "instance"
        # Port 0: whichever is free, and so beside whatever else runs here.
        stage = _stage(instance, persons, seed, api_port=0, sftp_port=0)
        try:
            start_source(stage.instance)
            start_detached(stage.instance)
            failed = 0
            for ran in run_all(_tries(stage, instance, here=folder), folder):
                mark = "[green]holds[/]" if ran.fault is None else "[bold red]FAILS[/]"
                out.print(f"{mark}  {ran.seconds:6.2f} s  ", end="")
                out.print(ran.title, markup=False)
                if ran.fault is not None:
                    failed += 1
                    out.print(f"    {ran.fault}", markup=False)
                    out.print(ran.output[:2000], markup=False, style="dim")
            if failed:
                log = stage.instance.logs / "knudepunkt.log"
                out.print(log.read_text()[-4000:] if log.exists() else "", markup=False, style="dim")
        finally:
            _down(stage)
        if running_parent(stage.instance) is not None:
            failed += 1
            out.print("FAILS  it did not stop")
    if failed:
        raise typer.Exit(1)
    out.print("[bold green]All of it holds.[/]")


def _stage(root: Path, persons: int, seed: int, *, api_port: int = 8443, sftp_port: int = 2222) -> "Stage":
    from runtime.demo import set_the_stage

    out = console()
    with run_progress() as tell:
        stage = set_the_stage(
            root, persons=persons, seed=seed, api_port=api_port, sftp_port=sftp_port,
            tell=lambda words: out.print(f"{words} ..."), progress=tell,
        )  # fmt: skip
    for report in stage.reports:
        out.print(f"  {report.one_line()}", markup=False)
    return stage


def _tries(stage: "Stage", instance: Path, here: Path | None = None) -> "tuple[Try, ...]":
    """here   the folder in which the commands are to be run; by default this one"""
    from runtime.client import Profile, addresses
    from runtime.demo import MUNICIPALITY, write_ssh_config
    from runtime.tries import tries

    where = addresses(stage.instance)
    write_ssh_config(stage.profile, where)
    # As a person would write it, from where they stand.
    shown = Profile(instance / "clients" / stage.profile.folder.name)
    return tries(
        shown,
        where,
        municipality_cvr=MUNICIPALITY[0],
        persons=stage.persons,
        program=_program(here or Path.cwd()),
        instance=instance,
    )


def _program(here: Path) -> str:
    """The command as it can be pasted in a folder: relative when it lies below it."""
    program = Path(sys.argv[0]).absolute()
    if program.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m runtime.cli"
    return shlex.quote(str(program.relative_to(here) if program.is_relative_to(here) else program))


def _where(instance: Path) -> str:
    return "" if instance == DEFAULT_INSTANCE else f" --instance {shlex.quote(str(instance))}"


def _down(stage: "Stage") -> None:
    from runtime.cli.down import stop_parent

    stop_parent(stage.instance)
