"""An SFTP server with an exchange, as a program: to be killed and started again. Argument: a folder."""

import socket
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import paramiko

from extract import Exchange, ExchangeSettings, SftpServer, SftpSettings, Shelf
from kernel import Caller, Grant, SystemId
from tests.extract.exchanging import RECEIVER, SENDER, may_exchange
from tests.extract.hall import fingerprint, new_key


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)


def main(folder: Path) -> None:
    keys = {SENDER: folder / "client_key", RECEIVER: folder / f"key-{RECEIVER}", "host": folder / "host_key"}
    for each in keys.values():
        if not each.exists():
            new_key(each)
    systems = {
        fingerprint(paramiko.Ed25519Key.from_private_key_file(str(keys[each]))): each for each in (SENDER, RECEIVER)
    }

    def authenticate(fingerprint: str) -> Caller:
        system = systems[fingerprint]
        return Caller(system=SystemId(system), name=system, organisation_cvr="22222222", credential=fingerprint)

    def grants_of(system: SystemId) -> tuple[Grant, ...]:
        return (may_exchange(system, agreement=f"exchange-{system}"),)

    server = SftpServer(
        host_key=keys["host"],
        shelf=Shelf(folder / "agreements"),
        authenticate=authenticate,
        grants_of=grants_of,
        observe=lambda _: None,
        clock=Clock(),
        settings=SftpSettings(),
        exchange=Exchange(folder / "exchange", str, Clock(), ExchangeSettings()),
        system_of=lambda user: SystemId(user) if user in {SENDER, RECEIVER} else None,
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(listening.getsockname()[1], flush=True)  # noqa: T201
        server.serve(listening, threading.Event())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
