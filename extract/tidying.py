"""What goes from the files by content, and when."""

import contextlib
from datetime import datetime
from pathlib import Path

from extract.delivery.manifest import MANIFEST
from extract.place import read_now, take_away


def tidy(folder: Path, before: datetime) -> int:
    """Remove finished extracts that were not used since `before`, are on no shelf and are read by nobody; how many.

    What a crash left goes too, when it is as old: a part, a draft, a lock, a file that never got its manifest.
    """
    limit, gone = before.timestamp(), 0
    for described in folder.glob(f"[!.]*{MANIFEST}"):
        name = described.name.removesuffix(MANIFEST)
        files = [path for path in folder.glob(f"{name}.*") if path != described]
        with contextlib.suppress(FileNotFoundError):
            used = described.stat().st_mtime
            if used >= limit or any(path.stat().st_nlink > 1 or read_now(path) for path in files):
                continue
            # The manifest first: a file without one is not there for anybody.
            for path in (described, *files):
                path.unlink(missing_ok=True)
            gone += 1
    for path in folder.glob(".*"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < limit:
                take_away(path)
    for path in folder.glob("[!.]*"):
        with contextlib.suppress(FileNotFoundError):
            # Its time of change is that of the snapshot. When nobody makes it any more, it has its manifest or never
            # will.
            if path.stat().st_ctime < limit and not read_now(path) and not _described(path):
                path.unlink(missing_ok=True)
    return gone


def _described(path: Path) -> bool:
    return path.name.endswith(MANIFEST) or path.with_name(f"{path.name.partition('.')[0]}{MANIFEST}").exists()
