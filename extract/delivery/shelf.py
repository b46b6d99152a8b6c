"""Shelves: what an agreement may fetch, as a folder of links to finished extracts.

`<agreement>/<service>/<file>`, its manifest beside it, and SHA256SUMS over all, so that `sha256sum -c` works. A file is on the shelf only when it is
whole. The link costs no space; taking an extract off a shelf never takes it from another's.
"""

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from extract.delivery.manifest import Manifest
from extract.store import Extract
from kernel import AgreementId, ServiceName

SUMS = "SHA256SUMS"


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
        manifest = extract.manifest
        folder = self.folder(agreement, extract.plan.service)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        target = folder / extract.plan.file_name
        if not target.exists():
            with contextlib.suppress(FileExistsError):
                target.hardlink_to(extract.path)
        _write(folder / f"{target.name}.manifest.json", manifest.to_json())
        self._sum(folder)

    def names(self, agreement: AgreementId, service: ServiceName) -> tuple[str, ...]:
        """Files on a shelf, sorted."""
        try:
            names = [entry.name for entry in self.folder(agreement, service).iterdir()]
        except FileNotFoundError:
            return ()
        return tuple(sorted(name for name in names if not name.startswith(".")))

    def manifest(self, agreement: AgreementId, service: ServiceName, name: str) -> Manifest | None:
        """The manifest of a file on the shelf, None for what is not an extract."""
        path = self.folder(agreement, service) / f"{name}.manifest.json"
        return Manifest.from_json(path.read_bytes()) if path.is_file() else None

    def _sum(self, folder: Path) -> None:
        manifests = [Manifest.from_json(path.read_bytes()) for path in sorted(folder.glob("*.manifest.json"))]
        lines = "".join(f"{each.sha256}  {each.file}\n" for each in manifests)
        _write(folder / SUMS, lines.encode())


def _write(path: Path, content: bytes) -> None:
    # Two requests may put things on one shelf at once: each has a draft of its own.
    draft = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    draft.write_bytes(content)
    draft.replace(path)
