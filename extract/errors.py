"""What can go wrong when data is handed out in bulk."""

from kernel import NotAllowed, NotFound, RequestInvalid, TryAgainLater


class ColumnUnknown(RequestInvalid):
    code = "column_unknown"
    title = "There is no such column"


class ColumnsNotCovered(NotAllowed):
    code = "columns_not_covered"
    title = "The agreement does not cover these columns"


class ExtractNotReady(NotFound):
    code = "extract_not_ready"
    title = "The extract is not finished"


class ExtractBroken(TryAgainLater):
    code = "extract_broken"
    title = "The extract could not be finished"
