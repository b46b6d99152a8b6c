"""Ports for servers that cannot be handed a socket."""

import itertools
import os
import socket
from contextlib import suppress
from typing import Final

_FIRST: Final = 20_000
_NEXT: Final = itertools.count(_FIRST + os.getpid() % 1_000 * 12)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has, and that nobody is given before the caller's server takes it.

    It lies below those that the system gives to whoever asks for any, and each process of a test run counts on from a
    number of its own.
    """
    for port in _NEXT:
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no port is free")
