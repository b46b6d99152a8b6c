"""`knudepunkt rollback`: give a dataset the rows of an earlier snapshot again."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, JsonOption, console, print_json

if TYPE_CHECKING:
    from kernel import SnapshotId


def rollback(
    dataset: Annotated[str, typer.Argument(help="Dataset, as `knudepunkt status` names it.")],
    to: Annotated[str, typer.Option("--to", help="Snapshot number, or a time such as 2026-11-02T06:00 (UTC).")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record. No personal data.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without, say what would change.")] = False,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Publish the rows of an earlier snapshot anew. Says what would change; does it with --yes.

    Nothing is removed from history: consumers of changes get a correcting delta. What the source has delivered is
    not loaded again, so the bad delivery stays out; a mended file, having other bytes, is loaded.

    Examples:

    `knudepunkt rollback cpr.persons --to 412`

    `knudepunkt rollback cpr.persons --to 2026-11-02T06:00 --reason "half a delivery" --yes`
    """
    from kernel import DatasetId
    from replica import Counts, Lake
    from runtime.clock import CLOCK
    from runtime.environment import settings_of
    from runtime.instance import Instance
    from runtime.mirroring import Mirroring

    found = Instance.find(instance)
    settings = settings_of(found)
    mirroring = Mirroring.of(found, settings, CLOCK)
    meant = mirroring.registers.dataset(DatasetId(dataset))
    told: dict[str, Any] = {"dataset": dataset, "done": yes}

    def look(counts: Counts) -> None:
        told.update(inserted=counts.inserted, updated=counts.updated, deleted=counts.deleted)
        if not yes:
            raise typer.Exit

    try:
        with Lake.open(found.lake, settings.replica, write=True) as lake:
            old = lake.info_at(meant, _moment(to))
            told |= {"to": old.snapshot, "published": old.published}
            told["snapshot"] = lake.rollback(meant, old.snapshot, reason, look).snapshot
            mirroring.refresh(lake, meant)
    finally:
        if "inserted" in told:
            _print(told, as_json=as_json)


def _moment(text: str) -> "datetime | SnapshotId":
    from kernel import SnapshotId

    if text.isascii() and text.isdigit():
        return SnapshotId(int(text))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("takes a snapshot's number or a time", param_hint="--to") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _print(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(told)
        return
    would = "" if told["done"] else "would be "
    console().print(
        f"{told['dataset']} back to snapshot {told['to']} of {told['published']:%Y-%m-%d %H:%M:%S} UTC: "
        f"{told['inserted']:,} rows {would}inserted, {told['updated']:,} {would}updated, "
        f"{told['deleted']:,} {would}deleted.",
        markup=False,
    )
    if not told["done"]:
        console().print("Nothing was changed; say --yes to do it.")
