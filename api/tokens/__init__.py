"""The token road: a SAML token in, an access token out, both good for the holder of one client certificate.

    POST SAML token -> who signed it, for whom, for how long, for which service -> access token (JWT, RFC 9068)
    call with the access token and the same certificate -> the municipality it names is the one whose agreement counts

A token names an agreement and never replaces one: certificate, agreement and limits are judged as for every call.
"""

from typing import TYPE_CHECKING

from kernel.door import hang_door

if TYPE_CHECKING:
    from api.tokens.desk import AccessToken, TokenDesk
    from api.tokens.issuers import Issuer, issuer_of
    from api.tokens.settings import TokenSettings

__all__ = ["AccessToken", "Issuer", "TokenDesk", "TokenSettings", "issuer_of"]

hang_door(__name__)
