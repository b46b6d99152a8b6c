"""Users: who they are, what they may, by which certificate they are known."""

from api.answer import Answer
from api.rest.admin.asked import NewCertificate, NewUser, Nothing, UserChange
from api.rest.admin.certificates import chosen
from api.rest.admin.errand import Errand, made, one
from api.rest.admin.organisations import organisation_of
from api.rest.admin.pages import page
from api.rest.admin.shown import UserCertificateView, UserView
from control import People, User, UserId
from control.certificates.requests import read_request
from control.errors import Unregistered

BASE = "/v1/admin/users"


def listed(errand: Errand) -> Answer:
    found = sorted(People(errand.store).users(organisation_of(errand).id), key=lambda each: each.id)
    return page(found, lambda each: each.id, UserView.of, errand.request, "users")


def add(errand: Errand) -> Answer:
    asked, owner = errand.read(NewUser), organisation_of(errand)
    done = People(errand.store).add(owner.id, asked.name, asked.email, asked.roles)
    return made(UserView.of(done), f"{BASE}/{done.id}")


def shown(errand: Errand) -> Answer:
    errand.request.parameters()
    return one(UserView.of(_user_of(errand)))


def change(errand: Errand) -> Answer:
    asked, found = errand.read(UserChange), _user_of(errand)
    errand.expect(lambda: UserView.of(_user_of(errand)), needed=True)
    return one(UserView.of(People(errand.store).change_roles(found.id, asked.roles)))


def end(errand: Errand) -> Answer:
    errand.read(Nothing)
    found = _user_of(errand)
    errand.expect(lambda: UserView.of(_user_of(errand)), needed=False)
    return one(UserView.of(People(errand.store).end(found.id)))


def certificates(errand: Errand) -> Answer:
    user = _user_of(errand).id
    found = sorted(People(errand.store).certificates(user))
    return page(found, str, lambda each: UserCertificateView(user, each), errand.request, "user-certificates")


def bind(errand: Errand) -> Answer:
    asked, user = errand.read(NewCertificate), _user_of(errand)
    content, request = chosen(asked)
    chain: bytes | None = None
    if request is not None:
        authority, key = errand.authority(), read_request(request)
        owner = next(each for each in errand.house.organisations() if each.id == user.organisation)
        content = chain = authority.answer_employee(key, owner.cvr, owner.name, user.name)
    fingerprint = People(errand.store).bind_certificate(user.id, content, trust=errand.trust)
    view = UserCertificateView(user.id, fingerprint, chain.decode() if chain else None)
    return made(view, f"{BASE}/{user.id}/certificates")


def revoke(errand: Errand) -> Answer:
    errand.read(Nothing)
    people, user, fingerprint = People(errand.store), _user_of(errand), errand.ids["fingerprint"]
    if fingerprint not in people.certificates(user.id):
        raise Unregistered("the user has no such certificate", remedy=f"list them: GET {BASE}/{user.id}/certificates")
    people.revoke_certificate(fingerprint)
    return one(UserCertificateView(user.id, fingerprint))


def _user_of(errand: Errand) -> User:
    found = People(errand.house).user(UserId(errand.ids["user"]))
    errand.ensure_seen(found.organisation, "user")
    return found
