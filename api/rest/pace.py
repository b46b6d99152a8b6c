"""How large the next piece of a download is, and when it goes: small and when the system has room for it, until a
reader has shown that it is fast, and again when it is not.

Everything that waits for a reader in our own memory lies there several times over: as plain bytes, encrypted, and in
OpenSSL's buffer, which never shrinks. What waits in the kernel costs nothing of that.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from api.protocol import UNSENT_BYTES

SMALL_BYTES: Final = 8 * 1024
LARGE_BYTES: Final = 112 * 1024
"""Seven records of TLS. Much less, and the calls for each piece cost more than its bytes; much more, and it leaves the
processor's cache; from 128 KiB on, the C library may ask the system for each piece and give it back."""
RUN: Final = 2
"""Pieces that are read at once for a fast reader; more, and the C library asks the system for each run."""
EASY_BYTES: Final = 4 * 1024 * 1024
"""More than the buffers between us and a reader hold, so that the time it takes is the reader's own."""
FAST_S: Final = 0.5
"""A reader that takes EASY_BYTES in this time, seconds, is fast: 8 MB a second."""
SLOW_S: Final = 1.0
"""A fast one that needs longer for them is so no more."""
PAUSE_S: Final = 0.25
"""Nor one that lets a single piece wait for so long. A machine that is busy can take its reader off for some tens of
milliseconds: that is no sign of a slow one."""
ROOM_BYTES: Final = 128 * 1024
"""A slow reader's next piece goes when the kernel holds fewer unsent bytes than this, so that it takes it at once."""
LOOK_S: Final = (0.001, 0.5)
"""How long until it is looked again whether there is room: at first, and in the end."""
UNSENT_FAST_BYTES: Final = 2 * 1024 * 1024
"""Enough for a fast reader to go on with while others have their turn, and half of what the system would take."""


@dataclass(slots=True)
class Pace:
    """clock        seconds
    careful      whether to wait for room before a piece
    size_bytes   of the next piece, at most
    """

    clock: Callable[[], float] = time.monotonic
    careful: bool = field(default=True, init=False)
    size_bytes: int = field(default=SMALL_BYTES, init=False)
    _taken: int = field(default=0, init=False)
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.clock()

    @property
    def run_bytes(self) -> int:
        """How much is read at once of a file that is being made, where each reading means waiting for a thread."""
        return self.size_bytes if self.careful else RUN * self.size_bytes

    @property
    def unsent_bytes(self) -> int:
        """How much the kernel may hold for the reader that it has not sent."""
        return UNSENT_BYTES if self.careful else UNSENT_FAST_BYTES

    def sent(self, size_bytes: int, waited_s: float) -> bool:
        """A piece went, after it had waited for its reader. Whether that changed what is thought of it."""
        self._taken += size_bytes
        if self._taken < EASY_BYTES and waited_s <= PAUSE_S:
            return False
        before, now = self.careful, self.clock()
        self.careful = waited_s > PAUSE_S or now - self._began > (FAST_S if before else SLOW_S)
        self.size_bytes = SMALL_BYTES if self.careful else LARGE_BYTES
        self._began, self._taken = now, 0
        return self.careful is not before
