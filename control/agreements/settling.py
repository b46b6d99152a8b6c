"""Terms as they are asked for become terms as they are written down: checked against what services offer, with every
column named and "own municipality" as a code. Pure.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from control.agreements.terms import ServiceTerms, Terms
from control.errors import AgreementInvalid
from kernel import ServiceName
from schemas import Registers, Service, ServiceStatus, ServiceUnknown

_OPEN = frozenset({ServiceStatus.TEST, ServiceStatus.PRODUCTION, ServiceStatus.DEPRECATED})


def settle(terms: Terms, *, registers: Registers | None, code: str, today: date) -> Terms:
    """registers   None: what services offer is not known here, and stays unchecked
    code        the municipality's; empty when it has none here

    Columns that are left out become all that the service has now: what a later version adds needs a new request.
    Raises AgreementInvalid.
    """
    if not code and any(each.own_municipality for each in terms.services.values()):
        raise AgreementInvalid(
            "the agreement is limited to the municipality's own rows, and its code is not known here",
            remedy="have the operator record the municipality's code",
            rule="agreement.own_municipality",
        )
    named = {service: each.of_municipality(code) for service, each in terms.services.items()}
    if registers is not None:
        named = {service: _offered(registers, service, each, today) for service, each in named.items()}
    return replace(terms, services=named)


def _offered(registers: Registers, name: ServiceName, terms: ServiceTerms, today: date) -> ServiceTerms:
    service = _service(registers, name, today)
    if service.dataset is None:
        if terms.columns is not None or terms.rows.keys() - service.scopes or terms.own_municipality:
            raise AgreementInvalid(
                f"the service {name} has no dataset whose columns and rows could be limited",
                remedy="leave columns and rows out for this service",
                rule="agreement.columns",
            )
        return replace(terms, version=service.version)
    dataset = registers.dataset_of(service)
    _ensure_known(name, terms.columns or (), dataset.names)
    _ensure_known(name, terms.rows, dataset.names)
    columns = frozenset(dataset.names) if terms.columns is None else terms.columns
    return replace(terms, columns=columns, version=service.version)


def _service(registers: Registers, name: ServiceName, today: date) -> Service:
    try:
        service = registers.service(name)
    except ServiceUnknown:
        raise AgreementInvalid(
            "the agreement names a service that there is not",
            remedy="see the catalogue: GET /v1/catalogue",
            rule="agreement.services",
        ) from None
    if (status := service.status_on(today)) not in _OPEN:
        raise AgreementInvalid(
            f"the service {name} is {status.value}: nothing can be agreed on it",
            remedy=f"ask for {service.successor}" if service.successor else "choose another from the catalogue",
            rule="agreement.services",
        )
    return service


def _ensure_known(service: ServiceName, named: Iterable[str], known: Iterable[str]) -> None:
    if unknown := set(named) - set(known):
        # What does not look like a column's name is not repeated: it may be a personal number in the wrong place.
        shown = sorted(each for each in unknown if each.isidentifier() and each.isascii() and len(each) <= 60)
        raise AgreementInvalid(
            f"the service {service} has no column {', '.join(shown[:10]) or 'of a name that the agreement uses'}",
            remedy="see the service's columns in GET /v1/catalogue",
            rule="agreement.columns",
        )
