"""A house with the open bulk face, and what its clients need."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from delta_sharing.protocol import DeltaSharingProfile, Table

from api import make_app
from api.sharing import SharingDesk
from control import Sharing
from runtime.sharing import TokenBook
from tests.api.house import Client, House, Reply, serving

KEY = b"k" * 32
PUBLIC = "schemas/municipality/tables/municipalities-extract"


@contextmanager
def sharing(house: House) -> Iterator[int]:
    """The port of a server of the house."""
    book = TokenBook(house.control, lambda: house._watcher[0].current().version)
    desk = SharingDesk(book.find, KEY, house.root / "extracts", house.root / "changes")
    with serving(house, make_app(replace(house.doors(), sharing=desk))) as (_, port):
        yield port


def profile(house: House, port: int, agreement: str = "one") -> DeltaSharingProfile:
    _, text = Sharing(house.control).make(house.agreements[agreement], timedelta(days=1))
    house.settle()
    return DeltaSharingProfile(1, f"https://localhost:{port}/sharing", text, None)


def profile_text(profile: DeltaSharingProfile) -> str:
    """As it stands in a file."""
    said = {"shareCredentialsVersion": 1, "endpoint": profile.endpoint, "bearerToken": profile.bearer_token}
    return json.dumps(said)


def table(house: House, service: str, schema: str = "municipality", agreement: str = "one") -> Table:
    return Table(name=service, share=house.agreements[agreement], schema=schema)


@dataclass(frozen=True, slots=True)
class Asking:
    """Questions under one agreement, with a token of it, as they go over the wire."""

    house: House
    port: int
    token: str
    agreement: str = "one"

    def ask(self, what: str, body: Any = None, path: str = PUBLIC, **fields: str) -> Reply:
        """About a table; with a body it is posted."""
        where = f"/sharing/shares/{self.house.agreements[self.agreement]}/{path}/{what}"
        sent = None if body is None else json.dumps(body).encode()
        return self.call("GET" if body is None else "POST", where, sent, **fields)

    def call(self, method: str, path: str, body: bytes | None = None, **fields: str) -> Reply:
        """Of the names of fields, underscores are hyphens."""
        headers = {"Authorization": f"Bearer {self.token}"}
        headers |= {name.replace("_", "-"): value for name, value in fields.items()}
        client = Client(self.house, self.port, None)
        try:
            return client.call(method, path, body, headers)
        finally:
            client.close()
