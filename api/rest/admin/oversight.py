"""Data-processing agreements, the inbox, and the audit trail."""

from api.answer import Answer
from api.errors import ParameterInvalid
from api.rest.admin.asked import Ending, NewProcessingAgreement, Nothing
from api.rest.admin.errand import Errand, made, one
from api.rest.admin.organisations import organisation_of
from api.rest.admin.pages import asked as asked_page
from api.rest.admin.pages import listed as a_page
from api.rest.admin.pages import page
from api.rest.admin.shown import AuditCheck, AuditView, NoticeView, ProcessingAgreementView
from control import Inbox, Processing, ProcessingAgreement
from control.audit import load_entries, verify
from control.errors import NotYours, ProcessingInvalid, Unregistered
from kernel import OrganisationId, Window

_UNTIL = 2**62


def processing(errand: Errand) -> Answer:
    found = Processing(errand.store).agreements(organisation_of(errand).id)
    return page(
        sorted(found, key=lambda each: each.id), lambda each: each.id, ProcessingAgreementView.of, errand.request,
        "processing-agreements",
    )  # fmt: skip


def record(errand: Errand) -> Answer:
    asked, owner = errand.read(NewProcessingAgreement), organisation_of(errand)
    if asked.valid_to is not None and asked.valid_to <= asked.valid_from:
        raise ProcessingInvalid("it ends before it begins", remedy="give a valid_to after valid_from")
    window = Window(asked.valid_from, asked.valid_to)
    done = Processing(errand.store).record(owner.id, asked.reference, asked.document, window)
    return made(ProcessingAgreementView.of(done), f"/v1/admin/organisations/{owner.id}/processing-agreements/{done.id}")


def processing_shown(errand: Errand) -> Answer:
    errand.request.parameters()
    return one(ProcessingAgreementView.of(_processing_of(errand)))


def end(errand: Errand) -> Answer:
    asked, found = errand.read(Ending), _processing_of(errand)
    errand.expect(lambda: ProcessingAgreementView.of(_processing_of(errand)), needed=False)
    return one(ProcessingAgreementView.of(Processing(errand.store).end(found.id, asked.at)))


def inbox(errand: Errand) -> Answer:
    """What concerns the user's roles in their organisation, newest first."""
    chosen, after, limit = asked_page(errand.request, "inbox", "unread")
    if chosen.get("unread", "false") not in {"true", "false"}:
        raise ParameterInvalid("unread is neither true nor false", remedy="mend or omit it")
    found = Inbox(errand.store).notices(errand.own, unread=chosen.get("unread") == "true")
    newest = sorted(found, key=lambda each: each.id, reverse=True)
    rest = [each for each in newest if not after or each.id < after]
    return a_page(
        [NoticeView.of(each) for each in rest[:limit]], "inbox", rest[limit - 1].id if len(rest) > limit else None
    )


def notice(errand: Errand) -> Answer:
    errand.request.parameters()
    return one(NoticeView.of(Inbox(errand.store).notice(errand.ids["notice"])))


def read(errand: Errand) -> Answer:
    errand.read(Nothing)
    return one(NoticeView.of(Inbox(errand.store).read(errand.ids["notice"])))


def audit(errand: Errand) -> Answer:
    """The trail, oldest first: all of it to operators, to others what their own organisation did."""
    chosen, after, limit = asked_page(errand.request, "audit", "about", "organisation")
    whose = chosen.get("organisation")
    if not errand.operator:
        if whose not in {None, errand.own}:
            raise Unregistered("no such organisation", remedy="leave the parameter out to see your own")
        whose = errand.own
    with errand.house.reading() as db:
        found = load_entries(db, organisation=whose, about=chosen.get("about"), after=_number(after), limit=limit + 1)
    last = str(found[limit - 1].number) if len(found) > limit else None
    return a_page([AuditView.of(each) for each in found[:limit]], "audit", last)


def check(errand: Errand) -> Answer:
    """Whether the trail's chain is whole. For operators."""
    errand.request.parameters()
    if not errand.operator:
        raise NotYours(
            "the chain of the whole trail is the operator's to check", remedy="ask the operator", rule="roles.audit"
        )
    with errand.house.reading() as db:
        entries, broken_at = verify(db)
        last = load_entries(db, after=max(0, entries - 1), limit=1)
    return one(AuditCheck(entries, broken_at, last[-1].hash if last else ""))


def _processing_of(errand: Errand) -> ProcessingAgreement:
    owner, wanted = organisation_of(errand), errand.ids["agreement"]
    found = Processing(errand.house).agreements(OrganisationId(owner.id))
    for each in found:
        if each.id == wanted:
            return each
    raise Unregistered("the municipality has no such data-processing agreement", remedy="list those that it has")


def _number(after: str) -> int:
    return min(int(after), _UNTIL) if after.isascii() and after.isdigit() else 0
