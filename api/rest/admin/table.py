"""Every path of the administration, once: the router and the OpenAPI document are made from this table."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from api.answer import Answer
from api.rest.admin import (
    agreements,
    asked,
    certificates,
    delegations,
    documents,
    organisations,
    oversight,
    people,
    shown,
    systems,
    terms,
)
from api.rest.admin.errand import Errand

Method = Literal["GET", "POST", "PATCH"]
_A: Final = "/v1/admin"
_AGREEMENT: Final = f"{_A}/agreements/{{agreement}}"
_ORG, _USER, _SYSTEM = f"{_A}/organisations/{{organisation}}", f"{_A}/users/{{user}}", f"{_A}/systems/{{system}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminRoute:
    """One path and method.

    run       takes an errand, and blocks
    gives     what an answer is; `many`: a page of it
    takes     what the body is
    makes     answers 201 with Location
    guarded   wants If-Match
    open      for everybody, without a certificate
    media     of an answer that is not JSON: then it is given as it is
    query     parameters, beyond those of a page, with what they mean
    """

    method: Method
    path: str
    name: str
    run: Callable[[Errand], Answer]
    says: str
    gives: Any
    takes: Any = None
    many: bool = False
    makes: bool = False
    guarded: bool = False
    open: bool = False
    query: tuple[tuple[str, str], ...] = ()
    media: tuple[str, ...] = ()


def _get(path: str, name: str, run: Callable[[Errand], Answer], says: str, gives: Any, **more: Any) -> AdminRoute:
    return AdminRoute(method="GET", path=path, name=name, run=run, says=says, gives=gives, **more)


def _post(
    path: str, name: str, run: Callable[[Errand], Answer], says: str, takes: Any, gives: Any, **more: Any
) -> AdminRoute:
    return AdminRoute(method="POST", path=path, name=name, run=run, says=says, takes=takes, gives=gives, **more)


def _patch(path: str, name: str, run: Callable[[Errand], Answer], says: str, takes: Any, gives: Any) -> AdminRoute:
    return AdminRoute(method="PATCH", path=path, name=name, run=run, says=says, takes=takes, gives=gives, guarded=True)


ROUTES: Final[tuple[AdminRoute, ...]] = (
    _post(
        f"{_A}/applications", "apply", organisations.apply, "Apply to take part",
        asked.Application, shown.ApplicationView, makes=True, open=True,
    ),
    _get(
        f"{_A}/organisations", "organisations", organisations.listed, "Organisations that you may see",
        shown.OrganisationView, many=True,
        query=(("state", "Only those in this state."), ("kind", "Only this kind."), ("cvr", "Only this CVR number.")),
    ),
    _post(
        f"{_A}/organisations", "add_organisation", organisations.add, "Register an organisation, as the operator",
        asked.NewOrganisation, shown.OrganisationView, makes=True,
    ),
    _get(_ORG, "organisation", organisations.shown, "One organisation", shown.OrganisationView),
    _patch(
        _ORG, "change_organisation", organisations.change, "Change name or e-mail address",
        asked.OrganisationChange, shown.OrganisationView,
    ),
    _post(
        f"{_ORG}/steps", "step_organisation", organisations.step, "Confirm, reject, suspend or resume",
        asked.OrganisationStanding, shown.OrganisationView,
    ),
    _post(
        f"{_ORG}/code", "set_municipality_code", organisations.code, "Record a municipality's code, as the operator",
        asked.MunicipalityCode, shown.OrganisationView,
    ),
    _get(f"{_ORG}/users", "users", people.listed, "Users of an organisation", shown.UserView, many=True),
    _post(
        f"{_ORG}/users", "add_user", people.add, "Register a user", asked.NewUser, shown.UserView, makes=True
    ),
    _get(_USER, "user", people.shown, "One user", shown.UserView),
    _patch(_USER, "change_user", people.change, "Change a user's roles", asked.UserChange, shown.UserView),
    _post(f"{_USER}/end", "end_user", people.end, "From now on the user may do nothing", asked.Nothing, shown.UserView),
    _get(
        f"{_USER}/certificates", "user_certificates", people.certificates, "Certificates that speak for a user",
        shown.UserCertificateView, many=True,
    ),
    _post(
        f"{_USER}/certificates", "bind_user_certificate", people.bind,
        "Bind an employee's certificate to a user, or have one made (test environment)",
        asked.NewCertificate, shown.UserCertificateView, makes=True,
    ),
    _post(
        f"{_USER}/certificates/{{fingerprint}}/revoke", "revoke_user_certificate", people.revoke,
        "A certificate speaks for the user no more", asked.Nothing, shown.UserCertificateView,
    ),
    _get(f"{_ORG}/systems", "systems", systems.listed, "Systems of an organisation", shown.SystemView, many=True),
    _post(
        f"{_ORG}/systems", "register_system", systems.register, "Register a system",
        asked.NewSystem, shown.SystemView, makes=True,
    ),
    _get(_SYSTEM, "system", systems.shown, "One system", shown.SystemView),
    _patch(
        _SYSTEM, "change_system", systems.change, "Change name, purpose, contact or endpoints",
        asked.SystemChange, shown.SystemView,
    ),
    _post(
        f"{_SYSTEM}/retire", "retire_system", systems.retire, "Take a system out of use for ever",
        asked.Nothing, shown.SystemView,
    ),
    _get(
        f"{_SYSTEM}/certificates", "certificates", certificates.listed, "Certificates that a system has or had",
        shown.CertificateView, many=True,
    ),
    _post(
        f"{_SYSTEM}/certificates", "bind_certificate", certificates.bind,
        "Bind a certificate, or have one made from a signing request (test environment)",
        asked.NewCertificate, shown.CertificateView, makes=True,
    ),
    _get(
        f"{_SYSTEM}/certificates/{{fingerprint}}", "certificate", certificates.shown, "One certificate",
        shown.CertificateView,
    ),
    _post(
        f"{_SYSTEM}/certificates/{{fingerprint}}/revoke", "revoke_certificate", certificates.revoke,
        "Refuse a certificate within a second, for ever", asked.Nothing, shown.CertificateView,
    ),
    _get(
        f"{_SYSTEM}/ssh-keys", "ssh_keys", certificates.keys, "SSH keys that a system has or had",
        shown.SshKeyView, many=True,
    ),
    _post(
        f"{_SYSTEM}/ssh-keys", "bind_ssh_key", certificates.bind_key, "Bind an SSH key, for SFTP",
        asked.NewSshKey, shown.SshKeyView, makes=True,
    ),
    _get(f"{_SYSTEM}/ssh-keys/{{fingerprint}}", "ssh_key", certificates.key, "One SSH key", shown.SshKeyView),
    _post(
        f"{_SYSTEM}/ssh-keys/{{fingerprint}}/revoke", "revoke_ssh_key", certificates.revoke_key,
        "Refuse an SSH key within a second, for ever", asked.Nothing, shown.SshKeyView,
    ),
    _get(
        f"{_A}/agreements", "agreements", agreements.listed, "Service agreements that you are a party to",
        terms.AgreementView, many=True,
        query=(
            ("state", "As they are now."), ("system", "Id of a system."), ("service", "Those that cover a service."),
        ),
    ),
    _post(
        f"{_A}/agreements", "request_agreement", agreements.request, "Request an agreement from a municipality",
        terms.NewAgreement, terms.AgreementView, makes=True,
    ),
    _get(_AGREEMENT, "agreement", agreements.shown, "One agreement", terms.AgreementView),
    _post(
        f"{_AGREEMENT}/steps", "step_agreement", agreements.step,
        "Request a draft, withdraw, approve, reject, suspend, resume or terminate",
        terms.AgreementDecision, terms.AgreementView,
    ),
    _post(
        f"{_AGREEMENT}/renewals", "renew_agreement", agreements.renew, "Request what follows an agreement",
        terms.Renewal, terms.AgreementView, makes=True,
    ),
    _get(
        f"{_AGREEMENT}/history", "agreement_history", agreements.history, "Every step of an agreement, in order",
        terms.AgreementStepView, many=True,
    ),
    _get(
        f"{_AGREEMENT}/document", "agreement_document", documents.readable, "An agreement, to be read by people",
        None, media=("text/html", "text/plain"),
        query=(("language", "`da` (default) or `en`."), ("format", "`html` (default) or `text`.")),
    ),
    _get(
        f"{_AGREEMENT}/document.zip", "signed_agreement", documents.signed,
        "An agreement as signed files: what is enforced, and as people read it", None, media=("application/zip",),
    ),
    _get(
        f"{_A}/delegations", "delegations", delegations.listed, "Delegations that you are a party to",
        delegations.DelegationView, many=True,
    ),
    _post(
        f"{_A}/delegations", "give_delegation", delegations.give,
        "Let a supplier decide on agreements in your municipality's name",
        delegations.NewDelegation, delegations.DelegationView, makes=True,
    ),
    _get(
        f"{_A}/delegations/{{delegation}}", "delegation", delegations.shown, "One delegation",
        delegations.DelegationView,
    ),
    _post(
        f"{_A}/delegations/{{delegation}}/withdraw", "withdraw_delegation", delegations.withdraw,
        "Withdraw a delegation: what was approved under it is suspended",
        delegations.Withdrawal, delegations.DelegationView,
    ),
    _get(
        f"{_ORG}/processing-agreements", "processing_agreements", oversight.processing,
        "Data-processing agreements of a municipality", shown.ProcessingAgreementView, many=True,
    ),
    _post(
        f"{_ORG}/processing-agreements", "record_processing_agreement", oversight.record,
        "Record a data-processing agreement", asked.NewProcessingAgreement, shown.ProcessingAgreementView, makes=True,
    ),
    _get(
        f"{_ORG}/processing-agreements/{{agreement}}", "processing_agreement", oversight.processing_shown,
        "One data-processing agreement", shown.ProcessingAgreementView,
    ),
    _post(
        f"{_ORG}/processing-agreements/{{agreement}}/end", "end_processing_agreement", oversight.end,
        "End a data-processing agreement", asked.Ending, shown.ProcessingAgreementView,
    ),
    _get(
        f"{_A}/inbox", "inbox", oversight.inbox, "Notices that concern your roles, newest first",
        shown.NoticeView, many=True, query=(("unread", "true: only those that nobody has read."),),
    ),
    _get(f"{_A}/inbox/{{notice}}", "notice", oversight.notice, "One notice", shown.NoticeView),
    _post(
        f"{_A}/inbox/{{notice}}/read", "read_notice", oversight.read, "Mark a notice as read",
        asked.Nothing, shown.NoticeView,
    ),
    _get(
        f"{_A}/audit", "audit", oversight.audit, "Who changed what, when and from where, oldest first",
        shown.AuditView, many=True,
        query=(
            ("about", "What was changed, for instance `system` and its id."),
            ("organisation", "Id of the organisation whose people did it."),
        ),
    ),
    _get(
        f"{_A}/audit/verification", "verify_audit", oversight.check, "Whether the audit trail's chain is whole",
        shown.AuditCheck,
    ),
)  # fmt: skip
