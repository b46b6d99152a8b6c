"""One administrator's request on its way: who asks, what for, and the store that acts in their name."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import Connection

from api.answer import Answer, Headers
from api.doors import Doors
from api.errors import BodyInvalid, HeaderInvalid, MediaTypeUnsupported
from api.request import Request, nameable
from api.rest.admin.errors import PreconditionFailed, PreconditionMissing
from api.rest.kept_answers import once_of
from control import Actor, ControlStore, Role, TestAuthority, Trust
from control.errors import CertificateNotIssued, Unregistered
from control.repeats import Once, Repeats
from kernel import OrganisationId

_S = TypeVar("_S", bound=msgspec.Struct)

_TAG: Final = re.compile(r'"[0-9a-f]{32}"')
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `([a-z_]+)`")
_PLACE: Final = re.compile(r" - at `(?:key in )?\$\.?([a-z_.\[\]]*)")
_JSON: Final = (b"content-type", b"application/json")


@dataclass(slots=False)
class Errand:
    """ids    what the path names, by the names in its template
    body   as it came
    """

    doors: Doors
    request: Request
    actor: Actor
    ids: Mapping[str, str]
    body: bytes
    guard: Callable[[], Any] | None = None
    _inside: ControlStore | None = None
    """The control database as the change under way sees it, while the guard looks."""

    @property
    def store(self) -> ControlStore:
        """Acts in the actor's name. Its first change takes the idempotency key, and looks whether the thing is still
        as the caller saw it.
        """
        return self._acting if self._inside is None else self._inside.acting(self.actor)

    @cached_property
    def _acting(self) -> ControlStore:
        return self.house.acting(self.actor, first=self._first)

    @property
    def house(self) -> ControlStore:
        if self.doors.control is None:
            raise RuntimeError("administration needs the control database")
        return self._inside or self.doors.control

    @property
    def trust(self) -> Trust:
        return self.doors.trust()

    @property
    def operator(self) -> bool:
        return Role.OPERATOR in self.actor.roles

    @property
    def own(self) -> OrganisationId:
        if self.actor.organisation is None:
            raise _nothing("organisation")
        return self.actor.organisation

    def authority(self) -> TestAuthority:
        """The test authority. Raises CertificateNotIssued: in production there is none."""
        if self.doors.authority is None or self.doors.environment != "test":
            raise CertificateNotIssued(
                "certificates are issued in the test environment alone",
                remedy="order an OCES certificate from a public issuer, and bind it",
                rule="request.environment",
            )
        return self.doors.authority()

    def ensure_seen(self, organisation: OrganisationId, what: str) -> None:
        """Raises Unregistered for what is another organisation's: an id must not be a key to find out."""
        if not (self.operator or self.actor.organisation == organisation):
            raise _nothing(what)

    def read(self, kind: type[_S]) -> _S:
        """The body. Raises BodyInvalid, which names the field."""
        ensure_json(self.request)
        try:
            return msgspec.json.decode(self.body or b"{}", type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BodyInvalid(
                _told(str(error)), remedy="send the JSON object that GET /openapi.json describes", rule="body.schema"
            ) from None

    def once(self) -> Once | None:
        """The request as its idempotency key names it; None without one. Raises HeaderInvalid."""
        return once_of(self.request, self.actor.user or "anybody", self.body)

    def expect(self, present: Callable[[], Any], *, needed: bool) -> None:
        """Let the change happen only while the thing is as the header If-Match says.

        present   reads the thing as it is shown
        needed    whether the header must be there

        Raises PreconditionMissing, HeaderInvalid; the change raises PreconditionFailed.
        """
        given = self.request.once("If-Match")
        if given == "*":
            return
        if given is None:
            if needed:
                raise PreconditionMissing(
                    "the header If-Match is not there",
                    remedy="read the thing, and send its ETag in If-Match",
                    rule="http.if_match",
                )
            return
        if not _TAG.fullmatch(given):
            raise HeaderInvalid("the header If-Match holds no ETag of ours", remedy="send the ETag as it was read")

        def ensure() -> None:
            if tag_of(encoded(present())) != given:
                raise PreconditionFailed(
                    "the thing has changed since it was read",
                    remedy="read it again, and decide anew",
                    rule="http.if_match",
                )

        # Now, so that a role is not looked at for nothing; and again within the change, when nobody else can.
        ensure()
        self.guard = ensure

    def _first(self, db: Connection) -> None:
        if self.guard is not None:
            self._inside = self.house.within(db)
            try:
                self.guard()
            finally:
                self._inside = None
        if (once := self.once()) is not None:
            Repeats(self.house).take(db, once)


def one(shown: Any, *, status: int = 200, location: str | None = None) -> Answer:
    """One thing, with its ETag."""
    return answer_of(encoded(shown), status=status, location=location)


def made(shown: Any, location: str) -> Answer:
    return one(shown, status=201, location=location)


def answer_of(body: bytes, *, status: int = 200, location: str | None = None, tagged: bool = True) -> Answer:
    headers: Headers = [_JSON, (b"cache-control", b"no-store")]
    if tagged:
        headers.append((b"etag", tag_of(body).encode()))
    if location is not None:
        headers.append((b"location", location.encode("ascii")))
    return Answer(status, headers, body)


def encoded(shown: Any) -> bytes:
    return msgspec.json.encode(shown)


def tag_of(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def ensure_json(request: Request) -> None:
    """Raises MediaTypeUnsupported."""
    kind = request.headers.get(b"content-type", b"application/json").partition(b";")[0].strip().lower()
    coding = request.headers.get(b"content-encoding", b"identity").strip().lower()
    if kind != b"application/json" or coding not in {b"identity", b""}:
        raise MediaTypeUnsupported(
            "the body is not said to be JSON, or it is compressed",
            remedy="send it as it is, with the header Content-Type: application/json",
        )


def _nothing(what: str) -> Unregistered:
    return Unregistered(f"no such {what}", remedy=f"list those that you may see, and take the {what}'s id from there")


def _told(text: str) -> str:
    """What the decoder says, without the values that it quotes: they may be anybody's."""
    found = _PLACE.search(text)
    where = found[1] if found else ""
    if unknown := _UNKNOWN.match(text):
        return f"there is no field {nameable(unknown[1])}" + (f" in {where}" if where else "")
    if missing := _MISSING.match(text):
        return f"the field {missing[1]} is missing" + (f" in {where}" if where else "")
    if found:
        return f"the field {where} is of another kind or form than it should be" if where else "it is no JSON object"
    return "it is not JSON"
