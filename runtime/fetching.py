"""Fetching an extract as a consumer should: goes on where a cut came, and keeps only what its manifest vouches for.

What was received stands in `.<file>.part` until it is whole, so that a later try goes on too.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import httpx2

from extract import Cursor, CursorRefused
from kernel import OperatorMistake
from runtime.client import ExtractDamaged, Refused, checked, file_name_of, manifest_path_of

READ_BYTES: Final = 256 * 1024
_LONGEST_WAIT_S: Final = 10.0


class DownloadCut(ExtractDamaged):
    code = "download_cut"
    title = "The download was cut too often"


class CursorUnreadable(OperatorMistake):
    code = "cursor_unreadable"
    title = "There is no cursor"


class Sink(Protocol):
    """Where the bytes go. position: how many are there already."""

    position: int

    def write(self, piece: bytes) -> None: ...

    def restart(self) -> None:
        """Throw away what is there. Raises ExtractDamaged where that cannot be done."""

    def sha256(self) -> str: ...

    def close(self) -> None:
        """What is there is kept."""

    def discard(self) -> None:
        """Nothing of it is kept."""


class FileSink:
    def __init__(self, path: Path) -> None:
        self._path, self._file = path, path.open("ab")
        self.position = self._file.tell()

    def write(self, piece: bytes) -> None:
        self._file.write(piece)
        self.position += len(piece)

    def restart(self) -> None:
        self._file.truncate(0)
        self.position = 0

    def sha256(self) -> str:
        self.close()
        with self._path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def close(self) -> None:
        self._file.close()

    def discard(self) -> None:
        self._path.unlink()


class PipeSink:
    """Standard output: what was written cannot be taken back."""

    def __init__(self, write: Callable[[bytes], Any]) -> None:
        self._write, self._digest, self.position = write, hashlib.sha256(), 0

    def write(self, piece: bytes) -> None:
        self._write(piece)
        self._digest.update(piece)
        self.position += len(piece)

    def restart(self) -> None:
        if self.position:
            raise ExtractDamaged(
                "the download was cut, and what was written already cannot be taken back",
                remedy="write to a file with --out; that goes on where it was cut",
            )

    def sha256(self) -> str:
        return self._digest.hexdigest()

    def close(self) -> None:
        pass

    def discard(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Fetched:
    """name       of the file, as the platform calls it
    manifest   as JSON text: the very bytes that are signed
    """

    name: str
    manifest: bytes

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.manifest)
        return found


@dataclass(slots=True)
class Fetch:
    """One extract to fetch.

    tell      told how many bytes are there, and how many there will be (None while that is not known)
    retries   how often in a row a try may bring nothing
    """

    http: httpx2.Client
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    tell: Callable[[int, int | None], None] = lambda _, __: None
    retries: int = 5
    sleep: Callable[[float], None] = time.sleep

    def run(self, open_sink: Callable[[str], Sink]) -> Fetched:
        """open_sink   given the file's name

        Raises Refused, DownloadCut, ExtractDamaged.
        """
        head = self._again(self._asked)
        name, manifest_path = file_name_of(head), manifest_path_of(head)
        sink = open_sink(name)
        try:
            self._fill(sink, name, head.headers.get("etag"))
            manifest = self._again(lambda: checked(self.http.get(manifest_path, headers=self.headers))).content
            if sink.sha256() != json.loads(manifest)["sha256"]:
                sink.discard()
                raise ExtractDamaged(
                    "the bytes received are not those of the manifest", remedy="fetch it again; nothing was kept"
                )
        finally:
            sink.close()
        return Fetched(name, manifest)

    def _asked(self) -> httpx2.Response:
        """What the platform says of the file, without the file. Raises Refused."""
        head = self.http.head(self.path, params=self.query, headers=self.headers)
        if not head.is_success:
            # An answer to HEAD has no body, and so does not say why; the plan is refused for the same reason.
            checked(self.http.get(f"{self.path}/plan", params=self.query, headers=self.headers))
        return checked(head)

    def _fill(self, sink: Sink, name: str, etag: str | None) -> None:
        """Raises DownloadCut."""
        fruitless = 0
        while True:
            before = sink.position
            try:
                if self._pull(sink, etag):
                    return
            except httpx2.TransportError:
                pass
            fruitless = 0 if sink.position > before else fruitless + 1
            if fruitless > self.retries:
                raise DownloadCut(
                    f"the download was cut {fruitless} times without a byte in between",
                    remedy="run it again: it goes on where it was cut",
                )
            self.sleep(min(_LONGEST_WAIT_S, 0.2 * 2**fruitless))
            etag = self._etag(name) or etag

    def _pull(self, sink: Sink, etag: str | None) -> bool:
        """One try. Whether it came to the end."""
        headers = dict(self.headers)
        if sink.position and etag is not None:
            headers |= {"Range": f"bytes={sink.position}-", "If-Range": etag}
        with self.http.stream("GET", self.path, params=self.query, headers=headers, timeout=60.0) as answer:
            if answer.status_code == 416:
                # All of it is there: the cut came after the last byte.
                return True
            checked(answer)
            if answer.status_code != 206:
                sink.restart()
            length = answer.headers.get("content-length")
            size = None if length is None else sink.position + int(length)
            self.tell(sink.position, size)
            for piece in _pieces(answer):
                sink.write(piece)
                self.tell(sink.position, size)
        return size is None or sink.position >= size

    def _etag(self, name: str) -> str | None:
        """Of the same file, when it is finished; None when it is not, or is another one by now."""
        try:
            head = self.http.head(self.path, params=self.query, headers=self.headers)
        except httpx2.TransportError:
            return None
        return head.headers.get("etag") if head.is_success and file_name_of(head) == name else None

    def _again(self, ask: Callable[[], httpx2.Response]) -> httpx2.Response:
        """Ask until there is an answer. Raises Refused, or the last try's fault."""
        for number in range(self.retries):
            try:
                return ask()
            except httpx2.TransportError:
                self.sleep(min(_LONGEST_WAIT_S, 0.2 * 2**number))
            except Refused as refusal:
                if refusal.problem.get("status") != 503:
                    raise
                self.sleep(min(_LONGEST_WAIT_S, float(refusal.problem.get("retry_after", 1))))
        return ask()


def cursor_of(text: str) -> str:
    """A cursor itself, or that of the manifest in a file. Raises CursorUnreadable."""
    path = Path(text)
    if not path.is_file():
        try:
            return str(Cursor.read(text))
        except CursorRefused:
            raise CursorUnreadable(
                f"{text!r} is neither a cursor nor a file that is there",
                remedy="name the manifest of the last extract, or its `cursor` as it stands there",
            ) from None
    try:
        cursor = json.loads(path.read_bytes())["cursor"]
    except (ValueError, KeyError, TypeError):
        cursor = None
    if not isinstance(cursor, str):
        raise CursorUnreadable(
            f"{path.name} is no manifest with a cursor", remedy="name the manifest of the last extract"
        )
    return cursor


def _pieces(answer: httpx2.Response) -> Iterator[bytes]:
    yield from answer.iter_raw(READ_BYTES)
