"""Policy: who may do what, as one immutable value in memory.

Built from one consistent picture of the control database, with every grant made ready, so that a decision on the hot path is a few
look-ups in dictionaries.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn, Self

from sqlalchemy import Connection

from control.agreements import Agreement, State, load_agreements
from control.certificates import Certificate, load_certificates
from control.errors import (
    AgreementAmbiguous,
    AgreementForeign,
    AgreementMissing,
    AgreementNotLive,
    CertificateExpired,
    CertificateRevoked,
    CertificateUnknown,
    KeyUnknown,
)
from control.organisations import Organisation, load_organisations
from control.store import policy_version
from control.systems import SshKey, load_ssh_keys, load_systems
from kernel import AgreementId, Call, Caller, Grant, OrganisationId, ServiceName, SystemId


@dataclass(frozen=True, slots=True)
class _Covered:
    """An agreement as far as one service goes."""

    agreement: Agreement
    grant: Grant


@dataclass(frozen=True, slots=True)
class Policy:
    """version   of the control database that it was built from"""

    version: int
    _certificates: Mapping[str, tuple[Certificate, Caller]]
    _keys: Mapping[str, tuple[SshKey, Caller]]
    _agreements: Mapping[AgreementId, Agreement]
    _covered: Mapping[tuple[SystemId, ServiceName], tuple[_Covered, ...]]

    @classmethod
    def load(cls, db: Connection) -> Self:
        version = policy_version(db)
        owners = load_organisations(db)
        systems = load_systems(db)

        def caller(system: SystemId, credential: str) -> Caller:
            found = systems[system]
            cvr = owners[found.organisation].cvr
            return Caller(system=system, name=found.name, organisation_cvr=cvr, credential=credential)

        agreements = load_agreements(db)
        return cls(
            version,
            {each.fingerprint: (each, caller(each.system, each.fingerprint)) for each in load_certificates(db)},
            {each.fingerprint: (each, caller(each.system, each.fingerprint)) for each in load_ssh_keys(db)},
            {agreement.id: agreement for agreement in agreements},
            _covered(agreements, owners),
        )

    def identify(self, fingerprint: str, at: datetime) -> Caller:
        """The system that a certificate speaks for. Raises CertificateUnknown, CertificateRevoked, CertificateExpired."""
        found = self._certificates.get(fingerprint)
        if found is None:
            raise CertificateUnknown(
                "the certificate is valid, and it is bound to no system here",
                remedy="bind it to your system, or use the one that is bound",
                rule="certificate.bound",
            )
        certificate, caller = found
        if certificate.revoked is not None and certificate.revoked <= at:
            raise CertificateRevoked(
                f"the certificate was revoked here {certificate.revoked:%Y-%m-%d %H:%M} UTC",
                remedy="bind a new certificate to your system",
                rule="certificate.revoked",
            )
        ensure_valid(certificate.valid.start, certificate.valid.end, at)
        return caller

    def identify_key(self, fingerprint: str, at: datetime) -> Caller:
        """The system that an SSH key speaks for. Raises KeyUnknown."""
        found = self._keys.get(fingerprint)
        if found is None or (found[0].revoked is not None and found[0].revoked <= at):
            raise KeyUnknown("the SSH key is bound to no system here", remedy="bind its public key to your system")
        return found[1]

    def grant(self, call: Call, at: datetime) -> Grant:
        """The permission that carries a call.

        By the agreement that the call names; else by its municipality; else the one agreement in force that the system has for
        the service. Raises AgreementMissing, AgreementForeign, AgreementNotLive, AgreementAmbiguous.
        """
        candidates = self._covered.get((call.caller.system, call.service), ())
        if call.agreement is not None:
            return self._named(call, call.agreement, candidates, at)
        if call.municipality_cvr is not None:
            candidates = tuple(each for each in candidates if each.grant.municipality_cvr == call.municipality_cvr)
        live = [each for each in candidates if each.agreement.live(at)]
        if len(live) == 1:
            return live[0].grant
        if live:
            municipalities = ", ".join(sorted({each.grant.municipality_cvr for each in live}))
            raise AgreementAmbiguous(
                f"the system has agreements for {call.service} with several municipalities: {municipalities}",
                remedy="name one with the header Knudepunkt-Municipality or Knudepunkt-Agreement",
                rule="agreement.one",
            )
        if candidates:
            _refuse(candidates[-1], at)
        whose = f" with municipality {call.municipality_cvr}" if call.municipality_cvr else ""
        raise AgreementMissing(
            f"the system {call.caller.name} has no agreement for {call.service}{whose}",
            remedy="request one from the municipality whose authority you act under",
            rule="agreement.service",
            owner="the municipality",
        )

    def grants_of(self, system: SystemId, at: datetime) -> tuple[Grant, ...]:
        """Every permission in force that a system has, in the order of agreement and service."""
        found = [
            each.grant
            for (owner, _), covered in self._covered.items()
            if owner == system
            for each in covered
            if each.agreement.live(at)
        ]
        return tuple(sorted(found, key=lambda grant: (grant.agreement, grant.service)))

    def _named(self, call: Call, name: AgreementId, candidates: Iterable[_Covered], at: datetime) -> Grant:
        agreement = self._agreements.get(name)
        if agreement is None or agreement.system != call.caller.system:
            # The same words for one that is another's and one that is nobody's: an id must not be a key to find out.
            raise AgreementForeign(
                "the system has no agreement with the id it named",
                remedy="name one of the system's own agreements, or none",
                rule="agreement.system",
            )
        for each in candidates:
            if each.agreement.id == name:
                if call.municipality_cvr not in {None, each.grant.municipality_cvr}:
                    raise AgreementForeign(
                        "the agreement named is with another municipality than the one named",
                        remedy="name one of the two, not both",
                        rule="agreement.municipality",
                    )
                if not agreement.live(at):
                    _refuse(each, at)
                return each.grant
        raise AgreementMissing(
            f"the agreement {name} does not cover {call.service}",
            remedy="have the service added by a new agreement, or name another",
            rule="agreement.service",
            owner="the municipality",
        )


def ensure_valid(start: datetime, end: datetime | None, at: datetime) -> None:
    """Raises CertificateExpired when `at` is outside a certificate's dates."""
    if at < start:
        raise CertificateExpired(
            f"the certificate is valid from {start:%Y-%m-%d %H:%M} UTC",
            remedy="use it from then on, and check the clock",
            rule="certificate.valid_from",
        )
    if end is not None and at >= end:
        raise CertificateExpired(
            f"the certificate expired {end:%Y-%m-%d %H:%M} UTC",
            remedy="renew it and bind the new one to your system",
            rule="certificate.valid_to",
        )


