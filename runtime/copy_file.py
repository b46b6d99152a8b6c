"""A consumer's copy, seen from outside: which form it has, and how it is packed.

What a file is, is seen from how it begins; its name is asked only when nothing is in it.
"""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from extract import Compression, Format
from kernel import OperatorMistake

BOM: Final = b"\xef\xbb\xbf"
HEAD_BYTES: Final = 64 * 1024
_PACKED: Final = {b"\x1f\x8b": Compression.GZIP, b"\x28\xb5\x2f\xfd": Compression.ZSTD}
_PARQUET: Final = b"PAR1"
_ARROW: Final = b"\xff\xff\xff\xff"


class CopyUnreadable(OperatorMistake):
    code = "copy_unreadable"
    title = "The copy cannot be read"


@dataclass(frozen=True, slots=True)
class File:
    """A copy, seen from outside. empty   nothing is in it"""

    path: Path
    format: Format
    compression: Compression
    empty: bool = False

    @classmethod
    def seen(cls, path: Path) -> "File":
        """Raises CopyUnreadable."""
        with path.open("rb") as file:
            start = file.read(4)
        packed = next((each for mark, each in _PACKED.items() if start.startswith(mark)), Compression.NONE)
        with cls(path, Format.NDJSON, packed).opened() as stream, reading("what it says it is packed with"):
            head = stream.read(HEAD_BYTES)
        found = _format(head, path)
        if found is Format.PARQUET and packed is not Compression.NONE:
            raise CopyUnreadable(
                "Parquet is packed within, and is not read out of a packed file", remedy="unpack the copy first"
            )
        return cls(path, found, packed, empty=not head)

    @contextmanager
    def opened(self) -> Iterator[pa.NativeFile]:
        """Unpacked."""
        with pa.OSFile(str(self.path)) as file:
            if self.compression is Compression.NONE:
                yield file
            else:
                with pa.CompressedInputStream(file, self.compression.value) as stream:
                    yield stream


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Raises CopyUnreadable for what is not so, without repeating what stands in it."""
    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError, csv.Error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise CopyUnreadable(
            f"the copy cannot be read as {what}",
            remedy="give an extract in NDJSON, CSV, Parquet or Arrow, or fetch it anew",
        ) from None


def _format(head: bytes, path: Path) -> Format:
    """Raises CopyUnreadable for a form that cannot be proved."""
    if not head:
        endings = [each.lstrip(".") for each in path.suffixes]
        return next((each for each in (Format.CSV, Format.PARQUET, Format.ARROW) if each in endings), Format.NDJSON)
    for mark, found in ((_PARQUET, Format.PARQUET), (_ARROW, Format.ARROW), (b"{", Format.NDJSON)):
        if head.startswith(mark):
            return found
    if head.startswith(BOM):
        return Format.CSV_DK_BOM
    line = head.partition(b"\n")[0]
    if head.startswith(b"<") or b"\0" in line or (line[:13].isdigit() and line.startswith(b"000")):
        raise CopyUnreadable(
            "the copy is in a form that cannot be proved",
            remedy="keep your copy in NDJSON, CSV, Parquet or Arrow: XML and the register's lines have no digests",
        )
    return Format.CSV_DK if b";" in line else Format.CSV
