"""The reference of benchmarks/rest.py: an application that does nothing, behind the very same TLS server.

python -m benchmarks.bare <certificate> <key> <folder of authorities> <file descriptor> <bytes of an answer>
"""

import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from api import serve, server_context


def main(certificate: Path, key: Path, trust: Path, handle: int, size_bytes: int) -> None:
    body = b"x" * size_bytes
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % size_bytes)]

    async def app(_: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    context = server_context(certificate, key, trust, at=datetime.now(UTC), on_refused=lambda _: None)
    serve(app, socket.socket(fileno=handle), context, drain_s=1.0)


if __name__ == "__main__":
    certificate, key, trust, handle, size = sys.argv[1:]
    main(Path(certificate), Path(key), Path(trust), int(handle), int(size))
