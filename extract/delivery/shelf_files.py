"""What stands in the folder of one service on a shelf: documents that get their names whole, sums, and the chain of
manifests. For whoever is alone with the folder.
"""

import contextlib
import functools
import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from extract.delivery.manifest import MANIFEST, SIGNATURE, Manifest
from extract.place import LOCK, drafted
from kernel import says_full

SUMS: Final = "SHA256SUMS"
CHAIN: Final = ".chain"
RENEWED_S: Final = 60.0
"""How old what stands on a shelf may be before putting it there again writes that down, seconds."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Chain:
    """The last manifest of a shelf: its number, and its hash; 0 and None before the first."""

    number: int = 0
    sha256: str | None = None

    @classmethod
    def of(cls, folder: Path) -> "Chain":
        """From what was kept, and from the manifests that lie there: a crash comes between the two."""
        last = cls()
        with contextlib.suppress(FileNotFoundError):
            last = cls(**json.loads((folder / CHAIN).read_bytes()))
        for path in folder.glob(f"[!.]*{MANIFEST}"):
            text = path.read_bytes()
            number = Manifest.from_json(text).number or 0
            if number > last.number:
                last = cls(number, hashlib.sha256(text).hexdigest())
        return last

    def keep(self, folder: Path) -> None:
        """Nothing is written when it is kept already: whoever tidies a full disk has no room for it."""
        with contextlib.suppress(FileNotFoundError):
            if (folder / CHAIN).read_bytes() == self.to_json():
                return
        _write(folder / CHAIN, self.to_json())

    def to_json(self) -> bytes:
        return json.dumps({"number": self.number, "sha256": self.sha256}).encode()


@functools.lru_cache(maxsize=10_000)
def _read(path: Path, _inode: int, _mtime_ns: int) -> Manifest:
    """A manifest never changes; another one under the same name is another file."""
    return Manifest.from_json(path.read_bytes())


def is_there(folder: Path, name: str) -> bool:
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


def manifests_in(folder: Path) -> list[Manifest]:
    return [Manifest.from_json(path.read_bytes()) for path in sorted(folder.glob(f"[!.]*{MANIFEST}"))]


def sums_of(manifests: list[Manifest]) -> bytes:
    """In the form of coreutils' sha256sum."""
    return "".join(
        f"{sha256}  {file}\n" for file, sha256 in sorted({m.file: m.sha256 for m in manifests}.items())
    ).encode()


def clear(folder: Path) -> None:
    """Take away what somebody who died was putting on a shelf, or taking off it: drafts, and what has no manifest. It
    would keep the room of a file for ever. For who is alone.
    """
    for path in list(folder.iterdir()):
        if path.name not in {CHAIN, LOCK, SUMS} and not _described(path):
            path.unlink()
    _sum_up(folder)


def take_off(folder: Path, going: list[Path]) -> int:
    """Take files off, by their manifests; how many. For who is alone."""
    if not going:
        return 0
    Chain.of(folder).keep(folder)
    for described in going:
        name = described.name.removesuffix(MANIFEST)
        for path in (described, folder / f"{name}{SIGNATURE}", folder / name):
            path.unlink(missing_ok=True)
    _sum_up(folder)
    return len(going)


def _sum_up(folder: Path) -> None:
    """Bring the sums in line with what is there. When the disk is full, the next tidying does."""
    sums, path = sums_of(manifests_in(folder)), folder / SUMS
    try:
        former = path.read_bytes()
    except FileNotFoundError:
        former = b""
    if sums != former:
        try:
            _write(path, sums)
        except OSError as error:
            if not says_full(error):
                raise
            _log.warning("sums_not_written", agreement=folder.parent.name, service=folder.name)


def _described(path: Path) -> bool:
    """Whether it is a manifest, or there is one that tells of it."""
    name = path.name.removesuffix(SIGNATURE)
    return not name.startswith(".") and (name.endswith(MANIFEST) or path.with_name(f"{name}{MANIFEST}").exists())


def _write(path: Path, content: bytes) -> None:
    with drafted(_draft_of(path)) as draft:
        draft.write_bytes(content)
        draft.replace(path)


def written_draft(stack: contextlib.ExitStack, path: Path, content: bytes) -> tuple[Path, Path]:
    """A draft that is written, and the name it is to have."""
    draft = stack.enter_context(drafted(_draft_of(path)))
    draft.write_bytes(content)
    return draft, path


def _draft_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def place_link(link: Path, target: Path) -> None:
    link.replace(target)
    # Renaming one link of a file over another does nothing, not even take the first away.
    link.unlink(missing_ok=True)


def read_now(path: Path) -> Manifest:
    found = path.stat()
    return _read(path, found.st_ino, found.st_mtime_ns)
