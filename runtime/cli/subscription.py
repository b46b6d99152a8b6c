"""`knudepunkt subscription`: who is given what, again and again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, JsonOption, console, print_json, print_table, shown

if TYPE_CHECKING:
    from runtime.delivering import Delivering

app = typer.Typer(help="Subscriptions: deliveries that come by themselves.", no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(help="Id of the subscription, as `knudepunkt subscription list` shows it.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it stands with the subscription.")]


@app.command()
def add(
    service: Annotated[str, typer.Argument(help="An extract service, for instance cpr-persons-extract.")],
    agreement: Annotated[str, typer.Option(help="Id of the agreement that carries it, or the beginning of it.")],
    kind: Annotated[str, typer.Option(help="full, changes, or circle (the agreement's circle).")] = "changes",
    schedule: Annotated[
        str, typer.Option(help="publication, `working MINUTE HOUR`, or five fields of cron with named days.")
    ] = "publication",
    to: Annotated[
        str, typer.Option(help="shelf, inbox, sftp://user@host[:port]/folder, or https://host/path.")
    ] = "shelf",
    host_key: Annotated[str | None, typer.Option(help="Of the SFTP server, as `ssh-keyscan` shows it.")] = None,
    trigger: Annotated[str, typer.Option(help="Written last by SFTP: trigger, done, metadata, none.")] = "trigger",
    document: Annotated[
        str, typer.Option(help="What stands in the trigger or metadata file: sum, xml, legacy (root Trigger).")
    ] = "sum",
    sender: Annotated[str, typer.Option(help="That an XML document names; else the user, or the platform.")] = "",
    recipient: Annotated[list[str] | None, typer.Option(help="SFTP user that it names. May be repeated.")] = None,
    manifest: Annotated[bool, typer.Option(help="Whether manifest and signature come beside the file.")] = True,
    receipts: Annotated[str, typer.Option(help="Folder where the SFTP server writes receipts, for instance IN.")] = "",
    notify: Annotated[bool, typer.Option("--notify", help="Post a notice that points to the file.")] = False,
    file_format: Annotated[
        str | None, typer.Option("--format", "-f", help="As of extracts, csv unless said; of a circle always cpr.")
    ] = None,
    compression: Annotated[str, typer.Option(help="none, gzip or zstd.")] = "none",
    columns: Annotated[str | None, typer.Option(help="Columns, separated by commas.")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(help="Of all rows only those with column=value,value (`rows` over REST). May be repeated."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Template of file names, for instance D{yymmdd}.L{number}.")] = None,
    confirm_within_s: Annotated[
        int | None, typer.Option(help="An alarm when nobody took a delivery within this time, seconds.")
    ] = None,
    purpose: Annotated[
        str | None, typer.Option(help="Code of the agreement's purpose that deliveries count for, if it has several.")
    ] = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Add a subscription. Its first delivery holds everything.

    Examples:

    `knudepunkt subscription add cpr-persons-extract --agreement 0190b0f4-...`

    `knudepunkt subscription add cpr-persons-extract --agreement 0190b0f4-... --schedule "working 0 6" --to
    sftp://knudepunkt@sftp.town.example/in --host-key "ssh-ed25519 AAAA..."`

    `knudepunkt subscription add cpr-persons-extract --agreement 0190b0f4-... --kind circle --to
    sftp://TOWN_SIMPELSFTP@exchange.example/OUT --host-key "ssh-ed25519 AAAA..." --document xml --no-manifest
    --recipient CARE_SIMPELSFTP --receipts IN`

    `knudepunkt subscription add cvr-companies-extract --agreement 0190b0f4-... --to https://hub.town.example/in`
    """
    from control import Agreements
    from extract.delivery.desk import told_subscription, wish_of
    from kernel import ServiceName
    from runtime.administration import agreement_of

    told: dict[str, Any] = {
        "kind": kind, "schedule": schedule, "compression": compression,
        "target": _target(to, host_key=host_key, trigger=trigger, notify=notify),
    }  # fmt: skip
    exchange = {
        "document": document, "sender": sender, "recipients": recipient or [], "manifest": manifest,
        "receipts": receipts,
    }  # fmt: skip
    if to.startswith("sftp:"):
        told["target"] |= exchange
    if file_format is not None:
        told["format"] = file_format
    if columns:
        told["columns"] = [each.strip() for each in columns.split(",")]
    if where:
        told["rows"] = dict(map(_filter, where))
    if name is not None:
        told["name"] = name
    if confirm_within_s is not None:
        told["confirm_within_s"] = confirm_within_s
    if purpose is not None:
        told["purpose"] = purpose
    with opened(instance) as delivering:
        carried = agreement_of(Agreements(delivering.house.control, delivering.house.registers), agreement)
        wish = wish_of(told, agreement=carried.id, system=carried.system, service=ServiceName(service))
        grant = delivering.grant_for(wish)
        found = delivering.desk.subscribe(wish, grant, by="the operator")
        told = told_subscription(found)
        if to.startswith("https:"):
            told["secret"] = delivering.desk.secret(found.id)
    if as_json:
        print_json(told)
        return
    console().print(f"{found.id}: added. The first delivery is planned when the worker looks next.", markup=False)
    if "secret" in told:
        console().print(f"The endpoint checks our signatures with {told['secret']}", markup=False)
    if to.startswith("sftp:"):
        console().print("The server must know our key: `knudepunkt subscription key`.")


