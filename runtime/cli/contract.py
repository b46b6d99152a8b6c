"""`knudepunkt contract`: what registers promise, and how the mirror follows when they promise something else."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, JsonOption, console, print_json

if TYPE_CHECKING:
    from runtime.contract_plans import ContractPlan
    from schemas import Finding

app = typer.Typer(help="Check, plan and apply what registers promise; import contracts.", no_args_is_help=True)
Drafts = Annotated[
    list[Path] | None,
    typer.Argument(help="Register folders that take the place of those of the same name. Default: as installed."),
]


@app.callback()
def contracts() -> None:
    """Check, plan and apply what registers promise; import contracts."""


@app.command()
def check(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Register folders. Default: those that are shipped.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is wrong with a register's files: file, line, what, and how to mend it. Exit code 1 when something is.

    Reads contracts, services and sources. Registers that these refer to are found among those that are shipped.

    Examples:

    `knudepunkt contract check`

    `knudepunkt contract check instance/registers/companies`
    """
    from runtime.checking import check_folders
    from schemas import Severity

    findings = check_folders(*(folders or []))
    if as_json:
        print_json([_finding(found) for found in findings])
    else:
        _print_findings(findings)
    if any(found.severity is Severity.ERROR for found in findings):
        raise typer.Exit(1)


@app.command()
def plan(drafts: Drafts = None, instance: InstanceOption = DEFAULT_INSTANCE, as_json: JsonOption = False) -> None:
    """Say what applying the contracts would do; nothing is changed. Exit code 1 when `apply` would refuse.

    Compares the contracts in the files with those that the mirror follows. For each difference: whether it is
    compatible, additive or breaking, how many rows of the mirror it touches or would break, and which services and
    agreements give out what changes.

    Examples:

    `knudepunkt contract plan`

    `knudepunkt contract plan drafts/companies --json`
    """
    from contextlib import ExitStack

    from replica import DatasetNotReady, Lake
    from runtime.checking import load_among
    from runtime.clock import CLOCK
    from runtime.contract_plans import plan_contracts
    from runtime.environment import settings_of
    from runtime.instance import Instance
    from runtime.migrated import open_control
    from schemas import SHIPPED

    found = Instance.find(instance)
    settings = settings_of(found)
    registers = load_among(SHIPPED, found.registers, drafts=tuple(drafts or ()))
    with ExitStack() as stack:
        try:
            lake = stack.enter_context(Lake.open(found.lake, settings.replica, write=False))
        except DatasetNotReady:
            lake = None
        control = stack.enter_context(open_control(found, settings))
        plans = plan_contracts(registers, lake, control, CLOCK.now())
    if as_json:
        print_json([each.as_dict() for each in plans])
    else:
        for each in plans:
            _print_plan(each)
        if not plans:
            console().print("The mirror follows every contract.")
    if any(each.breaks or each.impossible for each in plans):
        raise typer.Exit(1)


