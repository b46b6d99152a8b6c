"""What can be wrong with an administrator's request before any room is asked."""

from kernel import CallerMistake, NotAllowed, NotFound, RequestInvalid


class NotForSystems(NotAllowed):
    """A system's certificate calls services. Whoever administers shows an employee's certificate, bound to a user."""

    code = "not_for_systems"
    title = "Systems do not administer"


class PreconditionMissing(CallerMistake):
    """A change to one thing says which version of it is meant, so that nobody undoes what they have not seen."""

    code = "precondition_missing"
    status = 428
    title = "The change does not say what it was made from"


class PreconditionFailed(CallerMistake):
    """Somebody else changed the thing since it was read."""

    code = "precondition_failed"
    status = 412
    title = "The thing has changed since it was read"


class ProofMissing(RequestInvalid):
    """Who applies shows an employee's certificate, or has one made: else nobody could act for the organisation."""

    code = "proof_missing"
    title = "The application does not say who applies"


class DocumentsUnavailable(NotFound):
    """Documents are signed with the instance's key; where there is none, none are made."""

    code = "documents_unavailable"
    title = "No documents are made here"


class CursorUnknown(RequestInvalid):
    """A cursor is what an earlier answer gave under `next`, for the same list."""

    code = "cursor_unknown"
    title = "The cursor belongs to no list here"
