"""What can be wrong with a token. No message repeats what stands in one."""

from kernel import NotAllowed, NotIdentified, OperatorMistake, RequestInvalid


class TokenIssuerInvalid(OperatorMistake):
    """The certificates of a trusted issuer of SAML tokens must be readable, and their keys strong enough."""

    code = "token_issuer_invalid"
    title = "A trusted issuer of tokens cannot be used"


class SamlTokenInvalid(RequestInvalid):
    """The field saml-token is missing, or does not hold a SAML 2.0 assertion with what this exchange needs."""

    code = "saml_token_invalid"
    title = "The SAML token cannot be used"


class SamlTokenUntrusted(NotIdentified):
    """No trusted issuer signed the assertion as it is: it is another's, was altered, or is signed weakly or twice."""

    code = "saml_token_untrusted"
    title = "The SAML token is not signed by a trusted issuer"


class SamlTokenExpired(NotIdentified):
    """The assertion's time is over, has not come, or is longer than is accepted."""

    code = "saml_token_expired"
    title = "The SAML token is not valid now"


class SamlTokenForeign(NotAllowed):
    """The assertion is for the holder of another key than that of the connection's certificate."""

    code = "saml_token_foreign"
    title = "The SAML token is another's"


class SamlTokenAudience(NotAllowed):
    """The assertion is for a service that is not here."""

    code = "saml_token_audience"
    title = "The SAML token is for another service"


class SamlTokenWorn(NotAllowed):
    """One assertion gets a limited number of access tokens."""

    code = "saml_token_worn"
    title = "The SAML token has been used too often"


class AccessTokenInvalid(NotIdentified):
    """The access token was not made here, was altered, or is signed in another way than ours are."""

    code = "access_token_invalid"
    title = "The access token cannot be used"


class AccessTokenExpired(NotIdentified):
    """The access token's time is over."""

    code = "access_token_expired"
    title = "The access token has expired"


class AccessTokenForeign(NotAllowed):
    """The access token is for the holder of another client certificate than the connection's (RFC 8705)."""

    code = "access_token_foreign"
    title = "The access token is another's"


class AccessTokenAudience(NotAllowed):
    """The access token is for another service than the one called."""

    code = "access_token_audience"
    title = "The access token is for another service"


class AccessTokenContradicted(RequestInvalid):
    """The call names another municipality than the access token does."""

    code = "access_token_contradicted"
    title = "The call contradicts its access token"
