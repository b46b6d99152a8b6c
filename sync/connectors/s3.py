"""A folder of a bucket of S3, or of another vendor's store that speaks like it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

import httpx2
from pydantic import BaseModel, Field, model_validator

from sync.connectors.address import Address, in_clear
from sync.connectors.secret import Secret, SecretName
from sync.sources.port import Connector
from sync.sources.remote import RemoteFolder, Selection
from sync.sources.s3_bucket import Bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Spec:
    """bucket   without the secret, which is read for each run"""

    bucket: Bucket
    secret_key: Secret | None
    selection: Selection

    def connect(self, work: Path) -> Connector:
        # Late: the library takes a tenth of a second to load, and most processes never call a store.
        from sync.sources.s3 import S3Folder

        bucket = replace(self.bucket, secret_key=self.secret_key.text() if self.secret_key else None)
        return RemoteFolder(lambda: S3Folder(bucket), self.selection, work)


class S3Body(BaseModel, extra="forbid"):
    kind: Literal["s3"]
    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    prefix: str = Field(default="", pattern=r"^$|/$")
    endpoint: Address | None = None
    region: str | None = None
    access_key: str | None = None
    secret_key: SecretName | None = None
    anonymous: bool = False
    authority: Path | None = None
    clear_text: bool = False
    pattern: str = "*"
    trigger: bool = False
    timeout_s: float = Field(default=30.0, gt=0)
    deadline_s: float = Field(default=3600.0, gt=0)
    max_bytes: int = Field(default=100_000_000_000, ge=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.endpoint and in_clear(httpx2.URL(self.endpoint)) and not self.clear_text:
            raise ValueError("an endpoint begins with https://; clear_text: true allows http://")
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("name both access_key and secret_key, or neither: then the environment says who we are")
        if self.anonymous and self.access_key:
            raise ValueError("anonymous or with an access_key: not both")
        return self

    def to_spec(self, root: Path) -> S3Spec:
        bucket = Bucket(
            name=self.bucket,
            prefix=self.prefix,
            endpoint=self.endpoint,
            region=self.region,
            access_key=self.access_key,
            anonymous=self.anonymous,
            authority=root / self.authority if self.authority else None,
            timeout_s=self.timeout_s,
        )
        return S3Spec(
            bucket=bucket,
            secret_key=Secret.named(root, self.secret_key) if self.secret_key else None,
            selection=Selection(
                pattern=self.pattern, trigger=self.trigger, max_bytes=self.max_bytes, deadline_s=self.deadline_s
            ),
        )
