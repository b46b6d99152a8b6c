"""Two systems with a municipality's agreement to exchange files, each with a key; and what senders write."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko
from lxml import etree

from extract import ExchangeSettings
from extract.exchange.agreed import EXCHANGE_SERVICE
from extract.exchange.xml import Described, trigger_text
from kernel import Grant
from tests.extract.builders import CVR, grant
from tests.extract.conftest import Source
from tests.extract.hall import Hall, fingerprint, new_key, open_hall

SENDER, RECEIVER, STRANGER = "system-1", "system-2", "system-3"
FILE = "D310310.L000001"
TEXT = b"one line of a file, and another\r\n" * 10_000


@contextmanager
def open_exchange(folder: Path, source: Source, settings: ExchangeSettings | None = None) -> Iterator[Hall]:
    with open_hall(folder, source, exchange=settings or ExchangeSettings()) as hall:
        for number, system in enumerate((SENDER, RECEIVER, STRANGER)):
            if system != SENDER:
                hall.keys[fingerprint(new_key(hall.folder / f"key-{system}"))] = system
            if system != STRANGER:
                hall.grants.append(may_exchange(system, agreement=f"exchange-{number}"))
        yield hall


def may_exchange(system: str, *, agreement: str, cvr: str = CVR, **scopes: str) -> Grant:
    rows = {name: frozenset(users.split()) for name, users in scopes.items()}
    return grant(None, rows, agreement=agreement, system=system, cvr=cvr, service=EXCHANGE_SERVICE)


def key_of(hall: Hall, system: str) -> paramiko.PKey:
    file = hall.key_file if system == SENDER else hall.folder / f"key-{system}"
    return paramiko.Ed25519Key.from_private_key_file(str(file))


def trigger(
    *recipients: str, file: str = FILE, size: int | None = len(TEXT), sender: str = SENDER, own_id: str | None = None,
    content: tuple[bytes, ...] = (),
) -> bytes:  # fmt: skip
    return trigger_text(
        Described(
            file=file, size_bytes=size, sender=sender, recipients=recipients or (RECEIVER,), senders_file_id=own_id,
            content=content,
        )
    )  # fmt: skip


def write(client: paramiko.SFTPClient, path: str, text: bytes, *, at: int = 0) -> None:
    with client.open(path, "wb") as file:
        file.seek(at)
        file.write(text)


def send(client: paramiko.SFTPClient, *, file: str = FILE, text: bytes = TEXT, words: bytes | None = None) -> None:
    """Upload a file and its trigger, as senders do."""
    write(client, f"OUT/{file}", text)
    write(client, f"OUT/{file}.trigger", trigger(file=file, size=len(text)) if words is None else words)


def receipt(client: paramiko.SFTPClient, file: str = FILE) -> dict[str, str]:
    """The elements of a receipt that hold text."""
    root = etree.fromstring(client.open(f"IN/{file}.sftpreceipt").read())
    return {element.tag: element.text for element in root.iter() if element.text and element.text.strip()}
