"""Change feeds go with the extracts that they were made from."""

import contextlib
from datetime import datetime
from pathlib import Path

from extract import MANIFEST


def tidy_changes(changes: Path, files: Path, before: datetime) -> int:
    """Remove the feeds whose extract is gone: no address opens them any more. And drafts that a crash left before then.
    How many feeds.
    """
    gone = 0
    for path in changes.glob("*.parquet"):
        if not path.name.startswith(".") and not (files / f"{path.stem}{MANIFEST}").exists():
            path.unlink(missing_ok=True)
            gone += 1
    for draft in changes.glob(".*.part"):
        with contextlib.suppress(FileNotFoundError):
            if draft.stat().st_mtime < before.timestamp():
                draft.unlink()
    return gone
