"""Access tokens: made for a SAML token, and read in calls. JWTs signed with ES256, good for one certificate."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from api.tokens.assertion import read_assertion
from api.tokens.errors import (
    AccessTokenAudience,
    AccessTokenContradicted,
    AccessTokenExpired,
    AccessTokenForeign,
    AccessTokenInvalid,
    SamlTokenAudience,
    SamlTokenForeign,
    SamlTokenWorn,
)
from api.tokens.issuers import Issuer
from api.tokens.settings import TokenSettings
from control.organisations import is_cvr
from kernel import Caller, ServiceName, new_id

PATH: Final = "/service/AccessTokenService_1/token"
LONGEST: Final = 4_096
"""Characters of an access token; ours have about 600."""
_ISSUER: Final = "urn:knudepunkt:tokens"
_HEADER: Final = {"alg": "ES256", "typ": "at+jwt"}
_AGAIN: Final = f"fetch one with a SAML token: POST {PATH}"


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a call's access token says: whose authority is used."""

    municipality_cvr: str

    def under(self, named: str | None) -> str:
        """The municipality, when the call names none or the same. Raises AccessTokenContradicted."""
        if named is not None and named != self.municipality_cvr:
            raise AccessTokenContradicted(
                "the call names another municipality than its access token",
                remedy="leave the municipality out, or fetch a token for it",
                rule="token.municipality",
            )
        return self.municipality_cvr


@dataclass(frozen=True, slots=True)
class Issued:
    """token     for the header Authorization
    life_s    how long it is good, seconds
    """

    token: str
    life_s: int
    service: ServiceName
    municipality_cvr: str


class TokenDesk:
    """key        private, on P-256; every process of an instance has the same
    audiences   the service, by the names that issuers know it by
    """

    def __init__(
        self, issuers: Mapping[str, Issuer], key: ECKey, audiences: Mapping[str, ServiceName], settings: TokenSettings
    ) -> None:
        self._issuers, self._key, self._audiences = issuers, key, audiences
        self._life = timedelta(seconds=settings.life_s)
        self._longest = timedelta(seconds=settings.saml_life_s)
        self._uses = _Uses(settings.exchanges)

    def exchange(self, sent: str, caller: Caller, fingerprint: str, at: datetime) -> Issued:
        """An access token for a SAML token. fingerprint   of the connection's certificate

        Raises SamlTokenInvalid, SamlTokenUntrusted, SamlTokenExpired, SamlTokenForeign, SamlTokenAudience,
        SamlTokenWorn.
        """
        assertion = read_assertion(sent, self._issuers, at, self._longest)
        if assertion.holder != fingerprint:
            raise SamlTokenForeign(
                "the SAML token is for the holder of another certificate than the one shown",
                remedy="call with the certificate that the token was issued for",
                rule="token.holder",
            )
        service = self._audiences.get(assertion.audience)
        if service is None:
            raise SamlTokenAudience(
                "the SAML token is for a service that is not here",
                remedy="have it issued for the service's entity id, or urn:knudepunkt:NAME:MAJOR",
                rule="token.audience",
            )
        self._uses.count(assertion.key, assertion.until, at)
        end = min(at + self._life, assertion.until)
        claims = {
            "iss": _ISSUER,
            "aud": service,
            "sub": caller.system,
            "cvr": assertion.municipality_cvr,
            "iat": int(at.timestamp()),
            "exp": int(end.timestamp()),
            "jti": new_id(),
            "cnf": {"x5t#S256": _thumbprint(fingerprint)},
        }
        token = jwt.encode(dict(_HEADER), claims, self._key, algorithms=["ES256"])
        return Issued(token, int((end - at).total_seconds()), service, assertion.municipality_cvr)

    def read(self, token: str, service: ServiceName, caller: Caller, fingerprint: str, at: datetime) -> AccessToken:
        """What a call's access token says.

        Raises AccessTokenInvalid, AccessTokenExpired, AccessTokenForeign, AccessTokenAudience.
        """
        claims = self._claims(token)
        if claims["cnf"] != {"x5t#S256": _thumbprint(fingerprint)} or claims["sub"] != caller.system:
            raise AccessTokenForeign(
                "the access token is for the holder of another certificate than the one shown",
                remedy="call with the certificate that it was fetched with, or fetch one with this one",
                rule="token.holder",
            )
        if at.timestamp() >= claims["exp"]:
            raise AccessTokenExpired("the access token's time is over", remedy=_AGAIN, rule="token.validity")
        if claims["aud"] != service:
            raise AccessTokenAudience(
                "the access token is for another service than the one called", remedy=_AGAIN, rule="token.audience"
            )
        return AccessToken(claims["cvr"])

    def _claims(self, token: str) -> Mapping[str, Any]:
        try:
            if len(token) > LONGEST:
                raise ValueError(token)
            # One algorithm and one key: what the token's own header says of them decides nothing.
            read = jwt.decode(token, self._key, algorithms=["ES256"])
        except (JoseError, ValueError, TypeError, KeyError):
            raise _invalid() from None
        claims = read.claims
        ours = (
            read.header.get("typ") == _HEADER["typ"]
            and claims.get("iss") == _ISSUER
            and isinstance(claims.get("exp"), int)
            and isinstance(claims.get("cvr"), str)
            and is_cvr(claims["cvr"])
            and {"aud", "sub", "cnf"} <= claims.keys()
        )
        if not ours:
            raise _invalid()
        return claims


class _Uses:
    """How often each SAML token that is still valid was used, in this process."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[str, tuple[int, datetime]] = {}
        self._sweep_at = 1_024
        self._lock = Lock()

    def count(self, key: str, until: datetime, at: datetime) -> None:
        """Raises SamlTokenWorn. Only what trusted issuers signed comes here, so what is kept is bounded by them."""
        with self._lock:
            used, _ = self._known.get(key, (0, until))
            if used >= self._most:
                raise SamlTokenWorn(
                    f"the SAML token was used {self._most} times, which is as often as it may",
                    remedy="keep an access token while it is good; fetch a new SAML token",
                    rule="token.exchanges",
                )
            self._known[key] = (used + 1, until)
            if len(self._known) >= self._sweep_at:
                self._known = {each: kept for each, kept in self._known.items() if kept[1] > at}
                self._sweep_at = max(1_024, 2 * len(self._known))


def _thumbprint(fingerprint: str) -> str:
    """As RFC 8705 writes a certificate's SHA-256: base64url without padding."""
    return urlsafe_b64encode(bytes.fromhex(fingerprint)).rstrip(b"=").decode("ascii")


def _invalid() -> AccessTokenInvalid:
    return AccessTokenInvalid(
        "the access token was not made here, or not as it stands", remedy=_AGAIN, rule="token.signature"
    )