@app.command()
def apply(
    drafts: Drafts = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    accept_breaking: Annotated[
        bool, typer.Option("--accept-breaking", help="Also what breaks, without a new major version.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Let the mirror follow the contracts: columns come, go, get other names and wider types, and the rows stay.

    Each register in one transaction. A breaking change needs a new major version, or --accept-breaking. Restart the
    platform afterwards, so that what answers reads the same contracts.

    Example: `knudepunkt contract plan && knudepunkt contract apply`
    """
    from replica import Lake
    from runtime.checking import load_among
    from runtime.clock import CLOCK
    from runtime.contracts import apply_contract, only_accepted
    from runtime.environment import settings_of
    from runtime.instance import Instance
    from runtime.mirroring import Mirroring
    from schemas import SHIPPED

    found = Instance.find(instance)
    settings = settings_of(found)
    registers = load_among(SHIPPED, found.registers, drafts=tuple(drafts or ()))
    mirroring = Mirroring.of(found, settings, CLOCK)
    done = []
    with Lake.open(found.lake, settings.replica, write=True) as lake:
        for contract in registers.contracts:
            changes = apply_contract(
                contract, lake, CLOCK.now(),
                refresh=lambda dataset: mirroring.refresh(lake, dataset),
                allowed=only_accepted(contract.register, accept=accept_breaking),
            )  # fmt: skip
            done.append((contract, changes))
    if as_json:
        print_json(
            [
                {"register": each.register, "version": each.version, "changes": [change.what for change in changes]}
                for each, changes in done
            ]
        )
    else:
        for each, changes in done:
            console().print(f"{each.register} {each.version}: {len(changes)} changes applied", markup=False)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A contract of the Open Data Contract Standard, version 3.")],
    into: Annotated[Path, typer.Option("--into", help="The new register folder; its name is the register's.")],
    as_json: JsonOption = False,
) -> None:
    """Make a register folder of a contract that was written elsewhere: contract, services and sources to begin with.

    Says what was translated or left out, and what somebody has to decide; where nothing is said of who may see a
    column, it is personal. Exit code 1 while `contract check` finds errors in the folder.

    Example: `knudepunkt contract import orders.odcs.yaml --into instance/registers/orders`
    """
    from runtime.importing import import_contract
    from schemas import Severity

    made = import_contract(file, into)
    errors = any(found.severity is Severity.ERROR for found in made.findings)
    if as_json:
        print_json(
            {
                "folder": str(made.folder), "files": made.files, "told": made.told, "to_decide": made.to_decide,
                "findings": [_finding(found) for found in made.findings],
            }
        )  # fmt: skip
    else:
        out = console()
        for line in made.told:
            out.print(f"note: {line}", markup=False, style="dim")
        for line in made.to_decide:
            out.print(f"to decide: {line}", markup=False, style="yellow")
        _print_findings(made.findings)
    if errors:
        raise typer.Exit(1)


def _finding(found: "Finding") -> dict[str, object]:
    return {
        "severity": found.severity, "file": str(found.path), "line": found.line, "where": found.where,
        "problem": found.problem, "remedy": found.remedy,
    }  # fmt: skip


def _print_findings(findings: Sequence["Finding"]) -> None:
    from schemas import Severity

    out = console()
    for found in findings:
        place = f"{found.path}:{found.line}" if found.line else str(found.path)
        out.print(f"{place}: {found.severity}: {found.where}: {found.problem}", markup=False)
        out.print(f"    {found.remedy}", markup=False, style="dim")
    errors = sum(found.severity is Severity.ERROR for found in findings)
    out.print(f"{errors} errors, {len(findings) - errors} warnings")


def _print_plan(plan: "ContractPlan") -> None:
    out = console()
    if plan.applied is None:
        out.print(f"{plan.register} {plan.version}: not applied yet; the first run of a source does it", markup=False)
        return
    grade = plan.grade.value if plan.grade else "the same in all that counts"
    out.print(f"{plan.register} {plan.applied} -> {plan.version}: {grade}", markup=False, style="bold")
    for change, effect in plan.changes:
        counts = [
            f"{count:,} rows {said}"
            for count, said in (
                (effect.touched, "touched"), (effect.empty, "without a value until they come anew"),
                (effect.broken, "that break it"),
            )
            if count is not None
        ]  # fmt: skip
        tail = f" ({', '.join(counts)})" if counts else ""
        out.print(f"  {change.grade:<10} {change.place}: {change.text}{tail}", markup=False)
    for each in plan.affected:
        among = f": {', '.join(each.municipalities)}; {', '.join(each.systems)}" if each.agreements else ""
        out.print(f"  service {each.service}: {each.agreements} live agreements{among}", markup=False)
        if each.needs_request:
            out.print(f"    only by a new request: {', '.join(each.needs_request)}", markup=False)
    if plan.impossible:
        out.print("  the mirror cannot follow: " + "; ".join(each.place for each in plan.impossible), style="bold red")
    if plan.fault is not None:
        out.print(f"  {plan.fault}", markup=False, style="bold red" if plan.breaks else "yellow")
