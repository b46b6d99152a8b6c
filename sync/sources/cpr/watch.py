"""Whether a stream holds control characters at all: hardly any does, and lines need no search then."""

from typing import BinaryIO

import numpy as np

CONTROL_BITS = 0x60
"""Neither is set in 0x00-0x1F and 0x80-0x9F, the control characters of ISO-8859-1; 0x7F is the other one."""


class Watched:
    """A stream that remembers whether anything read from it may be a control character but line ends.

    Exact for ISO-8859-1. In UTF-8 a letter beyond ASCII is taken for one too, which costs a search and nothing else.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.control = False

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        if not self.control:
            letters = np.frombuffer(block, np.uint8)
            below = np.count_nonzero((letters & CONTROL_BITS) == 0)
            ends = block.count(b"\n") + (block.count(b"\r\n") if b"\r" in block else 0)
            self.control = bool(below > ends) or b"\x7f" in block
        return block
