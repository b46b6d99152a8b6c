"""The token road of an instance: whose SAML tokens it trusts, and the key that its access tokens are signed with."""

from joserfc.jwk import ECKey

from api.tokens import TokenDesk, issuer_of
from api.tokens.audiences import audiences_of
from api.tokens.errors import TokenIssuerInvalid
from runtime.instance import Instance
from runtime.settings import Settings
from runtime.signing import Signer
from schemas import Registers


def tokens_of(instance: Instance, settings: Settings, registers: Registers) -> TokenDesk | None:
    """None where no issuer is trusted: the road is off. Raises TokenIssuerInvalid, SigningKeyInvalid."""
    issuers = {}
    for name, each in settings.tokens.issuers.items():
        try:
            # An absolute path stays what it is.
            pems = [(instance.root / file).read_bytes() for file in each.certificates]
        except OSError:
            raise TokenIssuerInvalid(
                f"a certificate of the token issuer {name} cannot be read",
                remedy='mend the files that [tokens.issuers."NAME"] certificates names',
            ) from None
        issuers[name] = issuer_of(name, pems)
    if not issuers:
        return None
    # A key of its own: what is signed for one purpose never passes for another.
    key = ECKey.import_key(Signer.open(instance.token_key).private)
    return TokenDesk(issuers, key, audiences_of(registers), settings.tokens)
