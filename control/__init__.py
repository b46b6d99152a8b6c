"""Control: who takes part, whose certificate is whose, and which municipality lets which system do what.

Changes go through ControlStore; the data rooms only ever see a Grant, which the Policy issues.
"""

from typing import TYPE_CHECKING

from kernel.door import hang_door

if TYPE_CHECKING:
    from control.actors import HOUSE, Actor, Role, Verb
    from control.agreements import (
        Agreement,
        AgreementStep,
        AgreementType,
        Deed,
        Party,
        PurposeTerms,
        ServiceTerms,
        State,
        Step,
        Terms,
    )
    from control.agreements.door import Agreements
    from control.audit import AuditEntry
    from control.certificates import (
        Certificate,
        IssuedCertificate,
        Kind,
        Subject,
        TestAuthority,
        fingerprint_of,
        read_certificate,
        read_subject,
        verify_chain,
    )
    from control.certificates.door import Answered, Credentials
    from control.delegations import Delegation, Delegations
    from control.errors import QuotaExhausted, RateLimited
    from control.explain import Verdict, explain, explained
    from control.limits import NO_LIMITS, Allowance, Counters, Standing, purpose_of
    from control.loading import load_policy
    from control.notices import Inbox, Notice
    from control.onboarding import Application, Applied, Onboarding
    from control.organisations import Organisation, OrganisationKind, OrganisationState, OrganisationStep
    from control.people import People, User, UserId
    from control.policy import Policy, ensure_valid
    from control.processing import Processing, ProcessingAgreement
    from control.sharing import Sharing, SharingToken, token_hash
    from control.store import ControlStore
    from control.systems import SshKey, System, ssh_fingerprint
    from control.systems.door import Systems
    from control.systems.keys import SshKeys
    from control.trials import Trial, Trials
    from control.trust import NO_TRUST, Chain, ListFolder, RevocationList, Trust, chain_of, load_trust, read_lists
    from control.watcher import PolicyWatcher

__all__ = [
    "HOUSE",
    "NO_LIMITS",
    "NO_TRUST",
    "Actor",
    "Agreement",
    "AgreementStep",
    "AgreementType",
    "Agreements",
    "Allowance",
    "Answered",
    "Application",
    "Applied",
    "AuditEntry",
    "Certificate",
    "Chain",
    "ControlStore",
    "Counters",
    "Credentials",
    "Deed",
    "Delegation",
    "Delegations",
    "Inbox",
    "IssuedCertificate",
    "Kind",
    "ListFolder",
    "Notice",
    "Onboarding",
    "Organisation",
    "OrganisationKind",
    "OrganisationState",
    "OrganisationStep",
    "Party",
    "People",
    "Policy",
    "PolicyWatcher",
    "Processing",
    "ProcessingAgreement",
    "PurposeTerms",
    "QuotaExhausted",
    "RateLimited",
    "RevocationList",
    "Role",
    "ServiceTerms",
    "Sharing",
    "SharingToken",
    "SshKey",
    "SshKeys",
    "Standing",
    "State",
    "Step",
    "Subject",
    "System",
    "Systems",
    "Terms",
    "TestAuthority",
    "Trial",
    "Trials",
    "Trust",
    "User",
    "UserId",
    "Verb",
    "Verdict",
    "chain_of",
    "ensure_valid",
    "explain",
    "explained",
    "fingerprint_of",
    "load_policy",
    "load_trust",
    "purpose_of",
    "read_certificate",
    "read_lists",
    "read_subject",
    "ssh_fingerprint",
    "token_hash",
    "verify_chain",
]

hang_door(__name__)
