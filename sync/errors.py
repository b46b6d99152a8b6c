"""What a delivery can be refused for, and what an operator must mend about a source."""

from kernel import DataRefused, OperatorMistake, TryAgainLater


class SourceInvalid(OperatorMistake):
    """A source file cannot be used as it is written."""

    code = "source_invalid"
    title = "A source description must be mended"


class SourceMisfit(OperatorMistake):
    """The decoder of a source and the contract of its dataset do not list the same columns."""

    code = "source_misfit"
    title = "Source and contract do not fit"


class SourceUnreachable(TryAgainLater):
    """A source is not there, does not answer, or hung up."""

    code = "source_unreachable"
    title = "The source cannot be reached"


class SourceFaulty(TryAgainLater):
    """A source answers, but not as it says it would: another size, a page twice, what cannot be read."""

    code = "source_faulty"
    title = "The source does not keep its word"


class SourceDenied(OperatorMistake):
    """A source does not accept our credentials."""

    code = "source_denied"
    title = "The source does not let us in"


class SourceUntrusted(OperatorMistake):
    """Whoever answers at the address of a source is not the one that the source file names."""

    code = "source_untrusted"
    title = "The source is not who it should be"


class FileUnsettled(TryAgainLater):
    """A file changed while it was read: it is still being written."""

    code = "file_unsettled"
    title = "A file is still being written"


class DeliveryUnreadable(DataRefused):
    """Not a delivery of this kind at all: no start record, another header, another encoding."""

    code = "delivery_unreadable"
    title = "A delivery cannot be read"


class DeliveryIncomplete(DataRefused):
    """The end record is missing: the delivery was cut off."""

    code = "delivery_incomplete"
    title = "A delivery was cut off"


class DeliveryMiscounted(DataRefused):
    """The end record counts other records than were delivered."""

    code = "delivery_miscounted"
    title = "A delivery does not count up"


class DeliveryOutOfChain(DataRefused):
    """The delivery does not follow on the last one that was loaded."""

    code = "delivery_out_of_chain"
    title = "A delivery is missing before this one"


class QuarantineTooLarge(DataRefused):
    """So many rows were held back that the delivery itself must be wrong."""

    code = "quarantine_too_large"
    title = "Too many rows of a delivery were held back"


class SourceChanged(DataRefused):
    """A delivery would change more of the mirror than its source may change at once."""

    code = "source_changed"
    title = "A source changed too much"


class SourceShrank(DataRefused):
    """A delivery would delete more of the mirror than its source may lose at once."""

    code = "source_shrank"
    title = "A source shrank too much"


class QualityRefused(DataRefused):
    """A rule of the contract that is about the delivery as a whole does not hold."""

    code = "quality_refused"
    title = "A delivery is not as the contract promises"


class NotFictitious(DataRefused):
    """A delivery to a test environment may be about people who live."""

    code = "not_fictitious"
    title = "A test environment takes fictitious data alone"


class ReferenceNotReady(DataRefused):
    """A dataset refers to another, of which nothing is in the mirror yet."""

    code = "reference_not_ready"
    title = "A dataset that this one refers to has not been mirrored"
