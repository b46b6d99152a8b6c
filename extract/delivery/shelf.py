"""Shelves: what an agreement may fetch, as a folder of links to finished extracts.

`<agreement>/<service>/<file>`, SHA256SUMS over all, so that `sha256sum -c` works, `<file>.manifest.json.sig`, and last
`<file>.manifest.json`: a file without its manifest is not on the shelf yet. The link costs no space; taking an extract
off a shelf never takes it from another's.

Manifests on a shelf are numbered, and each holds the hash of the one before: a receiver sees that a file is missing,
and nobody can take one out or put one in between. Each is signed.
"""

import contextlib
import functools
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from extract.delivery.manifest import MANIFEST, SIGNATURE, Manifest
from extract.errors import ExtractNotReady
from extract.place import LOCK, alone
from kernel import AgreementId, ServiceName

if TYPE_CHECKING:
    from extract.following import Extract

SUMS: Final = "SHA256SUMS"
_CHAIN: Final = ".chain"
RENEWED_S: Final = 60.0
"""How old what stands on a shelf may be before putting it there again writes that down, seconds."""

Named = Callable[[AgreementId, str], bool]
"""Whether an agreement still waits for an extract, by its plan."""
Sign = Callable[[bytes], bytes]
"""A detached signature over a document."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """root   folder of all shelves
    sign   None where nothing is signed
    """

    root: Path
    sign: Sign | None = None

    def folder(self, agreement: AgreementId, service: ServiceName) -> Path:
        return self.root / agreement / service

    def put(self, agreement: AgreementId, extract: "Extract") -> None:
        """Put a finished extract on an agreement's shelf; putting it there again makes it young again.

        Raises ExtractNotReady.
        """
        plan = extract.plan
        with self._opened(agreement, plan.service) as folder:
            # Looked for by who is alone: what is tidied away this moment is not there.
            if not _there(folder, plan.file_name):
                self._add(folder, extract.path, extract.manifest, plan.full_because)

    def put_file(self, agreement: AgreementId, path: Path, manifest: Manifest, full_because: str | None) -> None:
        """As `put`, for a file that is no extract's; it takes the place of another one of its name.

        Raises ExtractNotReady.
        """
        with self._opened(agreement, ServiceName(manifest.service)) as folder:
            described = folder / f"{manifest.file}{MANIFEST}"
            if _there(folder, manifest.file):
                if Manifest.from_json(described.read_bytes()).sha256 == manifest.sha256:
                    return
                _Chain.of(folder).keep(folder)
                described.unlink()
            self._add(folder, path, manifest, full_because)

    @contextlib.contextmanager
    def _opened(self, agreement: AgreementId, service: ServiceName) -> Iterator[Path]:
        folder = self.folder(agreement, service)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with alone(folder):
            yield folder

    def _add(self, folder: Path, path: Path, manifest: Manifest, full_because: str | None) -> None:
        target = folder / manifest.file
        described = folder / f"{target.name}{MANIFEST}"
        link = folder / f".{target.name}.link"
        link.unlink(missing_ok=True)
        try:
            link.hardlink_to(path)
        except FileNotFoundError:
            raise ExtractNotReady(
                "the file's time was over before it came on the shelf", remedy="ask for it again: it is made anew"
            ) from None
        link.replace(target)
        # Renaming one link of a file over another does nothing, not even take the first away.
        link.unlink(missing_ok=True)
        if described.exists():
            return
        last = _Chain.of(folder)
        manifest = manifest.numbered(last.number + 1, last.sha256, full_because)
        text = manifest.to_json()
        _write(folder / SUMS, _sums([*_manifests(folder), manifest]))
        if self.sign is not None:
            _write(folder / f"{target.name}{SIGNATURE}", self.sign(text))
        _write(described, text)
        _Chain(last.number + 1, hashlib.sha256(text).hexdigest()).keep(folder)
        moment = manifest.published.timestamp()
        os.utime(described, (moment, moment))

    def tidy(self, before: datetime, named: Named = lambda *_: False) -> int:
        """Take files off all shelves that were put there before a time and are not waited for; how many. The chain of
        manifests goes on. What a crash left goes too.
        """
        gone = 0
        for folder in self.root.glob("*/*"):
            _clear(folder)
        for described in self.root.glob(f"*/*/[!.]*{MANIFEST}"):
            folder, name = described.parent, described.name.removesuffix(MANIFEST)
            with contextlib.suppress(FileNotFoundError), alone(folder):
                # Not its time of change, which is that of the snapshot.
                if datetime.fromtimestamp(described.stat().st_ctime, UTC) >= before:
                    continue
                if named(AgreementId(folder.parent.name), Manifest.from_json(described.read_bytes()).plan):
                    continue
                last = _Chain.of(folder)
                last.keep(folder)
                for path in (described, folder / f"{name}{SIGNATURE}", folder / name):
                    path.unlink(missing_ok=True)
                _write(folder / SUMS, _sums(_manifests(folder)))
                gone += 1
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
        path = self.folder(agreement, service) / f"{name}{MANIFEST}"
        try:
            found = path.stat()
        except OSError:
            return None
        return _read(path, found.st_ino, found.st_mtime_ns)

    def document(self, agreement: AgreementId, service: ServiceName, name: str, ending: str) -> bytes | None:
        """The bytes of an extract's manifest or signature, by the extract's name; None when they are not there."""
        if self.manifest(agreement, service, name) is None or ending not in {MANIFEST, SIGNATURE}:
            return None
        try:
            return (self.folder(agreement, service) / f"{name}{ending}").read_bytes()
        except FileNotFoundError:
            return None


@dataclass(frozen=True, slots=True)
class _Chain:
    """The last manifest of a shelf: its number, and its hash; 0 and None before the first."""

    number: int = 0
    sha256: str | None = None

    @classmethod
    def of(cls, folder: Path) -> "_Chain":
        """From what was kept, and from the manifests that lie there: a crash comes between the two."""
        last = cls()
        with contextlib.suppress(FileNotFoundError):
            last = cls(**json.loads((folder / _CHAIN).read_bytes()))
        for path in folder.glob(f"[!.]*{MANIFEST}"):
            text = path.read_bytes()
            number = Manifest.from_json(text).number or 0
            if number > last.number:
                last = cls(number, hashlib.sha256(text).hexdigest())
        return last

    def keep(self, folder: Path) -> None:
        _write(folder / _CHAIN, json.dumps({"number": self.number, "sha256": self.sha256}).encode())


@functools.lru_cache(maxsize=10_000)
def _read(path: Path, _inode: int, _mtime_ns: int) -> Manifest:
    """A manifest never changes; another one under the same name is another file."""
    return Manifest.from_json(path.read_bytes())


def _there(folder: Path, name: str) -> bool:
    """Whether a file is on a shelf; from now on it is as young as one that was put there now. For who is alone."""
    described = folder / f"{name}{MANIFEST}"
    try:
        found = described.stat()
    except FileNotFoundError:
        return False
    if not (folder / name).exists():
        return False
    if time.time() - found.st_ctime > RENEWED_S:
        # Setting its times, as they were, changes when it was changed.
        os.utime(described, ns=(found.st_atime_ns, found.st_mtime_ns))
    return True


def _manifests(folder: Path) -> list[Manifest]:
    return [Manifest.from_json(path.read_bytes()) for path in sorted(folder.glob(f"[!.]*{MANIFEST}"))]


def _sums(manifests: list[Manifest]) -> bytes:
    """In the form of coreutils' sha256sum."""
    return "".join(
        f"{sha256}  {file}\n" for file, sha256 in sorted({m.file: m.sha256 for m in manifests}.items())
    ).encode()


def _clear(folder: Path) -> None:
    """Take away what somebody who died was putting on a shelf, or taking off it: drafts, and what has no manifest. It
    would keep the room of a file for ever.
    """
    with alone(folder):
        left = [path for path in folder.iterdir() if path.name not in {_CHAIN, LOCK, SUMS} and not _described(path)]
        for path in left:
            path.unlink()
        if left:
            _write(folder / SUMS, _sums(_manifests(folder)))


def _described(path: Path) -> bool:
    """Whether it is a manifest, or there is one that tells of it."""
    name = path.name.removesuffix(SIGNATURE)
    return not name.startswith(".") and (name.endswith(MANIFEST) or path.with_name(f"{name}{MANIFEST}").exists())


def _write(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.part")
    draft.write_bytes(content)
    draft.replace(path)
