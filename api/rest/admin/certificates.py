"""Certificates and SSH keys of systems: bound, made from signing requests, revoked."""

from api.answer import Answer
from api.errors import BodyInvalid
from api.rest.admin.asked import NewCertificate, NewSshKey, Nothing
from api.rest.admin.errand import Errand, made, one
from api.rest.admin.pages import page
from api.rest.admin.shown import CertificateView, SshKeyView
from api.rest.admin.systems import BASE, system_of
from control import Certificate, Credentials, SshKey, SshKeys
from control.errors import Unregistered


def listed(errand: Errand) -> Answer:
    found = sorted(Credentials(errand.store).of(system_of(errand).id), key=lambda each: each.fingerprint)
    return page(found, lambda each: each.fingerprint, CertificateView.of, errand.request, "certificates")


def bind(errand: Errand) -> Answer:
    """Bind a certificate, or answer a signing request. Two may live at a time, so that a renewal breaks nothing."""
    asked, system = errand.read(NewCertificate), system_of(errand)
    content, request = chosen(asked)
    credentials = Credentials(errand.store)
    if request is None:
        view = CertificateView.of(credentials.bind(system.id, content, trust=errand.trust))
    else:
        answered = credentials.request(system.id, request, authority=errand.authority(), trust=errand.trust)
        view = CertificateView.of(answered.certificate, answered.chain_pem.decode())
    return made(view, f"{BASE}/{system.id}/certificates/{view.fingerprint}")


def shown(errand: Errand) -> Answer:
    errand.request.parameters()
    return one(CertificateView.of(_certificate_of(errand)))


def revoke(errand: Errand) -> Answer:
    errand.read(Nothing)
    found, credentials = _certificate_of(errand), Credentials(errand.store)
    credentials.revoke(found.fingerprint)
    return one(CertificateView.of(credentials.find(found.fingerprint)))


def keys(errand: Errand) -> Answer:
    found = sorted(SshKeys(errand.store).of(system_of(errand).id), key=lambda each: each.fingerprint)
    return page(found, lambda each: each.fingerprint, SshKeyView.of, errand.request, "ssh-keys")


def bind_key(errand: Errand) -> Answer:
    asked, system = errand.read(NewSshKey), system_of(errand)
    done = SshKeys(errand.store).bind(system.id, asked.public_key)
    return made(SshKeyView.of(done), f"{BASE}/{system.id}/ssh-keys/{done.fingerprint}")


def key(errand: Errand) -> Answer:
    errand.request.parameters()
    return one(SshKeyView.of(_key_of(errand)))


def revoke_key(errand: Errand) -> Answer:
    errand.read(Nothing)
    SshKeys(errand.store).revoke(_key_of(errand).fingerprint)
    return one(SshKeyView.of(_key_of(errand)))


def chosen(asked: NewCertificate) -> tuple[bytes, bytes | None]:
    """The certificate to bind, or the signing request to answer. Raises BodyInvalid unless it is one of them."""
    if (asked.certificate is None) == (asked.signing_request is None):
        raise BodyInvalid(
            "the body holds not exactly one of certificate and signing_request",
            remedy="give the one or the other, in PEM form",
            rule="body.schema",
        )
    request = None if asked.signing_request is None else asked.signing_request.encode()
    return (asked.certificate or "").encode(), request


def _certificate_of(errand: Errand) -> Certificate:
    system, wanted = system_of(errand), errand.ids["fingerprint"]
    found = next((each for each in Credentials(errand.house).of(system.id) if each.fingerprint == wanted), None)
    if found is None:
        raise Unregistered("the system has no such certificate", remedy=f"list them: GET {BASE}/.../certificates")
    return found


def _key_of(errand: Errand) -> SshKey:
    system, wanted = system_of(errand), errand.ids["fingerprint"]
    found = next((each for each in SshKeys(errand.house).of(system.id) if each.fingerprint == wanted), None)
    if found is None:
        raise Unregistered("the system has no such SSH key", remedy=f"list them: GET {BASE}/.../ssh-keys")
    return found
