"""/v1/services/{service}/files: what stands on the agreement's own shelf; files, manifests, signatures."""

import re
from typing import Final
from urllib.parse import unquote

import orjson

from api.answer import Answer, Headers
from api.doors import Doors
from api.errors import FileNotFound
from api.request import Request
from api.rest.transfer import finished_path
from api.threads import in_thread
from api.visit import Visit
from extract import MANIFEST, SIGNATURE
from kernel import Grant

_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


async def listing(visit: Visit) -> Answer:
    """The manifests of the shelf, oldest first; of files that the agreement covers as it stands now."""
    caller = visit.identify()
    visit.request.parameters()
    _, grant = visit.admit(caller)
    shelf, service = visit.doors.shelf, visit.service.name

    def manifests() -> bytes:
        names = shelf.names(grant.agreement, service)
        found = [shelf.manifest(grant.agreement, service, name.removesuffix(MANIFEST)) for name in names
                 if name.endswith(MANIFEST)]  # fmt: skip
        shown = sorted((each for each in found if each and each.covered_by(grant)), key=lambda each: each.number or 0)
        return orjson.dumps({"files": [orjson.Fragment(each.to_json()) for each in shown]})

    return _answer(visit, grant, await in_thread(manifests), b"application/json")


async def file(visit: Visit) -> Answer:
    """A file on the shelf, its manifest (`.manifest.json`) or that one's signature (`.manifest.json.sig`)."""
    request = visit.request
    caller = visit.identify()
    request.parameters()
    _, grant = visit.admit(caller)
    name = unquote(request.last_segment.decode("ascii", "replace"))
    if not _FILE.fullmatch(name):
        raise _missing()
    shelf, service = visit.doors.shelf, visit.service.name
    ending = next((each for each in (SIGNATURE, MANIFEST) if name.endswith(each)), None)
    if ending is not None:
        bare = name.removesuffix(ending)
        told = await in_thread(lambda: shelf.manifest(grant.agreement, service, bare))
        body = await in_thread(lambda: shelf.document(grant.agreement, service, bare, ending))
        # What an agreement covers no more is as if it did not exist, as in the list and over SFTP.
        if body is None or told is None or not told.covered_by(grant):
            raise _missing()
        kind = b"application/json" if ending == MANIFEST else b"application/octet-stream"
        return _answer(visit, grant, body, kind)
    known = await in_thread(lambda: shelf.manifest(grant.agreement, service, name))
    path = shelf.folder(grant.agreement, service) / name
    if known is None or not known.covered_by(grant) or not path.is_file():
        raise _missing()
    headers: Headers = [
        (b"knudepunkt-snapshot", b"%d" % known.snapshot),
        (b"knudepunkt-trace", request.trace.encode()),
        (b"cache-control", b"no-store" if visit.offer.personal else b"private, no-cache"),
        (b"content-type", b"application/octet-stream"),
        (b"content-disposition", f'attachment; filename="{name}"'.encode()),
        (b"link", f'</v1/services/{service}/files/{name}{MANIFEST}>; rel="describedby"'.encode()),
    ]
    return await finished_path(visit, grant, known, path, headers)


def _answer(visit: Visit, grant: Grant, body: bytes, kind: bytes) -> Answer:
    info = visit.doors.lookups.reader(visit.dataset.id).info
    visit.answered(grant, status=200, snapshot=info.snapshot, size_bytes=len(body))
    headers = [(b"content-type", kind), (b"cache-control", b"no-store")]
    return Answer(200, [*headers, (b"knudepunkt-trace", visit.request.trace.encode())], body)


def _missing() -> FileNotFound:
    return FileNotFound(
        "the agreement's shelf holds no such file",
        remedy="fetch the extract first; name the same agreement as when it was fetched",
    )


async def signing_key(doors: Doors, request: Request) -> Answer:
    """The public half of the key that manifests are signed with, PEM."""
    request.parameters()
    headers = [(b"content-type", b"application/x-pem-file"), (b"cache-control", b"no-cache")]
    return Answer(200, headers, doors.signing_key)
