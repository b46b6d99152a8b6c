"""Who is calling: from the connection's certificate to a consumer system."""

from datetime import datetime

from api.errors import CertificateMissing
from api.tls import Peer
from control import Policy, Trust, ensure_valid
from kernel import Caller


def identify(peer: Peer | None, policy: Policy, trust: Trust, at: datetime) -> Caller:
    """The system behind a connection, judged anew for each request: a revocation bites on open connections too.

    Raises CertificateMissing; CertificateExpired, CertificateNotYetValid, CertificateUntrusted, CertificateUnknown,
    CertificateRevoked and SystemRetired of `control`. Nothing is kept between requests: the chain was verified when the
    connection was made, and the rest costs next to nothing.
    """
    if peer is None:
        raise CertificateMissing(
            "the connection shows no client certificate",
            remedy="call with your system's certificate and key (curl: --cert and --key)",
            rule="certificate.required",
        )
    ensure_valid(peer.valid.start, peer.valid.end, at)
    trust.ensure_current(peer)
    return policy.identify(peer.fingerprint, at)
