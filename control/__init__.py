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
from control.organisations import Organisation, OrganisationKind
from control.policy import Policy, ensure_valid
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
    "AuditEntry",
    "Certificate",
    "ControlStore",
    "Counters",
    "IssuedCertificate",
    "Kind",
    "Organisation",
    "OrganisationKind",
    "Policy",
    "PolicyWatcher",
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