@app.command("list")
def list_(
    ended: Annotated[bool, typer.Option("--ended", help="Those that have ended too.")] = False,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """List subscriptions, oldest first.

    Example: `knudepunkt subscription list`
    """
    from extract.delivery.desk import told_subscription

    with opened(instance) as delivering:
        found = [told_subscription(each) for each in delivering.subscriptions.listed(ended=ended)]
    if as_json:
        print_json(found)
    elif not found:
        console().print("There is no subscription.")
    else:
        columns = ("id", "service", "kind", "schedule", "target", "state", "deliveries", "snapshot")
        rows = [[each["target"]["kind"] if name == "target" else each[name] for name in columns] for each in found]
        print_table("", columns, rows)


@app.command()
def show(subscription: IdArgument, instance: InstanceOption = DEFAULT_INSTANCE, as_json: JsonOption = False) -> None:
    """Show a subscription and its newest deliveries.

    Example: `knudepunkt subscription show 0190b0f4-...`
    """
    from extract.delivery.desk import told_delivery, told_subscription
    from runtime.cli.delivery import print_deliveries

    with opened(instance) as delivering:
        desk = delivering.desk
        found = told_subscription(desk.subscription(None, subscription))
        deliveries = [told_delivery(each) for each in desk.deliveries(None, subscription=subscription, limit=10)]
    if as_json:
        print_json(found | {"newest": deliveries})
        return
    for field, value in found.items():
        if value not in (None, {}, []):
            console().print(f"  {field}: {shown(value)}", markup=False)
    print_deliveries(deliveries)


@app.command()
def pause(
    subscription: IdArgument,
    reason: ReasonOption = "paused by the operator",
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Send nothing until it is resumed. What is published meanwhile is in the next delivery.

    Example: `knudepunkt subscription pause 0190b0f4-... --reason "their server moves"`
    """
    _turn(instance, subscription, "paused", reason, as_json=as_json)


@app.command()
def resume(
    subscription: IdArgument,
    reason: ReasonOption = "resumed by the operator",
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Go on with a paused subscription.

    Example: `knudepunkt subscription resume 0190b0f4-...`
    """
    _turn(instance, subscription, "active", reason, as_json=as_json)


@app.command()
def end(
    subscription: IdArgument,
    reason: ReasonOption = "ended by the operator",
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """End a subscription for good; deliveries that are not sent yet are cancelled.

    Example: `knudepunkt subscription end 0190b0f4-...`
    """
    _turn(instance, subscription, "ended", reason, as_json=as_json)


@app.command()
def key(instance: InstanceOption = DEFAULT_INSTANCE, as_json: JsonOption = False) -> None:
    """Show the public key that deliveries to SFTP servers are sent with; the receiver puts it on its list.

    Example: `knudepunkt subscription key >> authorized_keys`
    """
    from runtime.delivery_keys import delivery_ssh_key
    from runtime.instance import Instance

    public = delivery_ssh_key(Instance.find(instance)).with_suffix(".pub").read_text(encoding="ascii").strip()
    if as_json:
        print_json({"key": public})
    else:
        print(public)


@contextmanager
def opened(instance: Path) -> Iterator["Delivering"]:
    from runtime.delivering import Delivering
    from runtime.environment import settings_of
    from runtime.instance import Instance
    from runtime.wiring import open_house

    found = Instance.find(instance)
    with open_house(found, settings_of(found), "worker") as house:
        yield Delivering(house)


def _turn(instance: Path, subscription: str, to: str, reason: str, *, as_json: bool) -> None:
    from extract.delivery.desk import told_subscription
    from extract.delivery.subscription import Standing

    with opened(instance) as delivering:
        found = delivering.desk.turn(None, subscription, Standing(to), reason)
    if as_json:
        print_json(told_subscription(found))
    else:
        console().print(f"{found.id}: {found.standing}", markup=False)


def _filter(text: str) -> tuple[str, list[str]]:
    """A column and its values, of what `--where` says."""
    column, given, values = text.partition("=")
    if not given or not column or not values:
        raise typer.BadParameter("takes column=value,value, for instance municipality_code=0851", param_hint="--where")
    return column, values.split(",")


def _target(text: str, *, host_key: str | None, trigger: str, notify: bool) -> dict[str, Any]:
    """What `--to` says, as plain values; what is wrong with them is told by who reads them."""
    from urllib.parse import unquote, urlsplit

    if text in {"shelf", "inbox"}:
        return {"kind": text}
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise typer.BadParameter("takes shelf, inbox, sftp://... or https://...", param_hint="--to") from None
    if parts.scheme == "https":
        return {"kind": "https", "url": text, "notify": notify}
    if parts.scheme == "sftp":
        return {
            "kind": "sftp", "host": parts.hostname or "", "port": port or 22, "user": parts.username or "",
            "folder": unquote(parts.path).removeprefix("/") or ".", "host_key": host_key or "", "trigger": trigger,
        }  # fmt: skip
    raise typer.BadParameter("takes shelf, inbox, sftp://... or https://...", param_hint="--to")
