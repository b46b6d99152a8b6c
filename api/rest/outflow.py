"""What goes out to one reader, at its own pace, and cut when it takes nothing for too long: it would hold its place for
ever. While a reader is waited for, nothing of its file lies in our memory: a piece is taken when the connection can
have it.
"""

import asyncio
import time
from typing import Final

import structlog

from api.pieces import Piece, Pieces
from api.protocol import UNSENT_BYTES
from api.request import Request, Send
from api.rest.pace import LARGE_BYTES, LOOK_S, ROOM_BYTES, Pace

TURN_BYTES: Final = 2 * LARGE_BYTES
"""A client as fast as the page cache never makes us wait; after so much, others have their turn too."""
_LOOKS: Final = 4
"""How often it is looked, within the time a reader may stall, whether it has taken anything."""

_log = structlog.get_logger(__name__)


class Outflow:
    """stall_s   how long a reader may take nothing
    pace      how large the next piece is
    sent_bytes   what has left until now
    """

    def __init__(self, request: Request, stall_s: float, pace: Pace | None = None) -> None:
        self.pace = pace or Pace()
        self.sent_bytes = 0
        self._connection, self._trace, self._stall_s = request.connection, request.trace, stall_s

    async def last_of(self, pieces: Pieces, send: Send) -> Piece | None:
        """Send all pieces but the last one, and return that when the connection takes it. None when the reader has gone
        or was cut.
        """
        # What stands in this loop is done nine thousand times for each gigabyte.
        connection, pace, turn = self._connection, self.pace, 0
        try:
            while True:
                waited_s = 0.0
                if pace.careful or connection.paused:
                    began = time.monotonic()
                    if not await self._taken():
                        return None
                    waited_s = time.monotonic() - began
                piece = await pieces.take(pace.size_bytes)
                if not connection.open:
                    return None
                if pieces.ended:
                    return piece
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                size_bytes = len(piece)
                self.sent_bytes += size_bytes
                if pace.sent(size_bytes, waited_s):
                    connection.keep_unsent(pace.unsent_bytes)
                turn += size_bytes
                if turn >= TURN_BYTES:
                    turn = 0
                    await asyncio.sleep(0)
        finally:
            await pieces.close()
            if not pace.careful:
                # The next answer on the same connection begins as carefully.
                connection.keep_unsent(UNSENT_BYTES)

    async def _taken(self) -> bool:
        """Wait until what was sent before has left our memory, and while the reader is slow, most of the system's too.
        Whether to go on.
        """
        connection = self._connection
        (look_s, rarest_s), unsent, since = LOOK_S, connection.unsent_bytes, time.monotonic()
        while connection.open:
            if connection.paused:
                await connection.drained(self._stall_s / _LOOKS)
            elif self.pace.careful and unsent >= ROOM_BYTES:
                await asyncio.sleep(look_s)
                look_s = min(rarest_s, 2 * look_s)
            else:
                return True
            before, unsent = unsent, connection.unsent_bytes
            if unsent != before:
                # Only a reader who takes something changes that.
                since = time.monotonic()
            elif time.monotonic() - since > self._stall_s and (connection.paused or unsent >= ROOM_BYTES):
                _log.warning("delivery_stalled", trace=self._trace, seconds=self._stall_s)
                connection.cut()
        return False
