"""How large the next piece of a download is, and when it goes: small and when the system has room for it, until a
reader has shown that it is fast, and again when it is not.

Everything that waits for a reader in our own memory lies there several times over: as plain bytes, encrypted, and in
OpenSSL's buffer, which never shrinks. What waits in the kernel costs nothing of that.
"""

from dataclasses import dataclass
from typing import Final

SMALL_BYTES: Final = 16 * 1024
LARGE_BYTES: Final = 128 * 1024
"""TLS is fastest on pieces of 64 to 256 KiB."""
EASY_BYTES: Final = 4 * 1024 * 1024
"""More than the buffers between us and a reader hold: who has taken so much without a pause is fast."""
ROOM_BYTES: Final = 128 * 1024
"""A slow reader's next piece goes when the kernel holds fewer unsent bytes than this, so that it takes it at once."""
LOOK_S: Final = (0.001, 0.5)
"""How long until it is looked again whether there is room: at first, and in the end."""
_WAITED_S: Final = 0.02


@dataclass(slots=True)
class Pace:
    """size_bytes   of the next piece, at most"""

    size_bytes: int = SMALL_BYTES
    _easy: int = 0

    @property
    def careful(self) -> bool:
        """Whether to wait for room before a piece."""
        return self.size_bytes == SMALL_BYTES

    def sent(self, size_bytes: int, waited_s: float) -> None:
        """How long a piece took to be taken."""
        if waited_s > _WAITED_S:
            self.size_bytes, self._easy = SMALL_BYTES, 0
        else:
            self._easy += size_bytes
            if self._easy >= EASY_BYTES:
                self.size_bytes = LARGE_BYTES
