"""A consumer of extracts over HTTPS: goes on where it was cut, and takes nothing that its manifest does not vouch for.

Written from the guide, not with the platform's own client.
"""

import base64
import csv
import hashlib
import http.client
import io
import json
import random
import re
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from lxml import etree

from tests.crash.town import SERVICE, Row, Rows

BASE = f"/v1/services/{SERVICE}"
FORMS = ("csv", "csv-dk-bom", "ndjson", "parquet", "arrow", "xml")
PACKED = ("none", "gzip", "zstd")
_AT_ONCE = 32_768
_PATIENCE_S = 10.0
_FIELDS = ("code", "name", "population")


class Cut(Exception):
    """The line or the server ended, or the platform asked to come again."""


@dataclass(frozen=True)
class Wish:
    """later   asked for first, and fetched when it is ready"""

    form: str
    packed: str
    delta: bool
    later: bool

    @classmethod
    def any(cls, chance: random.Random, *, first: bool) -> "Wish":
        form = chance.choice(FORMS)
        packed = "none" if form == "parquet" else chance.choice(PACKED)
        return cls(form, packed, delta=not first and chance.random() < 0.7, later=chance.random() < 0.4)


@dataclass
class Heard:
    """What the platform's ledger must hold: an answer, by its trace, and how much of a file came with it.

    whole   whether its last byte came
    """

    trace: str
    file_bytes: int | None = None
    whole: bool = False


