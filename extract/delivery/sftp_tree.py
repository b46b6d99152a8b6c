"""What a consumer system sees over SFTP: `/<municipality's CVR>/<service>/<file>`, of its own agreements only.

A path that a client sends is never joined to a folder. It is split into names, and each name is looked up among those that exist for
this system now; what is not found there does not exist. So there is nothing to escape from: no `..`, no link, no absolute path means
anything but a name that nobody has.
"""

import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from extract.delivery.shelf import Shelf
from kernel import Grant, ServiceName


@dataclass(frozen=True, slots=True)
class Folder:
    """names   what it holds"""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class File:
    """path   on our side; `grant` is the permission by which it is seen"""

    path: Path
    grant: Grant


Node = Folder | File


@dataclass(frozen=True, slots=True)
class Tree:
    """grants   the system's permissions in force, asked for afresh at every step: what ends is gone at once"""

    shelf: Shelf
    grants: Callable[[], tuple[Grant, ...]]

    def find(self, path: str) -> Node | None:
        """The folder or file of a path, None when there is none."""
        names = [name for name in path.split("/") if name not in {"", "."}]
        by_place = self._by_place()
        match names:
            case []:
                return Folder(tuple(sorted({cvr for cvr, _ in by_place})))
            case [cvr]:
                services = tuple(sorted(service for owner, service in by_place if owner == cvr))
                return Folder(services) if services else None
            case [cvr, service]:
                grants = by_place.get((cvr, ServiceName(service)))
                return None if grants is None else Folder(tuple(sorted(self._files(grants))))
            case [cvr, service, name]:
                grants = by_place.get((cvr, ServiceName(service)), ())
                return self._files(grants).get(name)
            case _:
                return None

    def _by_place(self) -> Mapping[tuple[str, ServiceName], tuple[Grant, ...]]:
        found: dict[tuple[str, ServiceName], tuple[Grant, ...]] = {}
        for grant in self.grants():
            place = (grant.municipality_cvr, grant.service)
            if self.shelf.names(grant.agreement, grant.service):
                found[place] = (*found.get(place, ()), grant)
        return found

    def _files(self, grants: tuple[Grant, ...]) -> dict[str, File]:
        return {
            name: File(self.shelf.folder(grant.agreement, grant.service) / name, grant)
            for grant in grants
            for name in self.shelf.names(grant.agreement, grant.service)
        }


FOLDER_MODE = stat.S_IFDIR | 0o555
FILE_MODE = stat.S_IFREG | 0o444
