"""`knudepunkt contract`: what registers promise."""

from pathlib import Path
from typing import Annotated

import typer

from runtime.cli.console import JsonOption, console, print_json

app = typer.Typer(help="Check registers: contracts and service descriptors.", no_args_is_help=True)


@app.callback()
def contracts() -> None:
    """Check registers: contracts and service descriptors."""


@app.command()
def check(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Register folders. Default: those that are shipped.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is wrong with a register's files: file, line, what, and how to mend it. Exit code 1 when something is.

    Examples:

    `knudepunkt contract check`

    `knudepunkt contract check instance/registers/companies`
    """
    from schemas import SHIPPED, Severity, check_registers

    findings = check_registers(*(folders or [SHIPPED]))
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if as_json:
        print_json(
            [
                {
                    "severity": finding.severity, "file": str(finding.path), "line": finding.line,
                    "where": finding.where, "problem": finding.problem, "remedy": finding.remedy,
                }
                for finding in findings
            ]
        )  # fmt: skip
    else:
        out = console()
        for finding in findings:
            place = f"{finding.path}:{finding.line}" if finding.line else str(finding.path)
            out.print(f"{place}: {finding.severity}: {finding.where}: {finding.problem}", markup=False)
            out.print(f"    {finding.remedy}", markup=False, style="dim")
        out.print(f"{len(errors)} errors, {len(findings) - len(errors)} warnings")
    if errors:
        raise typer.Exit(1)
