"""What can be wrong with a call on its way to an answer. No message repeats what the caller sent or a source said."""

from typing import Any

from kernel import CallerMistake, NotAllowed, NotFound, RequestInvalid, TryAgainLater


class KeyInvalid(RequestInvalid):
    """A key does not have the shape that the dataset's contract gives its keys."""

    code = "key_invalid"
    title = "A key does not have the right shape"


class TooManyKeys(RequestInvalid):
    """One call may ask about a limited number of keys; the agreement says how many."""

    code = "too_many_keys"
    title = "Too many keys in one call"


class NotSearchable(RequestInvalid):
    """A search by a column that the service does not offer for that."""

    code = "not_searchable"
    title = "The service is not searched by this"


class InputInvalid(RequestInvalid):
    """The body of a call does not hold what the service takes; the message names the field and not its value."""

    code = "input_invalid"
    title = "The body does not hold what the service takes"


class NarrowedTooFar(NotAllowed):
    """The agreement lets only some columns or rows through, and the platform cannot see those of a source's answer."""

    code = "narrowed_too_far"
    title = "The agreement narrows what cannot be narrowed"


class RecordUnknown(NotFound):
    """The dataset has no record with this key, or none that the agreement covers; which of the two is not said."""

    code = "record_unknown"
    title = "There is no such record to change"


class RecordOutside(NotAllowed):
    """The record, as it is or as it would be, lies outside the rows or columns that the agreement covers."""

    code = "record_outside"
    title = "The agreement does not cover this record"


class ConditionMissing(CallerMistake):
    """Who changes a record says which state of it was seen: somebody else may have changed it since."""

    code = "condition_missing"
    status = 428
    title = "The call does not say which state of the record it changes"


class RecordChanged(CallerMistake):
    """The record is not in the state that the call names; read it again, and decide again."""

    code = "record_changed"
    status = 412
    title = "Somebody else changed the record"


class EventSubscriptionUnknown(NotFound):
    """The system has no subscription with this id to this service."""

    code = "event_subscription_unknown"
    title = "There is no such subscription to events"


class EventSubscriptionLimit(CallerMistake):
    """A system may have a limited number of subscriptions to events."""

    code = "event_subscription_limit"
    status = 409
    title = "There are too many subscriptions to events"


class EventViewChanged(CallerMistake):
    """What changed cannot be told: the agreement shows other rows or columns than when the subscription began."""

    code = "event_view_changed"
    status = 410
    title = "The agreement shows something else now"


class CursorUnknown(RequestInvalid):
    """What was sent is not a cursor that a page of events gave."""

    code = "cursor_unknown"
    title = "This is not a cursor of events"


class EventsNotOffered(TryAgainLater):
    """This process does not know the subscriptions to events."""

    code = "events_not_offered"
    title = "No events are told here"


class WritingNotOffered(TryAgainLater):
    """This process has no way to the mirror's writer."""

    code = "writing_not_offered"
    title = "Nothing is written here"


class SourceNotConfigured(TryAgainLater):
    """The operator has not said where the source is."""

    code = "source_not_configured"
    title = "The source is not known here"


class SourceUnreachable(TryAgainLater):
    """No connection to the source, or one that broke before its answer was whole."""

    code = "source_unreachable"
    status = 502
    title = "The source cannot be reached"

    def __init__(self, message: str, *, arrived: bool = True, **known: Any) -> None:
        """arrived   whether the request may have reached the source"""
        super().__init__(message, **known)
        self.arrived = arrived


class SourceFailed(TryAgainLater):
    """The source answered that it failed."""

    code = "source_failed"
    status = 502
    title = "The source failed"


class SourceAnswerInvalid(TryAgainLater):
    """The source's answer is not HTTP, too large, compressed, points elsewhere, or is not what the service promises."""

    code = "source_answer_invalid"
    status = 502
    title = "The source's answer cannot be used"


class SourceTooSlow(TryAgainLater):
    """The source had no whole answer when the call's time was over."""

    code = "source_too_slow"
    status = 504
    title = "The source did not answer in time"


class SourceResting(TryAgainLater):
    """The source failed several times in a row, and is left alone for a moment."""

    code = "source_resting"
    title = "The source is left alone for a moment"


class SourceBusy(TryAgainLater):
    """As many calls as the source may have at once are on their way to it."""

    code = "source_busy"
    title = "Too many calls are on their way to the source"


class ReplicaTooOld(TryAgainLater):
    """The source does not answer, and the replica's answer would be older than the caller accepts."""

    code = "replica_too_old"
    title = "The replica is older than the caller accepts"


class StepFailed(TryAgainLater):
    """A step that the answer needs failed; the trace id opens the decision on it."""

    code = "step_failed"
    status = 502
    title = "A part of the answer could not be had"
