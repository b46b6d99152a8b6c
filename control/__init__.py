"""Control: who takes part, whose certificate is whose, and which municipality lets which system do what.

Changes go through ControlStore; the data rooms only ever see a Grant, which the Policy issues.
"""

from control.actors import HOUSE, Actor, Role, Verb
from control.agreements import Agreement, AgreementStep, ServiceTerms, State, Step, Terms
from control.audit import AuditEntry
from control.certificates import (
    Certificate,
    IssuedCertificate,
    Kind,
    Subject,
    TestAuthority,
    fingerprint_of,
    read_subject,
)
from control.errors import QuotaExhausted, RateLimited
from control.explain import Verdict, explain, explained
from control.limits import NO_LIMITS, Allowance, Counters, Standing, purpose_of
from control.notices import Inbox, Notice
from control.onboarding import Application, Applied, Onboarding
from control.organisations import Organisation, OrganisationKind, OrganisationState, OrganisationStep
from control.people import People, User, UserId
from control.policy import Policy, ensure_valid
from control.processing import Processing, ProcessingAgreement
from control.store import ControlStore, load_trust
from control.systems import SshKey, System, ssh_fingerprint
from control.watcher import PolicyWatcher

__all__ = [
    "HOUSE",
    "NO_LIMITS",
    "Actor",
    "Agreement",
    "AgreementStep",
    "Allowance",
    "Application",
    "Applied",
    "AuditEntry",
    "Certificate",
    "ControlStore",
    "Counters",
    "Inbox",
    "IssuedCertificate",
    "Kind",
    "Notice",
    "Onboarding",
    "Organisation",
    "OrganisationKind",
    "OrganisationState",
    "OrganisationStep",
    "People",
    "Policy",
    "PolicyWatcher",
    "Processing",
    "ProcessingAgreement",
    "QuotaExhausted",
    "RateLimited",
    "Role",
    "ServiceTerms",
    "SshKey",
    "Standing",
    "State",
    "Step",
    "Subject",
    "System",
    "Terms",
    "TestAuthority",
    "User",
    "UserId",
    "Verb",
    "Verdict",
    "ensure_valid",
    "explain",
    "explained",
    "fingerprint_of",
    "load_trust",
    "purpose_of",
    "read_subject",
    "ssh_fingerprint",
]
