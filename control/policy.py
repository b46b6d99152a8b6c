"""Policy: who may do what, as one immutable value in memory.

Every grant stands in it ready (see loading.py), so that a decision on the hot path is a few look-ups in dictionaries.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from control.agreements import Agreement
from control.certificates import Certificate
from control.covered import Covered
from control.errors import (
    AgreementAmbiguous,
    AgreementForeign,
    AgreementMissing,
    CertificateExpired,
    CertificateNotYetValid,
    CertificateRevoked,
    CertificateUnknown,
    KeyRevoked,
    KeyUnknown,
    SystemRetired,
)
from control.organisations import Organisation, OrganisationState, is_cvr
from control.refusals import most_telling, not_active, not_live
from control.systems import SshKey
from control.times import shown
from control.trials.rule import TRIAL_SERVICES, trial_grant
from kernel import AgreementId, Call, Caller, Grant, ServiceName, SystemId

_NONE: tuple[Covered, ...] = ()


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Policy:
    """version      of the control database that it was made from
    agreements   all of them, whatever their state
    named        and each as far as one service goes
    """

    version: int
    agreements: Mapping[AgreementId, Agreement]
    named: Mapping[tuple[AgreementId, ServiceName], Covered]
    _certificates: Mapping[str, tuple[Certificate, Caller]]
    _keys: Mapping[str, tuple[SshKey, Caller]]
    _for_municipality: Mapping[tuple[SystemId, ServiceName, str], tuple[Covered, ...]]
    _for_service: Mapping[tuple[SystemId, ServiceName], tuple[Covered, ...]]
    _of_system: Mapping[SystemId, tuple[Covered, ...]]
    _owners: Mapping[SystemId, Organisation]
    _barred: Mapping[str, Organisation]
    """By the fingerprints of certificates and keys whose organisation may do nothing now."""
    _retired: Mapping[SystemId, datetime]
    _trials: frozenset[SystemId] | None
    """Systems that have passed their trial connection; None in production, where there are no trials."""

    def identify(self, fingerprint: str, at: datetime) -> Caller:
        """The system that a certificate speaks for.

        Raises CertificateUnknown, CertificateRevoked, CertificateExpired, CertificateNotYetValid, and
        OrganisationNotActive, SystemRetired.
        """
        found = self._certificates.get(fingerprint)
        if found is None:
            self._ensure_not_barred(fingerprint)
            raise CertificateUnknown(
                "the certificate is valid, and it is bound to no system here",
                remedy="bind it to your system, or use the one that is bound",
                rule="certificate.bound",
            )
        certificate, caller = found
        self._ensure_in_use(caller)
        if certificate.revoked is not None and certificate.revoked <= at:
            raise CertificateRevoked(
                f"the certificate was revoked here {shown(certificate.revoked)}",
                remedy="bind a new certificate to your system",
                rule="certificate.revoked",
                owner=f"organisation {caller.organisation_cvr}",
            )
        ensure_valid(certificate.valid_from, certificate.valid_to, at)
        return caller

    def identify_key(self, fingerprint: str, at: datetime) -> Caller:
        """As `identify`, for an SSH key. Raises KeyUnknown, SystemRetired, KeyRevoked, OrganisationNotActive."""
        found = self._keys.get(fingerprint)
        if found is None:
            self._ensure_not_barred(fingerprint)
            raise KeyUnknown(
                "the SSH key is bound to no system here",
                remedy="bind its public key to your system",
                rule="ssh_key.bound",
            )
        key, caller = found
        self._ensure_in_use(caller)
        if key.revoked is not None and key.revoked <= at:
            raise KeyRevoked(
                f"the SSH key was revoked here {shown(key.revoked)}",
                remedy="bind a new key to your system",
                rule="ssh_key.revoked",
                owner=f"organisation {caller.organisation_cvr}",
            )
        return caller

    def grant(self, call: Call, at: datetime) -> Grant:
        """The permission that carries a call.

        By the agreement that the call names; else by its municipality; else the one agreement in force that the system
        has for the service; in the test environment none is needed for a trial service. Raises AgreementMissing,
        AgreementForeign, AgreementNotLive, AgreementAmbiguous, and ProcessingAgreementMissing and OrganisationNotActive
        for what is not the system's matter but the municipality's.
        """
        if call.agreement is not None:
            return self._grant_named(call, call.agreement, at)
        system, service, municipality = call.caller.system, call.service, call.municipality_cvr
        if municipality is not None:
            candidates = self._for_municipality.get((system, service, municipality), _NONE)
        else:
            candidates = self._for_service.get((system, service), _NONE)
        live = [each for each in candidates if each.live(at)]
        if len(live) == 1:
            return live[0].grant
        if live:
            raise _ambiguous(call, live)
        if self._trials is not None and service in TRIAL_SERVICES:
            return trial_grant(call.caller, self._owners[system].id, service)
        if candidates:
            raise not_live(most_telling(candidates, at), at)
        # What a caller wrote is repeated only when it is a CVR number: it could be a personal number, or a page long.
        whose = f"municipality {municipality}" if municipality and is_cvr(municipality) else "the municipality"
        raise AgreementMissing(
            f"the system {call.caller.name} has no agreement for {service} with {whose}"
            if municipality is not None
            else f"the system {call.caller.name} has no agreement for {service}",
            remedy="request one from the municipality whose authority you act under",
            rule="agreement.service",
            owner=whose,
            municipality_cvr=municipality if municipality and is_cvr(municipality) else None,
        )

    def grants_of(self, system: SystemId, at: datetime) -> tuple[Grant, ...]:
        """Every permission in force that a system has, in the order of agreement and service."""
        found = (each.grant for each in self._of_system.get(system, _NONE) if each.live(at))
        return tuple(sorted(found, key=lambda grant: (grant.agreement, grant.service)))

    def cvr_of(self, system: SystemId) -> str | None:
        """The organisation that owns a system; None for one that is not registered."""
        owner = self._owners.get(system)
        return None if owner is None else owner.cvr

    def has_passed(self, system: SystemId) -> bool:
        """Whether a system has passed its trial connection; in production there is none, and nothing is missing."""
        return self._trials is None or system in self._trials

    def has_credential(self, system: SystemId, at: datetime, certificate: str | None = None) -> bool:
        """Whether a system has a certificate that would be taken at `at`; with a fingerprint, whether it is that."""
        return any(
            each.system == system
            and certificate in {None, each.fingerprint}
            and (each.revoked is None or each.revoked > at)
            and each.valid_from <= at < each.valid_to
            for each, _ in self._certificates.values()
        )

    def ensure_in_use(self, system: SystemId) -> None:
        """For what is done in a system's name without its call. Raises SystemRetired, OrganisationNotActive."""
        if system in self._retired:
            raise SystemRetired(
                f"the system was retired {shown(self._retired[system])}",
                remedy="act with a system that is in use, or register a new one",
                rule="system.retired",
                owner=f"organisation {self._owners[system].cvr}",
            )
        owner = self._owners.get(system)
        if owner is not None and owner.state is not OrganisationState.CONFIRMED:
            raise not_active(owner.cvr, owner.state)

    def _ensure_not_barred(self, fingerprint: str) -> None:
        if (owner := self._barred.get(fingerprint)) is not None:
            raise not_active(owner.cvr, owner.state)

    def _ensure_in_use(self, caller: Caller) -> None:
        if caller.system in self._retired:
            raise SystemRetired(
                f"the system was retired {shown(self._retired[caller.system])}",
                remedy="call with a system that is in use, or register a new one",
                rule="system.retired",
                owner=f"organisation {caller.organisation_cvr}",
            )

    def _cvr_of(self, agreement: AgreementId) -> str | None:
        services = self.agreements[agreement].terms.services
        return next((self.named[agreement, each].grant.municipality_cvr for each in services), None)

    def _grant_named(self, call: Call, name: AgreementId, at: datetime) -> Grant:
        agreement = self.agreements.get(name)
        if agreement is None or agreement.system != call.caller.system:
            # The same words for one that is another's and one that is nobody's: an id must not be a key to find out.
            raise AgreementForeign(
                "the system has no agreement with the id it named",
                remedy="name one of the system's own agreements, or none",
                rule="agreement.system",
            )
        covered = self.named.get((name, call.service))
        if covered is None:
            raise AgreementMissing(
                f"the agreement {name} does not cover {call.service}",
                remedy="have the service added by a new agreement, or name another",
                rule="agreement.service",
                owner="the municipality",
                ends=agreement.valid.end,
                agreement=name,
                municipality_cvr=self._cvr_of(name),
            )
        if call.municipality_cvr not in {None, covered.grant.municipality_cvr}:
            raise AgreementMissing(
                f"the agreement {name} is with another municipality than the call names",
                remedy="name the agreement or the municipality, not both",
                rule="agreement.municipality",
                owner=f"municipality {covered.grant.municipality_cvr}",
                ends=agreement.valid.end,
                agreement=name,
            )
        if not covered.live(at):
            raise not_live(covered, at)
        return covered.grant


def ensure_valid(start: datetime, end: datetime | None, at: datetime) -> None:
    """Raises CertificateNotYetValid or CertificateExpired when `at` is outside a certificate's dates."""
    if at < start:
        raise CertificateNotYetValid(
            f"the certificate is valid from {shown(start)}",
            remedy="use it from then on, and check the clock of whoever issued it",
            rule="certificate.valid_from",
        )
    if end is not None and at >= end:
        raise CertificateExpired(
            f"the certificate expired {shown(end)}",
            remedy="renew it and bind the new one to your system",
            rule="certificate.valid_to",
        )


def _ambiguous(call: Call, live: Iterable[Covered]) -> AgreementAmbiguous:
    municipalities = ", ".join(sorted({each.grant.municipality_cvr for each in live}))
    return AgreementAmbiguous(
        f"the system has several agreements in force for {call.service}, with: {municipalities}",
        remedy="name one with the header Knudepunkt-Municipality or Knudepunkt-Agreement",
        rule="agreement.one",
    )
