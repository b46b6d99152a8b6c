"""Refusals: each says which rule decided, whose rule it is, and what to do next."""

from kernel import CallerMistake, NotAllowed, NotFound, NotIdentified, OperatorMistake, RequestInvalid


class CertificateUnknown(NotIdentified):
    code = "certificate_unknown"
    title = "The certificate belongs to no system here"


class CertificateRevoked(NotIdentified):
    code = "certificate_revoked"
    title = "The certificate was revoked"


class CertificateExpired(NotIdentified):
    code = "certificate_expired"
    title = "The certificate is not valid today"


class KeyUnknown(NotIdentified):
    code = "ssh_key_unknown"
    title = "The SSH key belongs to no system here"


class AgreementMissing(NotAllowed):
    code = "agreement_missing"
    title = "There is no agreement for this service"


class AgreementForeign(NotAllowed):
    code = "agreement_foreign"
    title = "The agreement is not this system's"


class AgreementNotLive(NotAllowed):
    code = "agreement_not_live"
    title = "The agreement is not in force"


class AgreementAmbiguous(RequestInvalid):
    code = "agreement_ambiguous"
    title = "Several agreements could carry this call"


class AgreementInvalid(CallerMistake):
    code = "agreement_invalid"
    title = "The agreement cannot be made like this"


class AgreementTaken(CallerMistake):
    code = "agreement_taken"
    status = 409
    title = "Another agreement already covers this"


class IllegalStep(CallerMistake):
    code = "agreement_step_illegal"
    status = 409
    title = "The agreement cannot take this step now"


class OrganisationInvalid(CallerMistake):
    code = "organisation_invalid"
    title = "The organisation cannot be registered like this"


class SystemInvalid(CallerMistake):
    code = "system_invalid"
    title = "The system cannot be registered like this"


class CertificateRefused(CallerMistake):
    code = "certificate_refused"
    title = "The certificate cannot be bound"


class Unregistered(NotFound):
    code = "unregistered"
    title = "Nothing is registered under this"


class AuthorityInvalid(OperatorMistake):
    code = "authority_invalid"
    title = "The certificate authority cannot be used"
