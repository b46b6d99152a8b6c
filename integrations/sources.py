"""Sources that are asked while a caller waits: where they are, and how much of the platform each may take."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSource:
    """url          base address, https; a descriptor's path goes below it
    authority    PEM file of the authorities that its certificate is judged by, in the instance's folder
    certificate, key   what the platform shows it
    at_once      requests on their way to it at the same time, in one process; more wait
    wait_s       how long one waits for its turn, seconds; then it is refused, whatever its deadline
    connect_s    how long a connection may take, seconds
    """

    url: str
    authority: Path = Path("trust/test-authority.pem")
    certificate: Path = Path("secrets/platform.pem")
    key: Path = Path("secrets/platform.key")
    at_once: int = 32
    wait_s: float = 0.25
    connect_s: float = 1.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme != "https" or not parts.hostname or parts.username or parts.query or parts.fragment:
            raise ValueError("url is an https address without user, query or fragment")
        if self.at_once < 1 or self.wait_s < 0 or self.connect_s <= 0:
            raise ValueError("at_once is 1 or more, wait_s 0 or more, connect_s more than 0")

    def below(self, root: Path) -> "LiveSource":
        """With its files named from the instance's folder."""
        return LiveSource(
            url=self.url.rstrip("/"), authority=root / self.authority, certificate=root / self.certificate,
            key=root / self.key, at_once=self.at_once, wait_s=self.wait_s, connect_s=self.connect_s,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSettings:
    """sources   [live.sources.NAME] is a source by the name that descriptors know: url, authority, certificate, key,
    at_once, wait_s, connect_s
    """

    sources: Mapping[str, LiveSource] = field(default_factory=dict)
