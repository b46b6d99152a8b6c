"""TLS that follows its files: trusted authorities, lists of revoked certificates and the server's own certificate are
read anew when they change, without a restart.

New connections get the newest of everything. On open ones a revocation, and an authority that was taken out, bite at
the next request: `Trust.ensure_current` is asked for each.
"""

import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import structlog

from api.tls import OnRefused, context_of, open_authorities
from control import ListFolder, Trust
from kernel import Beside, Clock, PlatformError

_log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """certificate, key   what the server shows
    trust, crl         folders: authorities that are trusted, and lists of certificates that they took back
    """

    certificate: Path
    key: Path
    trust: Path
    crl: Path


class LiveTls:
    """Use with `with`: a thread looks at the files. `context` is for the server, `trust` for whoever judges requests.

    When a changed file cannot be used, what was there before stays in force and the log says so: a slip of the hand
    must neither stop the platform nor open it. Raises TrustInvalid and ServerCertificateInvalid at the start alone.
    """

    def __init__(self, files: TlsFiles, clock: Clock, *, on_refused: OnRefused) -> None:
        self._files, self._clock, self._on_refused = files, clock, on_refused
        self._lists = ListFolder(files.crl)
        self.context = _Newest(ssl.PROTOCOL_TLS_SERVER)
        self._seen = self._state()
        self._lists_seen = self._lists.state()
        self._load()
        self._beside = Beside("tls", self._watch)

    def __enter__(self) -> Self:
        self._beside.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._beside.stop()

    def trust(self) -> Trust:
        """The trust in force now. Costs nothing; ask anew for each request."""
        return self._trust

    def _load(self) -> None:
        authorities = open_authorities(self._files.trust, self._clock.now())
        context = context_of(self._files.certificate, self._files.key, authorities, on_refused=self._on_refused)
        # The lists once more: an authority that came or went decides which of them are believed.
        trust = Trust.of(authorities, self._lists.read(authorities, again=True))
        # The trust first: in between, a new authority's certificate is refused rather than an old one's let in.
        self._trust, self.context.newest = trust, context

    def _watch(self, stopping: threading.Event) -> None:
        while not stopping.wait(LOOK_EVERY_S):
            try:
                self._look()
            except PlatformError as error:
                _log.error("tls_files_not_usable", code=error.code, reason=error.message, former_kept=True)
            except Exception:
                _log.exception("tls_files_not_read", former_kept=True)

    def _look(self) -> None:
        self._lists.warn_overdue(self._clock.now())
        if (state := self._state()) != self._seen:
            # Before it is tried: what cannot be used is complained of once, not four times a second.
            self._seen, self._lists_seen = state, self._lists.state()
            self._load()
            _log.info("tls_files_read_again", authorities=len(self._trust.authorities))
        elif (lists := self._lists.state()) != self._lists_seen:
            self._lists_seen = lists
            authorities = self._trust.authorities
            self._trust = Trust.of(authorities, self._lists.read(authorities))

    def _state(self) -> dict[Path, tuple[int, int, int]]:
        found = {}
        for path in (self._files.certificate, self._files.key, *sorted(self._files.trust.glob("*.pem"))):
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            found[path] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        return found


class _Newest(ssl.SSLContext):
    """What the server holds for its whole life: hands each new connection to the newest context."""

    newest: ssl.SSLContext

    def wrap_bio(self, *given: Any, **named: Any) -> ssl.SSLObject:
        return self.newest.wrap_bio(*given, **named)
