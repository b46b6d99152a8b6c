"""One extract in a reader's hand: its bytes, as they grow or from the finished file."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, Protocol

from extract.delivery.manifest import Manifest
from extract.errors import ExtractBroken, ExtractNotReady
from extract.formats import SLICE_BYTES
from extract.place import Place, grows
from extract.plan import ExtractPlan
from extract.production import Production

LOOK_EVERY_S: Final = 0.02
_BEGINNINGS: Final = 3
"""How often a reader that has got nothing yet begins again when whoever made the file died."""


class Makers(Protocol):
    """Where files are made: `extract.store.ExtractStore`."""

    def begin(self, place: Place) -> Production | None: ...

    def following(self, place: Place) -> AbstractContextManager[None]: ...


class Extract:
    """One extract: ready, or being made."""

    def __init__(self, store: Makers, place: Place, production: Production | None) -> None:
        self._store, self._place, self._production = store, place, production

    @property
    def plan(self) -> ExtractPlan:
        return self._place.plan

    @property
    def path(self) -> Path:
        """Where the finished file lies."""
        return self._place.file

    @property
    def ready(self) -> bool:
        return self._place.ready

    @property
    def manifest(self) -> Manifest:
        """Raises ExtractNotReady while the file is being made."""
        try:
            return Manifest.from_json(self._place.manifest.read_bytes())
        except FileNotFoundError:
            raise ExtractNotReady(
                "the extract is being made", remedy="ask again when the download has finished"
            ) from None

    @property
    def etag(self) -> str | None:
        """Strong (RFC 9110, 8.8.1): the SHA-256 of the bytes, in quotation marks. None while they are being made."""
        return f'"{self.manifest.sha256}"' if self.ready else None

    @property
    def rows(self) -> int | None:
        return self.manifest.rows if self.ready else None

    @property
    def size_bytes(self) -> int | None:
        return self.manifest.size_bytes if self.ready else None

    def chunks(
        self, start: int = 0, stop: int | None = None, slice_bytes: Callable[[], int] = lambda: SLICE_BYTES
    ) -> Iterator[bytes]:
        """Bytes of the file from `start` up to `stop`, in slices of at most what `slice_bytes` says at the moment,
        waiting for what is not written yet.

        Raises ExtractBroken when the production fails or its process dies after the first slice: a receiver must
        never take what it got for whole. Before the first slice, it begins anew.
        """
        for _ in range(_BEGINNINGS):
            try:
                with self._followed():
                    yield from self._follow(start, stop, slice_bytes)
            except _MakerDied as death:
                if death.after_bytes:
                    break
                self._production = self._store.begin(self._place)
            else:
                return
        raise ExtractBroken("the process that made the extract ended", remedy="ask for it again", retry_after_s=1)

    @contextlib.contextmanager
    def _followed(self) -> Iterator[None]:
        """Whoever makes it knows that somebody reads."""
        making = self._production
        if making is None:
            with contextlib.nullcontext() if self.ready else self._store.following(self._place):
                yield
            return
        making.followers += 1
        try:
            yield
        finally:
            making.followers -= 1

    def _follow(self, start: int, stop: int | None, slice_bytes: Callable[[], int]) -> Iterator[bytes]:
        with self._opened() as handle:
            position, ended = start, False
            while stop is None or position < stop:
                wanted = slice_bytes() if stop is None else min(slice_bytes(), stop - position)
                pieces = [os.pread(handle, wanted, position)]
                if pieces[0]:
                    position += len(pieces[0])
                    # Handed over, not kept: a thousand readers that stall here hold nothing.
                    yield pieces.pop()
                elif ended:
                    return
                else:
                    # Then it is read once more: something may have been written between that read and this question.
                    ended = self._ended(handle, position - start)
                    if not ended:
                        self._wait()

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        while (handle := self._living()) is None:
            self._ensure_made()
            self._wait()
        try:
            yield handle
        finally:
            os.close(handle)

    def _living(self) -> int | None:
        """The file, or the part that somebody writes; None as long as there is neither. Raises ExtractBroken, or
        _MakerDied for a dead maker's part: nothing of it is given out.
        """
        handle = self._open()
        if handle is None:
            return None
        try:
            self._ended(handle, 0)
        except BaseException as error:
            os.close(handle)
            # Another process has taken over, and is about to take away what the dead one left.
            if isinstance(error, _MakerDied) and self._production is None and self._place.held:
                return None
            raise
        return handle

    def _open(self) -> int | None:
        for path in (self._place.part, self._place.file):
            with contextlib.suppress(FileNotFoundError):
                return os.open(path, os.O_RDONLY)
        return None

    def _ended(self, handle: int, given_bytes: int) -> bool:
        """Whether the file behind `handle` is whole. Raises ExtractBroken or _MakerDied when it never will be."""
        if grows(handle):
            return False
        if self._place.ready:
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(self._place.file.stat(), os.fstat(handle)):
                    return True
        if self._production is not None:
            self._production.check()
            if not self._production.ended:
                return False
        raise _MakerDied(given_bytes)

    def _ensure_made(self) -> None:
        """Raises ExtractBroken when the production failed, _MakerDied when nobody makes the file."""
        if self._production is not None:
            self._production.check()
            at_work = not self._production.ended
        else:
            at_work = self._place.held
        if not at_work and not self._place.ready:
            raise _MakerDied(0)

    def _wait(self) -> None:
        if self._production is not None:
            self._production.wait(LOOK_EVERY_S)
        else:
            time.sleep(LOOK_EVERY_S)


class _MakerDied(Exception):
    """Nobody makes the file, and it is not whole. A reader had got `after_bytes` by then."""

    def __init__(self, after_bytes: int) -> None:
        super().__init__(after_bytes)
        self.after_bytes = after_bytes
