"""`knudepunkt explain`: what would a call of this system meet?"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, JsonOption, console, print_json

if TYPE_CHECKING:
    from runtime.instance import Instance


def explain(
    system: Annotated[str | None, typer.Option("--system", help="The calling system: its name or its id.")] = None,
    service: Annotated[str | None, typer.Option("--service", help="Service, as in the catalogue.")] = None,
    trace: Annotated[str | None, typer.Option("--trace", help="Trace id of a call that was made.")] = None,
    municipality: Annotated[
        str | None, typer.Option("--municipality", help="CVR number that the call would name.")
    ] = None,
    agreement: Annotated[str | None, typer.Option("--agreement", help="Agreement that the call would name.")] = None,
    columns: Annotated[str | None, typer.Option("--columns", help="Columns asked for, with commas.")] = None,
    keys: Annotated[int, typer.Option("--keys", min=1, help="How many keys.")] = 1,
    purpose: Annotated[str | None, typer.Option("--purpose", help="Purpose that the call would name.")] = None,
    at: Annotated[str | None, typer.Option("--at", help="When, such as 2027-01-01T08:00 (UTC); now without.")] = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Say what a call would meet, before it is made: which agreement carries it, what it may see, what is left, or why
    it would be refused, by whose rule, and what to do. Nothing is called, counted or kept.

    With --trace, say what was decided about a call that was made, from the ledger.

    Examples:

    `knudepunkt explain --trace 4bf92f3577b34da6a3ce929d0e0e4736`

    `knudepunkt explain --system demo --service cpr-persons`

    `knudepunkt explain --system demo --service cpr-persons --columns name,address --keys 500 --at 2027-01-01T08:00`
    """
    from runtime.environment import settings_of
    from runtime.explaining import Asked, explain_call
    from runtime.instance import Instance

    found = Instance.find(instance)
    if trace is not None:
        _print_decisions(found, trace, as_json=as_json)
        return
    if system is None or service is None:
        raise typer.BadParameter("give --system and --service, or --trace")
    asked = Asked(
        system=system, service=service, municipality=municipality, agreement=agreement, keys=keys, purpose=purpose,
        columns=None if columns is None else tuple(name.strip() for name in columns.split(",")), at=_moment(at),
    )  # fmt: skip
    told = explain_call(found, settings_of(found), asked)
    if as_json:
        print_json(told)
    else:
        _print(told)


def _print_decisions(instance: "Instance", trace: str, *, as_json: bool) -> None:
    from kernel import TraceId
    from runtime.asking import decisions_of

    found = [dict(line) for line in decisions_of(instance, TraceId(trace.removeprefix("urn:trace:").lower()))]
    if as_json:
        print_json(found)
    elif not found:
        console().print("No call of the last 35 days has this trace id.")
    for line in [] if as_json else found:
        for name, value in line.items():
            console().print(f"{name}: {value}", markup=False)
        console().print()


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("takes a time, such as 2027-01-01T08:00", param_hint="--at") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _print(told: dict[str, Any]) -> None:
    say = console()
    say.print("The call would get through." if told["admitted"] else "The call would be refused.")
    for refusal in told["refusals"]:
        say.print(f"  {refusal['detail']} ({refusal['code']})", markup=False)
        for name in ("rule", "owner", "left", "ends", "next", "remedy"):
            if name in refusal:
                say.print(f"    {name}: {refusal[name]}", markup=False)
    if "agreement" in told:
        rows = "; ".join(f"{column} is {' or '.join(values)}" for column, values in told["rows"].items())
        lines = {
            "agreement": f"{told['agreement']} with municipality {told['municipality']}",
            "ends": told["ends"] or "never",
            "columns": ", ".join(told["columns"]) if told["columns"] else "all that the service offers",
            "rows": rows or "all",
            "protected": "names and addresses of protected persons too" if told["protected"] else "withheld",
            "keys": f"{told['keys_per_call']} per call",
            "purpose": told["purpose"] or "none named",
        }
        for name, text in lines.items():
            say.print(f"  {name}: {text}", markup=False)
        for limit in told["limits"]:
            say.print(f"  {limit['name']}: {limit['left']:,} of {limit['calls']:,} calls left", markup=False)
