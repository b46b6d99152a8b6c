"""Organisations: applications, their standing, the list that operators see."""

from api.answer import Answer
from api.errors import ParameterInvalid
from api.rest.admin.asked import (
    Application,
    MunicipalityCode,
    NewOrganisation,
    OrganisationChange,
    OrganisationStanding,
)
from api.rest.admin.errand import Errand, made, one
from api.rest.admin.errors import ProofMissing
from api.rest.admin.pages import page
from api.rest.admin.shown import ApplicationView, OrganisationView, UserView
from control import Application as Applying
from control import Onboarding, Organisation, OrganisationKind, OrganisationState
from control.certificates.requests import read_request
from control.errors import Unregistered
from kernel import OrganisationId

BASE = "/v1/admin/organisations"


def apply(errand: Errand) -> Answer:
    """Whoever applies proves to hold the key of the first user's certificate: by the connection, or by a request."""
    asked = errand.read(Application)
    chain: bytes | None = None
    proof = errand.request.certificate
    if asked.signing_request is not None:
        authority = errand.authority()
        key = read_request(asked.signing_request.encode())
        chain = proof = authority.answer_employee(key, asked.cvr, asked.name, asked.user_name)
    if proof is None:
        raise ProofMissing(
            "the connection shows no client certificate, and the application holds no signing request",
            remedy="apply with the first user's employee certificate, or in the test environment with signing_request",
            rule="organisation.proof",
        )
    done = Onboarding(errand.store).apply(
        Applying(
            kind=OrganisationKind(asked.kind), cvr=asked.cvr, name=asked.name, email=asked.email,
            user_name=asked.user_name, user_email=asked.user_email, certificate=proof,
        ),
        trust=errand.trust,
    )  # fmt: skip
    confirmed = done.organisation.state is OrganisationState.CONFIRMED
    told = "call with the certificate: GET /v1/me" if confirmed else "wait until the operator confirms the organisation"
    shown = ApplicationView(
        OrganisationView.of(done.organisation), UserView.of(done.user), chain.decode() if chain else None, told
    )
    return made(shown, f"{BASE}/{done.organisation.id}")


def add(errand: Errand) -> Answer:
    asked = errand.read(NewOrganisation)
    done = errand.store.add_organisation(asked.kind, asked.cvr, asked.name, code=asked.code)
    return made(OrganisationView.of(done), f"{BASE}/{done.id}")


def listed(errand: Errand) -> Answer:
    """All of them to operators; to everybody else their own."""
    chosen = errand.request.parameters("cursor", "limit", "state", "kind", "cvr")
    for name, known in (("state", OrganisationState), ("kind", OrganisationKind)):
        if name in chosen and chosen[name] not in set(known):
            raise ParameterInvalid(f"{name} is none that there is", remedy=f"it is one of {', '.join(known)}")
    seen = [
        each
        for each in errand.house.organisations()
        if (errand.operator or each.id == errand.actor.organisation)
        and chosen.get("state", each.state) == each.state
        and chosen.get("kind", each.kind) == each.kind
        and chosen.get("cvr", each.cvr) == each.cvr
    ]
    seen.sort(key=lambda each: each.id)
    return page(
        seen, lambda each: each.id, OrganisationView.of, errand.request, "organisations", "state", "kind", "cvr"
    )


def shown(errand: Errand) -> Answer:
    errand.request.parameters()
    return one(_shown(errand))


def change(errand: Errand) -> Answer:
    asked, found = errand.read(OrganisationChange), organisation_of(errand)
    errand.expect(lambda: _shown(errand), needed=True)
    done = Onboarding(errand.store).change(found.id, name=asked.name, email=asked.email)
    return one(OrganisationView.of(done))


def step(errand: Errand) -> Answer:
    asked, found = errand.read(OrganisationStanding), organisation_of(errand)
    errand.expect(lambda: _shown(errand), needed=False)
    return one(OrganisationView.of(Onboarding(errand.store).step(found.id, asked.step, note=asked.note)))


def code(errand: Errand) -> Answer:
    """What "own municipality" means: the operator's to say, since a municipality must not choose whose rows it has."""
    asked, found = errand.read(MunicipalityCode), organisation_of(errand)
    errand.expect(lambda: _shown(errand), needed=False)
    return one(OrganisationView.of(Onboarding(errand.store).set_code(found.id, asked.code)))


def organisation_of(errand: Errand) -> Organisation:
    """The one that the path names. Raises Unregistered, also for one that the actor may not see."""
    wanted = OrganisationId(errand.ids["organisation"])
    errand.ensure_seen(wanted, "organisation")
    found = next((each for each in errand.house.organisations() if each.id == wanted), None)
    if found is None:
        raise Unregistered("no such organisation", remedy="list those that you may see: GET /v1/admin/organisations")
    return found


def _shown(errand: Errand) -> OrganisationView:
    return OrganisationView.of(organisation_of(errand))
