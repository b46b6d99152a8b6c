"""Shelves: what an agreement may fetch, as a folder of links to finished extracts.

`<agreement>/<service>/<file>`, SHA256SUMS over all, so that `sha256sum -c` works, and last `<file>.manifest.json`: a
file without its manifest is not on the shelf yet. The link costs no space; taking an extract off a shelf never takes
it from another's.
"""

import contextlib
import fcntl
import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from extract.delivery.manifest import Manifest
from extract.store import Extract
from kernel import AgreementId, ServiceName

SUMS: Final = "SHA256SUMS"
MANIFEST: Final = ".manifest.json"


@dataclass(frozen=True, slots=True)
class Shelf:
    """root   folder of all shelves"""

    root: Path

    def folder(self, agreement: AgreementId, service: ServiceName) -> Path:
        return self.root / agreement / service

    def put(self, agreement: AgreementId, extract: Extract) -> None:
        """Put a finished extract on an agreement's shelf; putting it there again changes nothing.

        Raises ExtractNotReady.
        """
        folder = self.folder(agreement, extract.plan.service)
        target = folder / extract.plan.file_name
        described = folder / f"{target.name}{MANIFEST}"
        if described.exists() and target.exists():
            return
        manifest = extract.manifest
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(folder):
            link = folder / f".{target.name}.link"
            link.unlink(missing_ok=True)
            link.hardlink_to(extract.path)
            link.replace(target)
            # Renaming one link of a file over another does nothing, not even take the first away.
            link.unlink(missing_ok=True)
            _write(folder / SUMS, _sums([*_manifests(folder), manifest]))
            _write(described, manifest.to_json())
            moment = manifest.published.timestamp()
            os.utime(described, (moment, moment))

    def names(self, agreement: AgreementId, service: ServiceName) -> tuple[str, ...]:
        """Files on a shelf, sorted: extracts, their manifests, and the sums."""
        try:
            found = {entry.name for entry in self.folder(agreement, service).iterdir()}
        except FileNotFoundError:
            return ()
        whole = {name.removesuffix(MANIFEST) for name in found if name.endswith(MANIFEST)} & found
        if not whole:
            return ()
        return tuple(sorted(whole | {name + MANIFEST for name in whole} | ({SUMS} & found)))

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


@functools.lru_cache(maxsize=10_000)
def _read(path: Path, _inode: int, _mtime_ns: int) -> Manifest:
    """A manifest never changes; another one under the same name is another file."""
    return Manifest.from_json(path.read_bytes())


def _manifests(folder: Path) -> list[Manifest]:
    return [Manifest.from_json(path.read_bytes()) for path in sorted(folder.glob(f"[!.]*{MANIFEST}"))]


def _sums(manifests: list[Manifest]) -> bytes:
    """In the form of coreutils' sha256sum."""
    return "".join(
        f"{sha256}  {file}\n" for file, sha256 in sorted({m.file: m.sha256 for m in manifests}.items())
    ).encode()


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One at a time, in all processes: the sums are made from what is there, and must not lose what another puts
    there meanwhile.
    """
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.part")
    draft.write_bytes(content)
    draft.replace(path)
