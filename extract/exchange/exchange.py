"""The exchange: every system's IN and OUT.

exchange.put_in(system, name, path, metadata)     a file of the house lands in a system's IN
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from extract.delivery.manifest import Manifest
from extract.errors import ExchangeBoxFull, ExchangeNameInvalid, ExchangeNameTaken
from extract.exchange.box import Box, BoxFull, NameTaken, link_or_copy, write_synced
from extract.exchange.names import METADATA, TRIGGER, clean_name, is_companion
from extract.exchange.parcel import NOTE, ParcelNote
from extract.exchange.xml import Described, metadata_text, trigger_text
from extract.settings import ExchangeSettings
from kernel import MB, NO_FLOOR, AgreementId, Clock, Floor, ServiceName, SystemId

HOUSE_USER: Final = "KNUDEPUNKT"
"""Who sends what the house itself delivers."""

UserOf = Callable[[SystemId], str]
"""The SFTP user of a system, as it stands in metadata."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InMetadata:
    """What goes with a file of the house that lands in IN.

    transfer     UUID of the delivery: putting it again changes nothing, also when the receiver has deleted it by then
    agreement, service, municipality_cvr, terms_hash   under which it is fetched, and without which it is not seen
    manifest     of an extract: the receiver's agreement must still cover it, and its rows are counted when fetched
    """

    transfer: str
    agreement: AgreementId
    service: ServiceName
    municipality_cvr: str
    terms_hash: str
    manifest: Manifest | None = None
    senders_file_id: str | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """root    folder with a box for each system
    floor   what stays free on its disk
    """

    root: Path
    user_of: UserOf
    clock: Clock
    settings: ExchangeSettings
    floor: Floor = NO_FLOOR

    @property
    def house_user(self) -> str:
        return HOUSE_USER

    def box(self, system: SystemId) -> Box:
        return Box(self.root / system)

    def put_in(self, system: SystemId, name: str, path: Path, metadata: InMetadata) -> bool:
        """Land a finished file in IN as `<name>`, `<name>.metadata` and `<name>.trigger`, together and whole.

        The file is linked, not copied, where the file system can: it must not be changed afterwards. True when it
        landed now; False when this transfer had landed before. Raises ExchangeNameInvalid, ExchangeNameTaken,
        ExchangeBoxFull.
        """
        clean = clean_name(name)
        if clean is None or is_companion(clean):
            raise ExchangeNameInvalid("the name is no name of a file in the exchange", remedy="give it another")
        box = self.box(system)
        if box.has(metadata.transfer):
            return False
        user = self.user_of(system)
        note = ParcelNote(
            transfer=metadata.transfer, name=clean, sender=HOUSE_USER, landed=self.clock.now(),
            agreement=metadata.agreement, service=metadata.service, municipality_cvr=metadata.municipality_cvr,
            terms_hash=metadata.terms_hash, manifest=metadata.manifest, senders_file_id=metadata.senders_file_id,
        )  # fmt: skip
        described = Described(
            file=clean, size_bytes=path.stat().st_size, sender=HOUSE_USER, recipients=(user,),
            senders_file_id=metadata.senders_file_id,
        )  # fmt: skip
        draft = box.draft()
        try:
            fill(draft, path, note, described, legacy=user in self.settings.legacy_metadata)
            return land(box, draft, note, self.settings)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def fill(folder: Path, path: Path, note: ParcelNote, described: Described, *, legacy: bool) -> None:
    """Make a parcel ready in a folder."""
    link_or_copy(path, folder / note.name)
    write_synced(folder / f"{note.name}{METADATA}", metadata_text(described, note.transfer, legacy=legacy))
    write_synced(folder / f"{note.name}{TRIGGER}", trigger_text(described))
    write_synced(folder / NOTE, note.to_json())


def land(box: Box, ready: Path, note: ParcelNote, settings: ExchangeSettings) -> bool:
    """Raises ExchangeNameTaken, ExchangeBoxFull."""
    box.make()
    try:
        return box.land(ready, note.transfer, most=settings.files, most_bytes=settings.in_mb * MB)
    except NameTaken:
        raise ExchangeNameTaken(
            "the receiver's IN holds a file of that name", remedy="send it under a name of its own",
            rule="exchange.name",
        ) from None  # fmt: skip
    except BoxFull:
        raise ExchangeBoxFull(
            f"the receiver's IN has no room: it may hold {settings.files} files, and {settings.in_mb} megabytes",
            remedy="the receiver fetches and deletes what lies there; then send it again", rule="exchange.files",
            retry_after_s=300,
        ) from None  # fmt: skip
