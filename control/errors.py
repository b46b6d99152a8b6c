"""Refusals: each says which rule decided, whose rule it is, and what to do next."""

from kernel import (
    CallerMistake,
    NotAllowed,
    NotFound,
    NotIdentified,
    OperatorMistake,
    RequestInvalid,
    TryAgainLater,
)


class CertificateUnknown(NotIdentified):
    code = "certificate_unknown"
    title = "The certificate belongs to no system here"


class CertificateRevoked(NotIdentified):
    code = "certificate_revoked"
    title = "The certificate was revoked"


class CertificateUntrusted(NotIdentified):
    """Mostly the handshake itself fails, so the caller sees a closed connection; the ledger holds this code."""

    code = "certificate_untrusted"
    title = "The certificate comes from no authority that is trusted here"


class CertificateExpired(NotIdentified):
    code = "certificate_expired"
    title = "The certificate has expired"


class CertificateNotYetValid(NotIdentified):
    code = "certificate_not_yet_valid"
    title = "The certificate is not valid yet"


class SystemRetired(NotIdentified):
    code = "system_retired"
    title = "The system was retired"


class KeyUnknown(NotIdentified):
    code = "ssh_key_unknown"
    title = "The SSH key belongs to no system here"


class KeyRevoked(NotIdentified):
    code = "ssh_key_revoked"
    title = "The SSH key was revoked"


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


class PurposeMissing(RequestInvalid):
    """The agreement has several purposes, each with its own quota: a call under it names one."""

    code = "purpose_missing"
    title = "The call does not say which purpose it serves"


class PurposeUnknown(NotAllowed):
    """The purpose that the call names is none of the agreement's."""

    code = "purpose_unknown"
    title = "The agreement has no such purpose"


class RateLimited(TryAgainLater):
    """The agreement's calls of a minute are used up; Retry-After says when there is room again."""

    code = "rate_limited"
    status = 429
    title = "Too many calls in a minute"


class QuotaExhausted(TryAgainLater):
    """The calls of a day or a month are used up, of the agreement or of the purpose that the call serves."""

    code = "quota_exhausted"
    status = 429
    title = "The quota is used up"


class LimitsUnavailable(TryAgainLater):
    """A call that cannot be counted is not let through."""

    code = "limits_unavailable"
    title = "The call cannot be counted"


class LimitsBroken(OperatorMistake):
    """The file with the counters of calls is none that this version reads."""

    code = "limits_broken"
    title = "The counters of calls cannot be used"


class AgreementInvalid(CallerMistake):
    code = "agreement_invalid"
    title = "The agreement cannot be made like this"


class AgreementTaken(CallerMistake):
    code = "agreement_taken"
    status = 409
    title = "Another agreement already covers this"


class DelegationInvalid(CallerMistake):
    code = "delegation_invalid"
    title = "The delegation cannot be made like this"


class IllegalStep(CallerMistake):
    code = "agreement_step_illegal"
    status = 409
    title = "The agreement cannot take this step now"


class NotYours(NotAllowed):
    code = "step_not_yours"
    title = "The step is not yours to take"


class OrganisationInvalid(CallerMistake):
    code = "organisation_invalid"
    title = "The organisation cannot be registered like this"


class OrganisationNotActive(NotAllowed):
    """The organisation is not confirmed, or the operator has suspended it."""

    code = "organisation_not_active"
    title = "The organisation may not act now"


class ProcessingAgreementMissing(NotAllowed):
    """In production nothing of a municipality is served without a data-processing agreement in force."""

    code = "processing_agreement_missing"
    title = "The municipality has no data-processing agreement in force"


class ProcessingInvalid(CallerMistake):
    code = "processing_agreement_invalid"
    title = "The data-processing agreement cannot be recorded like this"


class UserInvalid(CallerMistake):
    code = "user_invalid"
    title = "The user cannot be registered like this"


class SystemInvalid(CallerMistake):
    code = "system_invalid"
    title = "The system cannot be registered like this"


class SshKeyRefused(CallerMistake):
    code = "ssh_key_refused"
    title = "The SSH key cannot be bound"


class CertificateRefused(CallerMistake):
    code = "certificate_refused"
    title = "The certificate cannot be bound"


class EmployeeCertificate(CertificateRefused):
    code = "certificate_of_employee"
    title = "An employee's certificate cannot speak for a system"


class CertificateNotIssued(CallerMistake):
    code = "certificate_not_issued"
    title = "The certificate cannot be issued"


class KeyReused(CallerMistake):
    """An idempotency key stands for one request: another one needs another key."""

    code = "idempotency_key_reused"
    status = 422
    title = "The idempotency key was used for another request"


class RepeatUnanswered(CallerMistake):
    """A request with this key is being carried out now, or was, and its answer was not kept."""

    code = "idempotency_unanswered"
    status = 409
    title = "The first request with this key has no answer to give again"


class Unregistered(NotFound):
    code = "unregistered"
    title = "Nothing is registered under this"


class AuthorityInvalid(OperatorMistake):
    code = "authority_invalid"
    title = "The certificate authority cannot be used"


class RevocationListInvalid(OperatorMistake):
    """A list of revoked certificates (CRL, RFC 5280) is taken whole, from an authority that is trusted, or not."""

    code = "revocation_list_invalid"
    title = "The list of revoked certificates cannot be used"


class ControlUnreachable(TryAgainLater):
    code = "control_unreachable"
    title = "The control database cannot be reached"


class ControlNotReady(OperatorMistake):
    code = "control_not_ready"
    title = "The control database cannot be used"


class SharingTokenInvalid(CallerMistake):
    code = "sharing_token_invalid"
    title = "The token cannot be made so"


class SharingTokenUnknown(NotIdentified):
    code = "sharing_token_unknown"
    title = "The token opens nothing"
