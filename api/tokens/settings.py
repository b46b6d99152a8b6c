"""Settings of the token road."""

from dataclasses import field
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, config={"extra": "forbid"})
class IssuerSettings:
    """certificates   PEM files with the certificates that the issuer signs with; two while it changes from one to the
    next
    """

    certificates: Annotated[tuple[Path, ...], Field(min_length=1, max_length=4)]


@dataclass(frozen=True, slots=True, kw_only=True, config={"extra": "forbid"})
class TokenSettings:
    """issuers   [tokens.issuers."NAME"] certificates = [files], by the name that stands in a SAML token's Issuer;
              without one, the token road is off
    life_s    how long an access token is good, seconds; never longer than the SAML token that it was given for
    saml_life_s   a SAML token that is good for longer than this is refused, seconds
    exchanges     how often one SAML token gets an access token, counted by each process
    """

    issuers: dict[str, IssuerSettings] = field(default_factory=dict)
    life_s: Annotated[int, Field(ge=60, le=3_600)] = 600
    saml_life_s: Annotated[int, Field(ge=60, le=86_400)] = 28_800
    exchanges: Annotated[int, Field(ge=1, le=1_000)] = 100
