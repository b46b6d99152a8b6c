"""`knudepunkt delivery`: what became of each delivery."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, JsonOption, console, print_json, print_table, shown
from runtime.cli.subscription import opened

app = typer.Typer(help="Deliveries: what was sent, what waits, what failed and why.", no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(help="Id of the delivery, as `knudepunkt delivery list` shows it.")]
StateOption = Annotated[
    str | None,
    typer.Option(
        help="Only those that are planned, produced, sending, sent, received, failed, dead, withheld, superseded or "
        "cancelled."
    ),
]
_COLUMNS = ("id", "number", "state", "kind", "snapshot", "rows", "attempts", "file", "fault")


@app.command("list")
def list_(
    subscription: Annotated[str | None, typer.Option(help="Only those of one subscription.")] = None,
    state: StateOption = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """List deliveries, newest first.

    Examples:

    `knudepunkt delivery list --state dead`

    `knudepunkt delivery list --subscription 0190b0f4-... --json`
    """
    from extract import State
    from extract.delivery.desk import told_delivery

    if state is not None and state not in set(State):
        raise typer.BadParameter(f"it is one of {', '.join(State)}", param_hint="--state")
    with opened(instance) as delivering:
        listed = delivering.desk.deliveries(
            None, subscription=subscription, state=None if state is None else State(state), limit=limit
        )
        found = [told_delivery(each) for each in listed]
    if as_json:
        print_json(found)
    else:
        print_deliveries(found)


@app.command()
def show(delivery: IdArgument, instance: InstanceOption = DEFAULT_INSTANCE, as_json: JsonOption = False) -> None:
    """Show a delivery and every step it took.

    Example: `knudepunkt delivery show 0190b0f4-...`
    """
    from extract.delivery.desk import told_delivery

    with opened(instance) as delivering:
        found, steps = delivering.desk.delivery(None, delivery)
    told = told_delivery(found)
    taken = [{"at": each.at, "step": each.step, "state": each.state, "note": each.note} for each in steps]
    if as_json:
        print_json(told | {"steps": taken})
        return
    for name, value in told.items():
        if value is not None:
            console().print(f"  {name}: {shown(value)}", markup=False)
    print_table("", ("at", "step", "state", "note"), [tuple(each.values()) for each in taken])


@app.command()
def retry(delivery: IdArgument, instance: InstanceOption = DEFAULT_INSTANCE, as_json: JsonOption = False) -> None:
    """Send a delivery once more (`redelivery` over REST): one that is dead, or one that the receiver has lost.

    Example: `knudepunkt delivery retry 0190b0f4-...`
    """
    from extract.delivery.desk import told_delivery

    with opened(instance) as delivering:
        found = delivering.desk.redeliver(None, delivery, by="the operator")
    if as_json:
        print_json(told_delivery(found))
    else:
        console().print(f"{found.id}: planned; it is sent when the worker looks next.", markup=False)


@app.command()
def cancel(delivery: IdArgument, instance: InstanceOption = DEFAULT_INSTANCE, as_json: JsonOption = False) -> None:
    """Give a delivery up for good. The next one of its subscription holds everything, and says why.

    Example: `knudepunkt delivery cancel 0190b0f4-...`
    """
    from extract.delivery.desk import told_delivery

    with opened(instance) as delivering:
        found = delivering.desk.cancel(None, delivery, by="the operator")
    if as_json:
        print_json(told_delivery(found))
    else:
        console().print(f"{found.id}: cancelled; the next delivery is a full one.", markup=False)


@app.command()
def send(instance: InstanceOption = DEFAULT_INSTANCE, as_json: JsonOption = False) -> None:
    """Plan and send what is due now and fetch receipts, beside the worker or instead of it.

    Example: `knudepunkt delivery send`
    """
    from extract.delivery.desk import told_delivery
    from runtime.delivery_jobs import receipts_of
    from runtime.logs import configure_logs

    configure_logs(role="cli", level="warning")
    with opened(instance) as delivering, console(stderr=True).status("Sending ..."):
        before = {each.id: each.state for each in delivering.outbox.book.listed(limit=10_000)}
        delivering.plan()
        delivering.send()
        receipts_of(delivering).fetch()
        listed = delivering.outbox.book.listed(limit=10_000)
        found = [told_delivery(each) for each in listed if before.get(each.id) != each.state]
    if as_json:
        print_json(found)
    else:
        print_deliveries(found, none="Nothing was due.")


def print_deliveries(found: Sequence[dict[str, Any]], *, none: str = "There is no such delivery.") -> None:
    if not found:
        console().print(none)
    else:
        print_table("", _COLUMNS, [[each[name] for name in _COLUMNS] for each in found])
