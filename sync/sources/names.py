"""Which names of a folder are files to load."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Final

from sync.errors import SourceFaulty

BESIDE: Final = (".trigger", ".metadata", ".sftpreceipt", ".part", ".tmp")
"""Files that accompany another one, or are on their way to become one."""
LONGEST: Final = 255


def wanted(names: Iterable[str], pattern: str, *, trigger: bool) -> tuple[str, ...]:
    """Names of the files to offer, sorted.

    pattern    shell pattern, case sensitive
    trigger    a file is wanted only when `<name>.trigger` is there too: written last, it is the sender's word that
               the file is whole

    Raises SourceFaulty for a wanted name that is a path or holds control characters: it would go on into logs,
    reports and terminals.
    """
    there = set(names)
    found = [
        name
        for name in there
        if not name.startswith(".")
        and not name.endswith(BESIDE)
        and fnmatchcase(name, pattern)
        and (not trigger or f"{name}.trigger" in there)
    ]
    if not all(_plain(name) for name in found):
        raise SourceFaulty(
            "a file of the source has a name that is a path, too long, or holds control characters",
            remedy="have it renamed, or narrow the pattern of the source",
        )
    return tuple(sorted(found))


def _plain(name: str) -> bool:
    return name.isprintable() and len(name) <= LONGEST and "/" not in name and "\\" not in name
