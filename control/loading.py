"""How a policy is loaded: one consistent picture of the control database, with every grant made ready.

What thousands of agreements name alike (systems, services, municipalities, stretches of time) is one object here: a
decision reads what it compares, and what is read all the time lies in the processor's caches.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from sys import intern
from typing import TypeVar

from sqlalchemy import Connection

from control.agreements import Agreement, load_agreements
from control.certificates import Certificate, load_certificates
from control.covered import Covered, Stretches, stretches_of
from control.organisations import Organisation, OrganisationKind, OrganisationState, load_organisations
from control.policy import Policy
from control.processing import load_processing_agreements
from control.store import Environment, policy_version
from control.systems import SshKey, System, load_ssh_keys, load_systems
from control.trials.store import load_trials
from kernel import AgreementId, Caller, Grant, OrganisationId, ServiceName, SystemId, Window

_Credential = TypeVar("_Credential", Certificate, SshKey)
_Named = Mapping[tuple[AgreementId, ServiceName], Covered]


def load_policy(db: Connection, *, environment: Environment = "production", before: Policy | None = None) -> Policy:
    """before   an older policy of the same database; what has not changed since is taken from there"""
    version = policy_version(db)
    owners, systems = load_organisations(db), load_systems(db)
    # In the test environment there is nobody's data to process, so nobody has to agree to it.
    processing = None if environment == "test" else _processing(db)
    agreements = load_agreements(db, known=before.agreements if before else {})
    named = _named(agreements, owners, processing, before.named if before else {})
    for_municipality, for_service, of_system = defaultdict(list), defaultdict(list), defaultdict(list)
    for each in named.values():
        grant = each.grant
        for_municipality[grant.system, grant.service, grant.municipality_cvr].append(each)
        for_service[grant.system, grant.service].append(each)
        of_system[grant.system].append(each)
    certificates, keys = load_certificates(db), load_ssh_keys(db)
    owner = {system: owners[each.organisation] for system, each in systems.items()}
    credentials = [(each.fingerprint, each.system) for each in certificates]
    credentials += [(each.fingerprint, each.system) for each in keys]
    return Policy(
        version=version,
        agreements={agreement.id: agreement for agreement in agreements},
        named=named,
        _certificates=_callers(certificates, systems, owner),
        _keys=_callers(keys, systems, owner),
        _for_municipality={key: tuple(found) for key, found in for_municipality.items()},
        _for_service={key: tuple(found) for key, found in for_service.items()},
        _of_system={key: tuple(found) for key, found in of_system.items()},
        _owners=owner,
        _barred={
            fingerprint: owner[system]
            for fingerprint, system in credentials
            if owner[system].state is not OrganisationState.CONFIRMED
        },
        _retired={system: each.retired for system, each in systems.items() if each.retired is not None},
        _trials=frozenset(load_trials(db)) if environment == "test" else None,
    )


def _callers(
    credentials: Iterable[_Credential], systems: Mapping[SystemId, System], owner: Mapping[SystemId, Organisation]
) -> dict[str, tuple[_Credential, Caller]]:
    """By fingerprint: the credentials of organisations in good standing, and for whom they speak."""
    return {
        each.fingerprint: (
            each,
            Caller(
                system=SystemId(intern(each.system)),
                name=systems[each.system].name,
                organisation_cvr=owner[each.system].cvr,
                credential=each.fingerprint,
                operator=owner[each.system].kind is OrganisationKind.OPERATOR,
            ),
        )
        for each in credentials
        if owner[each.system].state is OrganisationState.CONFIRMED
    }


def _processing(db: Connection) -> dict[OrganisationId, tuple[Window, ...]]:
    found: dict[OrganisationId, tuple[Window, ...]] = {}
    for each in load_processing_agreements(db):
        found[each.municipality] = (*found.get(each.municipality, ()), each.valid)
    return found


def _named(
    agreements: Iterable[Agreement],
    owners: Mapping[OrganisationId, Organisation],
    processing: Mapping[OrganisationId, tuple[Window, ...]] | None,
    before: _Named,
) -> dict[tuple[AgreementId, ServiceName], Covered]:
    found: dict[tuple[AgreementId, ServiceName], Covered] = {}
    alike: dict[Stretches, Stretches] = {}
    for agreement in agreements:
        windows = None if processing is None else processing.get(agreement.municipality, ())
        municipality = owners[agreement.municipality]
        stretches = stretches_of(agreement, windows, municipality.state)
        stretches = alike.setdefault(stretches, stretches)
        for service, terms in agreement.terms.services.items():
            key = (agreement.id, ServiceName(intern(service)))
            # What an agreement grants is settled when it is written down: its state changes, and it can end earlier.
            known = before.get(key)
            grant = (
                known.grant
                if known and known.grant.valid is agreement.valid
                else Grant(
                    agreement=agreement.id,
                    system=SystemId(intern(agreement.system)),
                    municipality=OrganisationId(intern(agreement.municipality)),
                    municipality_cvr=intern(municipality.cvr),
                    service=key[1],
                    valid=agreement.valid,
                    terms_hash=agreement.terms_hash,
                    columns=terms.columns,
                    rows=terms.rows,
                    protected=terms.protected,
                    limits=agreement.terms.limits,
                    purposes=agreement.terms.quotas,
                )
            )
            found[key] = Covered(agreement, grant, windows, municipality.state, stretches)
    return found
