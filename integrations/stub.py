"""Stubs: what a test environment answers with where the source is not there."""

from integrations.asked import Fields, Reply
from integrations.carried import Carried

_KINDS = {".json": "application/json", ".xml": "application/xml", ".txt": "text/plain; charset=utf-8"}


def stub_of(carried: Carried, source: str) -> Reply | None:
    """The declared stub, in a test environment that has no address of the source; None wherever else."""
    desk, stub = carried.desk, carried.service.stub
    if desk.environment != "test" or stub is None or source in desk.sources:
        return None
    fields: Fields = (("content-type", _KINDS.get(stub.suffix, "application/octet-stream")),)
    return Reply(fields=fields, body=stub.read_bytes(), by="stub")
