"""Who we are to a source over HTTP, and who it must be to us."""

import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from sync.connectors.secret import Secret, SecretName
from sync.errors import SourceInvalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """header   of the request; its value is `prefix` and the secret
    user     for basic authentication: the secret is the password
    """

    secret: Secret
    header: str = "Authorization"
    prefix: str = ""
    user: str | None = None

    def headers(self) -> Mapping[str, str]:
        secret = self.secret.text()
        if self.user is not None:
            secret = base64.b64encode(f"{self.user}:{secret}".encode()).decode()
        if not (secret.isascii() and secret.isprintable()):
            raise SourceInvalid(f"the secret {self.secret.path.name} cannot go into a header", remedy="use plain ASCII")
        return {self.header: self.prefix + secret}


class _BasicBody(BaseModel, extra="forbid"):
    kind: Literal["basic"]
    user: str = Field(pattern=r"^[^:]+$")
    secret: SecretName

    def to_credentials(self, root: Path) -> Credentials:
        return Credentials(secret=Secret.named(root, self.secret), prefix="Basic ", user=self.user)


class _BearerBody(BaseModel, extra="forbid"):
    kind: Literal["bearer"]
    secret: SecretName

    def to_credentials(self, root: Path) -> Credentials:
        return Credentials(secret=Secret.named(root, self.secret), prefix="Bearer ")


class _HeaderBody(BaseModel, extra="forbid"):
    kind: Literal["header"]
    name: str = Field(pattern=r"^[A-Za-z0-9-]+$")
    secret: SecretName

    def to_credentials(self, root: Path) -> Credentials:
        return Credentials(secret=Secret.named(root, self.secret), header=self.name)


AuthBody = Annotated[_BasicBody | _BearerBody | _HeaderBody, Field(discriminator="kind")]


def tls_of(certificate: Secret | None, authority: Path | None) -> ssl.SSLContext | None:
    """None for the public authorities and no certificate of ours. Raises SourceInvalid.

    certificate   of ours, with its key, in PEM
    authority     that the peer's certificate must be from, in PEM
    """
    if certificate is None and authority is None:
        return None
    try:
        context = ssl.create_default_context(cafile=authority)
        if certificate is not None:
            # An empty password, or OpenSSL asks for one on the terminal when the key has one.
            context.load_cert_chain(certificate.path, password="")
    except OSError:
        raise SourceInvalid(
            "the certificate or the authority of the source cannot be read",
            remedy="write both as PEM; the certificate in one file with its key, which has no passphrase",
        ) from None
    return context
