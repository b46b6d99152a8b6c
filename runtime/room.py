"""What the settings say of room: on the disk, and on an agreement's shelf."""

from collections.abc import Iterator
from pathlib import Path

from extract import Allowance, Shelf
from extract.delivery.outbox_book import OutboxBook
from kernel import MB, Floor, Volume
from runtime.instance import Instance
from runtime.settings import Settings
from runtime.signing import Signer


def floor_of(settings: Settings) -> Floor:
    """What stays free where extracts and exchanged files are written."""
    given = settings.extracts
    return Floor(free_bytes=given.free_mb * MB, share=given.free_percent / 100)


def shelf_of(instance: Instance, settings: Settings, book: OutboxBook) -> Shelf:
    given = settings.extracts
    allowance = Allowance(size_bytes=given.shelf_mb * MB, files=given.shelf_files, keep_s=given.keep_hours * 3_600)
    return Shelf(instance.extracts / "agreements", Signer.open(instance.signing_key).sign, allowance, book.awaits)


def volumes_of(instance: Instance) -> Iterator[tuple[str, Volume]]:
    """The file systems that are written to, by the room that writes; several can be one. What is not made yet is left
    out.
    """
    places: dict[str, Path] = {
        "extracts": instance.extracts, "exchange": instance.exchange, "ledger": instance.ledger,
        "control": instance.control, "lake": instance.lake,
    }  # fmt: skip
    for place, folder in places.items():
        if folder.exists():
            yield place, Volume.of(folder)
