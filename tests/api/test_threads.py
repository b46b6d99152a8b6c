"""Where the event loop and blocking work meet."""

import asyncio
import threading
from collections.abc import Iterator

from api.threads import in_thread, pulled

MANY = 200


def test_downloads_that_wait_for_their_files_keep_nobody_else_waiting() -> None:
    written = threading.Event()

    def waiting() -> Iterator[bytes]:
        written.wait(60)
        yield b"piece"

    async def run() -> tuple[str, list[bytes]]:
        downloads = [pulled(waiting()) for _ in range(MANY)]
        firsts = [asyncio.ensure_future(anext(each)) for each in downloads]
        await asyncio.sleep(0)
        # Would come when the files are there, which here they are only afterwards.
        said = await asyncio.wait_for(in_thread(lambda: "answered"), 50)
        written.set()
        return said, await asyncio.gather(*firsts)

    assert asyncio.run(run()) == ("answered", [b"piece"] * MANY)
