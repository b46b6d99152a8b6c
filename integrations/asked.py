"""What a caller asks of a live service, what the road asks of the rim, and what comes of both. Values only.

A road is a generator: it yields what it wants done, and is sent what came of it, or thrown the refusal. So the road
itself waits for nothing and can be read, and tested with any clock, from top to bottom.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from integrations.errors import InputInvalid
from kernel import PlatformError
from replica import SnapshotInfo


class Piecewise(Protocol):
    """A body that is not in memory. Rooms hand it on unseen; the rim reads it."""


Body = bytes | Piecewise
Fields = tuple[tuple[str, str], ...]
"""Header fields, or parameters of a query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """method, query, headers   as they came, names of headers in lower case
    body      bytes when it is small enough to be sent twice
    oldest_s  how old an answer from a replica may be, seconds; None for any age
    """

    method: str
    query: Fields = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body = b""
    oldest_s: int | None = None

    def document(self) -> dict[str, Any]:
        """The body as a JSON object. Raises InputInvalid."""
        if isinstance(self.body, bytes):
            try:
                found = orjson.loads(self.body)
            except orjson.JSONDecodeError:
                found = None
            if isinstance(found, dict):
                return found
        raise InputInvalid("the body is not a JSON object", remedy="see the service in GET /openapi.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """by       who answered: source, replica, stub, platform
    why      the code of what kept the source from answering, when another did
    info     the snapshot, of an answer from the mirror
    """

    status: int = 200
    fields: Fields = ()
    body: Body = b""
    by: str = "platform"
    why: str | None = None
    info: SnapshotInfo | None = None
    keys: int = 0
    rows: int = 0

    def document(self) -> Any:
        return orjson.loads(self.body) if isinstance(self.body, bytes) and self.body else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Wanted: what the caller asks. A body of up to `whole` bytes is sent as bytes, a longer one piecewise, and one of
    more than `most` is refused. Of the query, parameters of these names may be there.
    """

    whole: int
    most: int
    query: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Wanted: one request to a source, and its answer.

    most_bytes   an answer longer than that is refused, or cut when it has begun to leave
    whole        whether all of it must be here before it is used
    hedge_s      ask a second time when nothing has come by then, and take what comes first; None never does
    """

    source: str
    method: str
    path: str
    query: Fields = ()
    fields: Fields = ()
    body: Body = b""
    timeout_s: float
    most_bytes: int
    whole: bool = False
    hedge_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What a source answered. Names of header fields in lower case."""

    status: int
    fields: Mapping[str, str] = field(default_factory=dict)
    body: Body = b""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wanted: that some time passes."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    """Wanted: what a function gives that may take long."""

    run: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Begin:
    """Wanted: another road beside this one, under a name. `visit` is the call that it is the road of."""

    name: str
    visit: Any
    road: "Road"


@dataclass(frozen=True, slots=True)
class Next:
    """Wanted: the name and the outcome of the road begun here that ends next, or None when the time is over first.

    The outcome is a Reply, or the refusal.
    """

    timeout_s: float


Wanted = Read | Exchange | Pause | Work | Begin | Next
Outcome = tuple[str, Reply | PlatformError]
Road = Generator[Wanted, Any, Reply]
