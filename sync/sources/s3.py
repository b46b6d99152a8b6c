"""Files from a bucket of S3, or of another vendor's store that speaks like it.

On botocore itself, and not on s3fs over it: that one runs an event loop in a thread of its own, keeps its instances
with their secrets, and is closed through private names.
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from functools import cache
from traceback import clear_frames
from typing import Any, Final, Self

import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    FlexibleChecksumError,
    NoCredentialsError,
    PaginationError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from sync.errors import FileUnsettled, SourceDenied, SourceFaulty, SourceUnreachable, SourceUntrusted
from sync.sources.port import Offered
from sync.sources.s3_bucket import Bucket

BLOCK_BYTES: Final = 1024 * 1024
AGAIN: Final = "try again later; if it stays so, ask the owner of the store"


class S3Folder:
    """An open session. Raises SourceUnreachable, SourceDenied, SourceUntrusted, SourceFaulty and FileUnsettled."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._open = ExitStack()
        self._client: Any = None

    def __enter__(self) -> Self:
        with _told():
            self._client = self._open.enter_context(closing(_client(self._bucket)))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def files(self) -> tuple[Offered, ...]:
        prefix = self._bucket.prefix
        with _told():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket.name, Prefix=prefix, Delimiter="/"
            )
            found = [each for page in pages for each in page.get("Contents", ())]
        return tuple(
            _offered(each["Key"].removeprefix(prefix), each["Size"], each["ETag"], each["LastModified"])
            for each in found
            if each["Key"] != prefix
        )

    def state(self, name: str) -> Offered:
        with _told():
            head = self._client.head_object(Bucket=self._bucket.name, Key=self._bucket.prefix + name)
        return _offered(name, head["ContentLength"], head["ETag"], head["LastModified"])

    @contextmanager
    def blocks(self, offered: Offered) -> Iterator[Iterator[bytes]]:
        with _told():
            # The store itself refuses when the object is another one by now: no half of each is ever read.
            answer = self._client.get_object(
                Bucket=self._bucket.name, Key=self._bucket.prefix + offered.name, IfMatch=offered.version
            )
            with closing(answer["Body"]) as body:
                yield body.iter_chunks(BLOCK_BYTES)


@cache
def _session() -> Any:
    """It reads the library's description of all services, half a second's work; who we are is told per client."""
    return botocore.session.get_session()


def _client(bucket: Bucket) -> Any:
    config = Config(
        connect_timeout=bucket.timeout_s,
        read_timeout=bucket.timeout_s,
        retries={"mode": "standard", "total_max_attempts": bucket.attempts},
        max_pool_connections=1,
        **({"signature_version": UNSIGNED} if bucket.anonymous else {}),
    )
    return _session().create_client(
        "s3",
        endpoint_url=bucket.endpoint,
        region_name=bucket.region,
        aws_access_key_id=bucket.access_key,
        aws_secret_access_key=bucket.secret_key,
        verify=None if bucket.authority is None else str(bucket.authority),
        config=config,
    )


def _offered(name: str, size_bytes: int, etag: str, modified: datetime) -> Offered:
    return Offered(name=name, size_bytes=size_bytes, version=etag, modified=modified.astimezone(UTC))


@contextmanager
def _told() -> Iterator[None]:
    """What went wrong, in our words: the library's hold keys and addresses."""
    try:
        yield
    except (BotoCoreError, ClientError, PaginationError, ResponseParserError, OSError, KeyError) as problem:
        # urllib3 closes its connections when nobody knows of them any more, and the frames of the failed call would.
        clear_frames(problem.__traceback__)
        raise _said(problem) from None


def _said(problem: Exception) -> Exception:
    match problem:
        case ClientError():
            return _refused(problem.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        case NoCredentialsError():
            return SourceDenied(
                "there are no credentials for the store",
                remedy="name access_key and secret_key in the source, or set them in the environment of the worker",
            )
        case SSLError():
            return SourceUntrusted(
                "the store has a certificate that is not valid for its name, or from no authority we trust",
                remedy="check the endpoint; for an authority of the store's own, name it as `authority`",
            )
        case PaginationError() | FlexibleChecksumError() | ResponseParserError() | KeyError():
            return SourceFaulty("the store answers what cannot be read, or the same page twice", remedy=AGAIN)
        case _:
            return SourceUnreachable("the store cannot be reached, or hung up", remedy=AGAIN)


def _refused(status: int) -> Exception:
    match status:
        case 401 | 403:
            return SourceDenied(
                f"the store does not let us in (HTTP {status})",
                remedy="check the access key and its secret, and that they may list and read the bucket",
            )
        case 404:
            return SourceUnreachable(
                "the bucket or a file of the source is gone from the store",
                remedy="check bucket and prefix of the source, or let it be read again",
            )
        case 412:
            return FileUnsettled("the file changed while it was read", remedy="let the source be read again")
        case 429 | 500 | 502 | 503 | 504:
            return SourceUnreachable(f"the store cannot answer just now (HTTP {status})", remedy=AGAIN)
        case _:
            return SourceFaulty(f"the store answers HTTP {status}", remedy="check endpoint, region and bucket")
