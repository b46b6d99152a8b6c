"""Shelves: what an agreement may fetch, as a folder of links to finished extracts.

`<agreement>/<service>/<file>`, SHA256SUMS over all, so that `sha256sum -c` works, `<file>.manifest.json.sig`, and last
`<file>.manifest.json`: a file without its manifest is not on the shelf yet. The link costs no space; taking an extract
off a shelf never takes it from another's.

Manifests on a shelf are numbered, and each holds the hash of the one before: a receiver sees that a file is missing,
and nobody can take one out or put one in between. Each is signed.
"""

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from extract.delivery.manifest import MANIFEST, SIGNATURE, Manifest
from extract.delivery.shelf_files import (
    CHAIN,
    SUMS,
    Chain,
    clear,
    is_there,
    manifests_in,
    place_link,
    read_now,
    sums_of,
    take_off,
    written_draft,
)
from extract.delivery.shelf_room import UNLIMITED, Allowance, Waited, room_makers, standing_in
from extract.errors import ExtractNotReady
from extract.place import alone, drafted
from kernel import AgreementId, ServiceName, full_disk_told, says_full

if TYPE_CHECKING:
    from extract.following import Extract

_log = structlog.get_logger(__name__)

Named = Callable[[AgreementId, str], bool]
"""Whether an agreement still waits for an extract, by its plan."""
Sign = Callable[[bytes], bytes]
"""A detached signature over a document."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """root        folder of all shelves
    sign        None where nothing is signed
    allowance   what one agreement's shelf may hold
    waited      what of it is still to be fetched
    """

    root: Path
    sign: Sign | None = None
    allowance: Allowance = UNLIMITED
    waited: Waited = lambda *_: None

    def folder(self, agreement: AgreementId, service: ServiceName) -> Path:
        return self.root / agreement / service

    def put(self, agreement: AgreementId, extract: "Extract") -> None:
        """Put a finished extract on an agreement's shelf; putting it there again makes it young again.

        Raises ExtractNotReady, ShelfFull, DiskFull.
        """
        plan = extract.plan
        with self._opened(agreement, plan.service) as folder:
            # Looked for by who is alone: what is tidied away this moment is not there.
            if not is_there(folder, plan.file_name):
                self._add(folder, extract.path, extract.manifest, plan.full_because)

    def put_file(self, agreement: AgreementId, path: Path, manifest: Manifest, full_because: str | None) -> None:
        """As `put`, for a file that is no extract's; it takes the place of another one of its name.

        Raises ExtractNotReady, ShelfFull, DiskFull: then what stood there stands there still.
        """
        with self._opened(agreement, ServiceName(manifest.service)) as folder:
            described = folder / f"{manifest.file}{MANIFEST}"
            there = is_there(folder, manifest.file)
            if there:
                if Manifest.from_json(described.read_bytes()).sha256 == manifest.sha256:
                    return
                Chain.of(folder).keep(folder)
            self._add(folder, path, manifest, full_because, instead=there)

    @contextlib.contextmanager
    def _opened(self, agreement: AgreementId, service: ServiceName) -> Iterator[Path]:
        """The agreement's lock before the service's: who makes room reaches into the others."""
        folder = self.folder(agreement, service)
        with full_disk_told():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with alone(folder.parent), alone(folder):
                yield folder

    def _add(
        self, folder: Path, path: Path, manifest: Manifest, full_because: str | None, *, instead: bool = False
    ) -> None:
        """instead   a file of the name makes room

        All that has to be written is written before anything changes: a full disk leaves the shelf as it was.
        """
        target = folder / manifest.file
        described = folder / f"{target.name}{MANIFEST}"
        if instead or not described.exists():
            self._make_room(folder, manifest)
        with contextlib.ExitStack() as stack:
            link = stack.enter_context(drafted(folder / f".{target.name}.link"))
            link.unlink(missing_ok=True)
            try:
                link.hardlink_to(path)
            except FileNotFoundError:
                raise ExtractNotReady(
                    "the file's time was over before it came on the shelf", remedy="ask for it again: it is made anew"
                ) from None
            if described.exists() and not instead:
                place_link(link, target)
                return
            last = Chain.of(folder)
            manifest = manifest.numbered(last.number + 1, last.sha256, full_because)
            text = manifest.to_json()
            written = [written_draft(stack, folder / SUMS, sums_of([*manifests_in(folder), manifest]))]
            if self.sign is not None:
                written.append(written_draft(stack, folder / f"{target.name}{SIGNATURE}", self.sign(text)))
            written.append(written_draft(stack, described, text))
            chain = Chain(last.number + 1, hashlib.sha256(text).hexdigest())
            written.append(written_draft(stack, folder / CHAIN, chain.to_json()))
            described.unlink(missing_ok=True)
            place_link(link, target)
            for draft, name in written:
                draft.replace(name)
        moment = manifest.published.timestamp()
        os.utime(described, (moment, moment))

    def _make_room(self, folder: Path, coming: Manifest) -> None:
        """For who is alone with the agreement's shelf. Raises ShelfFull."""
        if self.allowance.size_bytes is None and self.allowance.files is None:
            return
        agreement, own = AgreementId(folder.parent.name), folder / f"{coming.file}{MANIFEST}"
        there = [each for each in standing_in(folder.parent) if each.described != own]
        going = room_makers(there, coming, self.allowance, lambda plan: self.waited(agreement, plan), time.time())
        for place in sorted({each.described.parent for each in going}):
            with contextlib.nullcontext() if place == folder else alone(place):
                take_off(place, [each.described for each in going if each.described.parent == place])

    def tidy(self, before: datetime, named: Named = lambda *_: False) -> int:
        """Take files off all shelves that were put there before a time and are not waited for; how many. The chain of
        manifests goes on. What a crash left goes too. It needs no room on the disk.
        """
        gone = 0
        for folder in self.root.glob("*/*"):
            if not folder.is_dir():
                continue
            try:
                with alone(folder):
                    clear(folder)
                    gone += take_off(folder, _over(folder, before, named))
            except OSError as error:
                if not says_full(error):
                    raise
                # Others' shelves give room; this one's turn comes again.
                _log.warning("shelf_not_tidied", agreement=folder.parent.name, service=folder.name)
        return gone

    def names(self, agreement: AgreementId, service: ServiceName) -> tuple[str, ...]:
        """Files on a shelf, sorted: extracts, their manifests with signatures, and the sums."""
        try:
            found = {entry.name for entry in self.folder(agreement, service).iterdir()}
        except FileNotFoundError:
            return ()
        whole = {name.removesuffix(MANIFEST) for name in found if name.endswith(MANIFEST)} & found
        if not whole:
            return ()
        about = {name + ending for name in whole for ending in (MANIFEST, SIGNATURE)} & found
        return tuple(sorted(whole | about | ({SUMS} & found)))

    def manifest(self, agreement: AgreementId, service: ServiceName, name: str) -> Manifest | None:
        """The manifest of a file on the shelf, None for what is not an extract on it."""
        if "/" in name or "\0" in name or name.startswith("."):
            return None
        try:
            return read_now(self.folder(agreement, service) / f"{name}{MANIFEST}")
        except OSError:
            return None

    def document(self, agreement: AgreementId, service: ServiceName, name: str, ending: str) -> bytes | None:
        """The bytes of an extract's manifest or signature, by the extract's name; None when they are not there."""
        if self.manifest(agreement, service, name) is None or ending not in {MANIFEST, SIGNATURE}:
            return None
        try:
            return (self.folder(agreement, service) / f"{name}{ending}").read_bytes()
        except FileNotFoundError:
            return None


def _over(folder: Path, before: datetime, named: Named) -> list[Path]:
    """Manifests of what was put there before a time and is waited for no more."""
    agreement, over = AgreementId(folder.parent.name), list[Path]()
    for described in folder.glob(f"[!.]*{MANIFEST}"):
        # Not its time of change, which is that of the snapshot.
        old = datetime.fromtimestamp(described.stat().st_ctime, UTC) < before
        if old and not named(agreement, Manifest.from_json(described.read_bytes()).plan):
            over.append(described)
    return over
