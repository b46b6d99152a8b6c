"""What a consumer system sees over SFTP: `/<municipality's CVR>/<service>/<file>`, of its own agreements only.

A path that a client sends is never joined to a folder. It is split into names, and each name is looked up among those
that exist for this system now; what is not found there does not exist. So there is nothing to escape from: no `..`,
no link, no absolute path means anything but a name that nobody has.

The path is the same whether a system has one agreement for a service or a hundred, so that no script breaks when the
second one is approved.
"""

import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from extract.delivery.manifest import MANIFEST, SIGNATURE, Manifest
from extract.delivery.shelf import Shelf
from extract.delivery.shelf_files import SUMS
from kernel import Grant, ServiceName

FOLDER_MODE: Final = stat.S_IFDIR | 0o555
FILE_MODE: Final = stat.S_IFREG | 0o444


@dataclass(frozen=True, slots=True)
class Folder:
    """names   what it holds"""

    names: tuple[str, ...]
    mode: int = FOLDER_MODE


@dataclass(frozen=True, slots=True)
class File:
    """path       on our side
    grant      the permission by which it is seen; None for what is the system's own
    manifest   of an extract; None for a file that says something about extracts and holds no rows
    transfer   of a file that another system has sent
    """

    path: Path
    grant: Grant | None
    manifest: Manifest | None
    mode: int = FILE_MODE
    transfer: str | None = None


Node = Folder | File


@dataclass(frozen=True, slots=True)
class Tree:
    """grants   the system's permissions in force, asked for afresh at every step: what ends is gone at once"""

    shelf: Shelf
    grants: Callable[[], tuple[Grant, ...]]

    def find(self, path: str) -> Node | None:
        """The folder or file of a path, None when there is none."""
        names = [name for name in path.split("/") if name]
        match names:
            case []:
                return Folder(tuple(sorted({grant.municipality_cvr for grant in self.grants() if self._files(grant)})))
            case [cvr]:
                services = {
                    grant.service for grant in self.grants() if grant.municipality_cvr == cvr and self._files(grant)
                }
                return Folder(tuple(sorted(services))) if services else None
            case [cvr, service]:
                files = self._place(cvr, service)
                return Folder(tuple(sorted(files))) if files else None
            case [cvr, service, name]:
                return self._place(cvr, service).get(name)
            case _:
                return None

    def children(self, path: str) -> dict[str, Node] | None:
        """Everything in a folder by its name, looked up once; None when it is no folder."""
        names = [name for name in path.split("/") if name]
        match names:
            case [cvr, service]:
                return dict(self._place(cvr, service)) or None
            case _:
                node = self.find(path)
                return {name: Folder(()) for name in node.names} if isinstance(node, Folder) else None

    def _place(self, cvr: str, service: str) -> Mapping[str, File]:
        found: dict[str, File] = {}
        for grant in self.grants():
            if grant.municipality_cvr == cvr and grant.service == ServiceName(service):
                found |= self._files(grant)
        return found

    def _files(self, grant: Grant) -> dict[str, File]:
        """What of its shelf an agreement may see as it stands now. What was made when it allowed more is not shown."""
        folder = self.shelf.folder(grant.agreement, grant.service)
        found: dict[str, File] = {}
        names = self.shelf.names(grant.agreement, grant.service)
        for name in names:
            if name == SUMS or name.endswith((MANIFEST, SIGNATURE)):
                continue
            manifest = self.shelf.manifest(grant.agreement, grant.service, name)
            if manifest is not None and manifest.covered_by(grant):
                found[name] = File(folder / name, grant, manifest)
                for about in (name + MANIFEST, name + SIGNATURE):
                    if about in names:
                        found[about] = File(folder / about, grant, None)
        if found:
            found[SUMS] = File(folder / SUMS, grant, None)
        return found
