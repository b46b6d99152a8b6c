"""A chain from a certificate up to a trusted authority, for certificates that no TLS handshake of ours has checked."""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

from control.certificates.fitness import ensure_fit
from control.errors import CertificateRefused, CertificateUntrusted
from control.trust import Chain, Trust, chain_of


def verify_chain(
    certificate: x509.Certificate, between: Sequence[x509.Certificate], trust: Trust, at: datetime
) -> Chain:
    """between   authorities that the caller offers to close the gap to a trusted one

    Raises CertificateUntrusted: no chain, a wrong signature, an authority that may not issue, weak keys, a certificate
    for another use. Whether it is on a list, and whose it is, is asked for each call.
    """
    try:
        ensure_fit(certificate)
        builder = (
            PolicyBuilder()
            .store(Store(list(trust.authorities)))
            .time(at)
            # Ours is stricter about usage (`ensure_fit`), and OCES certificates have no alternative names.
            .extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=ExtensionPolicy.permit_all())
        )
        found = builder.build_client_verifier().verify(certificate, list(between))
    except (VerificationError, CertificateRefused, ValueError) as error:
        why = (
            error.message if isinstance(error, CertificateRefused) else "no chain leads from it to a trusted authority"
        )
        raise CertificateUntrusted(
            f"the certificate is not taken: {why}",
            remedy="use a certificate of a trusted authority, and have the proxy pass on its chain",
            rule="certificate.issuer",
            owner="the operator",
        ) from None
    return chain_of(found.chain)
