"""Where deliveries go, as values, and which addresses they may never go to.

A name is resolved once, every address that it has is judged, and the connection goes to one of those: a name that
means another address a moment later leads nowhere.
"""

import ipaddress
import json
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from extract.delivery.faults import TargetInvalid, TargetRefused, TargetUnreachable

TRIGGERS: Final = ("none", "trigger", "done", "metadata")
DOCUMENTS: Final[Mapping[str, tuple[str, ...]]] = {"trigger": ("sum", "xml"), "metadata": ("sum", "xml", "legacy")}
MOST_RECIPIENTS: Final = 100
_USER_NAMED: Final = re.compile(r"[^\x00-\x1f\x7f<>&]{1,255}")
_HOST: Final = re.compile(r"(?!-)[A-Za-z0-9.:-]{1,253}(?<![-.])")
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}")
_KEY: Final = re.compile(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]{40,2000}={0,2}")
_FOLDER: Final = re.compile(r"[^\0\r\n]{1,400}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The receiver fetches: over HTTPS, or over SFTP from the agreement's folder."""

    @property
    def endpoint(self) -> str:
        return "shelf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """The receiver fetches from its folder IN, in the layout of the established exchange."""

    @property
    def endpoint(self) -> str:
        return "inbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class SftpTarget:
    """host_key   its public key, type and base64: another server in its place gets nothing
    folder     on it
    trigger    what is written last, beside the file: `<name>.trigger`, `.done` or `.metadata`, or nothing
    document   what stands in it: `sum`, a line as sha256sum reads it; `xml`, the established document of a trigger or
               metadata file; `legacy`, metadata with the root Trigger, as some receivers look for
    sender     that such a document names; empty for the user of a trigger, and for the platform in metadata
    recipients SFTP users that it names; none for the user
    manifest   whether manifest and signature come beside the file
    receipts   folder where the server writes `<name>.sftpreceipt`; empty where it writes none
    """

    host: str
    user: str
    host_key: str
    port: int = 22
    folder: str = "."
    trigger: str = "trigger"
    document: str = "sum"
    sender: str = ""
    recipients: tuple[str, ...] = ()
    manifest: bool = True
    receipts: str = ""

    @property
    def endpoint(self) -> str:
        return f"sftp://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpsTarget:
    """notify   True sends a small notice that points to the file; the receiver fetches it"""

    url: str
    notify: bool = False

    @property
    def endpoint(self) -> str:
        parts = urlsplit(self.url)
        return f"https://{parts.hostname}:{parts.port or 443}"


Target = Shelf | Inbox | SftpTarget | HttpsTarget
_KINDS: Final[Mapping[str, type[Any]]] = {
    "shelf": Shelf, "inbox": Inbox, "sftp": SftpTarget, "https": HttpsTarget,
}  # fmt: skip


def target_of(told: Mapping[str, Any]) -> Target:
    """A target from plain values, each of them checked. Raises TargetInvalid."""
    kind = told.get("kind")
    made = _KINDS.get(kind) if isinstance(kind, str) else None
    if made is None:
        raise _invalid("kind", f"one of {', '.join(_KINDS)}")
    known = set(made.__dataclass_fields__)
    if unknown := sorted(set(told) - known - {"kind"}):
        raise _invalid(unknown[0][:40], "left out: there is no such field")
    given = {name: tuple(each) if isinstance(each, list) else each for name, each in told.items() if name != "kind"}
    try:
        target: Target = made(**given)
    except TypeError:
        missing = sorted(
            name for name, each in made.__dataclass_fields__.items() if name not in told and name in _NEEDED
        )
        raise _invalid(missing[0] if missing else "kind", "given") from None
    match target:
        case SftpTarget():
            _check_sftp(target)
        case HttpsTarget():
            _check_https(target)
        case _:
            pass
    return target


_NEEDED: Final = frozenset({"host", "user", "host_key", "url"})


def told_of(target: Target) -> dict[str, Any]:
    """The target as plain values; `target_of` makes it again."""
    kind = next(name for name, each in _KINDS.items() if isinstance(target, each))
    return {"kind": kind, **asdict(target)}


def to_text(target: Target) -> str:
    return json.dumps(told_of(target), sort_keys=True)


def _check_sftp(target: SftpTarget) -> None:
    _match(_HOST, target.host, "host", "a host name or an address")
    _match(_USER, target.user, "user", "a user name")
    _match(_KEY, target.host_key, "host_key", "the server's public key as `ssh-keyscan` shows it: type and base64")
    _match(_FOLDER, target.folder, "folder", "the path of a folder")
    if not isinstance(target.port, int) or isinstance(target.port, bool) or not 1 <= target.port <= 65_535:
        raise _invalid("port", "a number from 1 to 65535")
    if target.trigger not in TRIGGERS:
        raise _invalid("trigger", f"one of {', '.join(TRIGGERS)}")
    _check_documents(target)


def _check_documents(target: SftpTarget) -> None:
    """What the established exchange needs to be named, and can name."""
    possible = DOCUMENTS.get(target.trigger, ("sum",))
    if target.document not in possible:
        raise _invalid("document", f"{' or '.join(possible)} with the trigger {target.trigger}")
    if not isinstance(target.manifest, bool):
        raise _invalid("manifest", "true or false")
    users = target.recipients
    if not isinstance(users, tuple) or len(users) > MOST_RECIPIENTS or len(set(map(str, users))) < len(users):
        raise _invalid("recipients", f"a list of up to {MOST_RECIPIENTS} SFTP users, each once")
    for each in users:
        _match(_USER_NAMED, each, "recipients", "a list of SFTP users")
    if target.sender:
        _match(_USER_NAMED, target.sender, "sender", "an SFTP user")
    if target.receipts:
        _match(_FOLDER, target.receipts, "receipts", "the path of a folder")
        if target.document == "sum":
            raise _invalid("document", "xml where receipts are fetched: they answer the established trigger")
    elif not isinstance(target.receipts, str):
        raise _invalid("receipts", "the path of a folder")


def _check_https(target: HttpsTarget) -> None:
    if not isinstance(target.notify, bool):
        raise _invalid("notify", "true or false")
    if not isinstance(target.url, str) or len(target.url) > 2_000 or any(ord(each) < 33 for each in target.url):
        raise _invalid("url", "an address that begins with https://")
    try:
        parts = urlsplit(target.url)
        plain = parts.port is None or parts.port > 0
    except ValueError:
        raise _invalid("url", "an address that begins with https://") from None
    if parts.scheme != "https" or not plain or not _HOST.fullmatch(parts.hostname or ""):
        raise _invalid("url", "an address that begins with https://")
    if parts.username or parts.password or parts.fragment:
        raise _invalid("url", "without user, password or fragment: the receiver knows us by certificate and signature")


def _match(shape: re.Pattern[str], value: Any, field: str, form: str) -> None:
    if not isinstance(value, str) or not shape.fullmatch(value):
        raise _invalid(field, form)


def _invalid(field: str, form: str) -> TargetInvalid:
    return TargetInvalid(
        f"the field {field} of the target is not as it must be",
        remedy=f"{field} must be {form}",
        rule=f"target.{field}",
    )


Resolve = Callable[[str, int], Sequence[str]]


def resolve(host: str, port: int) -> Sequence[str]:
    """All addresses of a name. Raises TargetUnreachable."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise TargetUnreachable(
            "the host name of the target is not known", remedy="check the name in the target of the subscription"
        ) from None
    return [str(each[4][0]) for each in found]


