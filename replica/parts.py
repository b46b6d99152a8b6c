"""Parts of a segment stack: immutable folders of memory-mapped files, and the pointer that names them.

A part is `rows.arrow` (uncompressed Arrow IPC, batches of some ten thousand rows, sorted by key, nested columns packed
into one text, and the list that protection is judged by once more as it is), `schema.arrow` (the columns they are of),
`keys.npy` (their keys), `gone.npy` (keys deleted), and for each secondary key two arrays: its values in order, and the
rows where they stand. A part is made under a temporary name, synced and renamed; the pointer is replaced last. A reader
finds the old stack or the new one, never half of either. Rows lie here in clear, since lookups map them into memory:
folders have mode 0700, and the instance belongs on an encrypted disk.
"""

import json
import os
import shutil
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from kernel import DatasetId, SnapshotId
from replica.delivery import SnapshotInfo

FORMAT: Final = 3
POINTER: Final = "pointer.json"
DRAFT: Final = f".{POINTER}.part"
FILES: Final = ("rows.arrow", "schema.arrow", "keys.npy", "gone.npy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """digits    width of the keys when all are digits of one width, and are kept as integers; else 0
    indexed   columns with a secondary key
    """

    name: str
    rows: int
    gone: int
    digits: int
    indexed: tuple[str, ...] = ()

    @property
    def changed(self) -> int:
        return self.rows + self.gone

    @property
    def files(self) -> tuple[str, ...]:
        return (*FILES, *(file for column in self.indexed for file in index_files(column)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """The stack of a dataset: `parts` newest first, the base last."""

    dataset: DatasetId
    snapshot: SnapshotId
    published: datetime
    as_of: datetime
    rows: int
    columns: str
    parts: tuple[Part, ...]

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """None when there is none, or none that this version can read: the stack is then made anew."""
        try:
            data = json.loads((folder / POINTER).read_text(encoding="utf-8"))
            if data.pop("format") != FORMAT:
                return None
            data["parts"] = tuple(Part(**part | {"indexed": tuple(part["indexed"])}) for part in data["parts"])
            for name in ("published", "as_of"):
                data[name] = datetime.fromisoformat(data[name])
            return cls(**data)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def write(self, folder: Path) -> None:
        data = asdict(self) | {
            "format": FORMAT,
            "published": self.published.isoformat(),
            "as_of": self.as_of.isoformat(),
        }
        draft = folder / DRAFT
        with draft.open("w", encoding="utf-8") as file:
            json.dump(data, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(folder / POINTER)
        sync_folder(folder)

    @property
    def info(self) -> SnapshotInfo:
        return SnapshotInfo(
            dataset=self.dataset,
            snapshot=self.snapshot,
            published=self.published,
            as_of=self.as_of,
            rows=self.rows,
        )


def remove_unnamed(folder: Path, pointer: Pointer) -> None:
    """Remove parts that the pointer does not name, and what a crash left. Readers keep the files they have mapped."""
    named = {part.name for part in pointer.parts}
    (folder / DRAFT).unlink(missing_ok=True)
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name not in named:
            shutil.rmtree(entry, ignore_errors=True)


def index_files(column: str) -> tuple[str, str]:
    """Where a secondary key's values and their rows lie in a part."""
    return f"{column}.values.npy", f"{column}.rows.npy"


def encoded(key: str) -> bytes:
    return key.encode("utf-8")


def sync_folder(folder: Path) -> None:
    """A rename survives a power cut only when its folder is synced too."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
