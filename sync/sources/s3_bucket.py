"""Where a bucket is, and who we are there. A module of its own: it is read without loading the library."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """prefix       of the keys, up to the last slash: the folder
    endpoint     None: Amazon's own, of the region
    access_key   with `secret_key`, who we are; both None: what the environment says, as Amazon's own tools read it
    anonymous    the bucket is open to all, and requests are not signed
    authority    that the endpoint's certificate is from; None: the public ones
    attempts     for each request
    """

    name: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    anonymous: bool = False
    authority: Path | None = None
    timeout_s: float = 30.0
    attempts: int = 4