def _refuse(covered: _Covered, at: datetime) -> NoReturn:
    agreement, owner = covered.agreement, f"municipality {covered.grant.municipality_cvr}"
    if agreement.state is not State.APPROVED:
        why, rule = f"is {agreement.state}", "agreement.state"
    elif at < agreement.valid.start:
        why, rule = f"is in force from {agreement.valid.start:%Y-%m-%d}", "agreement.valid_from"
    else:
        why, rule = f"ended {agreement.valid.end:%Y-%m-%d}", "agreement.valid_to"
    raise AgreementNotLive(
        f"the agreement {agreement.id} {why}",
        remedy="ask the municipality" if agreement.state is not State.REQUESTED else "wait for the approval",
        rule=rule,
        owner=owner,
    )


def _covered(
    agreements: Iterable[Agreement], owners: Mapping[OrganisationId, Organisation]
) -> dict[tuple[SystemId, ServiceName], tuple[_Covered, ...]]:
    found: dict[tuple[SystemId, ServiceName], tuple[_Covered, ...]] = {}
    for agreement in agreements:
        for service, terms in agreement.terms.services.items():
            grant = Grant(
                agreement=agreement.id,
                system=agreement.system,
                municipality=agreement.municipality,
                municipality_cvr=owners[agreement.municipality].cvr,
                service=service,
                valid=agreement.valid,
                terms_hash=agreement.terms.hash,
                columns=terms.columns,
                rows=terms.rows,
                protected=terms.protected,
                limits=agreement.terms.limits,
            )
            key = (agreement.system, service)
            found[key] = (*found.get(key, ()), _Covered(agreement, grant))
    return found