@dataclass
class Fetcher:
    """told     each byte count as it is received
    alive    whether anybody answers: a connection may wait for a server that is yet to come
    taken    name and SHA-256 of what was taken, in order
    copy     of the register, as those files tell it
    heard    every answer that came
    jobs     how many extracts were asked for beforehand
    """

    port: int
    context: ssl.SSLContext
    chance: random.Random
    told: Callable[[int], None] = lambda _: None
    alive: Callable[[], bool] = lambda: True
    taken: dict[str, str] = field(default_factory=dict)
    copy: Rows = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)
    resumed: int = 0
    jobs: int = 0
    _wish: Wish | None = None
    _job: str | None = None
    _cursor: str | None = None
    _name: str | None = None
    _etag: str | None = None
    _part: bytearray = field(default_factory=bytearray)
    _whole: bool = False

    def go_on(self) -> int | None:
        """Go on with the file at hand, or with the next one. The snapshot of what was taken, None when nothing was.

        Raises Cut.
        """
        if self._wish is None:
            self._wish = Wish.any(self.chance, first=not self.taken)
        if not self._whole:
            path = self._ready() if self._wish.later else f"{BASE}/extract?{self._query}"
            if path is None:
                return None
            self._pull(path)
        return self._take()

    def document(self, path: str) -> bytes:
        return self._ask("GET", path)[1]

    @property
    def _asked(self) -> dict[str, str]:
        assert self._wish is not None
        asked = {"format": self._wish.form, "compression": self._wish.packed, "columns": ",".join(_FIELDS)}
        return asked | ({"since": str(self._cursor), "otherwise": "full"} if self._wish.delta else {})

    @property
    def _query(self) -> str:
        return "&".join(f"{name}={value}" for name, value in self._asked.items())

    def _ready(self) -> str | None:
        """Where the file of an extract that was asked for is; None when it is not ready."""
        if self._job is None:
            body = json.dumps(self._asked | {"columns": list(_FIELDS)}).encode()
            answer, _ = self._ask("POST", f"{BASE}/extracts", body, {"Content-Type": "application/json"}, status={202})
            self._job = answer["Location"]
            self.jobs += 1
        if self.chance.random() < 0.1:
            self._cancel()
            return None
        told = json.loads(self._ask("GET", self._job)[1])
        assert told["state"] in {"running", "ready"}, told
        if told["state"] == "running":
            time.sleep(0.02)
            return None
        return str(told["file"])

    def _cancel(self) -> None:
        assert self._job is not None
        self._ask("DELETE", self._job, status={204})
        self._job = None

    def _pull(self, path: str) -> None:
        """Fetch the rest of the file, or all of it when what is here is of another one. Raises Cut."""
        if self._part and self._etag is None:
            # What came so far had no tag: it was being made. When it is made, it has one.
            head, _ = self._ask("HEAD", path)
            if _name(head) == self._name:
                self._etag = head["ETag"]
        asked = {"Range": f"bytes={len(self._part)}-", "If-Range": self._etag} if self._part and self._etag else {}
        before = bytes(self._part)

        def begin(answer: http.client.HTTPResponse) -> bytearray:
            if answer.status == 206:
                assert _name(answer.headers) == self._name
                assert answer.headers["Content-Range"].startswith(f"bytes {len(before)}-")
                self.resumed += 1
            elif answer.status == 200:
                self._name, self._part = _name(answer.headers), bytearray()
            self._etag = answer.headers["ETag"]
            return self._part

        name = self._name
        try:
            answer, _ = self._ask("GET", path, headers=asked, status={200, 206, 416}, begin=begin)
        finally:
            if self._name == name:
                both = min(len(before), len(self._part))
                assert before[:both] == self._part[:both], f"{name}: one name, two contents"
        size = answer["Content-Range"].rpartition("/")[2] if "Content-Range" in answer else str(len(self._part))
        assert int(size) == len(self._part)
        self._whole = True

    def _take(self) -> int:
        """Take the file that is whole, if it is what its manifest says. Raises Cut."""
        path, content = f"{BASE}/files/{self._name}", bytes(self._part)
        text = self.document(f"{path}.manifest.json")
        key = load_pem_public_key(self.document("/.well-known/knudepunkt-signing-key.pem"))
        assert isinstance(key, EllipticCurvePublicKey)
        key.verify(self.document(f"{path}.manifest.json.sig"), text, ECDSA(SHA256()))
        manifest, digest = json.loads(text), hashlib.sha256(content)
        told, _ = self._ask("HEAD", path)
        assert digest.hexdigest() == manifest["sha256"], f"{self._name} is not whole"
        assert told["Repr-Digest"] == f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
        assert (told["ETag"], manifest["bytes"]) == (f'"{digest.hexdigest()}"', len(content))
        assert self._name == manifest["file"]
        assert self._name not in self.taken
        rows = rows_in(content, manifest["format"], manifest["compression"])
        assert len(rows) == manifest["rows"]
        if self._job is not None:
            # Those that are not given up count against a limit until their time is over.
            self._cancel()
        if manifest["kind"] == "full":
            self.copy = {}
        else:
            assert manifest["cursor_from"] == self._cursor
        for operation, key_text, row in rows:
            if operation == "delete":
                del self.copy[key_text]
            else:
                self.copy[key_text] = row
        self._cursor, self.taken[manifest["file"]] = manifest["cursor"], digest.hexdigest()
        self._wish = self._name = self._etag = None
        self._part, self._whole = bytearray(), False
        return int(manifest["snapshot"])

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        status: Iterable[int] = (200,),
        begin: Callable[[http.client.HTTPResponse], bytearray] | None = None,
    ) -> tuple[Message, bytes]:
        """The answer's head and body; with `begin`, the body is added to what that gives, as it comes. Raises Cut."""
        if not self.alive():
            raise Cut
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=_PATIENCE_S, context=self.context)
        answer: http.client.HTTPResponse | None = None
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            heard = Heard(answer.headers["Knudepunkt-Trace"] or "")
            if heard.trace:
                self.heard.append(heard)
            if answer.status == 503:
                time.sleep(0.05)
                raise Cut
            wanted = answer.status in set(status)
            into = begin(answer) if wanted and begin else bytearray()
            length, before = answer.headers["Content-Length"], len(into)
            while piece := answer.read1(_AT_ONCE):
                into += piece
                heard.file_bytes = len(into) - before if begin else None
                self.told(len(piece))
            if method != "HEAD" and length is not None and len(into) - before != int(length):
                raise Cut
            heard.whole = begin is not None and answer.status != 416
            assert wanted, (method, path, answer.status, bytes(into)[:1_000])
            return answer.headers, bytes(into)
        except (OSError, http.client.HTTPException) as error:
            raise Cut from error
        finally:
            if answer is not None:
                # It may hold the connection's socket.
                answer.close()
            connection.close()


def rows_in(content: bytes, form: str, packed: str) -> list[tuple[str, str, Row]]:
    """Operation (`full` in a full extract), key and row of each line."""
    if packed != "none":
        content = pa.input_stream(pa.BufferReader(content), compression=packed).read()
    return [
        (str(row.get("_operation", "full")), str(row["code"]), (str(row.get("name")), str(row.get("population"))))
        for row in _records(content, form)
    ]


def _records(content: bytes, form: str) -> Iterable[Mapping[str, Any]]:
    table: pa.Table
    match form:
        case "csv":
            return csv.DictReader(io.StringIO(content.decode(), newline=""))
        case "csv-dk-bom":
            return csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";")
        case "ndjson":
            return [json.loads(line) for line in content.splitlines()]
        case "parquet":
            table = pq.read_table(pa.BufferReader(content))
        case "arrow":
            table = pa.ipc.open_stream(content).read_all()
        case _:
            return [{etree.QName(cell).localname: cell.text for cell in row} for row in etree.fromstring(content)]
    found: list[dict[str, Any]] = table.to_pylist()
    return found


def _name(headers: Message) -> str:
    found = re.fullmatch('attachment; filename="([^"]+)"', headers["Content-Disposition"])
    assert found is not None
    return found[1]
