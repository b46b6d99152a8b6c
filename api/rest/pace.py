"""How large the next piece of a download is: small until a reader has shown that it is fast, and small again when not.

Everything that waits for a reader lies in memory several times over: as plain bytes, encrypted, and in OpenSSL's
buffer, which never shrinks. Large pieces are only for those who take them at once.
"""

from dataclasses import dataclass
from typing import Final

SMALL_BYTES: Final = 32 * 1024
LARGE_BYTES: Final = 128 * 1024
"""TLS is fastest on pieces of 64 to 256 KiB."""
EASY_BYTES: Final = 4 * 1024 * 1024
"""More than the buffers between us and a reader hold: who has taken so much without a pause is fast."""
_WAITED_S: Final = 0.02


@dataclass(slots=True)
class Pace:
    """size_bytes   of the next piece, at most"""

    size_bytes: int = SMALL_BYTES
    _easy: int = 0

    def sent(self, size_bytes: int, waited_s: float) -> None:
        """How long a piece took to be taken."""
        if waited_s > _WAITED_S:
            self.size_bytes, self._easy = SMALL_BYTES, 0
        else:
            self._easy += size_bytes
            if self._easy >= EASY_BYTES:
                self.size_bytes = LARGE_BYTES
