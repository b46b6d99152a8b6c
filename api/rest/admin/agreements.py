"""Service agreements: requested by the system's owner, decided on by the municipality."""

from collections.abc import Callable
from datetime import datetime

from api.answer import Answer
from api.errors import ParameterInvalid
from api.rest.admin.errand import Errand, made, one
from api.rest.admin.pages import page
from api.rest.admin.terms import AgreementDecision, AgreementStepView, AgreementView, NewAgreement, Renewal
from control import Agreement, Agreements, ControlStore, State, Step, Systems
from control.errors import AgreementInvalid, Unregistered
from kernel import AgreementId, ServiceName, SystemId, Window

BASE = "/v1/admin/agreements"


def listed(errand: Errand) -> Answer:
    """Those of one's own organisation, on either side; to operators all of them."""
    chosen = errand.request.parameters("cursor", "limit", *FILTERS)
    if "state" in chosen and chosen["state"] not in set(State):
        raise ParameterInvalid("state is none that there is", remedy=f"it is one of {', '.join(State)}")
    found = _agreements(errand).all(
        system=SystemId(chosen["system"]) if "system" in chosen else None,
        service=ServiceName(chosen["service"]) if "service" in chosen else None,
        states={State(chosen["state"])} if "state" in chosen else (),
    )
    view = viewing(errand.store, _agreements(errand))
    return page(
        sorted(found, key=lambda each: each.id), lambda each: each.id, view, errand.request, "agreements", *FILTERS
    )


FILTERS = ("state", "system", "service")


def request(errand: Errand) -> Answer:
    asked, agreements = errand.read(NewAgreement), _agreements(errand)
    system = Systems(errand.house).find(SystemId(asked.system))
    errand.ensure_seen(system.organisation, "system")
    municipality = errand.house.find_organisation(asked.municipality)
    if municipality is None:
        raise Unregistered("no municipality with this CVR number takes part here", remedy="check the CVR number")
    window = window_of(asked.valid_from, asked.valid_to, errand.house.clock.now())
    replaces = None if asked.replaces is None else AgreementId(asked.replaces)
    if asked.draft:
        done = agreements.draft(municipality.id, system.id, asked.terms(), window, replaces=replaces)
    else:
        done = agreements.request(municipality.id, system.id, asked.terms(), window, replaces=replaces, note=asked.note)
    return made(_view(errand, done), f"{BASE}/{done.id}")


def shown(errand: Errand) -> Answer:
    errand.request.parameters()
    return one(_view(errand, _agreement_of(errand)))


def step(errand: Errand) -> Answer:
    asked, found = errand.read(AgreementDecision), _agreement_of(errand)
    errand.expect(lambda: _view(errand, _agreement_of(errand)), needed=False)
    return one(_view(errand, _agreements(errand).step(found.id, Step(asked.step), note=asked.note)))


def renew(errand: Errand) -> Answer:
    asked, found = errand.read(Renewal), _agreement_of(errand)
    now = errand.house.clock.now()
    window = window_of(asked.valid_from or beginning_after(found, now), asked.valid_to, now)
    terms = None if asked.terms is None else asked.terms.terms()
    done = _agreements(errand).renew(found.id, window, terms=terms, note=asked.note)
    return made(_view(errand, done), f"{BASE}/{done.id}")


def history(errand: Errand) -> Answer:
    steps = _agreements(errand).history(_agreement_of(errand).id)
    return page(steps, lambda each: f"{each.number:09}", AgreementStepView.of, errand.request, "agreement-history")


def window_of(start: datetime | None, end: datetime | None, now: datetime) -> Window:
    """Raises AgreementInvalid for one that ends before it begins."""
    begins = start or now
    if end is not None and end <= begins:
        raise AgreementInvalid("the agreement would end before it begins", remedy="give a later end")
    return Window(begins, end)


def beginning_after(agreement: Agreement, now: datetime) -> datetime:
    """When what follows an agreement begins: at its end, or now when that is over or open."""
    end = agreement.valid.end
    return now if end is None else max(end, now)


def viewing(store: ControlStore, agreements: Agreements) -> Callable[[Agreement], AgreementView]:
    """How agreements are shown to the actor that the store acts for; organisations and systems are read once."""
    organisations = {each.id: each for each in store.organisations()}
    systems = {each.id: each for each in Systems(store).all()}
    now = store.clock.now()

    def view(agreement: Agreement) -> AgreementView:
        system = systems[agreement.system]
        return AgreementView.of(
            agreement, organisations[agreement.municipality], organisations[system.organisation], system,
            agreements.steps(agreement.id), now,
        )  # fmt: skip

    return view


def _view(errand: Errand, agreement: Agreement) -> AgreementView:
    return viewing(errand.house.acting(errand.actor), _agreements(errand))(agreement)


def _agreement_of(errand: Errand) -> Agreement:
    return _agreements(errand).find(AgreementId(errand.ids["agreement"]))


def _agreements(errand: Errand) -> Agreements:
    return Agreements(errand.store, errand.doors.registers)
