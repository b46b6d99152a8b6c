"""Documents over HTTP."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

import httpx2
import jmespath
from pydantic import AfterValidator, BaseModel, Field, model_validator

from sync.connectors.address import Address, in_clear
from sync.connectors.http_auth import AuthBody, Credentials, tls_of
from sync.connectors.secret import Secret, SecretName
from sync.sources.http import Changes, HttpDocuments, Interface
from sync.sources.http_pages import Format, NextLink, OnePage, PageCursor, PageNumber, Paging
from sync.sources.http_session import Patience, Peer
from sync.sources.port import Connector


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSpec:
    """certificate   of ours, with its key, in PEM
    authority     that the peer's certificate is from; None: the public ones
    """

    interface: Interface
    patience: Patience
    credentials: Credentials | None = None
    certificate: Secret | None = None
    authority: Path | None = None
    other_origins: frozenset[httpx2.Origin] = frozenset()

    def connect(self, work: Path) -> Connector:
        headers = self.credentials.headers() if self.credentials else {}
        peer = Peer(headers=headers, other_origins=self.other_origins, tls=tls_of(self.certificate, self.authority))
        return HttpDocuments(self.interface, peer, self.patience, work)


def _jmespath(text: str) -> str:
    jmespath.compile(text)
    return text


Expression = Annotated[str, Field(min_length=1), AfterValidator(_jmespath)]
Parameter = Annotated[str, Field(min_length=1)]


class _LinkBody(BaseModel, extra="forbid"):
    kind: Literal["link"]

    def to_paging(self) -> Paging:
        return NextLink()


class _NextBody(BaseModel, extra="forbid"):
    kind: Literal["next"]
    path: Expression

    def to_paging(self) -> Paging:
        return NextLink(self.path)


class _NumberBody(BaseModel, extra="forbid"):
    kind: Literal["number"]
    parameter: Parameter = "page"
    first: int = 1

    def to_paging(self) -> Paging:
        return PageNumber(self.parameter, self.first)


class _CursorBody(BaseModel, extra="forbid"):
    kind: Literal["cursor"]
    parameter: Parameter
    path: Expression

    def to_paging(self) -> Paging:
        return PageCursor(self.parameter, self.path)


class _ChangesBody(BaseModel, extra="forbid"):
    parameter: Parameter
    path: Expression
    of: Literal["record", "body"] = "record"
    first: str = ""

    def to_changes(self) -> Changes:
        return Changes(parameter=self.parameter, path=self.path, of_body=self.of == "body", first=self.first)


class HttpBody(BaseModel, extra="forbid"):
    kind: Literal["http"]
    url: Address
    parameters: dict[str, str | int] = Field(default_factory=dict)
    format: Format = Format.JSON
    records: Expression | None = None
    paging: Annotated[_LinkBody | _NextBody | _NumberBody | _CursorBody, Field(discriminator="kind")] | None = None
    changes: _ChangesBody | None = None
    auth: AuthBody | None = None
    certificate: SecretName | None = None
    authority: Path | None = None
    other_origins: list[Address] = Field(default_factory=list)
    clear_text: bool = False
    timeout_s: float = Field(default=30.0, gt=0)
    deadline_s: float = Field(default=3600.0, gt=0)
    max_bytes: int = Field(default=10_000_000_000, ge=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for url in map(httpx2.URL, [self.url, *self.other_origins]):
            if in_clear(url) and not self.clear_text:
                raise ValueError("an address begins with https://; clear_text: true allows http://")
        looks_inside = self.records or self.changes or isinstance(self.paging, _NextBody | _CursorBody)
        if self.format is Format.CSV and looks_inside:
            raise ValueError("CSV has no body to look into: records, changes, next and cursor are for json")
        if self.changes and not (self.records or self.paging):
            raise ValueError("changes needs records or paging: one document is given on without looking into it")
        return self

    def to_spec(self, root: Path) -> HttpSpec:
        paging = self.paging.to_paging() if self.paging else OnePage() if self.records else None
        interface = Interface(
            url=httpx2.URL(self.url).copy_merge_params(self.parameters),
            format=self.format,
            records=self.records or "@",
            paging=paging,
            changes=self.changes.to_changes() if self.changes else None,
        )
        return HttpSpec(
            interface=interface,
            patience=Patience(timeout_s=self.timeout_s, deadline_s=self.deadline_s, max_bytes=self.max_bytes),
            credentials=self.auth.to_credentials(root) if self.auth else None,
            certificate=Secret.named(root, self.certificate) if self.certificate else None,
            authority=root / self.authority if self.authority else None,
            other_origins=frozenset(map(httpx2.Origin, self.other_origins)),
        )