@dataclass(frozen=True, slots=True)
class Reach:
    """Which addresses may be connected to: those of the open internet, and networks that the operator allows.

    allowed   networks, as `10.20.0.0/16`
    """

    allowed: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    resolve: Resolve = resolve

    def address(self, host: str, port: int) -> str:
        """The address to connect to. One that may not be is enough to refuse them all.

        Raises TargetRefused, TargetUnreachable.
        """
        found = self.resolve(host.strip("[]"), port)
        if not found:
            raise TargetUnreachable("the host name of the target has no address", remedy="check the name in the target")
        for each in found:
            if not self._may(each):
                raise TargetRefused(
                    "the target's name means an address inside a private or special network",
                    remedy="name a receiver on the open internet, or have the operator allow its network (`[delivery] "
                    "allow_networks`)",
                    rule="delivery.allow_networks",
                    owner="the operator",
                )
        return found[0]

    def connect(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """A connection to a checked address. Raises TargetRefused, TargetUnreachable."""
        address = self.address(host, port)
        try:
            return socket.create_connection((address, port), timeout_s)
        except OSError:
            raise TargetUnreachable(
                "the receiver does not take connections", remedy="check host and port of the target, and the way there"
            ) from None

    def _may(self, text: str) -> bool:
        # A zone (`fe80::1%eth0`) names an interface of this machine.
        address = ipaddress.ip_address(text.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address):
            # An inner address in the clothes of an outer one: mapped, 6to4, Teredo, and the translation of RFC 6052.
            inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
            if inner is None and address in _NAT64:
                inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
            if inner is not None:
                return self._may(str(inner))
        if any(address.version == each.version and address in each for each in self.allowed):
            return True
        if isinstance(address, ipaddress.IPv6Address) and address not in _UNICAST:
            # Old and translated forms of inner addresses, which count as global: ::127.0.0.1, fec0::1, 64:ff9b:1::1.
            return False
        return address.is_global and not address.is_multicast


_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""All that has been given out for the open internet (RFC 4291, IANA)."""
