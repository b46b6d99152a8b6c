"""An SFTP server over a shelf, as a program: to be killed and started again. Argument: a folder."""

import socket
import sys
import threading
from pathlib import Path

import paramiko

from extract import SftpServer, SftpSettings, Shelf
from kernel import Caller, SystemId
from tests.extract.builders import grant
from tests.extract.hall import StoppedClock, fingerprint


def main(folder: Path) -> None:
    known = fingerprint(paramiko.Ed25519Key.from_private_key_file(str(folder / "client_key")))

    def authenticate(asked: str) -> Caller:
        assert asked == known
        return Caller(system=SystemId("system-1"), name="x", organisation_cvr="22222222", credential=asked)

    server = SftpServer(
        host_key=folder / "host_key",
        shelf=Shelf(folder / "agreements"),
        authenticate=authenticate,
        grants_of=lambda _: (grant(),),
        observe=lambda _: None,
        clock=StoppedClock(),
        settings=SftpSettings(),
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(listening.getsockname()[1], flush=True)  # noqa: T201
        server.serve(listening, threading.Event())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
